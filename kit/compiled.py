"""Compiling a function of arrays, on every backend."""

from collections.abc import Callable
from functools import partial

import keras


def compiled(function: Callable, xla: bool = False) -> Callable:
    """The same function of nested lists of arrays, compiled where the backend can.

    Args:
        function: Has no side effects; what it reads beside its arguments is frozen.
        xla: On TensorFlow, compile with XLA: slower to start, faster to repeat. JAX
            always does, torch never.

    Example:
        >>> float(compiled(lambda tensors: tensors[0] + 1)([keras.ops.ones(())]))
        2.0
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        # TensorFlow warns of a function that it traces often, and takes those made by
        # one line of code for one function, but not so if they are partial.
        return tf.function(partial(function), jit_compile=xla, autograph=False)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function
