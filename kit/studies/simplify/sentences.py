"""What the study found, for somebody who has not read it: from stored rows only."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median

from kit.studies.results import Results
from kit.studies.simplify.arms import NAMES
from kit.studies.simplify.comparisons import BASE, LOSS, gap_growth
from kit.studies.simplify.pace import speed_ratio
from kit.studies.simplify.speed import VOCABULARY, WIDTHS
from kit.studies.verdicts import Verdict, still_open

WHY_OPEN = "because seeds disagree or are few, or nothing here can decide them"
SIMPLIFIED = ("F-sas", "G-sas-p", "H-no-norm")
TOLD = (*SIMPLIFIED, "D-v-skip-init", "C-naive")


def in_short(results: Results, verdicts: Sequence[Verdict]) -> list[str]:
    """A few sentences: loss, pace, depth and cost beside Pre-LN, and what is open.

    What was not run, or left no finite loss, is left out.
    """
    texts = [
        _losses(results),
        _pace(results),
        _encoders(results),
        _depth(results),
        _cost(results),
        _step(results),
        still_open(verdicts, WHY_OPEN),
    ]
    return [text for text in texts if text]


def _weighted(results: Results, weights: Mapping[str, float]) -> float | None:
    """A sum of mean losses, over the seeds that all of the arms have."""
    losses = {arm: results.values(arm, "loss") for arm in weights}
    seeds = set.intersection(*({*found} for found in losses.values()))
    if not seeds or any(losses[arm][s] is None for arm in weights for s in seeds):
        return None
    return fmean(
        sum(weight * (losses[arm][seed] or 0.0) for arm, weight in weights.items())
        for seed in seeds
    )


def _listed(found: Mapping[str, float | None], form: str) -> str:
    """`+0.012 for SAS, +0.150 for V-SkipInit`, of the numbers that there are."""
    known = [
        f"{v:{form}} for {NAMES[arm]}" for arm, v in found.items() if v is not None
    ]
    return ", ".join(known)


def _losses(results: Results) -> str:
    gaps = {arm: _weighted(results, {arm: 1, BASE: -1}) for arm in TOLD}
    text = _listed(gaps, "+z.3f")
    return text and (
        f"After as many steps as Pre-LN, and each at its best learning rate, the loss "
        f"differs from that of Pre-LN by (nats per token): {text}."
    )


def _pace(results: Results) -> str:
    base = {row.seed: row for row in results.of(BASE) if row.history}
    if not base or not any(results.of(arm) for arm in SIMPLIFIED):
        return ""
    texts = []
    for share in (0.5, 1.0):
        losses = {seed: row.after(share, LOSS) for seed, row in base.items()}
        shares = {arm: _median_share(results, arm, losses) for arm in SIMPLIFIED}
        text = _listed(shares, ".0%")
        texts.append(f"after {text}" if text else "by no simplified block")
    return (
        "The loss that Pre-LN has after half of its steps is reached "
        f"{texts[0]}; its final loss {texts[1]}. A block that is not named does not "
        "get there."
    )


def _median_share(
    results: Results, arm: str, losses: Mapping[int, float]
) -> float | None:
    """The share of a run until it has these losses; None where most never do."""
    found = [
        row.until(losses[row.seed])
        for row in results.of(arm)
        if row.seed in losses and row.history
    ]
    share = median(found) if found else math.inf
    return share if math.isfinite(share) else None


def _depth(results: Results) -> str:
    arms = (*SIMPLIFIED, "D-v-skip-init")
    text = _listed({arm: _weighted(results, gap_growth(arm)) for arm in arms}, "+z.3f")
    deep = [v for v in results.values(f"{BASE}-deep", "loss").values() if v is not None]
    if not text or not deep:
        return ""
    return (
        f"At twice the depth, the gap to Pre-LN changes by {text}; the losses of "
        f"Pre-LN itself lie between {min(deep):.2f} and {max(deep):.2f} there."
    )


def _encoders(results: Results) -> str:
    base = f"{BASE}-encoder"
    gaps = {
        arm: _weighted(results, {f"{arm}-encoder": 1, base: -1}) for arm in SIMPLIFIED
    }
    text = _listed(gaps, "+z.3f")
    return text and f"On masked tokens, the loss of encoders differs by {text}."


def _step(results: Results) -> str:
    """Whether what is won by the step is won by the clock, at the size of the runs."""
    text = _listed({arm: speed_ratio(results, arm) for arm in SIMPLIFIED}, ".2f")
    return text and (
        f"At the width of the runs, steps a second beside Pre-LN are {text}."
    )


def _cost(results: Results) -> str:
    widest = f"S-sas-p-{WIDTHS[-1]}"
    rows = results.of(widest)
    if not rows:
        return ""
    speed, bound, size, memory = (
        fmean(row.metrics[name] or 0.0 for row in rows)
        for name in ("speed_ratio", "bound_by_flops", "parameter_ratio", "memory_ratio")
    )
    return (
        f"At width {WIDTHS[-1]} and with a vocabulary of {VOCABULARY}, SAS-P has "
        f"{1 - size:.0%} fewer parameters than Pre-LN and takes {speed:.2f} times as "
        f"many steps a second, where fewer matrix products alone give {bound:.2f}, "
        f"with {memory:.2f} times the memory."
    )
