"""Tests of families of arms: of those that a budget has, and of the best of a search.

The full budget has arms that the quick one leaves out.
"""

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from kit.studies.claims import Custom, Test
from kit.studies.findings import UNDECIDED, Finding, complete_values
from kit.studies.results import Results

# Half of the held-out sums: ten times what an order-blind model can do, and a mean that
# no arm reaches whose runs mostly fail.
LEARNT = 0.5


def of_those_run(arms: Sequence[str], test: Callable[[list[str]], Test]) -> Custom:
    """A test of those of `arms` that a budget has; it needs at least one."""

    def run(results: Results) -> Finding:
        present = [arm for arm in arms if arm in results.arms]
        if not present:
            return Finding(UNDECIDED, "None of the arms was run.")
        return test(present)(results)

    return Custom(run)


def largest(prefix: str, results: Results) -> str | None:
    """The arm of a family with the most blocks changed, such as `G-4-consecutive`."""
    family = [arm for arm in results.arms if arm.startswith(prefix)]
    return max(family, key=lambda arm: int(arm.split("-")[1]), default=None)


def with_fewest_skips(test: Callable[[str], Test]) -> Custom:
    """A test of the arm with the most consecutive blocks without skips."""

    def run(results: Results) -> Finding:
        arm = largest("G-", results)
        if arm is None:
            return Finding(UNDECIDED, "No arm without skips was run.")
        return test(arm)(results)

    return Custom(run)


def best_of_search(family: Sequence[str], results: Results, metric: str) -> str:
    """The arm with the highest mean of a metric, of several that were run.

    An arm with a run that has no finite value is not the best: leaving the run out
    would flatter it.
    """

    def mean(arm: str) -> float:
        values = complete_values(results, arm, metric)
        if isinstance(values, Finding):
            return -math.inf
        return fmean(values.values())

    return max(family, key=mean)
