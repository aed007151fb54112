"""Which head of a copying block gets which map: by number, or matched."""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.optimize import linear_sum_assignment

from kit.models import Transformer
from kit.sharing.share import Heads, followers
from kit.sharing.similarity import checked_sequences, maps_of


def match_heads(
    model: Transformer,
    copies: Mapping[int, int],
    tokens: np.ndarray,
    progress: Callable[[float], None] | None = None,
) -> Heads:
    """The order of each copying block's heads in which their maps fit best.

    EchoAtt (2409.14595) copies head by head in the order of their numbers, which mean
    nothing. Here each head of the copying block gets the source's map that is most like
    its own, each map once, so that the sum of the cosines is largest. Heads with common
    values stay together: groups are matched, and heads within groups. What copied from
    one of the blocks before takes over its order.

    Args:
        model: Before anything is shared.
        copies: Block to the block whose map it copies.
        tokens: (sequences, time) integers that the maps are compared on.
        progress: Called with the share done.

    Returns:
        For `share`: block to its `"heads"` and `"key_value_heads"` in their new order.

    Raises:
        KitError: The sequences are none that the model can read.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> order = match_heads(build(config), {1: 0}, np.arange(12)[None])
        >>> sorted(order[1]["heads"])
        [0, 1, 2, 3]
    """
    tokens = checked_sequences(model, tokens)
    found = {}
    similarities = head_similarities(model, copies, tokens, progress)
    for block, similarity in similarities.items():
        groups = model.config.blocks[block].key_value_heads
        heads, key_value_heads = assign(similarity, groups)
        found[block] = {"heads": heads, "key_value_heads": key_value_heads}
    for block, source in followers(model.config, copies).items():
        found[block] = found[source]
    return found


def head_similarities(
    model: Transformer,
    copies: Mapping[int, int],
    tokens: np.ndarray,
    progress: Callable[[float], None] | None = None,
) -> dict[int, np.ndarray]:
    """Cosines of the maps of two blocks, head with head, mean over the sequences.

    The model reads each sequence once, however many blocks copy.

    Returns:
        Block to (heads of its source, its own heads).
    """
    if not copies:
        return {}
    blocks = sorted({*copies, *copies.values()})
    totals = {block: np.zeros(()) for block in copies}
    for sample in maps_of(model, tokens, blocks, progress):
        for block, source in copies.items():
            mine, theirs = (_units(sample[blocks.index(b)]) for b in (block, source))
            totals[block] = totals[block] + theirs @ mine.T
    return {block: total / len(tokens) for block, total in totals.items()}


def _units(maps: np.ndarray) -> np.ndarray:
    """(heads, time, time) as vectors of length 1, (heads, time^2)."""
    flat = maps.reshape(len(maps), -1).astype("float64")
    return flat / np.linalg.norm(flat, axis=-1, keepdims=True)


def assign(similarity: np.ndarray, groups: int) -> tuple[list[int], list[int]]:
    """The order of heads, and of the groups that they form, with the largest sum.

    Args:
        similarity: (maps, heads), equal numbers of both.
        groups: Groups of neighbouring heads that stay together.

    Returns:
        For each map the head that gets it, and for each group of maps the group.

    Example:
        >>> assign(np.array([[0.2, 0.9], [0.8, 0.1]]), groups=2)
        ([1, 0], [1, 0])
    """
    each = len(similarity) // groups
    inside = similarity.reshape(groups, each, groups, each).swapaxes(1, 2)
    best = np.zeros((groups, groups))
    order = np.zeros((groups, groups, each), int)
    for a in range(groups):
        for b in range(groups):
            rows, order[a, b] = linear_sum_assignment(inside[a, b], maximize=True)
            best[a, b] = inside[a, b][rows, order[a, b]].sum()
    chosen = linear_sum_assignment(best, maximize=True)[1]
    heads = [each * b + order[a, b] for a, b in enumerate(chosen)]
    return np.concatenate(heads).tolist(), chosen.tolist()
