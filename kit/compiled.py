"""Compiling a function of arrays, on every backend."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras


def compilers() -> tuple[bool, ...]:
    """The values of `xla` that make a difference to `compiled` on this backend, from
    the quickest to start to the quickest to repeat.

    Example:
        >>> known = {"tensorflow": (False, True), "jax": (True,), "torch": ()}
        >>> compilers() == known[keras.backend.backend()]
        True
    """
    return {"tensorflow": (False, True), "jax": (True,)}.get(
        keras.backend.backend(), ()
    )


def compiled(
    function: Callable,
    xla: bool = False,
    variables: Sequence[Any] = (),
    example: Sequence[Any] | None = None,
) -> Callable:
    """The same function of nested lists of arrays, compiled where the backend can.

    Args:
        function: Has no side effects. What else it reads beside its arguments is
            frozen, on TensorFlow except for variables.
        xla: On TensorFlow, compile with XLA: slower to start, faster to repeat. JAX
            always does, torch never.
        variables: Keras variables that it reads and that may change from call to call.
        example: Arguments like all that will come, in shape and type. On TensorFlow a
            call is then not first compared with those before, which takes longer than
            a small model; each has to be given tensors, and no arrays.

    Example:
        >>> float(compiled(lambda tensors: tensors[0] + 1)([keras.ops.ones(())]))
        2.0
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        # TensorFlow warns of a function that it traces often, and takes those made by
        # one line of code for one function, but not so if they are partial.
        graph = tf.function(partial(function), jit_compile=xla, autograph=False)
        return graph if example is None else graph.get_concrete_function(*example)
    if backend == "jax":
        import jax

        if not variables:
            return jax.jit(function)

        @jax.jit
        def run(values: list[Any], *arguments: Any) -> Any:
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return function(*arguments)

        return lambda *arguments: run([v.value for v in variables], *arguments)
    return function
