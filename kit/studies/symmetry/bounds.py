"""What counting allows a model that is blind to order, and tests against it.

The bounds hold for expectations over all pairs; the held-out ones are a draw, whose
luck every test grants.
"""

import math
from collections.abc import Sequence

from scipy.stats import binom

from kit.probes.ceilings import Ceilings, bayes_ceilings
from kit.studies.claims import AllOf, Exact, SuccessRate
from kit.studies.findings import (
    NOT_REPRODUCED,
    REPRODUCED,
    Finding,
    complete_values,
    not_run,
)
from kit.studies.results import Results

LOWEST_FIRST = bayes_ceilings(digits=3, reverse=True)
PREFIX = bayes_ceilings(digits=3, reverse=True, mask="prefix")

HUNDREDS = 2  # of an answer that is written lowest digit first
PLATEAU = math.log(10) / 2

# The loss of a thousand held-out sums is within 5 % of its mean over all pairs.
LUCK_OF_THE_LOSS = 0.05


def luckiest_share(probability: float, draws: int, tries: int = 1) -> float:
    """The share of successes that `draws` exceed once in a thousand times.

    Args:
        probability: Of one success.
        draws: Number of draws.
        tries: How many such shares are looked at; once in a thousand is for all.

    Example:
        >>> luckiest_share(0.5, 100), luckiest_share(0.5, 100, tries=12)
        (0.65, 0.69)
    """
    return float(binom.ppf(1 - 0.001 / tries, draws, probability)) / draws


def blind_exact_match(results: Results, arm: str) -> float:
    """The largest exact match of a blind model on the held-out sums of an arm."""
    pairs = results.of(arm)[0].spec["task"]["validation_pairs"]
    return luckiest_share(LOWEST_FIRST.exact_match, pairs)


def stays_below(arms: Sequence[str], results: Results) -> Finding:
    """Every run of the arms has at most a blind model's exact match."""
    if missing := [arm for arm in arms if not results.of(arm)]:
        return not_run(missing[0])
    return AllOf(
        [
            Exact(
                [arm],
                "exact_match",
                at_most=blind_exact_match(results, arm),
                form=".2%",
            )
            for arm in arms
        ]
    )(results)


def passes(arm: str, results: Results) -> Finding:
    """Every run of an arm has more than a blind model's exact match."""
    if not results.of(arm):
        return not_run(arm)
    bound = blind_exact_match(results, arm)
    return Exact([arm], "exact_match", at_least=bound, form=".2%")(results)


def order_is_known(arms: Sequence[str], results: Results) -> Finding:
    """Most runs have the hundreds digit right more often than a bag allows.

    The bound is that of a prompt that is read as a bag beside an answer that is read
    in order, so what passes it knows the order of the prompt.
    """
    runs = [row for arm in arms for row in results.of(arm)]
    pairs = runs[0].spec["task"]["validation_pairs"]
    bound = luckiest_share(PREFIX.digit_accuracies[HUNDREDS], pairs, len(runs))
    metric = f"digit_{HUNDREDS}_accuracy"
    return SuccessRate(arms, metric, threshold=bound, at_least=0.5)(results)


def on_the_plateau(arms: Sequence[str], results: Results) -> str:
    """Says how many runs end where two of the four digits are guessed."""
    losses = [row.metrics.get("loss") for arm in arms for row in results.of(arm)]
    near = [x for x in losses if x is not None and abs(x / PLATEAU - 1) < 0.02]
    return (
        f"{len(near)} of {len(losses)} runs end within 2 % of {PLATEAU:.3f} nats per "
        "digit, the loss of knowing two of the four digits and guessing the others."
    )


def digits_stay_below(arms: Sequence[str], results: Results) -> Finding:
    """No digit of any run is right more often than counting allows."""
    excesses = []
    for arm in arms:
        task = results.of(arm)[0].spec["task"]
        for k, bound in enumerate(_digit_bounds(task, tries=4 * len(arms))):
            values = complete_values(results, arm, f"digit_{k}_accuracy")
            if isinstance(values, Finding):
                return values
            excesses += [
                (accuracy - bound, accuracy, bound, f"digit {k} of {arm} seed {seed}")
                for seed, accuracy in values.items()
            ]
    worst, accuracy, bound, where = max(excesses)
    within = sum(excess <= 0 for excess, *_ in excesses)
    return Finding(
        REPRODUCED if within == len(excesses) else NOT_REPRODUCED,
        f"{within} of {len(excesses)} digits stay within their bound; the nearest to "
        f"it, or the furthest beyond, is {where}, right in {accuracy:.1%} of at most "
        f"{bound:.1%}.",
        worst,
        min(excesses)[0],
        worst,
        seeds=min(len(results.of(arm)) for arm in arms),
        runs=sum(len(results.of(arm)) for arm in arms),
        brief=f"{within} of {len(excesses)} digits",
    )


def ceilings_of(task: dict) -> Ceilings:
    """The bounds of a blind model in the digit order of a task."""
    return bayes_ceilings(digits=3, reverse=task["reverse_answer"])


def _digit_bounds(task: dict, tries: int) -> list[float]:
    pairs = task["validation_pairs"]
    accuracies = ceilings_of(task).digit_accuracies
    return [luckiest_share(each, pairs, tries) for each in accuracies]
