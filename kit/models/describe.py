"""A model can be seen: blocks, what differs from the base, shapes, costs."""

from dataclasses import replace

import keras

from kit.config import ModelConfig
from kit.counts import ROLES, block_counts, flops_per_token, parameter_counts
from kit.labels import block_difference, difference_label


def describe(model: keras.Model | ModelConfig, base: ModelConfig | None = None) -> str:
    """A table of a model: one line a block, then the totals.

    Args:
        model: A kit model, or its config.
        base: What the blocks are compared with; `None` means a model whose blocks
            are all like the first.

    Returns:
        Text of several lines: for each block its parts and shapes, its parameters
        by role and what differs from the base; then parameters by role and
        operations per token.

    Example:
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> edited = config.with_blocks({1: {"attention": None}})
        >>> print(describe(edited, config))  # doctest: +ELLIPSIS
        14 tokens, width 64, learned positions, causal mask, tied head
        block  attention              feed-forward  QK     VO     FFN     Norm  diff...
        0      softmax 4 heads of 16  gelu 64x256   8,192  8,192  32,768  256
        1      none                   gelu 64x256   0      0      32,768  128   atten...
        parameters: 84,096 (Emb 1,664, QK 8,192, VO 8,192, FFN 65,536, Norm 512)
        forward: 168,704 FLOPs per token
    """
    config = model if isinstance(model, ModelConfig) else model.config
    base = base or replace(config, blocks=config.blocks[:1] * len(config.blocks))
    rows: list[tuple[str, ...]] = [
        ("block", "attention", "feed-forward", *ROLES[1:5], "differs from the base")
    ]
    rows += [_block_row(config, base, index) for index in range(len(config.blocks))]
    widths = [max(len(row[column]) for row in rows) for column in range(7)]
    lines = [_shared(config, base)]
    lines += [
        "  ".join(
            [*(cell.ljust(size) for cell, size in zip(row, widths, strict=False))]
        )
        + f"  {row[-1]}"
        for row in rows
    ]
    counts = parameter_counts(config)
    by_role = ", ".join(f"{role} {counts[role]:,}" for role in ROLES if counts[role])
    lines.append(f"parameters: {sum(counts.values()):,} ({by_role})")
    lines.append(f"forward: {flops_per_token(config):,} FLOPs per token")
    return "\n".join(line.rstrip() for line in lines)


def _shared(config: ModelConfig, base: ModelConfig) -> str:
    head = "tied" if config.tied_head else "untied"
    line = (
        f"{config.vocabulary_size} tokens, width {config.width}, {config.positions} "
        f"positions, {config.mask} mask, {head} head"
    )
    label = difference_label(replace(config, blocks=()), replace(base, blocks=()))
    return line if label == "base" else f"{line}  [{label}]"


def _block_row(config: ModelConfig, base: ModelConfig, index: int) -> tuple[str, ...]:
    block = config.blocks[index]
    counts = block_counts(config, block)
    attention = feed_forward = "none"
    if block.attention is not None:
        heads = f"{block.num_heads}"
        if block.key_value_heads != block.num_heads:
            heads += f"/{block.key_value_heads}"
        kind = str(block.shape or block.attention)
        if block.copies_map_from is not None:
            kind = f"map of {block.copies_map_from},"
            kind += f" {block.shape}" if block.shape else ""
        attention = f"{kind} {heads} heads of {config.head_dim(block)}"
    if block.feed_forward is not None:
        neurons = config.feed_forward_dim(block)
        feed_forward = f"{block.feed_forward} {config.width}x{neurons}"
    reference = base.blocks[min(index, len(base.blocks) - 1)] if base.blocks else block
    numbers = [f"{counts[role]:,}" for role in ROLES[1:5]]
    return (
        str(index),
        attention,
        feed_forward,
        *numbers,
        block_difference(block, reference),
    )
