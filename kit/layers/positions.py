"""Where order enters: learned and sinusoidal tables, rotary angles, ALiBi slopes."""

from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops

from kit.errors import KitError
from kit.layers.tags import tag


@keras.saving.register_keras_serializable(package="kit")
class LearnedPositions(keras.layers.Layer):
    """Adds a learned vector per position (Gehring et al., 1705.03122).

    Args:
        context_length: Longest sequence.
        std: Standard deviation of the initial table.

    Call arguments:
        x: (batch, time, width).
        start: Position of the first token; above 0 in cached generation.

    Returns:
        (batch, time, width).

    Raises:
        KitError: The tokens end after `context_length`.

    Example:
        >>> layer = LearnedPositions(context_length=4)
        >>> zeros = np.zeros((1, 3, 8), "float32")
        >>> bool(ops.all(layer(zeros)[:, 1:] == layer(zeros[:, :2], start=1)))
        True
    """

    def __init__(self, context_length: int, std: float = 0.02, **kwargs: Any):
        super().__init__(**kwargs)
        self.context_length = context_length
        self.std = std

    def build(self, input_shape: Any) -> None:
        self.table = self.add_weight(
            name="table",
            shape=(self.context_length, input_shape[-1]),
            initializer=keras.initializers.RandomNormal(stddev=self.std),
        )
        tag(self.table, "Emb", ("context", "width"), std=self.std)

    def call(self, x: Any, start: Any = 0) -> Any:
        return x + _rows(self.table, x, start)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "context_length": self.context_length,
            "std": self.std,
        }


@keras.saving.register_keras_serializable(package="kit")
class SinusoidalPositions(keras.layers.Layer):
    """Adds fixed sines and cosines (Vaswani et al., 1706.03762, section 3.5).

    Args:
        context_length: Longest sequence.
        scale: Factor on the table. Token vectors start near 0.02, so a table of
            size one would drown them; `build` passes the embedding's scale.

    Call arguments:
        x: (batch, time, width), with an even width.
        start: Position of the first token.

    Returns:
        (batch, time, width).

    Raises:
        KitError: The tokens end after `context_length`.

    Example:
        >>> y = SinusoidalPositions(4)(np.zeros((1, 2, 4), "float32"))
        >>> [[round(float(entry), 2) for entry in row] for row in y[0]]
        [[0.0, 1.0, 0.0, 1.0], [0.84, 0.54, 0.01, 1.0]]
    """

    def __init__(self, context_length: int, scale: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.context_length = context_length
        self.scale = scale

    def build(self, input_shape: Any) -> None:
        angle = angles(self.context_length, input_shape[-1], 10_000.0)
        table = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
        self.table = self.scale * table.reshape(self.context_length, -1)

    def call(self, x: Any, start: Any = 0) -> Any:
        return x + _rows(self.table, x, start)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "context_length": self.context_length,
            "scale": self.scale,
        }


@keras.saving.register_keras_serializable(package="kit")
class RotaryPositions(keras.layers.Layer):
    """Turns queries and keys by an angle that grows with position (2104.09864).

    Channel i is paired with channel i + head_dim / 2.

    Args:
        context_length: Longest sequence.
        base: Base of the frequencies.

    Call arguments:
        x: (batch, heads, time, head_dim), with an even head_dim.
        start: Position of the first token.
        end: No position is beyond it; `None` means `context_length`.

    Returns:
        (batch, heads, time, head_dim).

    Raises:
        KitError: The tokens end after `context_length`.

    Example:
        >>> y = RotaryPositions(context_length=3)(np.ones((1, 1, 3, 2), "float32"))
        >>> [[round(float(entry), 2) for entry in row] for row in y[0, 0]]
        [[1.0, 1.0], [-0.3, 1.38], [-1.33, 0.49]]
    """

    def __init__(self, context_length: int, base: float = 10_000.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.context_length = context_length
        self.base = base

    def build(self, input_shape: Any) -> None:
        self.cosine, self.sine = turns(self.context_length, input_shape[-1], self.base)

    def call(self, x: Any, start: Any = 0, end: int | None = None) -> Any:
        half = x.shape[-1] // 2
        cosine, sine = (_rows(t, x, start, end) for t in (self.cosine, self.sine))
        first, second = x[..., :half], x[..., half:]
        return ops.concatenate(
            [first * cosine - second * sine, second * cosine + first * sine], axis=-1
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "context_length": self.context_length,
            "base": self.base,
        }


def _rows(table: Any, x: Any, start: Any, end: int | None = None) -> Any:
    """The rows of a table that belong to the tokens of x."""
    time, length = x.shape[-2], table.shape[0]
    known = isinstance(start, int)  # else one compiled step serves every position
    if known and start + time > length:
        raise KitError(
            f"{start + time} tokens do not fit context_length={length}",
            'Read fewer tokens, or use positions="none" or "alibi", which have no end',
        )
    if known:
        rows = table[start : start + time]
    else:
        if isinstance(table, np.ndarray):
            table = table[:end]  # a constant: hand over no more than can be read
        # Of a slice, XLA would compile one for each start.
        rows = ops.take(table, start + ops.arange(time), axis=0)
    return ops.cast(rows, x.dtype)


def angles(context_length: int, width: int, base: float) -> np.ndarray:
    """Position times frequency: m base^(-2i / width) in row m, column i.

    Args:
        context_length: Number of positions.
        width: Number of channels, even; each pair has one frequency.
        base: Base of the frequencies.

    Returns:
        (context_length, width // 2) float32, in radians.

    Example:
        >>> angles(3, 4, base=16.0).tolist()
        [[0.0, 0.0], [1.0, 0.25], [2.0, 0.5]]
    """
    frequency = base ** (-np.arange(0, width, 2) / width)
    return np.outer(np.arange(context_length), frequency).astype("float32")


@lru_cache(maxsize=8)  # all blocks of a model share them
def turns(context_length: int, width: int, base: float) -> tuple[Any, Any]:
    """Cosine and sine of the `angles`."""
    angle = angles(context_length, width, base)
    return np.cos(angle), np.sin(angle)


def alibi_slopes(num_heads: int) -> np.ndarray:
    """One slope per head (Press et al., 2108.12409): 2^(-8/n), 2^(-16/n), ...

    Args:
        num_heads: Number of heads n. Where n is no power of two, the slopes of the
            next smaller power are filled up with every other slope of the larger.

    Returns:
        (num_heads,), float32.

    Example:
        >>> [float(slope) for slope in alibi_slopes(4)]
        [0.25, 0.0625, 0.015625, 0.00390625]
    """
    power = 2 ** int(np.floor(np.log2(num_heads)))
    slopes = 2.0 ** (-8.0 * np.arange(1, power + 1) / power)
    between = 2.0 ** (-4.0 * np.arange(1, 2 * power + 1, 2) / power)
    return np.concatenate([slopes, between])[:num_heads].astype("float32")


def alibi_bias(slopes: np.ndarray, queries: int, keys: int, start: Any = 0) -> Any:
    """Minus slope times distance, to add to the scores (2108.12409, section 3).

    Args:
        slopes: (heads,), one slope per head.
        queries: Number of queries; the first of them is at position `start`.
        keys: Number of keys; the first of them is at position 0.
        start: Position of the first query.

    Returns:
        (1, heads, queries, keys) float32.

    Example:
        >>> bias = alibi_bias(np.array([0.5], "float32"), queries=1, keys=3, start=2)
        >>> np.ravel(bias).tolist()
        [-1.0, -0.5, -0.0]
    """
    query = ops.expand_dims(start + ops.arange(queries), 1)
    distance = ops.cast(ops.abs(query - ops.arange(keys)), "float32")
    return -slopes[None, :, None, None] * distance[None, None]
