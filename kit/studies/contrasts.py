"""Differences of two arms, and weighted sums of several, judged seed by seed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from kit.studies import statistics
from kit.studies.findings import (
    UNDECIDED,
    Finding,
    complete_values,
    decide,
    decide_equivalence,
    in_words,
    interval_in_words,
    number_in_words,
    range_of,
)
from kit.studies.results import Results
from kit.studies.statistics import Interval

CLAIMED = {
    "greater": "at least +",
    "less": "at most -",
    "no more": "at most +",
    "same": "within ±",
}


@dataclass(frozen=True)
class Difference:
    """The paired difference `arm` minus `minus` of a metric has the claimed sign.

    Args:
        arm, minus: The two arms, compared seed by seed.
        metric: What is compared.
        smallest_effect: The smallest difference that matters, above zero.
        direction: "greater", "less", "no more" (at most greater by the smallest effect)
            or "same" (closer than that).
        one_reaches: Undecided where the mean of neither arm reaches this: two arms
            that both fail are alike, whatever the reason. None to compare always.
        interval, form: As for `kit.studies.claims.Value`.

    Example:
        >>> from kit.studies import committed
        >>> gap = Difference("A-learned", "G-4-consecutive", "exact_match", 0.5)
        >>> gap(committed("symmetry")).verdict
        'reproduced'
    """

    arm: str
    minus: str
    metric: str
    smallest_effect: float
    direction: str = "greater"
    one_reaches: float | None = None
    interval: str = "t"
    form: str = ".3g"

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, results: Results) -> Finding:
        first = complete_values(results, self.arm, self.metric)
        second = complete_values(results, self.minus, self.metric)
        if isinstance(first, Finding):
            return first
        if isinstance(second, Finding):
            return second
        numbers = statistics.paired_differences(first, second)
        if not numbers:
            return Finding(UNDECIDED, "The two arms have no seed in common.")
        interval = statistics.mean_interval(numbers, method=self.interval)
        sentence = self._sentence(results.arms, numbers, interval)
        limits = (-self._span, self._span)
        finding = _decided(self, numbers, interval, sentence, limits)
        change = number_in_words(interval.estimate, f"+{self.form}")
        brief = f"{in_words(self.metric)} {change}"
        finding = replace(finding, runs=2 * len(numbers), brief=brief)
        best = max(fmean(first.values()), fmean(second.values()))
        return finding if best >= (self.one_reaches or -np.inf) else _both_fail(finding)

    @property
    def _span(self) -> float:
        """The largest difference that two values of the metric can have."""
        low, high = range_of(self.metric)
        return high - low

    def _sentence(
        self, labels: dict[str, str], numbers: list[float], interval: Interval
    ) -> str:
        shown = interval.within(-self._span, self._span)
        text = (
            f"{two_labels(labels[self.arm], labels[self.minus])}: "
            f"{in_words(self.metric)} {interval_in_words(shown, '+' + self.form)}; "
            f"claimed {CLAIMED[self.direction]}{self.smallest_effect:{self.form}}."
        )
        if len(numbers) < 2:
            return text
        spread = float(np.std(numbers, ddof=1))
        visible = statistics.smallest_detectable_difference(spread, len(numbers))
        if visible >= self._span:
            return f"{text} This design can see no difference, however large."
        return (
            f"{text} Smallest difference that this design can see: "
            f"{visible:{self.form}}."
        )


def two_labels(first: str, second: str) -> str:
    """One label minus another, with what they share said once.

    Example:
        >>> two_labels("mask full; block 1: norm rms", "mask full; block 2: norm rms")
        'block 1: norm rms minus block 2: norm rms (both: mask full)'
        >>> two_labels("mask full", "mask full; highest digit first")
        'as it is minus highest digit first (both: mask full)'
        >>> two_labels("base; highest digit first", "base")
        'highest digit first minus base'
    """
    parts = [label.split("; ") for label in (first, second)]
    shared = [part for part in parts[0] if part in parts[1]]
    rest = ["; ".join(p for p in each if p not in shared) for each in parts]
    if shared in ([], ["base"]):
        return " minus ".join(each or "base" for each in rest)
    text = " minus ".join(each or "as it is" for each in rest)
    return f"{text} (both: {'; '.join(shared)})"


def _check(test: "Difference | Contrast") -> None:
    if test.smallest_effect <= 0:
        raise ValueError(f"smallest_effect={test.smallest_effect}, expected above 0.")
    if test.direction not in CLAIMED:
        raise ValueError(f"direction={test.direction!r} is not known.")


def _decided(
    test: "Difference | Contrast",
    numbers: list[float],
    interval: Interval,
    sentence: str,
    limits: tuple[float, float],
) -> Finding:
    """Whether numbers lie where the test claims."""
    bound = test.smallest_effect
    if test.direction == "same":
        return decide_equivalence(numbers, interval, bound, sentence, limits)
    bound = -bound if test.direction == "less" else bound
    side = "greater" if test.direction == "greater" else "less"
    return decide(numbers, interval, bound, side, sentence, limits)


def _both_fail(finding: Finding) -> Finding:
    """Undecided, but still one of the claims that the others are corrected for."""
    return replace(
        finding,
        verdict=UNDECIDED,
        sentence=f"{finding.sentence} Both fail, so this cannot tell.",
        p_value=None if finding.p_value is None else 1.0,
        brief="both fail",
    )


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of arms has the claimed sign; `Difference` is that of two.

    Args:
        words: What the sum is, as the sentence says it.
        weights: Arm -> weight; the sum is taken seed by seed.
        metric: What is summed.
        smallest_effect: The smallest value that matters, above zero.
        direction: As for `Difference`.
        form: Format of the numbers in the sentence.

    Example:
        >>> worse = {"a-deep": 1, "base-deep": -1, "a": -1, "base": 1}
        >>> test = Contrast("growth of the gap", worse, "loss", smallest_effect=0.02)
        >>> test.direction
        'greater'
    """

    words: str
    weights: Mapping[str, float]
    metric: str
    smallest_effect: float
    direction: str = "greater"
    form: str = "+.3f"

    def __post_init__(self) -> None:
        _check(self)

    def __call__(self, results: Results) -> Finding:
        sums: dict[int, float] = {}
        seeds: set[int] | None = None
        for arm, weight in self.weights.items():
            values = complete_values(results, arm, self.metric)
            if isinstance(values, Finding):
                return values
            seeds = set(values) if seeds is None else seeds & set(values)
            for seed, value in values.items():
                sums[seed] = sums.get(seed, 0.0) + weight * value
        numbers = [sums[seed] for seed in sorted(seeds or ())]
        if not numbers:
            return Finding(UNDECIDED, "The arms have no seed in common.")
        interval = statistics.mean_interval(numbers)
        limits = self._limits()
        sentence = (
            f"{self.words}: {in_words(self.metric)} "
            f"{interval_in_words(interval.within(*limits), self.form)}; "
            f"claimed {CLAIMED[self.direction]}{self.smallest_effect:g}."
        )
        finding = _decided(self, numbers, interval, sentence, limits)
        change = number_in_words(interval.estimate, self.form)
        brief = f"{in_words(self.metric)} {change}"
        return replace(finding, brief=brief)

    def _limits(self) -> tuple[float, float]:
        """The values that the sum can take, for a metric that has limits."""
        ends = [
            sorted(weight * end for end in range_of(self.metric))
            for weight in self.weights.values()
        ]
        return sum(low for low, _ in ends), sum(high for _, high in ends)
