"""What the study found, for somebody who has not read it: from stored rows only."""

import math
from collections.abc import Sequence
from statistics import fmean, median

from kit.studies.results import Results
from kit.studies.sharpness.arms import ORDER
from kit.studies.sharpness.comparisons import best_single_rate
from kit.studies.sharpness.curvature import at_end
from kit.studies.verdicts import Verdict, still_open

WHY_OPEN = "because seeds differ more than arms, or nothing here can decide them"
TYPES = {"llama-adamw": "LLaMA", "gpt-adamw": "GPT"}
FAMILIES = {"llama": "LLaMA type", "gpt": "GPT type"}


def in_short(results: Results, verdicts: Sequence[Verdict]) -> list[str]:
    """A few sentences: the order of sharpness, what rates by block do, what is open.

    What was not run, or left no finite loss, is left out.
    """
    texts = [
        *(_order(results, arm, name) for arm, name in TYPES.items()),
        _gains(results),
        _single_rate(results),
        _sooner(results),
        _twice(results),
        still_open(verdicts, WHY_OPEN),
    ]
    return [text for text in texts if text]


def _order(results: Results, arm: str, name: str) -> str:
    rows = [row for row in results.of(arm) if "sharpness" in row.probes]
    if not rows:
        return ""
    ends = at_end(rows, "type")
    flat_first = sorted(ORDER, key=ends.__getitem__)
    first, last = (
        fmean(row.metrics[f"tau_{when}"] or 0.0 for row in rows)
        for when in ("start", "end")
    )
    factor = 10 ** (ends[flat_first[-1]] - ends[flat_first[0]])
    return (
        f"After training, the blocks of the {name} type are, from flat to sharp, "
        f"{', '.join(flat_first)}, and the last is {factor:,.0f} times as sharp as the "
        f"first. Kendall's tau with the paper's order ({', '.join(ORDER)}) goes from "
        f"{first:+z.2f} at the start to {last:+z.2f}."
    )


def _difference(results: Results, arm: str, minus: str) -> float | None:
    """Mean loss of an arm minus that of another, over the seeds that both have."""
    ours, others = (results.values(name, "loss") for name in (arm, minus))
    pairs = [(ours[seed], others[seed]) for seed in ours if seed in others]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    if not known or len(known) < len(pairs):
        return None
    return fmean(a - b for a, b in known)


def _gains(results: Results) -> str:
    gaps = {
        words: _difference(results, f"{family}-blockwise", f"{family}-adamw")
        for family, words in FAMILIES.items()
    }
    told = [f"{gap:+z.3f} ({words})" for words, gap in gaps.items() if gap is not None]
    if not told:
        return ""
    return (
        "Rates by block against AdamW with one rate, both at the best of the same "
        f"learning rates, change the final loss by {' and '.join(told)} nats a token."
    )


def _single_rate(results: Results) -> str:
    rival = best_single_rate(results)
    gap = rival and _difference(results, "llama-blockwise", rival)
    if gap is None or not rival:
        return ""
    return (
        "Against the best single rate of all that were tried "
        f"({results.arms[rival]}) it is {gap:+z.3f}."
    )


def _sooner(results: Results) -> str:
    """When rates by block are where AdamW ends."""
    theirs = results.values("llama-adamw", "loss")
    shares = [
        row.until(loss)
        for row in results.of("llama-blockwise")
        if row.history and (loss := theirs.get(row.seed)) is not None
    ]
    if not shares:
        return ""
    share = median(shares)
    found = (
        f"reach AdamW's final loss after {share:.0%} of the steps"
        if math.isfinite(share)
        else "do not reach AdamW's final loss in as many steps"
    )
    return f"Rates by block {found} (LLaMA type; the paper: about half)."


def _twice(results: Results) -> str:
    ours = results.values("llama-blockwise", "loss")
    shares = [
        2 * row.until(ours[row.seed] or 0.0)
        for row in results.of("llama-adamw-2x")
        if row.history and ours.get(row.seed) is not None
    ]
    if not shares:
        return ""
    share = median(shares)
    found = (
        f"reaches the loss of rates by block after {share:.1f} times the steps"
        if math.isfinite(share)
        else "does not reach the loss of rates by block"
    )
    return f"Trained twice as long, AdamW {found} (the paper: after about 2 times)."
