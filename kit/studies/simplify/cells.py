"""What a worker does with an arm: train it, watch its gains, then look inside."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kit.counts import flops_per_token, parameter_counts
from kit.data import Batch
from kit.models import Transformer, build
from kit.probes.signal import MEASURES, SignalProbe, gains
from kit.studies import training
from kit.studies.simplify import pace, speed
from kit.training import Run

TIMED = {"speed": speed.prepare, "pace": pace.prepare}
PROBED = 16  # held-out sequences that the probes look at


def prepare(spec: Mapping[str, Any]) -> training.RunSeed:
    """Compile an arm once; the returned function trains, or times, one seed."""
    if spec["kind"] in TIMED:
        return TIMED[spec["kind"]](spec)
    return training.prepare(spec, _look_inside, observe=mean_gains)


def mean_gains(model: Transformer) -> dict[str, float]:
    """Every trained gain of a model by name, as its mean over heads."""
    heads: dict[str, list[float]] = {}
    for name, value in gains(model).items():
        heads.setdefault(f"gain/{name.rstrip('/0123456789')}", []).append(value)
    return {name: float(np.mean(values)) for name, values in heads.items()}


def update_ratios(found: Mapping[str, float]) -> list[float]:
    """|beta / alpha| of every matrix that is a start plus an update."""
    return [
        abs(found[name.removesuffix("alpha") + "beta"] / value)
        for name, value in found.items()
        if name.endswith(("value_alpha", "projection_alpha"))
    ]


def _look_inside(run: Run, task: Any, seed: int) -> tuple[dict, dict]:
    config = run.model.config
    batch = task.validation()
    probe = SignalProbe(config, Batch(batch.inputs[:PROBED], batch.targets[:PROBED]))
    metrics: dict[str, float] = {
        "parameters": sum(parameter_counts(config).values()),
        "flops_per_token": flops_per_token(config),
    }
    ratios = update_ratios(mean_gains(run.model))
    if ratios:
        metrics["median_update_ratio"] = float(np.median(ratios))
        metrics["largest_update_ratio"] = max(ratios)
    signals = {
        "at_start": _by_measure(probe(build(config, seed=seed))),
        "trained": _by_measure(probe(run.model)),
    }
    return metrics, {"signal": signals, "update_ratios": ratios}


def _by_measure(found: Mapping[str, float]) -> dict[str, list[float]]:
    """Measure -> its numbers, layer by layer."""
    return {
        measure: [v for name, v in found.items() if name.startswith(f"{measure}_")]
        for measure in MEASURES
    }
