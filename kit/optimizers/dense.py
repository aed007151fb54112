"""Keras' optimizers with gradients that are the same on every backend."""

from typing import Any

import keras
from keras import ops


def dense(gradients: Any, variables: Any) -> list[Any]:
    """The same gradients with an entry for each entry of the variable."""
    return [
        gradient if gradient is None else gradient + ops.zeros(v.shape, v.dtype)
        for gradient, v in zip(gradients, variables, strict=True)
    ]


class Dense(keras.optimizers.Optimizer):
    """Makes gradients dense first, for any optimizer that inherits from it too.

    On TensorFlow the gradient of an embedding lookup has one row per occurrence of
    a token. Adam squares the rows before it adds them, so that the second moment is
    sum g_i^2 instead of (sum g_i)^2; and of all optimizers the global norm is wrong.
    Adding zeros of the variable's shape makes the gradient what it is elsewhere.

    Example:
        >>> class RMSprop(Dense, keras.optimizers.RMSprop):
        ...     pass
        >>> weight = keras.Variable([1.0, 1.0])
        >>> optimizer = RMSprop(learning_rate=0.5, rho=0.0)
        >>> optimizer.apply([ops.convert_to_tensor([3.0, -0.5])], [weight])
        >>> ops.convert_to_numpy(weight).round(3).tolist()
        [0.5, 1.5]
    """

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        variables = trainable_variables or self._trainable_variables
        return super().apply(dense(grads, variables), trainable_variables)


@keras.saving.register_keras_serializable(package="kit")
class AdamW(Dense, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` with dense gradients.

    It decays every variable that it is not told to leave out. Before it goes to
    `compile`, norms and gains are left out as below; `kit.training` does this itself.

    Args:
        *args, **kwargs: As for `keras.optimizers.AdamW` (1711.05101).

    Example:
        >>> weight = keras.Variable([1.0, 1.0])
        >>> optimizer = AdamW(learning_rate=0.5, weight_decay=0.0)
        >>> optimizer.apply([ops.convert_to_tensor([3.0, -0.5])], [weight])
        >>> ops.convert_to_numpy(weight).round(3).tolist()  # both moved by the rate
        [0.5, 1.5]
        >>> model = keras.Sequential([keras.layers.Dense(2)])
        >>> model.build((None, 2))
        >>> vectors = [v for v in model.trainable_variables if len(v.shape) < 2]
        >>> optimizer = AdamW(weight_decay=0.1)
        >>> optimizer.exclude_from_weight_decay(var_list=vectors)
        >>> model.compile(optimizer, "mse")
    """


@keras.saving.register_keras_serializable(package="kit")
class Lion(Dense, keras.optimizers.Lion):
    """`keras.optimizers.Lion` with dense gradients.

    Args:
        *args, **kwargs: As for `keras.optimizers.Lion` (2302.06675).

    Example:
        >>> weight = keras.Variable([1.0, 1.0])
        >>> optimizer = Lion(learning_rate=0.5)
        >>> optimizer.apply([ops.convert_to_tensor([3.0, -0.5])], [weight])
        >>> ops.convert_to_numpy(weight).tolist()  # the sign is all that counts
        [0.5, 1.5]
    """


@keras.saving.register_keras_serializable(package="kit")
class Muon(Dense, keras.optimizers.Muon):
    """`keras.optimizers.Muon` with dense gradients.

    Args:
        *args, **kwargs: As for `keras.optimizers.Muon`, which is AdamW for embeddings
            and for all that is no matrix.

    Example:
        >>> weight = keras.Variable([[0.0, 0.0], [0.0, 0.0]])
        >>> optimizer = Muon(learning_rate=0.5)
        >>> optimizer.apply([ops.convert_to_tensor([[9.0, 0.0], [0.0, 2.0]])], [weight])
        >>> moved = ops.convert_to_numpy(weight)
        >>> bool(0.5 < moved[0, 0] / moved[1, 1] < 2)  # 9 and 2 moved it nearly alike
        True
    """


@keras.saving.register_keras_serializable(package="kit")
class SGD(Dense, keras.optimizers.SGD):
    """`keras.optimizers.SGD` with dense gradients, for clipping by the right norm.

    Args:
        *args, **kwargs: As for `keras.optimizers.SGD`.

    Example:
        >>> weight = keras.Variable([1.0, 1.0])
        >>> optimizer = SGD(learning_rate=0.5, global_clipnorm=2.5)
        >>> optimizer.apply([ops.convert_to_tensor([3.0, -4.0])], [weight])
        >>> ops.convert_to_numpy(weight).round(3).tolist()
        [0.25, 2.0]
    """
