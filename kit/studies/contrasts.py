"""Sums and differences of several arms, judged seed by seed."""

from collections.abc import Mapping
from dataclasses import dataclass

from kit.studies import statistics
from kit.studies.findings import (
    UNDECIDED,
    Finding,
    complete_values,
    decide,
    decide_equivalence,
    in_words,
    interval_in_words,
)
from kit.studies.results import Results


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of arms has the claimed sign; `Difference` is that of two.

    Args:
        words: What the sum is, as the sentence says it.
        weights: Arm -> weight; the sum is taken seed by seed.
        metric: What is summed.
        smallest_effect: The smallest value that matters, above zero.
        direction: "greater", "less", or "same" (closer to zero than that).
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
        claimed = {"greater": "at least +", "less": "at most -", "same": "within ±"}
        sentence = (
            f"{self.words}: {in_words(self.metric)} "
            f"{interval_in_words(interval, self.form)}; "
            f"claimed {claimed[self.direction]}{self.smallest_effect:g}."
        )
        if self.direction == "same":
            return decide_equivalence(numbers, interval, self.smallest_effect, sentence)
        sign = 1 if self.direction == "greater" else -1
        bound = sign * self.smallest_effect
        return decide(numbers, interval, bound, self.direction, sentence)
