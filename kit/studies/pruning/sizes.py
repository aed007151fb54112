"""What follows from the sizes of the models alone: how much of a whole model is gone,
and how many pruned models a search has to judge.

Keras is loaded when a number is asked for, so that reading the claims does without.
"""

from bisect import bisect_right

from kit.blocks import BlockConfig
from kit.config import ModelConfig
from kit.counts import block_counts, parameter_counts

SMOLLM2 = ModelConfig.uniform(
    30,
    BlockConfig(
        norm="rms",
        num_heads=9,
        num_key_value_heads=3,
        feed_forward="swiglu",
        feed_forward_dim=1536,
    ),
    vocabulary_size=49_152,
    context_length=256,
    width=576,
    positions="rotary",
    final_norm="rms",
)
"""The sizes of the real checkpoint, which need not be on this machine."""

FIRST, OFFSPRING, SURVIVORS = 64, 32, 2  # of EvoPress, as in `evopress`


def gone_of_all(config: ModelConfig, sparsity: float, sliced: bool = False) -> float:
    """The share of all parameters that is gone, embedding and head included.

    Args:
        config: The dense model.
        sparsity: The share of the parameters of its blocks that is gone.
        sliced: Whether a narrower stream made it so: then the embedding is narrower
            too, and the head has a matrix of its own.

    Example:
        >>> [round(gone_of_all(SMOLLM2, 0.25, sliced), 3) for sliced in (False, True)]
        [0.197, 0.092]
    """
    whole, blocks = sum(parameter_counts(config).values()), _in_blocks(config)
    if not sliced:
        return sparsity * blocks / whole
    from kit.pruning.rotation import narrower

    left = (1 - sparsity) * blocks + 1e-6
    widths = range(1, config.width + 1)
    width = bisect_right(widths, left, key=lambda w: _in_blocks(narrower(config, w)))
    return 1 - sum(parameter_counts(narrower(config, width)).values()) / whole


def _in_blocks(config: ModelConfig) -> int:
    return sum(sum(block_counts(config, block).values()) for block in config.blocks)


def judged(method: str, config: ModelConfig, sparsity: float) -> tuple[int, int]:
    """The fewest and the most pruned models that a search judges.

    Args:
        method: `"2ssp"`, `"blockpruner"` or `"evopress"`.
        config: The dense model, of equal blocks.
        sparsity: What is asked for.

    Example:
        >>> judged("2ssp", SMOLLM2, 0.5), judged("blockpruner", SMOLLM2, 0.5)
        ((212, 212), (1050, 1620))
    """
    blocks = len(config.blocks)
    if method == "2ssp":
        from kit.pruning import closed_rule

        count = _greedy(blocks, closed_rule(config, sparsity))
        return count, count
    attention, feed_forward = _halves(config)
    gone = sparsity * blocks * (attention + feed_forward)
    if method == "evopress":
        pairs = _fewest([attention + feed_forward] * blocks, gone)
        generations = int(pairs * (blocks - pairs) / 1.5)
        count = FIRST + generations * (OFFSPRING + SURVIVORS + 1)  # 1 is the parent
        return count, count
    parts = sorted([attention] * blocks + [feed_forward] * blocks)
    fewest, most = _fewest(parts[::-1], gone), _fewest(parts, gone)
    return _greedy(2 * blocks, fewest), _greedy(2 * blocks, most)


def _halves(config: ModelConfig) -> tuple[int, int]:
    """Parameters of an attention and of a feed-forward, each with its norm."""
    counts = block_counts(config, config.blocks[0])
    norm = counts["Norm"] // 2
    return counts["QK"] + counts["VO"] + norm, counts["FFN"] + norm


def _fewest(parts: list[int], gone: float) -> int:
    """How many of these parts, in their order, are as much as has to go."""
    count, total = 0, 0
    while total < gone - 1e-6:
        total += parts[count]
        count += 1
    return count


def _greedy(parts: int, removed: int) -> int:
    """Each time one goes, all that are left are tried.

    Example:
        >>> _greedy(parts=4, removed=2)
        7
    """
    return sum(parts - number for number in range(removed))
