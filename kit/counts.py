"""Parameters and operations as closed formulas of the config."""

from kit.config import BlockConfig, ModelConfig

ROLES = ("Emb", "QK", "VO", "FFN", "Norm", "other")
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
    """Parameters of one block by role.

    Example:
        >>> config = ModelConfig.uniform(
        ...     1, width=8, vocabulary_size=14, context_length=12
        ... )
        >>> block_counts(config, config.blocks[0])["FFN"]  # two matrices, 8 x 32
        512
    """
    query = block.num_heads * config.head_dim(block)
    key = block.key_value_heads * config.head_dim(block)
    matrices = 3 if block.feed_forward == "swiglu" else 2
    attention = block.attention is not None
    feed_forward = block.feed_forward is not None
    neurons = config.feed_forward_dim(block)
    norms = int(attention or feed_forward)
    if block.wiring == "serial":
        norms = attention + feed_forward
    return {
        "QK": attention * config.width * (query + key),
        "VO": attention * config.width * (key + query),
        "FFN": feed_forward * matrices * config.width * neurons,
        "Norm": norms * NORM_VECTORS[block.norm] * config.width,
    }


def flops_per_token(config: ModelConfig, time: int | None = None) -> int:
    """Floating-point operations of a forward pass, per token.

    Two per parameter of every matrix that multiplies (the embedding lookup does
    not, the head does), and two per score and per weighted value. The scores are
    counted in full, as they are computed: a causal mask saves nothing here. A
    training step costs about three times as much.

    Args:
        config: The model as data.
        time: Tokens per sequence; `None` means the context length.

    Example:
        >>> flops_per_token(ModelConfig.uniform(vocabulary_size=14, context_length=12))
        407296
    """
    time = time or config.context_length
    flops = 2 * config.vocabulary_size * config.width
    for block in config.blocks:
        counts = block_counts(config, block)
        flops += 2 * (counts["QK"] + counts["VO"] + counts["FFN"])
        if block.attention is not None:
            flops += 4 * time * block.num_heads * config.head_dim(block)
    return flops
