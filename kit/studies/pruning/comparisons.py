"""The tests that the claims are made of: 2SSP against the best rival, on the curve."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from kit.studies import statistics
from kit.studies.claims import Custom, Difference
from kit.studies.findings import (
    UNDECIDED,
    Finding,
    complete_values,
    decide,
    in_words,
    interval_in_words,
    not_run,
)
from kit.studies.pruning.base import ALPHAS, METHODS
from kit.studies.pruning.curves import at, on_the_curve
from kit.studies.pruning.real import (
    CHECKPOINT,
    CHECKPOINT_SPARSITIES,
    checkpoint_name,
)
from kit.studies.results import Results, Row

EFFECT = 0.02  # nats per token: a difference below it does not matter
SAME = 0.05  # and two ways closer than that are as good
ORDERS = 1.5  # nearer to two orders of magnitude than to one
ALPHA = "1.5"  # the paper's
NO_CHECKPOINT = (
    "SmolLM2 was not run: kit fetch smollm2 gets it, and its texts are read from "
    "$KIT_DATA."
)


def better(
    arm: str, minus: str, sparsity: float, by: float = EFFECT, direction: str = "less"
) -> Custom:
    """The loss of an arm at a sparsity is lower, or as `direction` says."""
    return compared(arm, minus, at("loss", sparsity), by, direction)


def compared(
    arm: str, minus: str, metric: str, by: float = EFFECT, direction: str = "less"
) -> Custom:
    """A `Difference`, or "not run" where no row has the metric."""
    test = Difference(arm, minus, metric, by, direction, form=".3f")

    def found(results: Results) -> Finding:
        if metric not in results.metrics:
            return not_run(arm)
        return test(results)

    return Custom(found)


def best_of(results: Results, arms: Sequence[str], metric: str) -> str | None:
    """The arm with the lowest mean; one that has not finished every run is out."""
    if metric not in results.metrics:
        return None
    means = {}
    for arm in arms:
        values = complete_values(results, arm, metric)
        if not isinstance(values, Finding):
            means[arm] = fmean(values.values())
    return min(means, key=means.__getitem__) if means else None


@dataclass(frozen=True)
class AheadOfAll:
    """An arm is better than each of some rivals: than the best of them on average.

    Args:
        arm: Whose metric is claimed to be lower.
        rivals: Names of arms; those without rows are left out, and the sentence says
            how many were run.
        metric: Lower is better.
        by: The smallest difference that matters.
        direction: As for `Difference`.
        fewest: How many rivals must have been run.
    """

    arm: str
    rivals: Sequence[str]
    metric: str
    by: float = EFFECT
    direction: str = "less"
    fewest: int = 3

    def __call__(self, results: Results) -> Finding:
        best = best_of(results, self.rivals, self.metric)
        run = sum(bool(results.of(rival)) for rival in self.rivals)
        if best is None or run < self.fewest:
            return not_run(
                next((r for r in self.rivals if not results.of(r)), self.arm)
            )
        test = compared(self.arm, best, self.metric, self.by, self.direction)
        finding = test(results)
        name = own_name(results, best, beside=self.arm)
        first = f"The best of the {run} others is {name}."
        return replace(finding, sentence=f"{first} {finding.sentence}")


def own_name(results: Results, arm: str, beside: str) -> str:
    """What an arm is called, without what it shares with another.

    Example:
        >>> from kit.studies import committed
        >>> own_name(committed("pruning"), "llama-blockpruner", beside="llama-2ssp")
        'BlockPruner'
    """
    shared = results.arms[beside].split("; ")
    parts = [part for part in results.arms[arm].split("; ") if part not in shared]
    return "; ".join(parts) or results.arms[arm]


def slowest_rival(
    results: Results, rivals: Sequence[str], sparsity: float = 0.375
) -> Finding:
    """How many times as many blocks the most expensive rival evaluates, as log10."""
    metric = at("evaluations", sparsity)
    if metric not in results.metrics or not results.of("llama-evopress"):
        return not_run("llama-evopress")
    ours = complete_values(results, "llama-2ssp", metric)
    if isinstance(ours, Finding) or not ours:
        return not_run("llama-2ssp")
    ratios: dict[str, list[float]] = {}
    for rival in rivals:
        values = complete_values(results, f"llama-{rival}", metric)
        if not isinstance(values, Finding):
            ratios[rival] = [
                math.log10(values[s] / ours[s]) for s in ours if s in values
            ]
    most = max(ratios, key=lambda rival: sum(ratios[rival]))
    interval = statistics.mean_interval(ratios[most])
    sentence = (
        f"On the LLaMA type {METHODS[most]} evaluates 10^x times as many blocks as "
        f"2SSP at {sparsity:.1%}: x = {interval_in_words(interval, '.2f')}; claimed "
        f"at least {ORDERS:g}.{_times_as_long(results, most, sparsity)}"
    )
    finding = decide(ratios[most], interval, ORDERS, "greater", sentence)
    return replace(finding, brief=f"{10**interval.estimate:.0f} times the work")


def _times_as_long(results: Results, rival: str, sparsity: float) -> str:
    """How long a rival takes beside 2SSP, where that was measured."""
    metric = at("seconds", sparsity)
    if metric not in results.metrics:
        return ""
    theirs, ours = (
        complete_values(results, f"llama-{method}", metric)
        for method in (rival, "2ssp")
    )
    if isinstance(theirs, Finding) or isinstance(ours, Finding):
        return ""
    times = fmean(theirs.values()) / fmean(ours.values())
    return f" It takes {times:.0f} times as long, with what is built and compiled."


def rank_of_alpha(results: Results, arms: Sequence[str]) -> Finding:
    """The paper's alpha costs no more than the best of the others, over all splits."""
    by_seed: dict[int, list[dict[str, float]]] = {}
    for arm in arms:
        if not results.of(arm):
            return not_run(arm)
        for row in results.of(arm):
            by_seed.setdefault(row.seed, []).append(losses_by_alpha(row))
    means = {
        seed: {alpha: fmean(each[alpha] for each in found) for alpha in found[0]}
        for seed, found in by_seed.items()
        if len(found) == len(arms)
    }
    others = [str(alpha) for alpha in ALPHAS if str(alpha) != ALPHA]
    best = min(others, key=lambda alpha: fmean(m[alpha] for m in means.values()))
    numbers = [found[ALPHA] - found[best] for found in means.values()]
    interval = statistics.mean_interval(numbers)
    sentence = (
        f"alpha {ALPHA} minus {best}, the best of the others: loss "
        f"{interval_in_words(interval, '+.3f')}; claimed at most +{SAME:g}."
    )
    finding = decide(numbers, interval, SAME, "less", sentence)
    return replace(finding, brief=f"loss {interval.estimate:+z.3f}")


def losses_by_alpha(row: Row) -> dict[str, float]:
    """The loss with the number of attentions that the rule gives for each alpha."""
    losses, alphas = row.probes["losses"], row.probes["alphas"]
    return {alpha: losses[str(number)] for alpha, number in alphas.items()}


def checkpoint_values(
    results: Results, method: str, metric: str, sparsity: float
) -> dict[int, float]:
    """Seed -> a number of the checkpoint at a sparsity, on the method's curve."""
    points: dict[int, list[Mapping[str, float]]] = {}
    for arm in (
        CHECKPOINT,
        *(checkpoint_name(method, each) for each in CHECKPOINT_SPARSITIES),
    ):
        for row in results.of(arm):
            points.setdefault(row.seed, []).append(row.metrics)  # type: ignore[arg-type]
    found = {}
    for seed, each in points.items():
        if len(each) > len(CHECKPOINT_SPARSITIES):
            value = on_the_curve(each, metric, sparsity)
            if value is not None:
                found[seed] = value
    return found


@dataclass(frozen=True)
class OnCheckpoint:
    """2SSP is better than each of some methods on the real checkpoint.

    Args:
        rivals: Methods.
        metric: Of the rows of the checkpoint.
        sparsity: Where on the curves.
        by: The smallest difference that matters.
        sign: -1 where lower is better, 1 where higher is.
    """

    rivals: Sequence[str]
    metric: str
    sparsity: float
    by: float = EFFECT
    sign: int = -1

    def __call__(self, results: Results) -> Finding:
        ours = checkpoint_values(results, "2ssp", self.metric, self.sparsity)
        found = {
            rival: checkpoint_values(results, rival, self.metric, self.sparsity)
            for rival in self.rivals
        }
        found = {rival: values for rival, values in found.items() if values}
        if not ours or not found:
            return Finding(UNDECIDED, NO_CHECKPOINT)
        best = max(found, key=lambda rival: self.sign * fmean(found[rival].values()))
        numbers = statistics.paired_differences(ours, found[best])
        if not numbers:
            return Finding(UNDECIDED, "The two methods have no seed in common.")
        interval = statistics.mean_interval(numbers)
        bound, side = self.sign * self.by, "greater" if self.sign > 0 else "less"
        words = in_words(self.metric)
        sentence = (
            f"SmolLM2 at {self.sparsity:.1%}: 2SSP minus {METHODS[best]}"
            f"{f', the best of {len(found)} rivals' * (len(found) > 1)}: "
            f"{words} {interval_in_words(interval, '+.3f')}; "
            f"claimed {'at least' if self.sign > 0 else 'at most'} {bound:+g}."
        )
        finding = decide(numbers, interval, bound, side, sentence)
        return replace(finding, brief=f"{words} {interval.estimate:+z.3f}")
