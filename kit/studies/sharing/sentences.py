"""What the study found, for somebody who has not read it: from stored rows only."""

from collections.abc import Sequence
from statistics import fmean

from kit.studies.results import Results
from kit.studies.sharing.arms import ABLATED, MAIN
from kit.studies.sharing.base import RATES, REGIMES, RULES
from kit.studies.sharing.comparisons import named_with_number
from kit.studies.sharing.paper import remark
from kit.studies.verdicts import Verdict, still_open

WHY_OPEN = "because seeds differ more than arms, or nothing here can decide them"
MODELS = {"text-copied": "our model of text", "smollm2": "SmolLM2-135M"}


def in_short(results: Results, verdicts: Sequence[Verdict]) -> list[str]:
    """A few sentences: likeness, what it tells, the main table, choices, what is open.

    What was not run, or left no finite number, is left out.
    """
    texts = [
        *(_likeness(results, arm, words) for arm, words in MODELS.items()),
        _table(results),
        _choices(results),
        _scratch(results),
        remark(),
        still_open(verdicts, WHY_OPEN),
    ]
    return [text for text in texts if text]


def _mean(results: Results, arm: str, metric: str) -> float | None:
    """Mean over the seeds; None if a run has no such number."""
    if metric not in results.metrics:
        return None
    values = list(results.values(arm, metric).values())
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _likeness(results: Results, arm: str, words: str) -> str:
    names = ("cosine_inner", "cosine_inner_null", "next_correlation_cosine")
    found = [_mean(results, arm, name) for name in names]
    if any(value is None for value in found):
        return ""
    alike, chance, correlation = found
    return (
        f"In {words}, the maps of inner blocks have a cosine of {alike:.2f}, of which "
        f"sharpness and sink alone give {chance:.2f}. Its rank correlation with what "
        f"copying the block before costs is {correlation:+.2f} (-1: the most similar "
        "are the cheapest)."
    )


def _table(results: Results) -> str:
    told = []
    for name, rate in RATES.items():
        found = {
            words: value
            for regime, words in REGIMES.items()
            if (value := _mean(results, f"text-{name}-{regime}", "loss")) is not None
        }
        if found:
            listed = ", ".join(f"{value:.3f} {words}" for words, value in found.items())
            told.append(f"{listed} with {f'{rate:.0%}' if rate else 'nothing'} shared")
    before = _mean(results, "text-base", "loss")
    if not told or before is None:
        return ""
    return (
        f"For as many tokens, the model (loss {before:.3f} before) ends at "
        f"{'; '.join(told)}."
    )


def _choices(results: Results) -> str:
    arms = {MAIN: RULES["list"]}
    arms |= {f"text-{ABLATED}-{r}": words for r, words in RULES.items() if r != "list"}
    found = {
        named_with_number(results, arm, words): value
        for arm, words in arms.items()
        if (value := _mean(results, arm, "loss")) is not None
    }
    if len(found) < 2:
        return ""
    ordered = sorted(found.items(), key=lambda item: item[1])
    listed = ", ".join(f"{value:.3f} {words}" for words, value in ordered)
    return f"Which blocks copy, {RATES[ABLATED]:.0%} of them, distilled: {listed}."


def _scratch(results: Results) -> str:
    shared, fresh, plain = (
        _mean(results, arm, "loss")
        for arm in (MAIN, f"text-{ABLATED}-scratch", "text-0-scratch")
    )
    if shared is None or fresh is None or plain is None:
        return ""
    return (
        f"From scratch, with all tokens, the shared model reaches {fresh:.3f} and the "
        f"unshared one {plain:.3f}; distilled from a trained one it reaches "
        f"{shared:.3f}."
    )
