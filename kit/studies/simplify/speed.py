"""What a block costs beside Pre-LN: parameters, operations, time and memory.

Both models take turns in one process, on one core, so that whatever else the machine
does hits both. Memory is the peak of a process that trains one of them only, over what
it had once Keras was there.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kit.config import ModelConfig
from kit.counts import flops_per_token, parameter_counts
from kit.studies.machine import peak_bytes
from kit.studies.study import Arm

BASE = "pre-ln"
PRESETS = ("parallel", "sas", "sas-p", "sas-p-no-norm")
WIDTHS = (128, 256, 512)
BLOCKS, CONTEXT, BATCH, VOCABULARY = 6, 64, 4, 65
TURNS, STEPS = 5, 4
COST = {128: 27.0, 256: 29.0, 512: 42.0}  # estimated seconds of one seed


def speed_arms() -> list[Arm]:
    """Every simplified block at every width, repeated; most where claims are judged."""
    return [
        Arm(
            f"S-{preset}-{width}",
            f"cost of {preset} at width {width}, beside {BASE}",
            {"kind": "speed", "preset": preset, "width": width, "steps": STEPS}
            | {"memory": "over the imports"},
            cost=COST[width],
            seeds=5 if width == WIDTHS[-1] else 3,
            preparation=2 * COST[width] / 3,
        )
        for preset in PRESETS
        for width in WIDTHS
    ]


def prepare(spec: Mapping[str, Any]) -> Callable[..., dict[str, Any]]:
    """Compile both models; the returned function times them in turns."""
    names = (BASE, spec["preset"])
    sized = {name: _config(name, spec["width"]) for name in names}
    steps = {name: training_steps(config) for name, config in sized.items()}
    for step in steps.values():
        step(1)
    counts = {name: _counts(config) for name, config in sized.items()}

    def run(seed: int, progress: Callable[[float], None]) -> dict[str, Any]:
        started = time.perf_counter()
        seconds = in_turns(steps, spec["steps"], seed, progress)
        pairs = [a / b for a, b in zip(*seconds.values(), strict=True)]
        memory = {name: _peak_bytes(name, spec["width"]) for name in names}
        ours = spec["preset"]
        return {
            "status": "finished",
            "metrics": {
                "speed_ratio": float(np.median(pairs)),
                "step_seconds": min(seconds[ours]) / spec["steps"],
                "parameters": counts[ours]["parameters"],
                "parameter_ratio": counts[ours]["parameters"]
                / counts[BASE]["parameters"],
                "flops_per_token": counts[ours]["flops"],
                "bound_by_flops": counts[BASE]["flops"] / counts[ours]["flops"],
                "peak_bytes": memory[ours],
                "memory_ratio": memory[ours] / memory[BASE],
            },
            "probes": {"seconds": seconds},
            "training_seconds": time.perf_counter() - started,
        }

    return run


def in_turns(
    steps: Mapping[str, Callable[[int], float]],
    count: int,
    seed: int,
    progress: Callable[[float], None],
) -> dict[str, list[float]]:
    """Seconds of each turn by name; who begins alternates, the seed says with whom."""
    names = list(steps)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(TURNS):
        for name in names[:: 1 if (turn + seed) % 2 else -1]:
            seconds[name].append(steps[name](count))
        progress((turn + 1) / (TURNS + 1))
    return seconds


def _config(preset: str, width: int) -> ModelConfig:
    return ModelConfig.uniform(
        BLOCKS,
        preset,
        vocabulary_size=VOCABULARY,
        context_length=CONTEXT,
        width=width,
        positions="learned",
    )


def _counts(config: ModelConfig) -> dict[str, float]:
    parameters = sum(parameter_counts(config).values())
    return {"parameters": parameters, "flops": flops_per_token(config)}


def training_steps(config: ModelConfig, batch: int = BATCH) -> Callable[[int], float]:
    """Some training steps, as the trainer takes them; returns their seconds."""
    from kit.models import build
    from kit.training import TrainConfig, token_cross_entropy
    from kit.training.optimizer import make_optimizer

    model = build(config)
    train = TrainConfig(batch_size=batch, learning_rate=1e-4)
    optimizer = make_optimizer(train, model)
    model.compile(optimizer, token_cross_entropy, jit_compile=True)
    rng = np.random.default_rng(0)
    shape = (batch, config.context_length)
    inputs, targets = (
        rng.integers(config.vocabulary_size, size=shape).astype("int32")
        for _ in range(2)
    )

    def step(count: int) -> float:
        started = time.perf_counter()
        for _ in range(count):
            loss = model.train_on_batch(inputs, targets)
        float(loss)  # the last step has to be over
        return time.perf_counter() - started

    return step


def _peak_bytes(preset: str, width: int) -> int:
    """What training one model takes in a fresh process, at its peak."""
    command = [sys.executable, "-m", "kit.studies.simplify.speed", preset, str(width)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout.splitlines()[-1]))


def main(preset: str, width: str) -> None:
    """Train a few steps, then print the bytes that this took."""
    import kit.models  # noqa: F401

    before = peak_bytes()
    training_steps(_config(preset, int(width)))(3)
    print(json.dumps(peak_bytes() - before))


if __name__ == "__main__":
    main(*sys.argv[1:])
