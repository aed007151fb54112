"""What the study found, for somebody who has not read it: from stored rows only.

Means that stand beside each other are over the seeds that all of them have.
"""

from collections.abc import Hashable, Mapping, Sequence
from statistics import fmean, median
from typing import TypeVar

from kit.studies.results import Results
from kit.studies.sharing.arms import ABLATED, LOSS_CHANGES, MAIN
from kit.studies.sharing.base import RATES, REGIMES, RULES
from kit.studies.sharing.comparisons import allowed, named_with_number, untrained
from kit.studies.sharing.paper import BLOCKS, LISTS, published, remark
from kit.studies.verdicts import Verdict, still_open

WHY_OPEN = "because seeds differ more than arms, or nothing here can decide them"
MODELS = {
    "text-copied": "our model of text",
    "text-8": "text-8, which ships with the kit",
    "smollm2": "SmolLM2-135M",
}
TIMED = {
    "generation is faster by": "generation_gain",
    "a training step takes less time by": "step_saving",
    "a forward pass by": "forward_saving",
}
Name = TypeVar("Name", bound=Hashable)
Losses = dict[int, float]


def in_short(results: Results, verdicts: Sequence[Verdict]) -> list[str]:
    """A few sentences: likeness, what it tells, choices without training, the main
    table, choices with it, what the teacher gives, speed, what is open.

    What was not run, or left no finite number, is left out.
    """
    texts = [
        *(_likeness(results, arm, words) for arm, words in MODELS.items()),
        *(_untrained(results, arm, words) for arm, words in MODELS.items()),
        _table(results),
        _choices(results),
        _teacher(results),
        _scratch(results),
        _speed(results),
        remark(),
        still_open(verdicts, WHY_OPEN),
    ]
    return [text for text in texts if text]


def _losses(results: Results, arm: str, metric: str = "loss") -> Losses:
    """Seed -> loss of an arm; none if a run has no such number."""
    if metric not in results.metrics:
        return {}
    values = results.values(arm, metric)
    known = {seed: value for seed, value in values.items() if value is not None}
    return known if len(known) == len(values) else {}


def _common(found: Mapping[Name, Losses]) -> set[int]:
    """The seeds that all have, of those that were run."""
    seeds = [{*losses} for losses in found.values() if losses]
    return set.intersection(*seeds) if seeds else set()


def _seeds(count: int) -> str:
    return f"{count} seed{'s' * (count > 1)}"


def _means(found: Mapping[Name, Losses]) -> dict[Name, float]:
    """Means over the seeds that all have; what was not run is left out."""
    seeds = _common(found)
    return {
        name: fmean(losses[seed] for seed in seeds)
        for name, losses in found.items()
        if losses and seeds
    }


def _mean(results: Results, arm: str, metric: str) -> float | None:
    """Mean over the seeds; None if a run has no such number."""
    values = _losses(results, arm, metric).values()
    return fmean(values) if values else None


def _ordered(found: Mapping[str, float]) -> str:
    """`3.690 without labels, 3.762 all three`, the lowest first."""
    ordered = sorted(found.items(), key=lambda item: item[1])
    return ", ".join(f"{value:.3f} {words}" for words, value in ordered)


def _likeness(results: Results, arm: str, words: str) -> str:
    tells = "next_correlation_cosine"
    names = ("cosine_inner", "cosine_inner_null", tells, f"{tells}_excess")
    found = [_mean(results, arm, name) for name in names]
    if any(value is None for value in found):
        return ""
    alike, chance, correlation, beyond = found
    apart = _mean(results, arm, "cosine_unrelated")
    other = "" if apart is None else f", and those of two seeds {apart:.2f}"
    return (
        f"In {words}, the maps of inner blocks have a cosine of {alike:.2f}, of which "
        f"sharpness and sink alone give {chance:.2f}{other}. Its rank correlation "
        f"with what copying the block before costs is {correlation:+z.2f} (-1: the "
        "most similar are the cheapest), and that of what is beyond chance "
        f"{beyond:+z.2f}."
    )


def _untrained(results: Results, arm: str, words: str) -> str:
    """Loss by rule where nothing is trained; of rules that find enough blocks."""
    rate, found = RATES[ABLATED], {rule: Losses() for rule in RULES}
    rows = [row for row in results.of(arm) if "rules" in row.probes]
    for row in rows:
        for rule in RULES:
            each = untrained(row, rate, rule)
            if len(each["copies"]) == len(untrained(row, rate)["copies"]):
                found[rule][row.seed] = each["loss"]
    told = {RULES[n]: each for n, each in found.items() if len(each) == len(rows)}
    means, before = _means(told), _mean(results, arm, "loss")
    if not means or before is None:
        return ""
    return (
        f"In {words}, copied only, {rate:.0%} of the blocks, the loss grows from "
        f"{before:.3f} to {_ordered(means)} (mean over {_seeds(len(rows))})."
    )


def _table(results: Results) -> str:
    base, copied = ("", "before"), "copied only"
    found = {base: _losses(results, "text-base")}
    for name, rate in RATES.items():
        found[name, copied] = _copied_only(results, rate)
        for regime, words in REGIMES.items():
            found[name, words] = _losses(results, f"text-{name}-{regime}")
    means = _means(found)
    told = []
    for name, rate in RATES.items():
        ours = {words: loss for (which, words), loss in means.items() if which == name}
        alone = f" ({ours.pop(copied):.3f} {copied})" if copied in ours else ""
        listed = ", ".join(f"{loss:.3f} {words}" for words, loss in ours.items())
        shared = f"{rate:.0%}" if rate else "nothing"
        told += [f"with {shared} shared at {listed}{alone}"] if ours else []
    if not told or base not in means:
        return ""
    return (
        f"For as many tokens, the model (loss {means[base]:.3f} before) ends "
        f"{'; '.join(told)}. Each is the mean over {_seeds(len(_common(found)))} that "
        "all have."
    )


def _copied_only(results: Results, rate: float) -> Losses:
    """Seed -> loss at a rate without any training; nothing where nothing copies."""
    rows = [row for row in results.of("text-copied") if "rules" in row.probes]
    return {row.seed: untrained(row, rate)["loss"] for row in rows} if rate else {}


def _choices(results: Results) -> str:
    arms = {MAIN: RULES["list"]}
    arms |= {f"text-{ABLATED}-{r}": words for r, words in RULES.items() if r != "list"}
    found = _means(
        {
            named_with_number(results, arm, words): _losses(results, arm)
            for arm, words in arms.items()
        }
    )
    if len(found) < 2:
        return ""
    return (
        f"Which blocks copy, {RATES[ABLATED]:.0%} of them, distilled: "
        f"{_ordered(found)}."
    )


def _teacher(results: Results) -> str:
    arms = {MAIN: "by all three losses", f"text-{ABLATED}-continual": "no teacher"}
    arms |= {f"text-{ABLATED}-{n}": words for n, (words, _) in LOSS_CHANGES.items()}
    found = _means({words: _losses(results, arm) for arm, words in arms.items()})
    alone = _means({arm: _losses(results, arm) for arm in ("text-base", "text-0-kd")})
    if len(found) < 3 or len(alone) < 2:
        return ""
    grown = alone["text-0-kd"] - alone["text-base"]
    longer = _longer(results)
    takes = (
        f" A step with a teacher takes {longer:.1f} times as long." if longer else ""
    )
    return (
        f"What is learned from the teacher, {RATES[ABLATED]:.0%} shared: "
        f"{_ordered(found)}. Where nothing is shared the student begins as its "
        f"teacher; distilled, its loss changes by {grown:+z.3f}, which no copy "
        f"explains.{takes}"
    )


def _longer(results: Results) -> float | None:
    """Time of distillation by that of as many steps without a teacher, in median."""
    seconds = [
        {row.seed: row.training_seconds for row in results.of(f"text-{ABLATED}-{way}")}
        for way in ("kd", "continual")
    ]
    seeds = {*seconds[0]} & {*seconds[1]}
    pairs = [(seconds[0][seed], seconds[1][seed]) for seed in seeds]
    ratios = [kd / alone for kd, alone in pairs if kd and alone]
    return median(ratios) if ratios else None


def _scratch(results: Results) -> str:
    arms = (MAIN, f"text-{ABLATED}-scratch", "text-0-scratch")
    found = _means({arm: _losses(results, arm) for arm in arms})
    if len(found) < len(arms):
        return ""
    shared, fresh, plain = (found[arm] for arm in arms)
    return (
        f"From scratch, with all tokens, the shared model reaches {fresh:.3f} and the "
        f"unshared one {plain:.3f}; distilled from a trained one it reaches "
        f"{shared:.3f}."
    )


def _speed(results: Results) -> str:
    arms = [f"speed-{share}" for share in LISTS]
    told = []
    for words, metric in TIMED.items():
        here = [_mean(results, arm, metric) for arm in arms]
        bound = [allowed(results, arm, metric) for arm in arms]
        if None in here + bound:
            return ""
        beside = f"by the operations saved {_shares(bound)}"
        if paper := published(metric):
            beside += f"; in the paper, on GPUs, {_shares(paper)}"
        told.append(f"{words} {_shares(here)} ({beside})")
    counts = ", ".join(str(len(blocks)) for blocks in LISTS.values())
    text = f"With {counts} of {BLOCKS} blocks copying, on one core, {', '.join(told)}"
    memory = [_mean(results, arm, "memory_ratio") for arm in arms]
    if None not in memory:
        ratios = ", ".join(f"{ratio:.2f}" for ratio in memory)
        text += f"; training takes {ratios} times the memory"
    return f"{text}. C5b and C5c have the intervals."


def _shares(values: Sequence[float | None]) -> str:
    return ", ".join(f"{value or 0.0:.0%}" for value in values)
