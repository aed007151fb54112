"""What the study found, for somebody who has not read it: from stored rows only."""

from collections.abc import Mapping, Sequence

from kit.studies.capstone.arms import HALF
from kit.studies.capstone.base import INGREDIENTS, name_of, pairs, without
from kit.studies.capstone.claims import ALL, PLAIN, beyond_the_sum, interaction
from kit.studies.results import Results
from kit.studies.statistics import Interval, mean_interval
from kit.studies.verdicts import Verdict, still_open

WHY_OPEN = "because seeds differ more than arms"


def in_short(results: Results, verdicts: Sequence[Verdict]) -> list[str]:
    """A few sentences: each alone, pairs, the whole, its size, and what is open.

    What was not run, or left no finite loss, is left out.
    """
    texts = [
        _alone(results),
        _pairs(results),
        _whole(results),
        _size(results),
        still_open(verdicts, WHY_OPEN),
    ]
    return [text for text in texts if text]


def weighted(
    results: Results, weights: Mapping[str, float], metric: str = "loss"
) -> Interval | None:
    """A weighted sum of arms over the seeds that they all have; None without any."""
    if metric not in results.metrics:
        return None
    found = {arm: results.values(arm, metric) for arm in weights}
    seeds = sorted(set.intersection(*({*values} for values in found.values())))
    sums = []
    for seed in seeds:
        values = [(weight, found[arm][seed]) for arm, weight in weights.items()]
        known = [weight * value for weight, value in values if value is not None]
        if len(known) < len(values):  # leaving a run out would flatter an arm
            return None
        sums.append(sum(known))
    return mean_interval(sums) if sums else None


def _alone(results: Results) -> str:
    told = []
    for name, words in INGREDIENTS.items():
        effect = weighted(results, {name: 1, PLAIN: -1})
        if effect:
            told.append(f"{effect.estimate:+z.3f} for {words}")
    plain = weighted(results, {PLAIN: 1})
    if not told or not plain:
        return ""
    return (
        f"The plain model ends at {plain.estimate:.3f} nats per token; alone, for as "
        f"many tokens, each of the five changes that by {', '.join(told)}."
    )


def _pairs(results: Results) -> str:
    """Those whose interval lies on one side of zero, the strongest first."""
    found = {pair: weighted(results, interaction(pair)) for pair in pairs()}
    known = {pair: interval for pair, interval in found.items() if interval}
    if not known:
        return ""
    kinds = {
        "fight": {p: i for p, i in known.items() if i.low > 0},
        "help each other": {p: i for p, i in known.items() if i.high < 0},
    }
    told = [_listed(words, chosen) for words, chosen in kinds.items() if chosen]
    rest = len(known) - sum(map(len, kinds.values()))
    told += (
        [f"for {rest} of {len(known)} pairs the interval holds zero"] if rest else []
    )
    return f"Beyond the sum of their effects: {'; '.join(told)}."


def _listed(words: str, chosen: Mapping[tuple[str, ...], Interval]) -> str:
    ordered = sorted(chosen.items(), key=lambda item: -abs(item[1].estimate))
    names = [
        f"{' and '.join(INGREDIENTS[name] for name in pair)} ({found.estimate:+.3f})"
        for pair, found in ordered
    ]
    return f"{', '.join(names)} {words}"


def _whole(results: Results) -> str:
    effect = weighted(results, {ALL: 1, PLAIN: -1})
    beyond = weighted(results, beyond_the_sum())
    if not effect or not beyond:
        return ""
    text = (
        f"All five change the loss by {effect.estimate:+.3f}, where their effects "
        f"alone add up to {effect.estimate - beyond.estimate:+.3f}"
    )
    worth = {
        words: found.estimate
        for name, words in INGREDIENTS.items()
        if (found := weighted(results, {name_of(without(name)): 1, ALL: -1}))
    }
    if not worth:
        return f"{text}."
    told = ", ".join(f"{change:+z.3f} without {w}" for w, change in worth.items())
    return f"{text}; leaving one out of the five changes it by {told}."


def _size(results: Results) -> str:
    sizes = {arm: weighted(results, {arm: 1}, "parameters") for arm in (PLAIN, ALL)}
    half = weighted(results, {HALF: 1}, "parameters")
    apart = weighted(results, {ALL: 1, HALF: -1})
    if not all(sizes.values()) or not half or not apart:
        return ""
    plain, whole = (found.estimate for found in sizes.values() if found)
    return (
        f"All five have {1 - whole / plain:.0%} fewer parameters than the plain model; "
        f"one of half the blocks, with {1 - half.estimate / plain:.0%} fewer, has a "
        f"loss that differs from theirs by {-apart.estimate:+.3f}."
    )
