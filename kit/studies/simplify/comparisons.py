"""How the arms of `simplify` are compared.

Losses are in nats per token on held-out text. A difference below `EFFECT` does not
matter, and two arms closer than `SAME` are equal.
"""

from dataclasses import replace

import numpy as np

from kit.studies import statistics
from kit.studies.claims import Difference, Test
from kit.studies.findings import (
    UNDECIDED,
    Finding,
    complete_values,
    decide,
    interval_in_words,
    not_run,
)
from kit.studies.results import Results
from kit.studies.simplify.arms import BETAS, FEED_FORWARD_GAINS
from kit.studies.simplify.pace import pace_of, speed_ratio

EFFECT = 0.02  # the paper prints 1.178 against 1.194 for a difference that it reports
SAME = 0.05
BASE, LOSS = "A-pre-ln", "validation_loss"


def worse(arm: str, minus: str, by: float = EFFECT) -> Difference:
    """The loss of `arm` is higher."""
    return Difference(arm, minus, "loss", by, form=".3f")


def same(arm: str, minus: str = BASE) -> Difference:
    """The two losses are equal."""
    return Difference(arm, minus, "loss", SAME, direction="same", form=".3f")


def sweep(start: str) -> list[str]:
    """The arms whose matrices have this start, from the smallest update up."""
    names = [f"E-{start}-x{beta:g}" for beta in BETAS]
    return ["M-no-first-value" if name == "E-identity-x0" else name for name in names]


def gap_growth(arm: str) -> dict[str, float]:
    """How much more an arm loses against Pre-LN at twice the depth."""
    return {f"{arm}-deep": 1, f"{BASE}-deep": -1, arm: -1, BASE: 1}


def in_the_same_time(arm: str) -> Test:
    """The loss of an arm is at most that of Pre-LN at the second when one of them ends.

    The slower of the two is then in the middle of its schedule, with a learning rate
    that has not come down yet; the sentence says which.
    """

    def test(results: Results) -> Finding:
        for needed in (arm, BASE):
            values = complete_values(results, needed, "loss")
            if isinstance(values, Finding):
                return values
        ours, base = results.of(arm), {row.seed: row for row in results.of(BASE)}
        ratio = speed_ratio(results, arm)
        if ratio is None:
            return not_run(pace_of(arm))
        shares = min(1.0, ratio), min(1.0, 1 / ratio)
        numbers = [
            row.after(shares[0], LOSS) - base[row.seed].after(shares[1], LOSS)
            for row in ours
            if row.seed in base
        ]
        if not numbers:
            return Finding(UNDECIDED, "The two arms have no seed in common.")
        interval = statistics.mean_interval(numbers)
        sentence = (
            f"When the first of the two ends, {results.arms[arm]} after "
            f"{shares[0]:.0%} of its steps and Pre-LN after {shares[1]:.0%}, its loss "
            f"minus Pre-LN's is {interval_in_words(interval, '+.3f')}; claimed at most "
            f"+{SAME:g}. Who is not at its end still has a higher learning rate."
        )
        finding = decide(numbers, interval, SAME, "less", sentence)
        return replace(finding, brief=f"loss {interval.estimate:+z.3f}")

    return test


def rule_of_depth(results: Results) -> Finding:
    """SAS-P at 0.42/sqrt(blocks), minus the best start of the sweep."""
    swept = [f"L-gain-{gain:g}" for gain in FEED_FORWARD_GAINS]
    losses: dict[str, dict[int, float]] = {}
    for arm in ("G-sas-p", *swept):
        values = complete_values(results, arm, "loss")
        if isinstance(values, Finding):
            return values
        losses[arm] = values
    best = min(swept, key=lambda arm: np.mean(list(losses[arm].values())))
    numbers = statistics.paired_differences(losses["G-sas-p"], losses[best])
    interval = statistics.mean_interval(numbers)
    sentence = (
        f"The rule of depth minus {best}: loss {interval_in_words(interval, '+.3f')}; "
        f"claimed at most +{SAME:g}."
    )
    finding = decide(numbers, interval, SAME, "less", sentence)
    return replace(finding, brief=f"loss {interval.estimate:+z.3f}")
