"""Who may attend to whom, as a number that is added to the attention scores."""

from typing import Any

import keras
from keras import ops

# Finite, so that a query with nothing but padding to see gives weights and not NaN; the
# future weighs twice as much, so that not even such a query looks ahead. Both together
# are finite too in float16, which ends at 65,504.
PADDING, PADDING_IN_FLOAT16 = -1e9, -2e4


def softmax(scores: Any) -> Any:
    """Softmax over the keys; Keras warns of a single key, whose share is 1."""
    single = scores.shape[-1] == 1
    return ops.ones_like(scores) if single else ops.softmax(scores, axis=-1)


@keras.saving.register_keras_serializable(package="kit")
class AttentionBias(keras.layers.Layer):
    """0 where a query may see a key, far below 0 where not.

    Args:
        mask: `"causal"`, `"full"` or `"prefix"`.
        prefix_length: Tokens that see each other fully, with `mask="prefix"`.
        padding_id: Token that nothing may attend to.
        dtype: The policy of the layers that the bias is for; all of its numbers are
            finite in their precision.

    Call arguments:
        tokens: (batch, keys), integers; the keys.
        queries: Number of queries; the first of them is at position `start`.
        start: Position of the first query.

    Returns:
        (batch or 1, 1, queries, keys) float32, or `None` when every query sees
        every key.

    Example:
        >>> import numpy as np
        >>> bias = AttentionBias("causal")(np.zeros((1, 3), "int32"), queries=3)
        >>> [[float(entry) == 0 for entry in row] for row in bias[0, 0]]
        [[True, False, False], [True, True, False], [True, True, True]]
    """

    def __init__(
        self,
        mask: str = "causal",
        prefix_length: int | None = None,
        padding_id: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.mask = mask
        self.prefix_length = prefix_length
        self.padding_id = padding_id

    def call(self, tokens: Any, queries: int, start: Any = 0) -> Any:
        query = ops.expand_dims(start + ops.arange(queries), 1)
        key = ops.expand_dims(ops.arange(tokens.shape[1]), 0)
        terms = []
        short = self.compute_dtype == "float16"
        padding = PADDING_IN_FLOAT16 if short else PADDING
        if self.mask != "full":
            visible = key <= query
            if self.mask == "prefix":
                visible = ops.logical_or(visible, key < self.prefix_length)
            future = ops.cast(ops.logical_not(visible), "float32")
            terms.append(2 * padding * future[None, None])
        if self.padding_id is not None:
            padded = ops.cast(ops.equal(tokens, self.padding_id), "float32")
            terms.append(padding * padded[:, None, None])
        return sum(terms[1:], start=terms[0]) if terms else None

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "mask": self.mask,
            "prefix_length": self.prefix_length,
            "padding_id": self.padding_id,
        }
