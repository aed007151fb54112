"""What a worker does with an arm: get the trained model, prune it, measure it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kit.pruning import NotReached, Pruned, allocate, closed_rule, recover
from kit.studies.dense import Dense, Look, Progress, Result, Trained
from kit.studies.pruning import checkpoint
from kit.studies.pruning.base import ALPHAS
from kit.studies.pruning.curves import at, loss_at, on_the_curve
from kit.studies.pruning.measures import (
    KEPT,
    calibration_of,
    largest_change,
    metrics_of,
)
from kit.studies.pruning.variants import pruned
from kit.training import TrainConfig

COSTS = ("seconds", "evaluations")
FURTHER = 30_000  # seeds of training after pruning begin here


def prepare(spec: Mapping[str, Any]) -> Callable[[int, Progress], Result]:
    """What all seeds share; the returned function does one seed."""
    if spec["kind"] == "checkpoint":
        return checkpoint.prepare(spec)
    return Dense("pruning", spec).take_apart(LOOKS[spec["kind"]], spec.get("plan", {}))


def trained(given: Trained, plan: Mapping[str, Any], progress: Progress) -> Result:
    """The dense model itself, and how it was trained."""
    history = ("history", "training_seconds", "steps")
    metrics = metrics_of(given.model, given.task)
    return {"metrics": metrics, **{name: given.note[name] for name in history}}


def curve(given: Trained, plan: Mapping[str, Any], progress: Progress) -> Result:
    """Prune to each sparsity, once for each draw of calibration data."""
    sparsities, draws = plan["sparsities"], plan.get("draws", 1)
    model, seed = given.model, given.seed
    whole = {"reached": 0.0, **_kept(given.note["metrics"])}
    curves: list[list[dict[str, Any]]] = []
    for draw in range(draws):
        data = calibration_of(given.task, plan, 100 * seed + draw)
        points: list[dict[str, Any]] = []
        for number, sparsity in enumerate(sparsities, 1):
            try:
                found = pruned(
                    plan["method"], model, data, sparsity, seed, plan["settings"]
                )
            except NotReached:
                if not points:
                    raise
                break
            points.append(_point(found, given, sparsity))
            share = (draw + number / len(sparsities)) / draws
            progress(0.5 + 0.5 * share)
        curves.append(points)
    metrics: dict[str, float] = {}
    for sparsity in sparsities:
        metrics |= _at(sparsity, [[whole, *points] for points in curves])
    changes = [p["change"] for points in curves for p in points if "change" in p]
    if changes:
        metrics["weight_change"] = max(changes)
    misses = [abs(p["reached"] - p["sparsity"]) for each in curves for p in each]
    if misses:
        metrics["largest_miss"] = max(misses)
    return {"metrics": metrics, "probes": {"dense": whole, "curves": curves}}


def _at(sparsity: float, curves: list[list[dict[str, Any]]]) -> dict[str, float]:
    """Metrics at a sparsity, means over the draws; none where no draw reaches it."""
    metrics: dict[str, float] = {}
    for name in KEPT:
        if name not in curves[0][0]:
            continue
        values = [on_the_curve(points, name, sparsity) for points in curves]
        numbers = [value for value in values if value is not None]
        if len(numbers) < len(values):
            continue
        metrics[at(name, sparsity)] = float(np.mean(numbers))
        if name == "loss" and len(numbers) > 1:
            metrics[at("spread", sparsity)] = float(np.std(numbers, ddof=1))
    for name in COSTS:
        costs = [
            p[name] for each in curves for p in each[1:] if p["sparsity"] == sparsity
        ]
        if costs:
            metrics[at(name, sparsity)] = float(np.mean(costs))
    return metrics


def split(given: Trained, plan: Mapping[str, Any], progress: Progress) -> Result:
    """2SSP with every number of attentions that a sparsity allows."""
    model, seed, sparsity = given.model, given.seed, plan["sparsity"]
    data, config = calibration_of(given.task, plan, 100 * seed), model.config
    rule, losses = closed_rule(config, sparsity), {}
    alphas = {str(alpha): closed_rule(config, sparsity, alpha) for alpha in ALPHAS}
    for number in range(len(config.blocks)):
        try:
            allocate(config, sparsity, number)
        except NotReached:
            continue
        found = pruned("2ssp", model, data, sparsity, seed, {"rule": number})
        losses[number] = metrics_of(found.model, given.task)["loss"]
        progress(0.5 + 0.5 * (number + 1) / len(config.blocks))
    best = min(losses, key=losses.__getitem__)
    metrics = {
        loss_at(sparsity): losses[rule],
        "regret": losses[rule] - losses[best],
        "attentions_by_the_rule": rule,
        "attentions_at_best": best,
    }
    probes = {"sparsity": sparsity, "rule": rule, "alphas": alphas}
    probes["losses"] = {str(number): loss for number, loss in losses.items()}
    return {"metrics": metrics, "probes": probes}


def recovered(given: Trained, plan: Mapping[str, Any], progress: Progress) -> Result:
    """Prune, then train for a while: the loss before and after; or only train."""
    model, seed, sparsity = given.model, given.seed, plan["sparsity"]
    if plan["method"] is not None:
        data = calibration_of(given.task, plan, 100 * seed)
        model = pruned(plan["method"], model, data, sparsity, seed, {}).model
    progress(0.6)
    train = TrainConfig.from_dict(plan["train"])
    # Other batches than those of the first training, which began with this seed.
    found = recover(model, given.task, train, seed=FURTHER + seed, progress=False)
    metrics = {
        "loss_before": found.before["loss"],
        "recovered_loss": found.after["loss"],
    }
    return {"metrics": metrics, "training_seconds": found.run.training_seconds}


LOOKS: dict[str, Look] = {
    "dense": trained,
    "curve": curve,
    "split": split,
    "recovered": recovered,
}


def _kept(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: metrics[name] for name in KEPT if name in metrics}


def _point(found: Pruned, given: Trained, sparsity: float) -> dict[str, Any]:
    """A pruned model in numbers."""
    model, record = found
    point: dict[str, Any] = {
        "sparsity": sparsity,
        "reached": record.reached,
        "parts": [str(part) for part in record.parts],
        "neurons": len(next(iter(record.neurons.values()), [])),
        "perplexity": record.perplexity,
        "candidates": record.candidates,
        "evaluations": record.block_evaluations,
        "seconds": record.seconds["all"],
        **metrics_of(model, given.task),
    }
    if record.neurons and len(model.blocks) == len(given.model.blocks):
        point["change"] = largest_change(given.model, model, record)
    return point
