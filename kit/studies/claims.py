"""Claims as code: a statement of the paper, and the test that answers it.

`findings` has the rule that every test follows, `verdicts` judges several claims.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kit.studies import statistics
from kit.studies.claim import Claim, Test
from kit.studies.contrasts import Difference
from kit.studies.findings import (
    NOT_REPRODUCED,
    REPRODUCED,
    UNDECIDED,
    Finding,
    complete_values,
    decide,
    in_words,
    interval_in_words,
    not_run,
    number_in_words,
    one_bound,
    range_of,
    spoken_for,
    verdict_of,
    with_enough_seeds,
)
from kit.studies.results import Results

__all__ = [
    "AllOf",
    "CannotTell",
    "Claim",
    "Custom",
    "Difference",
    "Exact",
    "SuccessRate",
    "Test",
    "Value",
]


@dataclass(frozen=True)
class Value:
    """The mean of a metric in one arm is at least, or at most, a bound.

    Args:
        arm, metric: Whose mean.
        at_least, at_most: The bound, exactly one; it is reached when met exactly.
        interval: "t" or "bca", see `statistics.mean_interval`.
        form: Format of the numbers in the sentence.

    Example:
        >>> from kit.studies import committed
        >>> finding = Value("A-learned", "loss", at_most=0.5)(committed("symmetry"))
        >>> finding.verdict
        'reproduced'
    """

    arm: str
    metric: str
    at_least: float | None = None
    at_most: float | None = None
    interval: str = "t"
    form: str = ".3g"

    def __call__(self, results: Results) -> Finding:
        direction, bound = one_bound(self.at_least, self.at_most)
        values = complete_values(results, self.arm, self.metric)
        if isinstance(values, Finding):
            return values
        numbers = list(values.values())
        interval = statistics.mean_interval(numbers, method=self.interval)
        limits = range_of(self.metric)
        mean = f"mean {in_words(self.metric)}"
        words = "at least" if direction == "greater" else "at most"
        sentence = (
            f"{results.arms[self.arm]}: {mean} "
            f"{interval_in_words(interval.within(*limits), self.form)}; "
            f"claimed {words} {bound:{self.form}}."
        )
        finding = decide(numbers, interval, bound, direction, sentence, limits)
        found = number_in_words(interval.estimate, self.form)
        return replace(finding, brief=f"{mean} {found}")


@dataclass(frozen=True)
class SuccessRate:
    """The share of runs that succeed is at least, or at most, a bound.

    A run succeeds when its metric is at least `threshold`; a diverged run, or one
    without the metric, fails.

    Args:
        arms: Names of the arms whose runs are counted together.
        metric, threshold: What a success is.
        at_least, at_most: The bound on the rate; exactly one is given.
        interval: "wilson" or "exact", see `statistics.success_interval`.
    """

    arms: Sequence[str]
    metric: str
    threshold: float
    at_least: float | None = None
    at_most: float | None = None
    interval: str = "wilson"

    def __call__(self, results: Results) -> Finding:
        direction, bound = one_bound(self.at_least, self.at_most)
        outcomes: list[bool] = []
        for arm in self.arms:
            if not results.of(arm):
                return not_run(arm)
            outcomes += self._outcomes(results, arm)
        successes, runs = sum(outcomes), len(outcomes)
        interval = statistics.success_interval(successes, runs, method=self.interval)
        verdict = verdict_of(interval, bound, direction)
        side = spoken_for(verdict, direction)
        words = "at least" if direction == "greater" else "at most"
        return with_enough_seeds(
            Finding(
                verdict,
                f"{successes} of {runs} runs reach {in_words(self.metric)} "
                f"{self.threshold:.3g}: {interval_in_words(interval, '.0%')}; "
                f"claimed {words} {bound:.0%}.",
                *interval[:3],
                seeds=min(len(results.of(arm)) for arm in self.arms),
                runs=runs,
                p_value=min(
                    1.0, 2 * statistics.success_test(successes, runs, bound, side)
                ),
                brief=f"{successes} of {runs} runs",
            )
        )

    def _outcomes(self, results: Results, arm: str) -> list[bool]:
        diverged = {row.seed for row in results.of(arm) if row.status == "diverged"}
        return [
            value is not None and seed not in diverged and value >= self.threshold
            for seed, value in results.values(arm, self.metric).items()
        ]


@dataclass(frozen=True)
class Exact:
    """Every cell of some arms satisfies a bound: for what holds by a theorem.

    The interval is the range of the values, the estimate the value that comes
    nearest to breaking the bound, or breaks it most.

    Args:
        arms, metric: Whose values.
        at_least, at_most: The bound; exactly one is given.
        form: Format of the numbers in the sentence.
        words: What the sentence calls the metric, if not by its name.
    """

    arms: Sequence[str]
    metric: str
    at_least: float | None = None
    at_most: float | None = None
    form: str = ".3g"
    words: str = ""

    def __call__(self, results: Results) -> Finding:
        direction, bound = one_bound(self.at_least, self.at_most)
        numbers: list[float] = []
        for arm in self.arms:
            values = complete_values(results, arm, self.metric)
            if isinstance(values, Finding):
                return values
            numbers += values.values()
        above = direction == "greater"
        holds = [value >= bound if above else value <= bound for value in numbers]
        worst = min(numbers) if above else max(numbers)
        side = "at least" if above else "at most"
        count = f"{sum(holds)} of {len(holds)} runs"
        return with_enough_seeds(
            Finding(
                REPRODUCED if all(holds) else NOT_REPRODUCED,
                f"{count} have {self.words or in_words(self.metric)} "
                f"{side} {bound:{self.form}}; the extreme is {worst:{self.form}}.",
                worst,
                min(numbers),
                max(numbers),
                seeds=min(len(results.of(arm)) for arm in self.arms),
                runs=len(numbers),
                brief=count,
            )
        )


WORST = " at worst"


@dataclass(frozen=True)
class AllOf:
    """Several tests that must all agree; the numbers are those of the weakest.

    No correction is needed within it: a claim that needs every part is supported only
    as well as its weakest part (the intersection-union rule).
    """

    tests: Sequence[Test]

    def __call__(self, results: Results) -> Finding:
        findings = [test(results) for test in self.tests]
        order = (NOT_REPRODUCED, UNDECIDED, REPRODUCED)
        weakest = min(
            findings, key=lambda f: (order.index(f.verdict), -(f.p_value or 0.0))
        )
        brief = weakest.brief.removesuffix(WORST)  # a part may have parts itself
        return replace(
            weakest,
            sentence=" ".join(finding.sentence for finding in findings),
            brief=brief + WORST * (brief != "" and weakest.verdict != REPRODUCED),
            runs=sum(finding.runs for finding in findings),
            seeds=min(finding.seeds for finding in findings),
        )


@dataclass(frozen=True)
class Custom:
    """A test of a study's own, with the rule on the number of seeds added."""

    function: Test

    def __call__(self, results: Results) -> Finding:
        return with_enough_seeds(self.function(results))


@dataclass(frozen=True)
class CannotTell:
    """The answer to a claim that no arm of the study can decide, and why not."""

    reason: str

    def __call__(self, results: Results) -> Finding:
        return Finding(UNDECIDED, self.reason, brief="out of reach here")
