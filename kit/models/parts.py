"""A block of a config, as layers."""

import math
from typing import Any

import keras

from kit.blocks import BlockConfig, starts_as_identity
from kit.config import ModelConfig
from kit.gains import Gain, Trained, Updated
from kit.layers import (
    Attention,
    Block,
    CopyingAttention,
    FeedForward,
    Mixing,
    RotaryPositions,
    Shaping,
    SubBlock,
    TrainedGain,
    UpdatedMatrix,
    alibi_slopes,
)


def make_block(config: ModelConfig, index: int, dtype: Any) -> Block:
    """The layers of block `index`, without weights yet."""
    block = config.blocks[index]
    attention = feed_forward = None
    if block.attention is not None:
        attention = _attention(config, block, dtype)
    if block.feed_forward is not None:
        feed_forward = FeedForward(
            config.feed_forward_dim(block),
            block.feed_forward,
            std=config.initializer_std,
            output_std=_output_std(config, block.feed_forward_gain),
            slope=block.relu_slope,
            name="feed_forward",
            dtype=dtype,
        )
    if block.wiring == "parallel":
        wirings = [(attention, feed_forward, "attention_skip")]
    else:
        wirings = [
            (attention, None, "attention_skip"),
            (None, feed_forward, "feed_forward_skip"),
        ]

    def gain(name: str, part: Any = True) -> Any:
        if part is None:
            return 1.0
        return make_gain(getattr(block, name), name, len(config.blocks), dtype)

    sub_blocks = [
        SubBlock(
            attention=first,
            feed_forward=second,
            norm=make_norm(block.norm, config, f"norm_{number}", dtype),
            norm_position=block.norm_position,
            skip=gain(skip),
            dropout=block.dropout,
            attention_gain=gain("attention_gain", first),
            feed_forward_gain=gain("feed_forward_gain", second),
            name=f"sub_block_{number}",
            dtype=dtype,
        )
        for number, (first, second, skip) in enumerate(wirings)
        if first is not None or second is not None
    ]
    return Block(sub_blocks, name=f"block_{index}", dtype=dtype)


def make_gain(
    gain: Gain, name: str, num_blocks: int, dtype: Any, num_heads: int | None = None
) -> float | TrainedGain:
    """A number, or the layer that trains it."""
    if not isinstance(gain, Trained):
        return float(gain)
    return TrainedGain(gain.start_of(num_blocks), num_heads, name=name, dtype=dtype)


def make_norm(
    kind: str, config: ModelConfig, name: str, dtype: Any
) -> keras.layers.Layer | None:
    """A norm layer, or `None`."""
    if kind == "none":
        return None
    kinds = {
        "layer": keras.layers.LayerNormalization,
        "rms": keras.layers.RMSNormalization,
    }
    return kinds[kind](epsilon=config.norm_epsilon, name=name, dtype=dtype)


def _output_std(config: ModelConfig, gain: Gain) -> float:
    """GPT-2 divides by sqrt(2 blocks); a trained gain takes the place of that."""
    if isinstance(gain, Trained):
        return config.initializer_std
    return config.initializer_std / math.sqrt(2 * len(config.blocks))


def _attention(config: ModelConfig, block: BlockConfig, dtype: Any) -> Mixing:
    slopes = alibi_slopes(block.num_heads) if config.positions == "alibi" else None
    value_width = block.value_heads * config.head_dim(block)
    value_axes = ("width", "key_value_heads")
    if starts_as_identity(block.value):
        value_axes = ("width", "heads")
    shared: dict[str, Any] = {
        "num_heads": block.num_heads,
        "head_dim": config.head_dim(block),
        "num_key_value_heads": block.key_value_heads,
        "slopes": slopes,
        "dropout": block.dropout,
        "std": config.initializer_std,
        "output_std": _output_std(config, block.attention_gain),
        "value_matrix": _matrix(block.value, "value", value_width, value_axes, dtype),
        "output_matrix": _matrix(
            block.projection, "projection", config.width, ("heads", "width"), dtype
        ),
        "shaping": _shaping(config, block, dtype),
        "name": "attention",
        "dtype": dtype,
    }
    if block.copies_map_from is not None:
        return CopyingAttention(**shared)
    rotary = None
    if config.positions == "rotary":
        rotary = RotaryPositions(
            config.context_length, config.rotary_base, name="rotary", dtype=dtype
        )
    return Attention(rotary=rotary, fused=config.fused_attention, **shared)


def _matrix(
    matrix: str | Updated, name: str, units: int, axes: tuple[str, str], dtype: Any
) -> Any:
    if isinstance(matrix, str):
        return None if matrix == "identity" else matrix
    gains: dict[str, Any] = {
        gain: make_gain(getattr(matrix, gain), f"{name}_{gain}", 1, dtype)
        for gain in ("alpha", "beta")
    }
    return UpdatedMatrix(
        units, matrix.start, axes=axes, name=name, dtype=dtype, **gains
    )


def _shaping(config: ModelConfig, block: BlockConfig, dtype: Any) -> Shaping | None:
    shape = block.shape
    if shape is None:
        return None
    heads = block.num_heads if shape.per_head else None
    gains: dict[str, Any] = {
        gain: make_gain(getattr(shape, gain), f"map_{gain}", 1, dtype, heads)
        for gain in ("alpha", "beta", "gamma")
    }
    return Shaping(
        mask=None if config.positions == "alibi" else config.mask,
        prefix_length=config.prefix_length,
        name="shaping",
        dtype=dtype,
        **gains,
    )
