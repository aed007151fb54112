"""The tests that the claims are made of.

Losses are in nats per token on held-out text: a difference below `EFFECT` does not
matter, and two arms closer than `SAME` are equal.
"""

from dataclasses import replace

import numpy as np

from kit.studies import statistics
from kit.studies.claims import AllOf, Custom, Difference, Test, Value
from kit.studies.findings import (
    UNDECIDED,
    Finding,
    complete_values,
    decide,
    interval_in_words,
    not_run,
)
from kit.studies.results import Results
from kit.studies.sharpness.arms import ORDER, UNIFORM

EFFECT = 0.01  # the paper's gaps are 0.04 to 0.09 at sizes where training is longer
SAME = 0.02
LOSS = "validation_loss"


def better(arm: str, minus: str, by: float = EFFECT) -> Difference:
    """The loss of `arm` is lower."""
    return Difference(arm, minus, "loss", by, direction="less", form=".3f")


def in_order(arm: str) -> AllOf:
    """Each type of block is sharper than the one before it in the paper's order."""
    pairs = zip(ORDER, ORDER[1:], strict=False)
    return AllOf(
        [Value(arm, f"log_{high}_over_{low}", at_least=0.0) for low, high in pairs]
    )


def no_worse(arm: str, minus: str, by: float = SAME) -> Difference:
    """The loss of `arm` is at most `by` higher."""
    return Difference(arm, minus, "loss", by, direction="no more", form=".3f")


def behind(arm: str, minus: str, share: float) -> Custom:
    """After a share of the run the loss of `arm` is not below that of the other."""

    def test(results: Results) -> Finding:
        ours, others = results.of(arm), {row.seed: row for row in results.of(minus)}
        if not ours or not others:
            return not_run(arm if not ours else minus)
        numbers = [
            row.after(share, LOSS) - others[row.seed].after(share, LOSS)
            for row in ours
            if row.seed in others and row.history and others[row.seed].history
        ]
        if not numbers:
            return Finding(UNDECIDED, "The two arms have no seed in common.")
        interval = statistics.mean_interval(numbers)
        sentence = (
            f"{results.arms[arm]} minus {results.arms[minus]} after {share:.0%} of the "
            f"steps: loss {interval_in_words(interval, '+.3f')}; claimed at least +0."
        )
        finding = decide(numbers, interval, 0.0, "greater", sentence)
        return replace(finding, brief=f"loss {interval.estimate:+z.3f}")

    return Custom(test)


def best_single_rate(results: Results) -> str | None:
    """The arm of the best single rate, found by search or multiplied; None if not run.

    An arm with a run that left no finite loss is out.
    """
    means = {}
    for arm in ("llama-adamw", *(f"llama-uniform-x{factor}" for factor in UNIFORM)):
        values = complete_values(results, arm, "loss")
        if not isinstance(values, Finding):
            means[arm] = float(np.mean(list(values.values())))
    return min(means, key=means.__getitem__) if len(means) > 1 else None


def beats_single_rates(results: Results) -> Finding:
    best = best_single_rate(results)
    if best is None:
        return not_run("llama-uniform-x4")
    return better("llama-blockwise", best)(results)


def gap(small: str, large: str) -> dict[str, float]:
    """How much more rates by block gain in one model than in another."""
    return {
        f"{large}-blockwise": 1,
        f"{large}-adamw": -1,
        f"{small}-blockwise": -1,
        f"{small}-adamw": 1,
    }


def gains(arm: str, test: Test) -> Custom:
    """Rates by block gain at all, and so much as a test with another arm asks for."""

    def both(results: Results) -> Finding:
        if not results.of(arm):
            return not_run(arm)
        return AllOf([better("llama-blockwise", "llama-adamw"), test])(results)

    return Custom(both)
