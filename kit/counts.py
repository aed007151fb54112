"""Parameters and operations as closed formulas of the config."""

from kit.config import BlockConfig, ModelConfig
from kit.gains import Gain, Trained, Updated

ROLES = ("Emb", "QK", "VO", "FFN", "Norm", "other")
GATED = ("geglu", "swiglu")
NORM_VECTORS = {"layer": 2, "rms": 1, "none": 0}


def parameter_counts(config: ModelConfig) -> dict[str, int]:
    """Parameters by role: Emb, QK, VO, FFN, Norm, other.

    Args:
        config: The model as data; nothing is built.

    Returns:
        A count for each role; `sum(counts.values())` is the model's total. What a
        config switches off counts nothing.

    Example:
        >>> config = ModelConfig.uniform(
        ...     6, width=128, vocabulary_size=65, context_length=64, positions="none"
        ... )
        >>> counts = parameter_counts(config)
        >>> counts["QK"] + counts["VO"] + counts["FFN"] + counts["Emb"]
        1187968
    """
    counts = dict.fromkeys(ROLES, 0)
    tables = 1 if config.tied_head else 2
    counts["Emb"] = tables * config.vocabulary_size * config.width
    if config.positions == "learned":
        counts["Emb"] += config.context_length * config.width
    counts["Norm"] = NORM_VECTORS[config.final_norm] * config.width
    for block in config.blocks:
        for role, count in block_counts(config, block).items():
            counts[role] += count
    return counts


def block_counts(config: ModelConfig, block: BlockConfig) -> dict[str, int]:
    """Trained parameters of one block by role; gains are `"other"`.

    A frozen start of a matrix counts nothing: with its update it is one matrix.

    Example:
        >>> config = ModelConfig.uniform(
        ...     1, width=8, vocabulary_size=14, context_length=12
        ... )
        >>> block_counts(config, config.blocks[0])["FFN"]  # two matrices, 8 x 32
        512
    """
    matrices = 3 if block.feed_forward in GATED else 2
    attention = block.attention is not None
    feed_forward = block.feed_forward is not None
    norms = int(attention or feed_forward)
    if block.wiring == "serial":
        norms = attention + feed_forward
    query = block.num_heads * config.head_dim(block)
    key = block.key_value_heads * config.head_dim(block)
    value = block.value_heads * config.head_dim(block) * (block.value != "identity")
    projection = query * (block.projection != "identity")
    neurons = config.feed_forward_dim(block)
    return {
        "QK": (attention and block.copies_map_from is None)
        * config.width
        * (query + key),
        "VO": attention * config.width * (value + projection),
        "FFN": feed_forward * matrices * config.width * neurons,
        "Norm": norms * NORM_VECTORS[block.norm] * config.width,
        "other": _gains(block, attention, feed_forward),
    }


def _gains(block: BlockConfig, attention: bool, feed_forward: bool) -> int:
    skips: list[Gain] = []
    if block.wiring == "parallel":
        skips = [block.attention_skip] * (attention or feed_forward)
    else:
        skips = [block.attention_skip] * attention
        skips += [block.feed_forward_skip] * feed_forward
    branches = [block.attention_gain] * attention
    branches += [block.feed_forward_gain] * feed_forward
    matrices: list[Gain] = [
        gain
        for matrix in (block.value, block.projection) * attention
        if isinstance(matrix, Updated)
        for gain in (matrix.alpha, matrix.beta)
    ]
    count = _trained(*skips, *branches, *matrices)
    if attention and block.shape is not None:
        shape = block.shape
        each = block.num_heads if shape.per_head else 1
        count += each * _trained(shape.alpha, shape.beta, shape.gamma)
    return count


def _trained(*gains: Gain) -> int:
    return sum(isinstance(gain, Trained) for gain in gains)


def flops_per_token(config: ModelConfig, time: int | None = None) -> int:
    """Floating-point operations of a forward pass, per token.

    Two per parameter of every matrix that multiplies (the embedding lookup does
    not, the head does), and two per score and per weighted value; a copied map has no
    scores. The scores are counted in full, as they are computed: a causal mask saves
    nothing here. The mean that shaped attention subtracts costs no product: it is part
    of the map, or in a fused kernel a running sum. Only in a fused kernel with ALiBi is
    it a product of its own. A training step costs about three times as much.

    Args:
        config: The model as data.
        time: Tokens per sequence; `None` means the context length.

    Example:
        >>> flops_per_token(ModelConfig.uniform(vocabulary_size=14, context_length=12))
        407296
    """
    time = time or config.context_length
    flops = 2 * config.vocabulary_size * config.width
    for block, shares_map_of in zip(config.blocks, config.map_sources(), strict=True):
        counts = block_counts(config, block)
        flops += 2 * (counts["QK"] + counts["VO"] + counts["FFN"])
        if block.attention is not None:
            products = 2 if block.copies_map_from is None else 1
            if block.shape is not None and block.shape.centred:
                fused = config.fused_attention and shares_map_of is None
                products += fused and config.positions == "alibi"
            flops += 2 * products * time * block.num_heads * config.head_dim(block)
    return flops
