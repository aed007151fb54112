"""Functions whose gradients are written by hand, where those of autodiff take longer.

Each gradient is made of the inputs alone by operations that have gradients, so it can
be differentiated again: Hessian-vector products work in both forms, reverse over
reverse and forward over reverse. Forward mode by itself, `jax.jvp` of a loss, is what
JAX refuses. NumPy has no gradients.
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import keras
from keras import ops

# A sum of outer products beats XLA's matrix product on a CPU where it is this short; at
# 64 rows it has lost.
FEW_ROWS = 16


def with_gradient(backward: Callable) -> Callable:
    """Give a function of arrays the gradient `backward`.

    Args:
        backward: Gets the gradient of the result and the arguments of the function;
            returns a gradient for each argument, without a tuple where there is one.

    Returns:
        A decorator for functions of arrays (not of variables).

    Example:
        >>> @with_gradient(lambda upstream, x: upstream * 2 * x)
        ... def square(x):
        ...     return x * x
        >>> float(square(3.0))
        9.0
    """

    def decorate(function: Callable) -> Callable:
        @wraps(function)
        def call(*arguments: Any) -> Any:
            if keras.config.backend() == "numpy":
                return function(*arguments)

            @ops.custom_gradient
            def differentiable(*arguments: Any) -> Any:
                def gradient(*received: Any, upstream: Any = None) -> Any:
                    upstream = received[0] if upstream is None else upstream
                    return backward(upstream, *arguments)

                return function(*arguments), gradient

            return differentiable(*map(ops.convert_to_tensor, arguments))

        return call

    return decorate


ROOT, CUBIC = math.sqrt(2 / math.pi), 0.044715


def _gate(x: Any) -> Any:
    return 0.5 + 0.5 * ops.tanh(ROOT * (x + CUBIC * x * x * x))


def _gelu_gradient(upstream: Any, x: Any) -> Any:
    gate, slope = _gate(x), ROOT * (1 + 3 * CUBIC * x * x)
    return upstream * (gate + 2 * x * gate * (1 - gate) * slope)


@with_gradient(_gelu_gradient)
def gelu(x: Any) -> Any:
    """The tanh form of GELU (Hendrycks and Gimpel, 1606.08415, section 2).

        u = sqrt(2 / pi) (x + 0.044715 x^3),  g = (1 + tanh(u)) / 2
        gelu(x) = x g,  gelu'(x) = g + 2 x g (1 - g) u'

    Args:
        x: Any shape.

    Returns:
        The shape of x.

    Example:
        >>> [round(float(gelu(x)), 4) for x in (-1.0, 0.0, 1.0)]
        [-0.1588, 0.0, 0.8412]
    """
    return x * _gate(x)


def _outer_products_gradient(upstream: Any, a: Any, b: Any) -> Any:
    outer = a[..., :, :, None] * upstream[..., :, None, :]
    return ops.matmul(upstream, ops.swapaxes(b, -1, -2)), ops.sum(outer, axis=-3)


_matmul_of_few_rows = with_gradient(_outer_products_gradient)(ops.matmul)


def matmul(a: Any, b: Any) -> Any:
    """The matrix product of each head, `ops.matmul`; the rows of a are tokens.

        d(a b)/da = dy b^T,  d(a b)/db = a^T dy = sum over rows of outer(a_row, dy_row)

    XLA multiplies many small transposed matrices slowly on a CPU, so that where a has
    few rows the outer products are summed as they stand.

    Args:
        a: (batch, heads, rows, inner).
        b: (batch, heads, inner, columns).

    Returns:
        (batch, heads, rows, columns).

    Example:
        >>> import numpy as np
        >>> a, b = np.ones((1, 1, 2, 3), "float32"), np.ones((1, 1, 3, 4), "float32")
        >>> tuple(matmul(a, b).shape)
        (1, 1, 2, 4)
    """
    return _matmul_of_few_rows(a, b) if a.shape[-2] <= FEW_ROWS else ops.matmul(a, b)


def _scaled_gradient(upstream: Any, x: Any, gain: Any) -> Any:
    # A product with ones adds up a row in vectors, where a plain sum goes one by one.
    ones = ops.ones((x.shape[-1], 1), upstream.dtype)
    rows = ops.matmul(upstream * x, ones)
    others = (0, 2, 3) if len(gain.shape) else None
    return upstream * gain, ops.reshape(ops.sum(rows, axis=others), gain.shape)


@with_gradient(_scaled_gradient)
def scaled(x: Any, gain: Any) -> Any:
    """gain x, by one trained number or one for each head.

        dx = gain dy,  dgain = sum(x dy)

    Args:
        x: (..., width), or (batch, heads, time, head_dim).
        gain: A scalar, or (heads, 1, 1).

    Returns:
        The shape of x.

    Example:
        >>> import numpy as np
        >>> np.asarray(scaled(np.ones(3, "float32"), 0.5)).tolist()
        [0.5, 0.5, 0.5]
    """
    return gain * x
