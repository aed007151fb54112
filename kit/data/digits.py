"""Numbers as rows of digit tokens, fast."""

from functools import cache

import numpy as np

TABLE_WIDTH = 5  # numbers this wide are looked up: 2 MB at most


def spell(values: np.ndarray, width: int, zero: int = 0) -> np.ndarray:
    """(count, width) int32 digits of (count,) numbers, highest first.

    Args:
        values: Numbers below 10^width.
        width: Digits a number.
        zero: What stands in place of leading zeros.

    Example:
        >>> spell(np.array([7, 40]), width=3, zero=-1).tolist()
        [[-1, -1, 7], [-1, 4, 0]]
    """
    if width <= TABLE_WIDTH:
        return _table(width, zero)[values]
    return _spell(values, width, zero)


@cache
def _table(width: int, zero: int) -> np.ndarray:
    return _spell(np.arange(10**width), width, zero)


def _spell(values: np.ndarray, width: int, zero: int) -> np.ndarray:
    powers = 10 ** np.arange(width - 1, -1, -1)
    leading = (values[:, None] < powers) & (powers > 1)
    return np.where(leading, zero, values[:, None] // powers % 10).astype("int32")
