"""The tests that the claims are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from kit.studies.claim import Test
from kit.studies.claims import AllOf, Custom, Difference, Value
from kit.studies.findings import UNDECIDED, Finding, not_run
from kit.studies.results import Results, Row
from kit.studies.sharing.arms import MAIN
from kit.studies.sharing.base import number_at_rate
from kit.studies.sharing.paper import remark
from kit.studies.sharing.real import CHECKPOINT

EFFECT = 0.02  # nats per token: a difference below it does not matter
SAME = 0.05  # and two ways closer than that are as good
ALIKE = 0.1  # of a similarity, which goes to 1
NO_CHECKPOINT = (
    "SmolLM2 was not run: kit fetch smollm2 gets it, and its text is read from "
    "$KIT_DATA."
)


@dataclass(frozen=True)
class IfMeasured:
    """A test, or "not run" where no row has its metric.

    Args:
        test: Of one arm, or of two.
    """

    test: Value | Difference

    def __call__(self, results: Results) -> Finding:
        if self.test.metric not in results.metrics:
            return not_run(self.test.arm)
        return self.test(results)


def value(
    arm: str,
    metric: str,
    at_least: float | None = None,
    at_most: float | None = None,
    form: str = ".2f",
) -> IfMeasured:
    """The mean of a metric has a bound."""
    return IfMeasured(Value(arm, metric, at_least, at_most, form=form))


def compared(
    arm: str,
    minus: str,
    metric: str = "loss",
    by: float = EFFECT,
    direction: str = "less",
) -> IfMeasured:
    """A metric of an arm minus that of another, by default a lower loss."""
    return IfMeasured(Difference(arm, minus, metric, by, direction, form=".3f"))


def as_good(arm: str, minus: str, metric: str = "loss") -> IfMeasured:
    """The loss of an arm is at most `SAME` higher."""
    return compared(arm, minus, metric, SAME, "no more")


def ends_apart(arm: str, measure: str) -> AllOf:
    """The maps of the first and of the last block are less like the others."""
    return AllOf(
        [
            value(arm, f"{measure}_above_{end}", at_least=ALIKE)
            for end in ("first", "last")
        ]
    )


@dataclass(frozen=True)
class OnCheckpoint:
    """A test of the checkpoint, or where to get it."""

    test: Test

    def __call__(self, results: Results) -> Finding:
        if not results.of(CHECKPOINT):
            return Finding(UNDECIDED, NO_CHECKPOINT)
        return self.test(results)


@dataclass(frozen=True)
class Remarked:
    """A test, with the remark on what the paper's own headline rests on."""

    test: Test

    def __call__(self, results: Results) -> Finding:
        found = self.test(results)
        return replace(found, sentence=f"{found.sentence} {remark()}")


def allowed(results: Results, arm: str, metric: str) -> float | None:
    """What the operations saved by an arm give, and nothing else does.

    Args:
        results: With the arm's `flops_saved`; without, there is no such number.
        arm: Of those that are timed.
        metric: A `..._gain` of speed, or a `..._saving` of time.
    """
    if "flops_saved" not in results.metrics:
        return None
    shares = [share or 0.0 for share in results.values(arm, "flops_saved").values()]
    if not shares:
        return None
    saved = fmean(shares)
    return saved if metric.endswith("_saving") else 1 / (1 - saved) - 1


@dataclass(frozen=True)
class Bounded:
    """A test of speed, with what the operations saved give.

    Args:
        test: Of one arm that is timed.
    """

    test: Value

    def __call__(self, results: Results) -> Finding:
        arm, metric = self.test.arm, self.test.metric
        found = IfMeasured(self.test)(results)
        by_operations = allowed(results, arm, metric)
        if by_operations is None:
            return found
        told = f"{found.sentence} By the operations saved: {by_operations:.1%}."
        return replace(found, sentence=told)


@dataclass(frozen=True)
class Stages:
    """A test of what the second stage gains, with what the first one did.

    Args:
        test: Of one arm.
    """

    test: IfMeasured

    def __call__(self, results: Results) -> Finding:
        found, names = self.test(results), ("loss_before", "stage_1_loss")
        if not found.runs or not {*names} <= {*results.metrics}:
            return found
        losses = [results.values(self.test.test.arm, name).values() for name in names]
        before, after = (fmean(each or 0.0 for each in some) for some in losses)
        told = (
            f"{found.sentence} Distilling took the loss from {before:.3f} to "
            f"{after:.3f}"
        )
        makes_up = " first, which is what the gain makes up for" * (after > before)
        return replace(found, sentence=f"{told}{makes_up}.")


def untrained(row: Row, rate: float, rule: str = "list") -> Mapping[str, Any]:
    """Who copies at a rate, and the loss, of a row of what is not trained.

    Two rates can come to as many blocks, so these are found by their number.
    """
    count = number_at_rate(rate, len(row.probes["dropping"]))
    if not count:
        return {"copies": {}, "loss": row.metrics["loss"]}
    found: Mapping[str, Any] = row.probes["rules"][rule][str(count)]
    return found


def mean_copied(results: Results, arm: str) -> float:
    """How many blocks of an arm copy, on average over its seeds."""
    return fmean(n or 0.0 for n in results.values(arm, "copied").values())


def named_with_number(results: Results, arm: str, words: str) -> str:
    """The words for an arm, with how many blocks copy if not as many as in `MAIN`."""
    known = "copied" in results.metrics and results.of(MAIN) and results.of(arm)
    if not known or mean_copied(results, arm) == mean_copied(results, MAIN):
        return words
    return f"{words} ({mean_copied(results, arm):.2g} blocks copy)"


@dataclass(frozen=True)
class SameNumber:
    """Two arms are compared, if as many of their blocks copy.

    Args:
        test: The comparison.
    """

    test: IfMeasured

    def __call__(self, results: Results) -> Finding:
        found = self.test(results)
        difference = self.test.test
        if not isinstance(difference, Difference) or not found.runs:
            return found
        numbers = [
            mean_copied(results, arm) for arm in (difference.arm, difference.minus)
        ]
        if numbers[0] == numbers[1]:
            return found
        sentence = (
            f"{found.sentence} But {numbers[0]:.2g} blocks copy on average in the one "
            f"and {numbers[1]:.2g} in the other, so this cannot tell."
        )
        return replace(
            found,
            verdict=UNDECIDED,
            sentence=sentence,
            p_value=None,
            brief="another number",
        )


def all_as_good(arm: str, others: Sequence[str]) -> AllOf:
    """The losses of an arm and of some others are alike."""
    return AllOf(
        [Custom(SameNumber(compared(o, arm, "loss", SAME, "same"))) for o in others]
    )
