"""Every layer of the kit with every switch, for the contract and across backends."""

from collections.abc import Callable
from typing import Any

import keras

from kit.layers import (
    Attention,
    Block,
    CopyingAttention,
    FeedForward,
    LearnedPositions,
    RotaryPositions,
    Shaping,
    SharedMap,
    SinusoidalPositions,
    SubBlock,
    TrainedGain,
    UpdatedMatrix,
    alibi_slopes,
)
from tests.cases import TIME, WIDTH

STREAM = (3, TIME, WIDTH)
LOUD = {"std": 0.3}


def attention(dtype: Any, num_heads: int = 4, head_dim: int = 4, **kwargs: Any):
    return Attention(
        num_heads, head_dim, name="attention", dtype=dtype, **LOUD, **kwargs
    )


def rotary(dtype: Any):
    return RotaryPositions(TIME, dtype=dtype)


def shaping(dtype: Any, heads: int | None = 4, **kwargs: Any):
    gains = {
        name: TrainedGain(num_heads=heads, name=f"map_{name}", dtype=dtype)
        for name in ("alpha", "beta", "gamma")
    }
    return Shaping(dtype=dtype, **gains | kwargs)


@keras.saving.register_keras_serializable(package="tests")
class AttendAndCopy(keras.layers.Layer):
    """Attention, then one that copies its map."""

    def __init__(self, dtype: Any = None, num_key_value_heads: int = 2, **kwargs: Any):
        super().__init__(dtype=dtype, **kwargs)
        shared = {"num_key_value_heads": num_key_value_heads, **LOUD}
        self.first = Attention(4, 4, dtype=dtype, **shared)
        self.second = CopyingAttention(4, 4, dtype=dtype, **shared)

    def build(self, shape: Any) -> None:
        self.first.build(shape)
        self.second.build(shape)

    def call(self, x: Any) -> Any:
        shared = SharedMap()
        y = self.first(x, shared=shared)
        return self.second(x + y, shared=shared)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def matrix(dtype: Any, start: str = "identity", trained: bool = False):
    gains: Any = {}
    if trained:
        gains = {n: TrainedGain(name=n, dtype=dtype) for n in ("alpha", "beta")}
    return UpdatedMatrix(WIDTH, start, name=start, dtype=dtype, **gains)


def simplified(dtype: Any, **kwargs: Any):
    """Attention as in SAS."""
    return attention(
        dtype, value_matrix=None, output_matrix=None, shaping=shaping(dtype), **kwargs
    )


def feed_forward(dtype: Any, activation: str = "gelu", **kwargs: Any):
    shared = {"name": "feed_forward", "dtype": dtype, **LOUD}
    return FeedForward(24, activation, **shared, **kwargs)


def sub_block(
    dtype: Any,
    parts: tuple[Callable, ...],
    norm: type[keras.layers.Layer] | None = keras.layers.LayerNormalization,
    **kwargs: Any,
):
    made = {part.__name__: part(dtype) for part in parts}
    norm = norm and norm(dtype=dtype)
    return SubBlock(**made, norm=norm, dtype=dtype, **kwargs)


def serial(dtype: Any, **kwargs: Any):
    parts = [(attention,), (feed_forward,)]
    return Block([sub_block(dtype, part, **kwargs) for part in parts], dtype=dtype)


def parallel(dtype: Any, **kwargs: Any):
    both = (attention, feed_forward)
    return Block([sub_block(dtype, both, **kwargs)], dtype=dtype)


LAYERS: dict[str, Callable[..., keras.layers.Layer]] = {
    "attention": attention,
    "attention-grouped": lambda dtype: attention(dtype, num_key_value_heads=2),
    "attention-wide-heads": lambda dtype: attention(dtype, head_dim=6),
    "attention-rotary": lambda dtype: attention(dtype, rotary=rotary(dtype)),
    "attention-alibi": lambda dtype: attention(dtype, slopes=alibi_slopes(4)),
    "attention-fused": lambda dtype: attention(dtype, fused=True),
    "attention-dropout": lambda dtype: attention(dtype, dropout=0.3),
    "attention-simplified": simplified,
    "attention-simplified-grouped": lambda dtype: simplified(
        dtype, num_key_value_heads=2
    ),
    "attention-simplified-fused": lambda dtype: simplified(dtype, fused=True),
    "attention-updated": lambda dtype: attention(
        dtype, value_matrix=matrix(dtype), output_matrix=matrix(dtype, "orthogonal")
    ),
    "attention-orthogonal": lambda dtype: attention(
        dtype, value_matrix="orthogonal", output_matrix="orthogonal"
    ),
    "attention-copied": AttendAndCopy,
    "updated-identity": matrix,
    "updated-orthogonal": lambda dtype: matrix(dtype, "orthogonal", trained=True),
    "trained-gain": lambda dtype: TrainedGain(0.5, dtype=dtype),
    "geglu": lambda dtype: feed_forward(dtype, "geglu"),
    "leaky-relu": lambda dtype: feed_forward(dtype, "relu", slope=0.2),
    "relu": lambda dtype: feed_forward(dtype, "relu"),
    "gelu": lambda dtype: feed_forward(dtype, "gelu"),
    "swiglu": lambda dtype: feed_forward(dtype, "swiglu"),
    "learned": lambda dtype: LearnedPositions(TIME, 0.3, dtype=dtype),
    "sinusoidal": lambda dtype: SinusoidalPositions(TIME, 0.3, dtype=dtype),
    "rotary": rotary,
    "pre": serial,
    "post": lambda dtype: serial(dtype, norm_position="post"),
    "rms": lambda dtype: serial(dtype, norm=keras.layers.RMSNormalization),
    "no-norm": lambda dtype: serial(dtype, norm=None),
    "half-skips": lambda dtype: serial(dtype, skip=0.5),
    "no-skips": lambda dtype: serial(dtype, skip=0.0),
    "dropout": lambda dtype: serial(dtype, dropout=0.3),
    "trained-gains": lambda dtype: parallel(
        dtype,
        skip=TrainedGain(name="skip", dtype=dtype),
        attention_gain=TrainedGain(name="attention_gain", dtype=dtype),
        feed_forward_gain=TrainedGain(0.5, name="feed_forward_gain", dtype=dtype),
    ),
    "parallel": parallel,
    "parallel-post": lambda dtype: parallel(dtype, norm_position="post"),
    "empty": lambda dtype: Block(dtype=dtype),
}


def input_shape(name: str) -> tuple[int, ...]:
    """(batch, time, width); the rotary layer turns (batch, heads, time, head_dim)."""
    return (3, 4, TIME, 6) if name == "rotary" else STREAM
