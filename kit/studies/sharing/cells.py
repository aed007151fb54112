"""What a worker does with an arm: get the trained model, share it, train it further."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import keras

from kit.models import Transformer, build
from kit.sharing import (
    Copies,
    DistillationConfig,
    DistillingTrainer,
    copies_at_rate,
    map_similarity,
    match_heads,
    savings_of,
    share,
    shared_config,
)
from kit.studies.dense import Dense, Look, Progress, Result, Trained
from kit.studies.sharing import checkpoint, speed
from kit.studies.sharing.base import stages
from kit.studies.sharing.choosing import chosen
from kit.studies.sharing.looking import (
    calibration,
    plain_maps,
    summary,
    unrelated,
    watching,
)
from kit.studies.sharing.matrices import upper
from kit.studies.sharing.untrained import (
    copying_costs,
    nearest,
    without_attention,
    without_training,
)
from kit.training import TrainConfig, Trainer
from kit.training.continued import ContinuedTrainer
from kit.training.trainer import Run

FURTHER = 30_000  # seeds of training after sharing begin here
SECOND = 5_000  # and so much further those of its second stage
ELSEWHERE = {"checkpoint": checkpoint.prepare, "speed": speed.prepare}


def prepare(spec: Mapping[str, Any]) -> Callable[[int, Progress], Result]:
    """What all seeds share; the returned function does one seed."""
    if spec["kind"] in ELSEWHERE:
        return ELSEWHERE[spec["kind"]](spec)
    base = Dense("sharing", spec["base"])
    base.observe = watching(calibration(base.task, spec["watched"], 0).inputs)
    return base.take_apart(KINDS[spec["kind"]], spec)


def trained(given: Trained, spec: Mapping[str, Any], progress: Progress) -> Result:
    """The model itself, and its maps from the start to the end of its training."""
    base, note, seed = given.dense, given.note, given.seed
    history = [dict(row) for row in note["history"]]
    seen = {str(row["step"]): row.pop("maps") for row in history}
    tokens = calibration(base.task, spec["plan"]["sequences"], seed).inputs
    fresh = map_similarity(build(base.config, seed=seed), tokens)
    final = map_similarity(given.model, tokens, seed=seed)
    metrics = note["metrics"] | summary(final)
    for measure, matrix in fresh.values.items():
        at_start = sum(upper(matrix)) / len(upper(matrix))
        at_end = sum(upper(final.values[measure])) / len(upper(matrix))
        metrics[f"{measure}_start"] = at_start
        metrics[f"{measure}_fall"] = at_start - at_end
    probes = {"watched": seen, "start": plain_maps(fresh), "end": plain_maps(final)}
    return {
        "metrics": metrics,
        "history": history,
        "probes": probes,
        "training_seconds": note["training_seconds"],
        "steps": note["steps"],
    }


def copied(given: Trained, spec: Mapping[str, Any], progress: Progress) -> Result:
    """What copying costs without training: single blocks, and every rule."""
    plan, model, seed = spec["plan"], given.model, given.seed
    batch = calibration(given.task, plan["sequences"], seed)
    found = without_training(
        model, batch, given.task.validation(), plan, seed, progress
    )
    if plan["others"]:
        other, _ = given.dense.model((seed + 1) % plan["others"], lambda done: None)
        apart = unrelated(model, other, batch.inputs)
        for measure, alike in apart.items():
            inner = found["metrics"][f"{measure}_inner"]
            found["metrics"][f"{measure}_unrelated"] = alike
            found["metrics"][f"{measure}_above_unrelated"] = inner - alike
    return found


def student(given: Trained, spec: Mapping[str, Any], progress: Progress) -> Result:
    """Share, then distil and train further: the loss before and after each."""
    plan, model, seed = spec["plan"], given.model, given.seed
    batch = calibration(given.task, plan["sequences"], seed)
    copies = copies_of(model, plan, batch, seed)
    if plan["dropped"]:
        smaller = without_attention(model, copies)
    else:
        tokens = batch.inputs[: plan["matched"]]
        heads = match_heads(model, copies, tokens) if plan["matched"] else None
        smaller = share(model, copies, heads)
    progress(0.55)
    metrics, runs = _in_two_stages(smaller, given, spec)
    counts = [each.count_params() for each in (model, smaller)]
    metrics |= {"copied": len(copies), "parameters_saved": 1 - counts[1] / counts[0]}
    if not plan["dropped"]:
        saved = savings_of(model.config, copies).parameters
        metrics["formula_miss"] = abs(counts[0] - counts[1] - saved)
    return _told(metrics, runs, copies)


def _in_two_stages(
    smaller: Transformer, teacher: Trained, spec: Mapping[str, Any]
) -> tuple[dict[str, float], list[Run]]:
    """Distil, then train further, as long as the regime says; other data in each."""
    plan, train = spec["plan"], TrainConfig.from_dict(spec["train"])
    task, seed = teacher.task, teacher.seed
    first, second = stages(plan["regime"], train.steps)
    metrics: dict[str, float] = {}
    runs: list[Run] = []
    if first:
        losses = DistillationConfig.from_dict(plan["losses"])
        stage = _stage(train, first)
        trainer = DistillingTrainer(smaller, teacher.model, task, stage, losses, _xla())
        found = trainer.go_on(FURTHER + seed, progress=False)
        metrics["loss_before"] = found.before["loss"]
        metrics["stage_1_loss"] = found.after["loss"]
        smaller, runs = found.model, [found.run]
    if second:
        further = ContinuedTrainer(smaller, task, _stage(train, second), _xla())
        found = further.go_on(FURTHER + SECOND + seed, progress=False)
        metrics.setdefault("loss_before", found.before["loss"])
        metrics["stage_2_gain"] = found.before["loss"] - found.after["loss"]
        runs.append(found.run)
    return metrics | runs[-1].metrics, runs


def from_scratch(given: Trained, spec: Mapping[str, Any], progress: Progress) -> Result:
    """What sharing would make of the trained model, trained from fresh weights."""
    plan, train = spec["plan"], TrainConfig.from_dict(spec["train"])
    task, seed = given.task, given.seed
    batch = calibration(task, plan["sequences"], seed)
    copies = copies_of(given.model, plan, batch, seed)
    trainer = Trainer(shared_config(given.dense.config, copies), task, train)
    run = trainer.run(seed, progress=lambda done: progress(0.5 + 0.5 * done))
    return _told(run.metrics | {"copied": len(copies)}, [run], copies)


def copies_of(
    model: Transformer, plan: Mapping[str, Any], batch: Any, seed: int
) -> Copies:
    """The blocks of a model that copy, by the rule and the rate of a plan."""
    similarity = map_similarity(model, batch.inputs, seed=seed)
    count, costs = copies_at_rate(plan["rate"], similarity.blocks), {}
    if plan["rule"] == "cheapest":
        costs = nearest(copying_costs(model, batch, 1, lambda done: None))
    return chosen(plan["rule"], count, similarity, costs, seed)


KINDS: dict[str, Look] = {
    "base": trained,
    "copied": copied,
    "student": student,
    "scratch": from_scratch,
}


def _xla() -> bool | None:
    """On TensorFlow not: here it would compile for longer than it saves, keep half a
    gigabyte for each student, and take a tenth of a step less."""
    return False if keras.backend.backend() == "tensorflow" else None


def _stage(train: TrainConfig, steps: int) -> TrainConfig:
    """A stage of its own: its schedule falls to nothing at its end."""
    return replace(
        train, steps=steps, evaluate_every=steps, warmup_steps=max(1, steps // 20)
    )


def _told(metrics: dict[str, float], runs: list[Run], copies: Copies) -> Result:
    diverged = any(run.status == "diverged" for run in runs)
    return {
        "status": "diverged" if diverged else "finished",
        "metrics": {} if diverged else metrics,
        "history": [row for run in runs for row in run.history],
        "probes": {"copies": {str(block): source for block, source in copies.items()}},
        "training_seconds": sum(run.training_seconds for run in runs),
        "steps": sum(run.steps for run in runs),
    }
