"""Methods that only this study has: controls of what two-stage pruning chooses."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kit.models import Transformer, activations, named_weights
from kit.pruning import (
    Calibration,
    Operation,
    Pruned,
    allocate,
    best,
    block_parameters,
    parts_of,
    prune,
    remove_parts,
)
from kit.studies.pruning.measures import MATRICES

ROWS = 64  # sequences that are looked at together


def pruned(
    method: str,
    model: Transformer,
    calibration: Calibration,
    sparsity: float,
    seed: int,
    settings: Mapping[str, Any],
) -> Pruned:
    """Prune by a method of the kit, or by one of this study."""
    if method in VARIANTS:
        operation = Operation(method, model, calibration, sparsity, seed)
        return VARIANTS[method](operation)
    return prune(model, calibration, sparsity, method, seed=seed, **settings)


def depth_first(operation: Operation) -> Pruned:
    """2SSP in the other order: attentions of the whole model, then neurons of what is
    left, scored anew there."""
    split = allocate(operation.base, operation.sparsity)
    attentions = parts_of(operation.model.config, "attention")
    operation.remove_greedily(
        attentions, lambda gone: len(gone) == split.num_attentions
    )
    operation.narrow(split.num_neurons)
    return operation.finish()


def inverted(operation: Operation) -> Pruned:
    """2SSP that cuts the other side of the feed-forwards: not their neurons, but the
    columns of the stream that they read and write.

    As much goes from each feed-forward as in 2SSP (the authors' code takes more). What
    is read and what is written are scored apart, each as neurons are: by the L2 norm
    over the tokens. The stream keeps its width, so rows are set to zero and not cut,
    and count as gone.
    """
    base = operation.model.config
    split = allocate(base, operation.sparsity)
    share = split.num_neurons / base.feed_forward_dim(base.blocks[0])
    kept = round(base.width * share)
    operation.replace(_without_columns(operation, kept))
    attentions = parts_of(base, "attention")
    operation.remove_greedily(
        attentions, lambda gone: len(gone) == split.num_attentions
    )
    found = operation.finish()
    named = named_weights(operation.model)
    rows = [
        weight.shape[1] * (base.width - kept)
        for name, weight in named.items()
        if "/feed_forward/" in name and name.rpartition("/")[2] in MATRICES
    ]
    found.record.reached += sum(rows) / block_parameters(base)
    return found


VARIANTS: dict[str, Callable[[Operation], Pruned]] = {
    "depth-first": depth_first,
    "inverted": inverted,
}


def _without_columns(operation: Operation, kept: int) -> Transformer:
    """A copy whose feed-forwards read and write only some columns of the stream."""
    model = remove_parts(operation.model, [])
    scores = column_scores(model, operation.calibration)
    for name, weight in named_weights(model).items():
        block, _, rest = name.partition("/")
        part, _, matrix = rest.rpartition("/")
        if part == "feed_forward" and matrix in MATRICES:
            side = "output" if matrix == "down" else "input"
            mask = np.zeros(weight.shape[0], "float32")
            mask[best(scores[block, side], kept)] = 1.0
            weight.assign(np.asarray(weight) * mask[:, None])
    return model


def column_scores(
    model: Transformer, calibration: Calibration
) -> dict[tuple[str, str], np.ndarray]:
    """L2 norm over the tokens, summed over the sequences, of each column (width,) of
    what a feed-forward reads and writes: by block and `"input"` or `"output"`.

    For blocks without gains, with the norm in front, whose skips are 1.
    """
    names = ("block_*/output", "block_*/feed_forward/output")
    tokens = calibration.batch.inputs[: calibration.sequences]
    totals: dict[tuple[str, str], np.ndarray] = {}
    for start in range(0, len(tokens), ROWS):
        found = activations(model, tokens[start : start + ROWS], *names)
        for index, block in enumerate(model.blocks):
            written = found[f"block_{index}/feed_forward/output"]
            before = found[f"block_{index}/output"] - written
            read = np.asarray(block.sub_blocks[-1].norm(before))
            for side, columns in (("input", read), ("output", written)):
                each = np.linalg.norm(columns, axis=1).sum(axis=0)
                key = (f"block_{index}", side)
                totals[key] = totals.get(key, 0.0) + each
    return totals
