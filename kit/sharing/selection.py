"""Which blocks copy the attention map of which: `{block: its source}`.

EchoAtt (2409.14595) describes one rule, the largest gap and then k consecutive blocks,
and prints lists that follow another: the most similar blocks, in that order. Both are
here. Where the text is silent, this holds:

- A block below the gap in the interior ends the inner blocks: those are the longest run
  of blocks above it, and all others stay as they are.
- Where k does not divide the inner blocks, the last group is smaller.
- A block of a list copies from the nearest earlier block with a map of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from math import inf

import numpy as np

from kit.checks import whole
from kit.errors import KitError, known

Copies = dict[int, int]
Scores = Mapping[int, float]
RULES = ("most-similar", "largest-gap", "least-similar", "random")


def choose(
    scores: Scores, count: int, rule: str = "most-similar", seed: int = 0
) -> Copies:
    """A number of blocks that copy, by one of the rules here.

    The largest gap has the k >= 2 whose groups come nearest to that number.

    Args:
        scores: Of all blocks with a map of their own.
        count: How many copy.
        rule: A name of `RULES`; the last two are controls.
        seed: Of `"random"`.

    Raises:
        KitError: There is no such rule, or it does not find as many.

    Example:
        >>> choose({0: 0.16, 1: 0.75, 2: 0.77, 3: 0.74, 4: 0.31}, 1, "largest-gap")
        {2: 1}
    """
    known("rule", rule, RULES)
    if not count:
        return {}
    if rule == "largest-gap":
        inner = inner_blocks(scores)
        found = [consecutive(inner, k) for k in range(2, len(inner) + 1)]
        return min(found, key=lambda copies: abs(len(copies) - count))
    if rule == "random":
        return at_random(list(scores), count, seed)
    return (most_similar if rule == "most-similar" else least_similar)(scores, count)


def inner_blocks(scores: Scores) -> list[int]:
    """The blocks above the largest gap between sorted scores, in one run.

    Args:
        scores: Mean similarity of each block, such as `MapSimilarity.scores()`.

    Raises:
        KitError: No two blocks that follow each other are above the gap.

    Example:
        >>> inner_blocks({0: 0.16, 1: 0.75, 2: 0.77, 3: 0.74, 4: 0.31})
        [1, 2, 3]
    """
    runs: list[list[int]] = [[]]
    for block in sorted(scores):
        if scores[block] >= largest_gap(scores):
            runs[-1].append(block)
        else:
            runs.append([])
    longest = max(runs, key=len)
    if len(longest) < 2:
        shown = ", ".join(f"{block}: {score:.3f}" for block, score in scores.items())
        raise KitError(
            f"no two neighbouring blocks are above the largest gap of {shown}",
            "Name the blocks, or use the rule most-similar",
        )
    return longest


def largest_gap(scores: Scores) -> float:
    """The score above the largest gap between sorted scores.

    Example:
        >>> largest_gap({0: 0.16, 1: 0.75, 2: 0.77, 3: 0.74, 4: 0.31})
        0.74
    """
    ranked = np.sort(list(scores.values()))
    if len(ranked) < 2:
        return inf
    return float(ranked[np.argmax(np.diff(ranked)) + 1])


def consecutive(blocks: Sequence[int], k: int) -> Copies:
    """Groups of k blocks that share the map of their first; k = 1 shares nothing.

    Example:
        >>> consecutive([2, 3, 4, 5, 6], k=3)
        {3: 2, 4: 2, 6: 5}
    """
    k, ordered = whole("k", k), sorted(blocks)
    groups = [ordered[start : start + k] for start in range(0, len(ordered), k)]
    return {block: group[0] for group in groups for block in group[1:]}


def by_largest_gap(scores: Scores, k: int) -> Copies:
    """The rule that the paper describes: inner blocks, in groups of k.

    Example:
        >>> by_largest_gap({0: 0.16, 1: 0.75, 2: 0.77, 3: 0.74, 4: 0.31}, k=2)
        {2: 1}
    """
    return consecutive(inner_blocks(scores), k)


def by_list(copying: Collection[int], blocks: Collection[int]) -> Copies:
    """Each block of a list copies from the nearest earlier one that is not in it.

    Args:
        copying: The blocks that copy, in any order.
        blocks: All blocks that have an attention.

    Raises:
        KitError: A block is not there, or none comes before it.

    Example:
        >>> by_list([2, 5, 4, 3, 7], range(8))
        {2: 1, 3: 1, 4: 1, 5: 1, 7: 6}
    """
    owners = sorted(set(blocks) - set(copying))
    copies: Copies = {}
    for block in sorted(set(copying)):
        earlier = [owner for owner in owners if owner < block]
        if block not in blocks:
            raise KitError(
                f"there is no block {block} with an attention map of its own; those "
                f"are {_in_words(blocks)}",
                "Name some of them, but not the first",
            )
        if not earlier:
            raise KitError(
                f"block {block} cannot copy a map: it has none before it",
                "Leave out the first block",
            )
        copies[block] = earlier[-1]
    return copies


def _in_words(blocks: Collection[int]) -> str:
    """`0 to 4`, or `0, 2, 3`."""
    ordered = sorted(blocks)
    if ordered and len(ordered) == ordered[-1] - ordered[0] + 1:
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(map(str, ordered)) or "none"


def most_similar(scores: Scores, count: int) -> Copies:
    """The blocks of the highest scores copy, as the paper's printed lists do.

    Args:
        scores: Of all blocks that have an attention.
        count: How many copy; the first block never does.

    Raises:
        KitError: There are not as many.

    Example:
        >>> most_similar({0: 0.9, 1: 0.6, 2: 0.8, 3: 0.7}, 2)
        {2: 1, 3: 1}
    """
    ranked = sorted(_candidates(scores, count), key=lambda block: -scores[block])
    return by_list(ranked[:count], list(scores))


def least_similar(scores: Scores, count: int) -> Copies:
    """A control: the blocks of the lowest scores copy.

    Example:
        >>> least_similar({0: 0.9, 1: 0.6, 2: 0.8, 3: 0.7}, 2)
        {1: 0, 3: 2}
    """
    return most_similar({block: -score for block, score in scores.items()}, count)


def at_random(blocks: Collection[int], count: int, seed: int = 0) -> Copies:
    """A control: any blocks but the first copy.

    Example:
        >>> len(at_random(range(8), 3, seed=1))
        3
    """
    candidates = _candidates(blocks, count)
    chosen = np.random.default_rng(seed).choice(candidates, size=count, replace=False)
    return by_list(chosen.tolist(), blocks)


def copies_at_rate(rate: float, blocks: Collection[int]) -> int:
    """How many of the blocks copy at a rate, to the nearest whole number.

    Raises:
        KitError: The rate is below 0, or would leave no block to copy from.

    Example:
        >>> [copies_at_rate(rate, range(22)) for rate in (0.23, 0.41, 0.77)]
        [5, 9, 17]
    """
    total = len(blocks)
    count = round(rate * total) if 0 <= rate < 1 else total
    if count >= total:
        raise KitError(
            f"rate={rate:g} of {total} blocks with attention cannot be done",
            "Use a rate from 0 up that leaves one of them its own map",
        )
    return count


def _candidates(blocks: Collection[int], count: int) -> list[int]:
    candidates = sorted(blocks)[1:]
    if whole("count", count, least=0) > len(candidates):
        raise KitError(
            f"count={count} is more than the {len(candidates)} blocks that can copy",
            "Choose fewer",
        )
    return candidates
