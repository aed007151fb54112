"""What copying costs where nothing is trained: single blocks, and every rule."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from kit.data import IGNORED, Batch
from kit.models import Transformer, transplant
from kit.sharing import (
    Copies,
    MapSimilarity,
    copies_at_rate,
    map_similarity,
    share,
)
from kit.studies.sharing.base import RULES
from kit.studies.sharing.choosing import chosen
from kit.studies.sharing.looking import plain_maps, summary
from kit.training.scoring import token_losses

LOGITS_AT_ONCE = 2**25

Progress = Callable[[float], None]


def without_training(
    model: Transformer,
    batch: Batch,
    held_out: Batch,
    plan: Mapping[str, Any],
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """Similarity, costs on the same sequences, and losses of every rule elsewhere."""
    similarity = map_similarity(model, batch.inputs, seed=seed)
    costs = copying_costs(
        model, batch, plan["reach"], lambda done: progress(0.5 + 0.3 * done)
    )
    blocks = similarity.blocks
    choices = {
        rule: {
            count: chosen(rule, count, similarity, nearest(costs), seed)
            for count in (copies_at_rate(rate, blocks) for rate in plan["rates"])
        }
        for rule in RULES
    }
    losses = copied_losses(
        model, held_out, choices, lambda done: progress(0.8 + 0.2 * done)
    )
    probes = {
        "maps": plain_maps(similarity),
        "copying": [[*pair, cost] for pair, cost in costs.items()],
        "dropping": list(dropping_costs(model, batch).values()),
        "rules": losses,
    }
    metrics = summary(similarity) | correlations(similarity, costs)
    metrics["loss"] = loss_of(model, held_out)
    return {"metrics": metrics, "probes": probes}


def loss_of(model: Transformer, batch: Batch) -> float:
    """Mean loss over the targets, in nats. Compiling would take longer than it saves:
    each model is looked at once."""
    inputs, targets = batch
    rows = LOGITS_AT_ONCE // (inputs.shape[1] * model.config.vocabulary_size)
    total = 0.0
    for start in range(0, len(inputs), max(1, rows)):
        piece = slice(start, start + max(1, rows))
        losses = token_losses(targets[piece], model(inputs[piece]))
        total += float(np.sum(np.asarray(losses), dtype="float64"))
    return total / int(np.sum(targets != IGNORED))


def without_attention(model: Transformer, blocks: Iterable[int]) -> Transformer:
    """The model without the attention of some blocks."""
    edits = {block: {"attention": None} for block in blocks}
    return transplant(model, model.config.with_blocks(edits))


def copying_costs(
    model: Transformer, batch: Batch, reach: int, progress: Progress
) -> dict[tuple[int, int], float]:
    """(block, source) -> what the loss grows by when one block copies, untrained.

    Args:
        model: With a map in every block.
        batch: What the loss is of.
        reach: How many blocks before may be the source.
        progress: Called with the share done.
    """
    before, count = loss_of(model, batch), len(model.blocks)
    costs = {}
    for block in range(1, count):
        for source in range(max(0, block - reach), block):
            costs[block, source] = loss_of(share(model, {block: source}), batch)
        progress(block / count)
    return {pair: loss - before for pair, loss in costs.items()}


def dropping_costs(model: Transformer, batch: Batch) -> dict[int, float]:
    """Block -> what the loss grows by without its attention, untrained."""
    before = loss_of(model, batch)
    return {
        block: loss_of(without_attention(model, [block]), batch) - before
        for block in range(len(model.blocks))
    }


def nearest(costs: Mapping[tuple[int, int], float]) -> dict[int, float]:
    """Block -> what copying the one before costs."""
    return {
        block: cost for (block, source), cost in costs.items() if source + 1 == block
    }


def correlations(
    similarity: MapSimilarity, costs: Mapping[tuple[int, int], float]
) -> dict[str, float]:
    """Spearman's rank correlation of similarity and cost over pairs of blocks.

    -1 where the most similar maps are the cheapest to copy; `next_...` of neighbours.
    """
    pairs = list(costs)
    near = [pair for pair in pairs if pair[1] + 1 == pair[0]]
    found = {}
    for measure in similarity.values:
        matrices = {
            "": similarity.values[measure],
            "_excess": similarity.excess(measure),
        }
        for name, matrix in matrices.items():
            for start, some in (("", pairs), ("next_", near)):
                alike = [matrix[pair] for pair in some]
                dear = [costs[pair] for pair in some]
                value = float(spearmanr(alike, dear).statistic)
                found[f"{start}correlation_{measure}{name}"] = value
    return found


def copied_losses(
    model: Transformer,
    batch: Batch,
    choices: Mapping[str, Mapping[int, Copies]],
    progress: Progress,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Rule -> number of blocks -> who copies, and the loss without any training."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for done, (rule, by_count) in enumerate(choices.items(), 1):
        found[rule] = {
            str(count): {
                "copies": {str(block): source for block, source in copies.items()},
                "loss": loss_of(share(model, copies), batch),
            }
            for count, copies in by_count.items()
        }
        progress(done / len(choices))
    return found
