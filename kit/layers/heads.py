"""Heads: out of the columns of the stream, through products, and back."""

from typing import Any

import numpy as np
from keras import ops

from kit.layers.gradients import matmul


def products(x: Any, *matrices: Any) -> list[Any]:
    """x times each matrix. As one product: its gradient is one product too.

    A single token has no use for that, and pays for matrices put side by side.

    Args:
        x: (batch, time, width).
        *matrices: (width, columns) each.

    Returns:
        (batch, time, columns) for each matrix.

    Example:
        >>> one, other = products(np.ones((1, 2, 3)), np.ones((3, 4)), np.ones((3, 1)))
        >>> tuple(one.shape), tuple(other.shape)
        ((1, 2, 4), (1, 2, 1))
    """
    if x.shape[1] == 1:
        return [ops.matmul(x, matrix) for matrix in matrices]
    ends = np.cumsum([matrix.shape[1] for matrix in matrices])[:-1]
    return ops.split(ops.matmul(x, ops.concatenate(matrices, axis=1)), ends, axis=-1)


def split_heads(x: Any, heads: int) -> Any:
    """(batch, time, heads * head_dim) to (batch, heads, time, head_dim).

    Example:
        >>> tuple(split_heads(np.ones((2, 3, 8)), heads=4).shape)
        (2, 4, 3, 2)
    """
    batch, time, columns = _shape(x)
    return ops.swapaxes(ops.reshape(x, (batch, time, heads, columns // heads)), 1, 2)


def merge_heads(x: Any) -> Any:
    """(batch, heads, time, head_dim) to (batch, time, heads * head_dim).

    Example:
        >>> x = np.arange(24.0).reshape(1, 3, 8)
        >>> bool(ops.all(merge_heads(split_heads(x, heads=2)) == x))
        True
    """
    batch, heads, time, head_dim = _shape(x)
    return ops.reshape(ops.swapaxes(x, 1, 2), (batch, time, heads * head_dim))


def grouped_matmul(a: Any, b: Any) -> Any:
    """The product of each head of a with the head of b that serves its group.

    The heads of a group follow each other, so that they are rows of one product, and
    nothing is repeated (2305.13245).

    Args:
        a: (batch, heads, rows, inner).
        b: (batch, key_heads, inner, columns); key_heads divides heads.

    Returns:
        (batch, heads, rows, columns).

    Example:
        >>> a, b = np.ones((1, 4, 2, 3), "float32"), np.ones((1, 2, 3, 5), "float32")
        >>> tuple(grouped_matmul(a, b).shape)
        (1, 4, 2, 5)
    """
    (batch, heads, rows, inner), groups = _shape(a), b.shape[1]
    if heads == groups:
        return matmul(a, b)
    together = ops.reshape(a, (batch, groups, heads // groups * rows, inner))
    return ops.reshape(matmul(together, b), (batch, heads, rows, b.shape[3]))


def for_each_head(x: Any, heads: int) -> Any:
    """Key or value heads, repeated until every query head has one.

    Example:
        >>> tuple(for_each_head(np.ones((1, 2, 3, 4)), heads=6).shape)
        (1, 6, 3, 4)
    """
    groups = heads // x.shape[1]
    return ops.repeat(x, groups, axis=1) if groups > 1 else x


def tokens_from(x: Any, start: Any, count: int) -> Any:
    """The rows of `count` tokens from `start` on, of (batch, heads, keys, head_dim).

    Args:
        x: Rows of all keys.
        start: A whole number, or a tensor where the step is compiled for all of them.
        count: Rows wanted.

    Example:
        >>> x = np.arange(4.0).reshape(1, 1, 4, 1)
        >>> np.ravel(tokens_from(x, start=2, count=1)).tolist()
        [2.0]
    """
    if isinstance(start, int):
        return x[:, :, start : start + count]
    return ops.take(x, start + ops.arange(count), axis=2)


def _shape(x: Any) -> tuple[int, ...]:
    """The shape, with -1 for a batch that is not known yet."""
    return (-1 if x.shape[0] is None else x.shape[0], *x.shape[1:])
