"""What the study found, for somebody who has not read it: from stored rows only."""

from collections.abc import Mapping, Sequence

from kit.studies.capstone.arms import HALF
from kit.studies.capstone.base import INGREDIENTS, name_of, pairs, without
from kit.studies.capstone.claims import ALL, PLAIN, beyond_the_sum, interaction
from kit.studies.results import Results
from kit.studies.statistics import Interval, mean_interval
from kit.studies.verdicts import Verdict, still_open

WHY_OPEN = "because seeds disagree or are few, or a run diverged or is missing"
AT_ONCE = 0.95  # confidence that all intervals of pairs together have
SIZES = {"parameters": "parameters", "flops_per_token": "operations a token"}


def in_short(results: Results, verdicts: Sequence[Verdict]) -> list[str]:
    """A few sentences: each alone, pairs, the whole, its size, and what is open.

    What was not run is left out, and what diverged is named.
    """
    texts = [
        _alone(results),
        _pairs(results),
        _whole(results),
        _size(results),
        _control(results),
        _lost(results),
        still_open(verdicts, WHY_OPEN),
    ]
    return [text for text in texts if text]


def weighted(
    results: Results,
    weights: Mapping[str, float],
    metric: str = "loss",
    confidence: float = 0.95,
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
    return mean_interval(sums, confidence) if sums else None


def interactions(results: Results) -> dict[tuple[str, ...], Interval]:
    """Pair -> what it adds to the sum of two effects, for the pairs that were run.

    There are ten pairs, and of ten intervals one would often miss by chance. So each
    is wider (Bonferroni), and all of them hold at once.
    """
    sums = {pair: interaction(pair) for pair in pairs()}
    known = {pair: w for pair, w in sums.items() if weighted(results, w)}
    confidence = 1 - (1 - AT_ONCE) / max(len(known), 1)
    found = {p: weighted(results, w, confidence=confidence) for p, w in known.items()}
    return {pair: interval for pair, interval in found.items() if interval}


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
        f"The plain model ends at {plain.estimate:.3f} nats per token. What one change "
        f"alone adds to that, for as many tokens: {', '.join(told)}."
    )


def _pairs(results: Results) -> str:
    """Those whose interval lies on one side of zero, the strongest first."""
    known = interactions(results)
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
    return (
        "Beyond the sum of their effects, by intervals that hold for all pairs at "
        f"once: {'; '.join(told)}."
    )


def _listed(words: str, chosen: Mapping[tuple[str, ...], Interval]) -> str:
    ordered = sorted(chosen.items(), key=lambda item: -abs(item[1].estimate))
    names = [
        f"{' and '.join(INGREDIENTS[name] for name in pair)} ({found.estimate:+z.3f})"
        for pair, found in ordered
    ]
    return f"{', '.join(names)} {words}"


def _whole(results: Results) -> str:
    effect = weighted(results, {ALL: 1, PLAIN: -1})
    beyond = weighted(results, beyond_the_sum())
    if not effect or not beyond:
        return ""
    text = (
        f"All five change the loss by {effect.estimate:+z.3f}, where their effects "
        f"alone add up to {effect.estimate - beyond.estimate:+z.3f}."
    )
    worth = {
        words: found.estimate
        for name, words in INGREDIENTS.items()
        if (found := weighted(results, {name_of(without(name)): 1, ALL: -1}))
    }
    if not worth:
        return text
    told = ", ".join(f"{change:+z.3f} ({words})" for words, change in worth.items())
    return f"{text} What leaving one of them out adds to the loss of all: {told}."


def _size(results: Results) -> str:
    """What all five save, beside what each saves alone."""
    told = []
    for metric, words in SIZES.items():
        plain, whole = (weighted(results, {arm: 1}, metric) for arm in (PLAIN, ALL))
        alone = [weighted(results, {PLAIN: 1, n: -1}, metric) for n in INGREDIENTS]
        known = [saved.estimate for saved in alone if saved]
        if not plain or not whole or len(known) < len(alone):
            return ""
        told.append(
            f"{1 - whole.estimate / plain.estimate:.0%} fewer {words}, where the "
            f"savings alone add up to {sum(known) / plain.estimate:.0%}"
        )
    return f"Beside the plain model, all five have {', and '.join(told)}."


def _control(results: Results) -> str:
    plain, half = (weighted(results, {arm: 1}, "parameters") for arm in (PLAIN, HALF))
    apart = weighted(results, {HALF: 1, ALL: -1})
    if not plain or not half or not apart:
        return ""
    side = "higher" if apart.estimate > 0 else "lower"
    return (
        "A plain model of half the blocks, with "
        f"{1 - half.estimate / plain.estimate:.0%} fewer parameters than the plain "
        f"one, has a loss that is {abs(apart.estimate):.3f} {side} than that of all "
        "five."
    )


def _lost(results: Results) -> str:
    told = []
    for arm in results.arms:
        rows = results.of(arm)
        if lost := sum(row.status == "diverged" for row in rows):
            told.append(f"{arm} ({lost} of {len(rows)})")
    if not told:
        return ""
    listed = ", ".join(told)
    return f"Arms of which runs diverged, and which are in no sum for that: {listed}."
