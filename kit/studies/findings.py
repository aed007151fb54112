"""What a test finds, and the rule that turns an interval into a verdict.

If the whole interval lies beyond the smallest effect of interest, in the claimed
direction, a claim is *reproduced*; if the whole interval falls short of it, it is
*not reproduced*; else, or with fewer than three seeds, it is *undecided*.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kit.studies import statistics
from kit.studies.results import Results
from kit.studies.statistics import Interval

REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "undecided"
NOT_IN_BUDGET = "not in this budget"  # no arm of the claim is, see `verdicts`
FEWEST_SEEDS = 3
ALPHA = 0.05
EVERYTHING = (-math.inf, math.inf)
SHARES = ("exact_match", "accuracy", "position_probe")


@dataclass(frozen=True)
class Finding:
    """What a test says about some results.

    Args:
        verdict: "reproduced", "not reproduced" or "undecided".
        sentence: The finding in words, with its numbers.
        estimate, low, high: Estimate and ends of its interval; None if there is none.
        seeds, runs: Number of seeds and of cells that it rests on.
        p_value: Two-sided p-value of the verdict; None for exact checks.
        brief: The one number that says most, in a few words.
    """

    verdict: str
    sentence: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: int = 0
    runs: int = 0
    p_value: float | None = None
    brief: str = ""


def one_bound(at_least: float | None, at_most: float | None) -> tuple[str, float]:
    """("greater", bound) or ("less", bound), whichever of the two is given."""
    if at_least is not None and at_most is None:
        return "greater", at_least
    if at_most is not None and at_least is None:
        return "less", at_most
    raise ValueError("Give exactly one of at_least and at_most.")


def not_run(arm: str) -> Finding:
    """The finding on an arm without rows."""
    return Finding(UNDECIDED, f"Arm {arm} has not been run.")


def complete_values(
    results: Results, arm: str, metric: str
) -> dict[int, float] | Finding:
    """Seed -> metric of an arm, or the finding that it cannot be judged."""
    values = results.values(arm, metric)
    if not values:
        return not_run(arm)
    complete = {seed: value for seed, value in values.items() if value is not None}
    if len(complete) == len(values):
        return complete
    lost = ", ".join(str(seed) for seed in values if seed not in complete)
    return Finding(
        UNDECIDED,
        f"Arm {arm} has no finite {in_words(metric)} for seed {lost}: "
        "leaving such runs out would flatter it.",
        seeds=len(complete),
        runs=len(values),
    )


def verdict_of(interval: Interval, bound: float, direction: str) -> str:
    """On which side of the bound the whole interval lies; touching it is enough."""
    low, high = interval.low, interval.high
    if direction == "less":
        low, high, bound = -high, -low, -bound
    if low >= bound:
        return REPRODUCED
    return NOT_REPRODUCED if high < bound else UNDECIDED


def spoken_for(verdict: str, direction: str) -> str:
    """The side of the bound that a verdict speaks for."""
    if verdict != NOT_REPRODUCED:
        return direction
    return "less" if direction == "greater" else "greater"


def decide(
    numbers: Sequence[float],
    interval: Interval,
    bound: float,
    direction: str,
    sentence: str,
    limits: tuple[float, float] = EVERYTHING,
) -> Finding:
    """The finding on a mean that is claimed to lie on one side of a bound.

    The whole interval decides; what is stored of it ends at `limits`.
    """
    verdict = verdict_of(interval, bound, direction)
    p_value = None
    if len(numbers) > 1:
        side = spoken_for(verdict, direction)
        p_value = min(1.0, 2 * statistics.t_test(numbers, bound, side))
    seeds, shown = len(numbers), interval.within(*limits)
    return with_enough_seeds(
        Finding(verdict, sentence, *shown[:3], seeds, seeds, p_value)
    )


def decide_equivalence(
    numbers: Sequence[float],
    interval: Interval,
    bound: float,
    sentence: str,
    limits: tuple[float, float] = EVERYTHING,
) -> Finding:
    """The finding on a mean that is claimed to lie within plus or minus a bound."""
    _, low, high, seeds = interval
    inside = low >= -bound and high <= bound
    outside = low > bound or high < -bound
    verdict = REPRODUCED if inside else NOT_REPRODUCED if outside else UNDECIDED
    p_value = None
    if seeds > 1 and outside:
        above = statistics.t_test(numbers, bound, "greater")
        below = statistics.t_test(numbers, -bound, "less")
        p_value = min(1.0, 2 * min(above, below))
    elif seeds > 1:
        above = statistics.t_test(numbers, -bound, "greater")
        below = statistics.t_test(numbers, bound, "less")
        p_value = min(1.0, 2 * max(above, below))
    shown = interval.within(*limits)
    return with_enough_seeds(
        Finding(verdict, sentence, *shown[:3], seeds, seeds, p_value)
    )


def with_enough_seeds(finding: Finding) -> Finding:
    """The finding, undecided if it rests on too few seeds."""
    if finding.seeds >= FEWEST_SEEDS or finding.verdict == UNDECIDED:
        return finding
    reason = f"Undecided: {finding.seeds} seeds, at least {FEWEST_SEEDS} are needed."
    return replace(finding, verdict=UNDECIDED, sentence=f"{finding.sentence} {reason}")


def in_words(metric: str) -> str:
    """A metric's name as a sentence has it."""
    return metric.replace("_", " ")


def range_of(metric: str) -> tuple[float, float]:
    """The least and the largest value that a metric can take, by its name.

    Example:
        >>> range_of("digit_2_accuracy"), range_of("loss")
        ((0.0, 1.0), (-inf, inf))
    """
    return (0.0, 1.0) if metric.endswith(SHARES) else EVERYTHING


def number_in_words(number: float, form: str) -> str:
    """A number in a format; what rounds to zero has no minus.

    Example:
        >>> [number_in_words(-0.0001, form) for form in (".3f", "+.1%", ",.0f")]
        ['0.000', '+0.0%', '0']
    """
    sign = "+" if form.startswith("+") else ""
    return format(number, f"{sign}z{form.removeprefix(sign)}")


def interval_in_words(interval: Interval, form: str) -> str:
    """An estimate with its interval.

    Example:
        >>> interval_in_words(Interval(0.998, 0.996, 1.0, 5), ".1%")
        '99.8% (95% interval 99.6% to 100.0%)'
    """
    estimate, low, high = (number_in_words(each, form) for each in interval[:3])
    if not math.isfinite(interval.low):
        return f"{estimate} ({interval.number} run, no interval)"
    return f"{estimate} (95% interval {low} to {high})"
