"""AdamW that takes the same step on every backend."""

from typing import Any

import keras
from keras import ops


def dense(gradients: Any, variables: Any) -> list[Any]:
    """The same gradients with an entry for each entry of the variable."""
    return [
        gradient if gradient is None else gradient + ops.zeros(v.shape, v.dtype)
        for gradient, v in zip(gradients, variables, strict=True)
    ]


@keras.saving.register_keras_serializable(package="kit")
class AdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` with dense gradients.

    On TensorFlow the gradient of an embedding lookup has one row per occurrence of
    a token, and Adam squares the rows before it adds them: the second moment is
    sum g_i^2 instead of (sum g_i)^2, and the global norm is wrong too. Adding zeros
    of the variable's shape makes the gradient dense first, as it is elsewhere.

    Args:
        *args, **kwargs: As for `keras.optimizers.AdamW` (1711.05101).

    Example:
        >>> weight = keras.Variable([1.0, 1.0])
        >>> optimizer = AdamW(learning_rate=0.5, weight_decay=0.0)
        >>> optimizer.apply([ops.convert_to_tensor([3.0, -0.5])], [weight])
        >>> ops.convert_to_numpy(weight).round(3).tolist()  # both moved by the rate
        [0.5, 1.5]
    """

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        variables = trainable_variables or self._trainable_variables
        return super().apply(dense(grads, variables), trainable_variables)
