"""What a worker does with an arm: get the first model, take away, train further."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import keras

from kit.counts import flops_per_token, parameter_counts
from kit.data import Batch
from kit.models import Transformer
from kit.pruning import Calibration, prune
from kit.sharing import copies_at_rate, map_similarity, most_similar, share
from kit.studies.dense import Dense, Progress, Result, Trained
from kit.studies.text import check_passes
from kit.training import Scorer, TrainConfig
from kit.training.continued import ContinuedTrainer

CALIBRATED = 20_000  # seeds of what maps and neurons are looked at on begin here,
FURTHER = 30_000  # and those of further training here: no first training has them
TOLD = ("metrics", "history", "training_seconds", "steps")  # of a first training
TIMED = 3  # times that held-out text is read against the clock; the fastest counts


def prepare(spec: Mapping[str, Any]) -> Callable[[int, Progress], Result]:
    """What all seeds share; the returned function does one seed.

    Raises:
        KitError: The first training is more passes over the text than the study says.
    """
    first = spec["kind"] == "first"
    dense = Dense("capstone", spec if first else spec["base"])
    check_passes(dense.task, dense.train)
    if first:  # kept, so that the full budget need not train it again
        return dense.take_apart(as_trained, {})
    return dense.take_apart(combined, {**spec["plan"], "train": spec["train"]})


def as_trained(trained: Trained, plan: Mapping[str, Any], progress: Progress) -> Result:
    """How the first training went."""
    return {name: trained.note[name] for name in TOLD}


def combined(trained: Trained, plan: Mapping[str, Any], progress: Progress) -> Result:
    """What is left of a first model, trained further and measured."""
    seed, task = trained.seed, trained.task
    looked_at = task.batch(0, plan["sequences"], CALIBRATED + seed)
    model, probes = taken_away(trained.model, looked_at, plan, seed)
    progress(0.6)
    train = TrainConfig.from_dict(plan["train"])
    trainer = ContinuedTrainer(model, task, train, _xla())
    found = trainer.go_on(FURTHER + seed, progress=False)
    metrics = {
        **found.after,
        "first_loss": trained.note["metrics"]["loss"],
        "loss_before": found.before["loss"],
        "parameters": sum(parameter_counts(model.config).values()),
        "flops_per_token": flops_per_token(model.config),
        "tokens_per_second": _pace(trainer.scorer, trainer.validation),
    }
    diverged = found.run.status == "diverged"
    return {
        "status": found.run.status,
        "metrics": {} if diverged else metrics,
        "history": found.run.history,
        "probes": probes,
        "training_seconds": found.run.training_seconds,
        "steps": found.run.steps,
    }


def taken_away(
    model: Transformer, looked_at: Batch, plan: Mapping[str, Any], seed: int
) -> tuple[Transformer, Result]:
    """The model without what is pruned, and then with shared maps.

    In this order, because a split of the sparsity needs blocks of one size. As many
    attentions copy as without pruning, those with the most similar maps: else sharing
    would be a smaller change where something is pruned, and seem to go well with it.

    Raises:
        KitError: Pruning leaves too few attentions for that.
    """
    probes: Result = {"parts": [], "copies": {}}
    number = copies_at_rate(plan["share"], range(len(model.config.blocks)))
    if plan["sparsity"]:
        data = Calibration(looked_at, plan["sequences"], plan["search"])
        model, record = prune(model, data, plan["sparsity"], "2ssp", seed=seed)
        probes["parts"] = [str(part) for part in record.parts]
    if plan["share"]:
        alike = map_similarity(model, looked_at.inputs, ["cosine"], seed=seed)
        copies = most_similar(alike.scores(), number)
        model = share(model, copies)
        probes["copies"] = {str(block): source for block, source in copies.items()}
    return model, probes


def _pace(scorer: Scorer, batch: Batch) -> float:
    """Held-out tokens that are read in a second, by what has been compiled already."""
    times = []
    for _ in range(TIMED):
        start = time.perf_counter()
        scorer.score(batch)
        times.append(time.perf_counter() - start)
    return batch.inputs.size / min(times)


def _xla() -> bool | None:
    """On TensorFlow not: every seed has a model of its own, and compiling it would take
    about as long as it saves."""
    return False if keras.backend.backend() == "tensorflow" else None
