"""Similarities of layers as stored rows have them; no Keras is needed."""

from collections.abc import Sequence

import numpy as np


def upper(matrix: np.ndarray) -> list[float]:
    """What is above the diagonal of a symmetric matrix, row by row.

    Example:
        >>> whole([0.2, 0.3, 0.4]).tolist()
        [[1.0, 0.2, 0.3], [0.2, 1.0, 0.4], [0.3, 0.4, 1.0]]
        >>> upper(whole([0.2, 0.3, 0.4]))
        [0.2, 0.3, 0.4]
    """
    return matrix[np.triu_indices(len(matrix), 1)].tolist()


def whole(values: Sequence[float]) -> np.ndarray:
    """The matrix again, with ones on its diagonal."""
    count = round((1 + (1 + 8 * len(values)) ** 0.5) / 2)
    matrix = np.eye(count)
    rows, columns = np.triu_indices(count, 1)
    matrix[rows, columns] = matrix[columns, rows] = values
    return matrix


def inner_pairs(matrix: np.ndarray) -> list[float]:
    """Those of two blocks of which neither is the first or the last.

    Example:
        >>> inner_pairs(np.arange(16).reshape(4, 4))
        [6]
    """
    return upper(np.asarray(matrix)[1:-1, 1:-1])


def scores(matrix: np.ndarray) -> np.ndarray:
    """(layers,) The mean similarity of each layer with the others."""
    return (matrix.sum(axis=1) - np.diag(matrix)) / (len(matrix) - 1)
