"""Shaped attention: a sum of three maps, as a matrix or without one."""

from typing import Any

import keras
from keras import ops

from kit.layers.gains import (
    Gain,
    TrainedGain,
    build_gains,
    deserialized,
    times,
)
from kit.layers.heads import tokens_from
from kit.layers.masks import softmax

# Of a key that is padding, in the mean that a query sees: nothing beside a real key,
# and all there is where no key is real.
FAINT = 2.0**-50


@keras.saving.register_keras_serializable(package="kit")
class Shaping(keras.layers.Layer):
    """Adds two maps to the softmax map A, before or after A has been applied.

        (alpha I + beta A - gamma C) V  =  alpha V + beta (A V) - gamma mean(V)

    `map` is the left side, one product where A is at hand; the call is the right
    side, where A stays inside a fused kernel.

    Shaped attention is Noci et al., 2306.17759; with beta = gamma = 0 at the start,
    value-skip-init is He et al., 2302.10322. C is what A is while all scores are 0, so
    C V is the mean of the visible values: a running mean under a causal mask (a row i
    of the code's C has 1/i in its first i columns). Padding is not among them, unless a
    query sees nothing else. ALiBi's scores are not 0, and C is then a matrix in both
    forms.

    Args:
        alpha, beta, gamma: A number or a `TrainedGain` each; `gamma=0.0` leaves C out.
        mask: `"causal"`, `"full"` or `"prefix"`; `None` makes C from the bias, as a
            matrix, whatever the bias is.
        prefix_length: Tokens of the prefix, with `mask="prefix"`.

    Call arguments:
        own: (batch, heads, queries, head_dim); the values of the queries' tokens.
        mixed: The same shape; A V.
        value: (batch, heads, keys, head_dim); V.
        bias: What was added to the scores, broadcast to (batch, heads, queries, keys),
            or `None`.
        start: Position of the first query.

    Returns:
        (batch, heads, queries, head_dim).

    Example:
        >>> import numpy as np
        >>> value = np.array([1.0, 3.0], "float32").reshape(1, 1, 2, 1)
        >>> shaping = Shaping(alpha=0.0, beta=1.0, gamma=-1.0)  # the mean alone
        >>> np.ravel(shaping(value, 0 * value, value)).tolist()
        [1.0, 2.0]
    """

    def __init__(
        self,
        alpha: Gain = 1.0,
        beta: Gain = 1.0,
        gamma: Gain = 1.0,
        mask: str | None = "causal",
        prefix_length: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.mask = mask
        self.prefix_length = prefix_length

    @property
    def centred(self) -> bool:
        """Whether C is subtracted."""
        return isinstance(self.gamma, TrainedGain) or self.gamma != 0

    def build(self, *_: Any) -> None:
        build_gains(self.alpha, self.beta, self.gamma)

    def call(
        self, own: Any, mixed: Any, value: Any, bias: Any = None, start: Any = 0
    ) -> Any:
        shaped = times(self.alpha, own) + times(self.beta, mixed)
        if self.centred:
            mean = self._mean(value, bias, own.shape[2], start)
            shaped = shaped - times(self.gamma, ops.cast(mean, shaped.dtype))
        return shaped

    def map(self, attention_map: Any, bias: Any = None, start: Any = 0) -> Any:
        """alpha I + beta A - gamma C, by which the values are multiplied.

        Args:
            attention_map: (batch, heads, queries, keys); A.
            bias, start: As in a call.

        Returns:
            (batch, heads, queries, keys), in the precision of A.
        """
        *_, queries, keys = attention_map.shape
        own = ops.arange(keys)[None] == start + ops.arange(queries)[:, None]
        fixed = _value(self.alpha) * ops.cast(own, "float32")
        if self.centred:
            scores = ops.zeros((1, 1, queries, keys)) if bias is None else bias
            centre = softmax(ops.cast(scores, "float32"))
            fixed = fixed - _value(self.gamma) * centre
        return times(self.beta, attention_map) + ops.cast(fixed, attention_map.dtype)

    def _mean(self, value: Any, bias: Any, queries: int, start: Any) -> Any:
        """C V, (batch, heads, queries, head_dim); one query for all of a full mask."""
        value = ops.cast(value, "float32")
        if self.mask is None:
            return ops.matmul(softmax(ops.cast(bias, "float32")), value)
        weight = _weights(bias, value)
        if self.mask == "full":
            total = ops.sum(weight * value, axis=2, keepdims=True)
            return total / ops.sum(weight, axis=2, keepdims=True)
        mean = running_sum(weight * value) / running_sum(weight)
        rows = tokens_from(mean, start, queries)
        if self.mask == "causal":
            return rows
        end = min(self.prefix_length or 0, value.shape[2])
        inside = (start + ops.arange(queries))[:, None] < end
        return ops.where(inside, mean[:, :, end - 1 : end], rows)

    def compute_output_shape(self, own_shape: Any, *_: Any) -> Any:
        return own_shape

    def get_build_config(self) -> None:
        """Nothing: the weights do not depend on a shape."""

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        gains = ("alpha", "beta", "gamma")
        return {
            **super().get_config(),
            **{name: serialize(getattr(self, name)) for name in gains},
            "mask": self.mask,
            "prefix_length": self.prefix_length,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**deserialized(config, "alpha", "beta", "gamma"))


def _value(gain: Gain) -> Any:
    if isinstance(gain, TrainedGain):
        return ops.cast(gain.for_maps, "float32")
    return gain


def running_sum(x: Any, piece: int = 64) -> Any:
    """The sum of each row and all rows before it, in matrix products.

    XLA's cumulative sum on a CPU adds all earlier rows again for each row, and again in
    each gradient. Here a piece is one product with a small triangle of ones, and the
    totals of the pieces are summed likewise: O(rows) for any number of rows.

    Args:
        x: (..., rows, width).
        piece: Rows of a piece.

    Returns:
        The shape of x.

    Example:
        >>> import numpy as np
        >>> np.ravel(running_sum(np.ones((1, 1, 3, 1), "float32"))).tolist()
        [1.0, 2.0, 3.0]
    """
    rows, width = x.shape[-2:]
    if rows <= piece:
        return ops.matmul(ops.tril(ops.ones((rows, rows), x.dtype)), x)
    pieces = -(-rows // piece)
    rest = pieces * piece - rows
    padded = ops.pad(x, [[0, 0]] * (len(x.shape) - 2) + [[0, rest], [0, 0]])
    outer = tuple(x.shape[:-2])
    inside = running_sum(ops.reshape(padded, (*outer, pieces, piece, width)), piece)
    totals = inside[..., -1, :]
    before = running_sum(totals, piece) - totals
    sums = ops.reshape(inside + before[..., None, :], (*outer, pieces * piece, width))
    return sums[..., :rows, :]


def _weights(bias: Any, value: Any) -> Any:
    """1 for keys that the last query sees, which are all but padding and the future."""
    if bias is None:
        return ops.ones((1, 1, value.shape[2], 1))
    seen = ops.cast(bias[:, :1, -1:] == 0, "float32")
    return ops.swapaxes(ops.maximum(seen, FAINT), 2, 3)
