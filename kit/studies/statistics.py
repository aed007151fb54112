"""Intervals and tests for a handful of seeds."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy  # its modules load when first used: a worker needs none of them


class Interval(NamedTuple):
    """An estimate with the ends of its confidence interval, from `number` values."""

    estimate: float
    low: float
    high: float
    number: int

    def within(self, lowest: float, highest: float) -> "Interval":
        """The same with its ends where the quantity can be; infinite ends stay.

        Example:
            >>> Interval(0.8, 0.4, 1.2, 5).within(0, 1)
            Interval(estimate=0.8, low=0.4, high=1, number=5)
        """
        if not math.isfinite(self.low):
            return self
        low, high = max(self.low, lowest), min(self.high, highest)
        return self._replace(low=low, high=high)


def mean_interval(
    values: Sequence[float],
    confidence: float = 0.95,
    method: str = "t",
    seed: int = 0,
) -> Interval:
    """The mean with Student's t interval, or a BCa bootstrap interval.

    BCa (Efron 1987) needs no normality, but with fewer than about ten values it is
    too narrow; t is the default for that reason. One value has no interval: its ends
    are minus and plus infinity.

    Args:
        values: One number per seed, at least one.
        confidence: Coverage, two-sided.
        method: "t" or "bca".
        seed: For the resampling of "bca".

    Example:
        >>> mean_interval([1.0, 2.0, 3.0]).low.__round__(3)
        -0.484
    """
    data = np.asarray(values, dtype=float)
    mean, number = float(data.mean()), len(data)
    if number < 2:
        return Interval(mean, -math.inf, math.inf, number)
    if np.ptp(data) == 0:
        return Interval(mean, mean, mean, number)
    if method == "t":
        half = scipy.stats.t.ppf((1 + confidence) / 2, number - 1) * scipy.stats.sem(
            data
        )
        return Interval(mean, mean - float(half), mean + float(half), number)
    if method == "bca":
        low, high = scipy.stats.bootstrap(
            (data,),
            np.mean,
            confidence_level=confidence,
            method="BCa",
            rng=np.random.default_rng(seed),
        ).confidence_interval
        return Interval(mean, float(low), float(high), number)
    raise ValueError(f"method={method!r}, expected 't' or 'bca'.")


def paired_differences(
    first: Mapping[int, float], second: Mapping[int, float]
) -> list[float]:
    """`first` minus `second` for the seeds that both have.

    Example:
        >>> paired_differences({0: 3.0, 1: 5.0, 2: 9.0}, {0: 1.0, 1: 1.0})
        [2.0, 4.0]
    """
    return [first[seed] - second[seed] for seed in sorted(first) if seed in second]


def t_test(values: Sequence[float], bound: float, direction: str) -> float:
    """One-sided p-value that the mean lies beyond `bound` only by chance.

    Args:
        direction: "greater" or "less": on which side of the bound the mean lies.
    """
    data = np.asarray(values, dtype=float)
    if np.ptp(data) == 0:
        beyond = data[0] >= bound if direction == "greater" else data[0] <= bound
        return 0.0 if beyond else 1.0
    return float(scipy.stats.ttest_1samp(data, bound, alternative=direction).pvalue)


def success_interval(
    successes: int, runs: int, confidence: float = 0.95, method: str = "wilson"
) -> Interval:
    """A success rate with Wilson's score or Clopper and Pearson's exact interval.

    Args:
        method: "wilson" (close to the nominal coverage on average) or "exact"
            (Clopper-Pearson: never below it, so wider).

    Example:
        >>> success_interval(5, 5).low.__round__(3)
        0.566
    """
    interval = scipy.stats.binomtest(successes, runs).proportion_ci(confidence, method)
    low, high = float(interval.low), float(interval.high)
    return Interval(successes / runs, low, high, runs)


def success_test(successes: int, runs: int, bound: float, direction: str) -> float:
    """One-sided exact p-value that the success rate lies beyond `bound` by chance."""
    return float(scipy.stats.binomtest(successes, runs, bound, direction).pvalue)


def smallest_detectable_difference(
    standard_deviation: float, pairs: float, power: float = 0.8, alpha: float = 0.05
) -> float:
    """The true mean difference that a two-sided paired t-test sees with `power`.

    Solved from the noncentral t distribution; infinite for fewer than two pairs.

    Args:
        standard_deviation: Of the paired differences.
        pairs: Number of seeds that both arms have.

    Example:
        >>> smallest_detectable_difference(1.0, 5).__round__(2)
        1.68
    """
    if pairs < 2:
        return math.inf
    if standard_deviation == 0:
        return 0.0
    freedom = pairs - 1
    edge = scipy.stats.t.ppf(1 - alpha / 2, freedom)

    def missing_power(effect: float) -> float:
        shift = effect * math.sqrt(pairs)
        above = scipy.stats.nct.sf(edge, freedom, shift)
        below = scipy.stats.nct.sf(edge, freedom, -shift)  # nct.cdf(-edge) may be NaN
        return above + below - power

    upper = 1.0
    while missing_power(upper) < 0:
        upper *= 2
    return standard_deviation * float(scipy.optimize.brentq(missing_power, 1e-9, upper))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment for several tests (Holm 1979).

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    stepped = np.maximum.accumulate(np.asarray(p_values, float)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in adjusted]
