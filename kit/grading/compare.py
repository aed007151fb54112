"""Compare what came back with what was expected."""

from collections.abc import Callable
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from kit.grading.boundary import Outcome, Reply
from kit.grading.cases import Case, Check


class Evidence(NamedTuple):
    """One case, what the submission answered, and what was expected."""

    case: Case
    reply: Reply
    expected: tuple[np.ndarray, ...]
    outcome: Outcome
    fault: str = ""  # what an examination found


def examined(case: Case, reply: Reply, examine: Callable[..., str]) -> Evidence:
    """What the judge finds in an answer for which there is no expected value."""
    if reply.outcome is not Outcome.ANSWERED:
        return Evidence(case, reply, (), reply.outcome)
    if not all(np.isfinite(array).all() for array in reply.arrays):
        return Evidence(case, reply, (), Outcome.NOT_FINITE)
    fault = examine(*reply.arrays)
    outcome = Outcome.WRONG_VALUE if fault else Outcome.PASS
    return Evidence(case, reply, (), outcome, fault)


def verdict(reply: Reply, expected: tuple[np.ndarray, ...], check: Check) -> Outcome:
    """Compare a reply with what was expected: first NaN, then values."""
    if reply.outcome is not Outcome.ANSWERED:
        return reply.outcome
    pairs = list(zip(reply.arrays, expected, strict=True))
    if any(
        np.isfinite(want).all() and not np.isfinite(got).all() for got, want in pairs
    ):
        return Outcome.NOT_FINITE
    if any(error(got, want) > check.tolerance for got, want in pairs):
        return Outcome.WRONG_VALUE
    return Outcome.PASS


def error(got: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, relative to the largest expected value or to one.

    Whole numbers and truth values are equal (0) or not (infinity), and so are values
    that are not finite.

    Example:
        >>> error(np.array([1.0, 9.0]), np.array([1.0, 10.0]))
        0.1
        >>> error(np.array([True]), np.array([False]))
        inf
    """
    if expected.size == 0:
        return 0.0
    if expected.dtype.kind != "f":
        return 0.0 if np.array_equal(got, expected) else np.inf
    finite = np.isfinite(expected) & np.isfinite(got)
    if not np.array_equal(got[~finite], expected[~finite], equal_nan=True):
        return np.inf
    difference = np.abs(got[finite].astype("float64") - expected[finite])
    scale = max(1.0, np.abs(expected[finite]).max(initial=0.0))
    return float(difference.max(initial=0.0) / scale)


def same(a: Reply, b: Reply, tolerance: float) -> bool:
    """Whether two replies are the same behaviour."""
    if a.outcome is not b.outcome:
        return False
    if a.outcome is Outcome.ANSWERED:
        pairs = zip_longest(a.arrays, b.arrays)
        return all(error(x, y) <= tolerance for x, y in pairs)
    # Where an error was raised differs from file to file; what was raised does not.
    return a.text.partition("\n")[0] == b.text.partition("\n")[0]
