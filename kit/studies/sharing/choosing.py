"""Which blocks copy: the rules that are compared, by name."""

from collections.abc import Mapping, Sequence

import numpy as np

from kit.errors import KitError, known
from kit.sharing import (
    Copies,
    MapSimilarity,
    at_random,
    by_list,
    inner_blocks,
    least_similar,
    most_similar,
)
from kit.studies.sharing.base import PRINTED, RULES

DRAWN = 40_000  # seeds of random choices begin here


def chosen(
    rule: str,
    count: int,
    similarity: MapSimilarity,
    costs: Mapping[int, float] | None = None,
    seed: int = 0,
) -> Copies:
    """The blocks that copy, and from whom.

    Args:
        rule: One of `RULES`, or `"printed"` for the paper's smallest model.
        count: How many copy. The largest gap may leave room for fewer, or for none.
        similarity: Of the trained model's maps.
        costs: Block to what it costs to copy the one before, for `"cheapest"`.
        seed: Of what is drawn.

    Raises:
        KitError: There is no such rule.

    Example:
        >>> scores = np.array([[1, 0.1, 0.1], [0.1, 1, 0.9], [0.1, 0.9, 1]])
        >>> found = MapSimilarity([0, 1, 2], {"cosine": scores}, {"cosine": 0 * scores})
        >>> chosen("gap", 1, found), chosen("cheapest", 1, found, {1: 0.5, 2: 2.0})
        ({2: 1}, {1: 0})
    """
    known("rule", rule, {**RULES, "printed": ""})
    if not count:
        return {}
    blocks, scores = similarity.blocks, similarity.scores()
    if rule == "rows":
        scores = excess_scores(similarity, "rows")
    elif rule == "cheapest":
        scores = {blocks[0]: 0.0, **{block: -c for block, c in (costs or {}).items()}}
    if rule == "gap":
        return _above_the_gap(scores, count)
    if rule == "consecutive":
        inner = blocks[1:-1] if count < len(blocks) - 2 else blocks
        return in_groups(inner, count)
    if rule == "random":
        return at_random(blocks, count, DRAWN + seed)
    if rule == "worst":
        return least_similar(scores, count)
    if rule == "ends":
        return by_list([blocks[1], *blocks[:1:-1]][:count], blocks)
    if rule == "printed":
        return by_list(PRINTED, blocks)
    return most_similar(scores, count)


def excess_scores(similarity: MapSimilarity, measure: str) -> dict[int, float]:
    """For each block, how alike it is to the others beyond what chance would give."""
    matrix = similarity.excess(measure)
    others = (matrix.sum(axis=1) - np.diag(matrix)) / (len(matrix) - 1)
    return dict(zip(similarity.blocks, others.tolist(), strict=True))


def in_groups(blocks: Sequence[int], count: int) -> Copies:
    """Groups of consecutive blocks, as equal as can be, of which `count` blocks copy.

    Example:
        >>> in_groups([1, 2, 3, 4, 5, 6], 3), in_groups([1, 2, 3, 4, 5], 3)
        ({2: 1, 4: 3, 6: 5}, {2: 1, 3: 1, 5: 4})
    """
    groups = np.array_split(list(blocks), len(blocks) - count)
    return {int(b): int(group[0]) for group in groups for b in group[1:]}


def _above_the_gap(scores: Mapping[int, float], count: int) -> Copies:
    try:
        inner = inner_blocks(scores)
    except KitError:  # the rule finds no inner blocks
        return {}
    return in_groups(inner, min(count, len(inner) - 1))
