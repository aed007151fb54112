"""Tests of families of arms: of those that a budget has, and of the best of a search.

The full budget has arms that the quick one leaves out.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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


def in_agreement(parts: Mapping[str, Test]) -> Custom:
    """The verdict that all parts share; undecided where they differ.

    No correction is needed within it: it is as sure as its least sure part.
    """

    def run(results: Results) -> Finding:
        found = {name: test(results) for name, test in parts.items()}
        verdicts = {finding.verdict for finding in found.values()}
        sentence = " ".join(
            f"{name}, {finding.verdict}: {finding.sentence}"
            for name, finding in found.items()
        )
        least_sure = max(found.values(), key=lambda finding: finding.p_value or 0.0)
        return replace(
            least_sure,
            verdict=verdicts.pop() if len(verdicts) == 1 else UNDECIDED,
            sentence=sentence,
            seeds=min(finding.seeds for finding in found.values()),
            runs=sum(finding.runs for finding in found.values()),
            brief="; ".join(f"{name}: {f.brief}" for name, f in found.items()),
        )

    return Custom(run)


def saying(test: Test, words: Callable[[Results], str]) -> Custom:
    """The same test, and what else its reader has to know."""

    def run(results: Results) -> Finding:
        finding = test(results)
        text = f"{finding.sentence} {words(results)}".strip()
        return replace(finding, sentence=text)

    return Custom(run)


def learnt(arm: str, results: Results) -> str:
    """How many runs of an arm learnt to add, such as "4 of 5"."""
    values = results.values(arm, "exact_match").values()
    return f"{sum((value or 0) >= LEARNT for value in values)} of {len(values)}"


def both_learnt(arm: str, other: str, results: Results) -> str:
    """Says whether a comparison of what two arms hold is one of equals."""
    return (
        f"At least half of the sums are right in {learnt(arm, results)} runs of {arm}, "
        f"and in {learnt(other, results)} of {other}."
    )


def last_fifth(arms: Sequence[str], results: Results) -> str:
    """Says whether the loss of some arms still fell when their training ended."""
    texts = []
    for arm in arms:
        falls = [fall for row in results.of(arm) for fall in _last_fall(row.history)]
        if falls:
            texts.append(
                f"In the last fifth of its training the loss of {arm} still fell in "
                f"{sum(fall > 0 for fall in falls)} of {len(falls)} runs, by "
                f"{fmean(falls):.3f} on average."
            )
    return " ".join(texts)


def _last_fall(history: Sequence[Mapping[str, float]]) -> list[float]:
    """By how much the last fifth of a history lowers the loss, if both are known."""
    losses = {
        point["step"]: point["validation_loss"]
        for point in history
        if point.get("validation_loss") is not None
    }
    if not losses:
        return []
    end = max(losses)
    before = [step for step in losses if step <= 0.8 * end]
    return [losses[max(before)] - losses[end]] if before else []
