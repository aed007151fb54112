"""Transformer layers in `keras.ops`, one idea a file."""

from kit.layers.attention import Attention
from kit.layers.block import Block, SubBlock
from kit.layers.cache import KeyValueCache
from kit.layers.copying import CopyingAttention, SharedMap
from kit.layers.feed_forward import FeedForward
from kit.layers.gains import TrainedGain, UpdatedMatrix
from kit.layers.masks import AttentionBias
from kit.layers.mixing import Mixing
from kit.layers.positions import (
    LearnedPositions,
    RotaryPositions,
    SinusoidalPositions,
    alibi_slopes,
)
from kit.layers.shaping import Shaping
from kit.layers.tags import tag, tag_of
from kit.layers.taps import Collector, tap

__all__ = [
    "Attention",
    "AttentionBias",
    "Block",
    "Collector",
    "CopyingAttention",
    "FeedForward",
    "KeyValueCache",
    "LearnedPositions",
    "Mixing",
    "RotaryPositions",
    "Shaping",
    "SharedMap",
    "SinusoidalPositions",
    "SubBlock",
    "TrainedGain",
    "UpdatedMatrix",
    "alibi_slopes",
    "tag",
    "tag_of",
    "tap",
]
