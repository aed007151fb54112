"""What is measured of a pruned model, and what it is pruned with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from kit.data import Batch, Scores
from kit.models import Transformer, named_weights
from kit.pruning import Calibration, Pieces, Record
from kit.training.scoring import token_losses

CALIBRATED = 20_000  # seeds of calibration data begin here: no run trains with them
LOGITS_AT_ONCE = 2**25
MATRICES = ("up", "gate", "down")
KEPT = ("loss", "exact_match", "token_accuracy")  # of the metrics of a task


def calibration_of(task: Any, plan: Mapping[str, Any], seed: int) -> Calibration:
    """Calibration data of a seed, from what the model was trained on.

    Args:
        task: What the model learned.
        plan: `sequences` for the scores and `search` of them for whole parts; and
            `source`: `"task"`, `"random"` (tokens that are drawn evenly), `"shuffled"`
            (the task's own tokens in any order), or `"all"` (the task's, with a target
            at every token).
        seed: Which sequences.
    """
    count = max(plan["sequences"], plan["search"])
    source = plan.get("source", "task")
    batch = task.batch(0, count, CALIBRATED + seed)
    if source in ("random", "shuffled"):
        rng = np.random.default_rng(CALIBRATED + seed)
        tokens = np.concatenate([batch.inputs, batch.targets[:, -1:]], axis=1)
        if source == "random":
            tokens = rng.integers(task.vocabulary_size, size=tokens.shape)
        tokens = rng.permuted(tokens.ravel()).reshape(tokens.shape).astype("int32")
        batch = Batch(tokens[:, :-1], tokens[:, 1:])
    elif source == "all":
        inputs, targets = batch
        everything = np.concatenate([inputs[:, 1:], targets[:, -1:]], axis=1)
        batch = Batch(inputs, everything)
    return Calibration(batch, plan["sequences"], plan["search"])


def score(model: Transformer, batch: Batch) -> Scores:
    """How a model does on a batch, with its equal blocks compiled once."""
    pieces, config = Pieces(model), model.config
    count, time = batch.inputs.shape
    rows = max(1, LOGITS_AT_ONCE // (time * config.vocabulary_size))
    found = []
    for start in range(0, count, rows):
        inputs, targets = (array[start : start + rows] for array in batch)
        x, bias = pieces.embed(inputs)
        for index, block in enumerate(config.blocks):
            x = pieces.block(index, block, x, bias)
        found.append(pieces.head(_both, x, targets.astype("int32")))
    losses, correct = np.moveaxis(np.concatenate(found), -1, 0)
    return Scores(losses, correct > 0.5)


def _both(logits_of: Any, x: Any, targets: Any) -> Any:
    """(batch, time, 2): loss, and 1 where the likeliest token is right."""
    logits = logits_of(x)
    correct = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), targets)
    losses = token_losses(targets, logits)
    return ops.stack([losses, ops.cast(correct, "float32")], axis=-1)


def metrics_of(model: Transformer, task: Any) -> dict[str, float]:
    """Loss and accuracies of a model on what its task holds out."""
    batch = task.validation()
    found = task.metrics(score(model, batch), batch.targets)
    return {name: found[name] for name in KEPT if name in found}


def largest_change(dense: Transformer, smaller: Transformer, record: Record) -> float:
    """The largest change of a weight that is still there, where no block went."""
    before, most = named_weights(dense), 0.0
    for name, weight in named_weights(smaller).items():
        old = np.asarray(before[name])
        parts = name.split("/")
        if parts[-1] in MATRICES and "feed_forward" in parts:
            block = int(parts[0].removeprefix("block_"))
            kept = record.neurons.get(block, range(old.shape[1]))
            old = old[:, list(kept)]
        most = max(most, float(np.abs(np.asarray(weight) - old).max()))
    return most
