"""Derivatives of functions of tensors: the one file that knows how backends make them.

Everything is made of one primitive, a gradient that can be differentiated again. There
is no forward mode: JAX refuses it for the kit's own gradients
(`kit.layers.gradients`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import keras
from keras import ops

from kit.backends import BACKENDS_IN_WORDS
from kit.errors import KitError

Tensors = list[Any]


def gradient(function: Callable[[Tensors], Any]) -> Callable[[Tensors], Tensors]:
    """The gradient of a scalar function, dense, and differentiable itself.

    Args:
        function: Gets a list of float tensors, returns a scalar.

    Returns:
        A function of the same list: one tensor of the same shape for each, zeros for
        one that the scalar does not depend on.

    Raises:
        KitError: The backend has no gradients.

    Example:
        >>> cube = lambda tensors: ops.sum(tensors[0] ** 3)
        >>> at = [ops.convert_to_tensor([1.0, 2.0])]
        >>> ops.convert_to_numpy(gradient(cube)(at)[0]).tolist()
        [3.0, 12.0]
    """
    backend = keras.backend.backend()
    if backend not in _GRADIENTS:
        raise KitError(
            f"the backend {backend!r} has no gradients",
            f"Set KERAS_BACKEND to {BACKENDS_IN_WORDS}",
        )
    return _GRADIENTS[backend](function)


def _tensorflow(function: Callable) -> Callable:
    import tensorflow as tf

    def call(tensors: Tensors) -> Tensors:
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(tensors)
        zero = tf.UnconnectedGradients.ZERO
        found = tape.gradient(value, tensors, unconnected_gradients=zero)
        # An embedding's gradient comes as one row for each occurrence of a token.
        return [_dense(each) for each in found]

    return call


def _dense(gradient: Any) -> Any:
    import tensorflow as tf

    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows = gradient.dense_shape[0]
    return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, rows)


def _jax(function: Callable) -> Callable:
    import jax

    return jax.grad(function)


def _torch(function: Callable) -> Callable:
    import torch

    def call(tensors: Tensors) -> Tensors:
        # New names for the same values: what the function closes over may be made of
        # the old ones, and is constant here, as on other backends.
        tensors = [
            t.view_as(t) if t.requires_grad else t.detach().requires_grad_()
            for t in tensors
        ]
        value = function(tensors)
        if not value.requires_grad:
            return [torch.zeros_like(tensor) for tensor in tensors]
        found = torch.autograd.grad(
            value, tensors, create_graph=True, materialize_grads=True
        )
        return list(found)

    return call


_GRADIENTS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}


def dot(left: Tensors, right: Tensors) -> Any:
    """Inner product of two lists of tensors."""
    return sum(ops.sum(a * b) for a, b in zip(left, right, strict=True))


def hessian_vector_product(
    function: Callable[[Tensors], Any], at: Tensors, vector: Tensors
) -> Tensors:
    """H v, the gradient of (gradient . v).

    Example:
        >>> cube = lambda tensors: ops.sum(tensors[0] ** 3)
        >>> at, vector = ([ops.convert_to_tensor(x)] for x in ([1.0, 2.0], [1.0, 1.0]))
        >>> ops.convert_to_numpy(hessian_vector_product(cube, at, vector)[0]).tolist()
        [6.0, 12.0]
    """
    with _whole_variances():
        return gradient(lambda tensors: dot(gradient(function)(tensors), vector))(at)


@contextmanager
def _whole_variances() -> Iterator[None]:
    """Let TensorFlow differentiate a variance, such as that of a layer norm, twice."""
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    before = tf.nn.moments
    tf.nn.moments = _whole_moments()
    try:
        yield
    finally:
        tf.nn.moments = before


@cache
def _whole_moments() -> Callable:
    """`tf.nn.moments` with a variance that has all its derivatives.

    TensorFlow's is E (x - c)^2, where c has the value of the mean and no derivative:
    the first derivative is right, the second is not. For any constant c,

        Var x = E (x - c)^2 - (E x - c)^2
    """
    import tensorflow as tf

    moments = tf.nn.moments

    def whole(*args: Any, **options: Any) -> tuple[Any, Any]:
        mean, variance = moments(*args, **options)
        return mean, variance - tf.square(mean - tf.stop_gradient(mean))

    return whole


def vector_jacobian_product(
    function: Callable[[Tensors], Any], at: Tensors, vector: Any
) -> Tensors:
    """J^T u of a function that returns one tensor of the shape of u."""
    return gradient(lambda tensors: ops.sum(function(tensors) * vector))(at)


def jacobian_vector_product(
    function: Callable[[Tensors], Any], at: Tensors, vector: Tensors, output: Any
) -> Any:
    """J v by reverse mode: J^T u is linear in u, and v . J^T u has the gradient J v.

    Args:
        function: Returns one tensor.
        at: Where.
        vector: A tensor for each of `at`.
        output: Any tensor of the shape that the function returns.

    Example:
        >>> square = lambda tensors: tensors[0] ** 2
        >>> at, vector = ([ops.convert_to_tensor(x)] for x in ([1.0, 2.0], [1.0, 1.0]))
        >>> found = jacobian_vector_product(square, at, vector, at[0])
        >>> ops.convert_to_numpy(found).tolist()
        [2.0, 4.0]
    """

    def along(outputs: Tensors) -> Any:
        return dot(vector_jacobian_product(function, at, outputs[0]), vector)

    return gradient(along)([ops.zeros_like(output)])[0]
