"""What the study found, for somebody who has not read it: from stored rows only."""

from collections.abc import Sequence
from statistics import fmean

from kit.studies.pruning.arms import RECOVERED_AT
from kit.studies.pruning.base import METHODS, RIVALS, named, short
from kit.studies.pruning.comparisons import checkpoint_values
from kit.studies.pruning.curves import TOLD, at
from kit.studies.pruning.real import (
    CHECKPOINT,
    CHECKPOINT_METHODS,
    NOT_ON_CHECKPOINT,
    TEXTS,
)
from kit.studies.results import Results
from kit.studies.verdicts import Verdict, still_open

WHY_OPEN = "because seeds differ more than methods, or nothing here can decide them"
FAMILIES = {"llama": "LLaMA type", "gpt": "GPT type"}


def in_short(results: Results, verdicts: Sequence[Verdict]) -> list[str]:
    """A few sentences: loss at 37.5 %, the split, recovery, a real model, what pruning
    costs, what is open.

    What was not run, or left no finite loss, is left out.
    """
    texts = [
        *(_losses(results, subject) for subject in FAMILIES),
        _split(results),
        _recovery(results),
        _checkpoint(results),
        _cost(results),
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


def _listed(found: dict[str, float]) -> str:
    ordered = sorted(found.items(), key=lambda item: item[1])
    return ", ".join(f"{value:.2f} ({short(method)})" for method, value in ordered)


def _found(results: Results, subject: str) -> dict[str, float]:
    """Method -> loss at the sparsity that is told, of those that were run."""
    values = {
        method: _mean(results, f"{subject}-{method}", at("loss", TOLD))
        for method in METHODS
    }
    return {method: value for method, value in values.items() if value is not None}


def _losses(results: Results, subject: str) -> str:
    dense, found = _mean(results, subject, "loss"), _found(results, subject)
    if dense is None or len(found) < 2:
        return ""
    return (
        f"Without {TOLD:.1%} of the parameters of its blocks, the loss of the "
        f"{FAMILIES[subject]} rises from {dense:.2f} to {_listed(found)}."
    )


def _split(results: Results) -> str:
    rows = [row for row in results.of("llama-split-50") if row.probes]
    if not rows:
        return ""
    rule = rows[0].metrics["attentions_by_the_rule"]
    regret = fmean(row.metrics["regret"] or 0.0 for row in rows)
    return (
        f"At 50% the closed rule removes {rule:.0f} attentions (LLaMA type); the best "
        f"number of each run is better by {regret:.3f} nats on average."
    )


def _recovery(results: Results) -> str:
    found = {}
    for method in METHODS:
        arm = f"llama-{method}-recovered"
        before, after = (
            _mean(results, arm, metric) for metric in ("loss_before", "recovered_loss")
        )
        if before is not None and after is not None:
            found[short(method)] = (before, after)
    if not found:
        return ""
    told = ", ".join(
        f"from {before:.2f} to {after:.2f} ({words})"
        for words, (before, after) in sorted(found.items(), key=lambda item: item[1][1])
    )
    dense = _mean(results, "llama-recovered", "recovered_loss")
    control = f" The dense model ends it at {dense:.2f}." if dense is not None else ""
    return (
        f"A short training after pruning by {RECOVERED_AT:.0%} brings the loss of the "
        f"LLaMA type {told}.{control}"
    )


def _checkpoint(results: Results) -> str:
    if not results.of(CHECKPOINT):
        return ""
    dense = _mean(results, CHECKPOINT, f"{TEXTS[0]}_loss")
    found = {}
    for method in CHECKPOINT_METHODS:
        values = checkpoint_values(results, method, f"{TEXTS[0]}_loss", TOLD)
        if values:
            found[method] = fmean(values.values())
    if dense is None or not found:
        return ""
    return (
        f"Without {TOLD:.1%} of the parameters of its blocks, the loss of SmolLM2-135M "
        f"on {TEXTS[0]} rises from {dense:.2f} to {_listed(found)}. "
        f"{named(NOT_ON_CHECKPOINT)}{_of_note(results)} were not run on it, because of "
        "their cost."
    )


def _of_note(results: Results) -> str:
    """Whether the methods that the checkpoint lacks are those that lead elsewhere."""
    losses = [_found(results, subject) for subject in FAMILIES]
    leaders = {min(found, key=found.__getitem__) for found in losses if found}
    if leaders and leaders <= set(NOT_ON_CHECKPOINT):
        return ", of which one leads in each model above,"
    return ""


def _cost(results: Results) -> str:
    """What the methods of the paper cost in time, and the dearest in work too."""
    seconds = _costs(results, "seconds")
    if "2ssp" not in seconds or len(seconds) < 2:
        return ""
    work = _costs(results, "evaluations")
    most = max((m for m in seconds if m != "2ssp"), key=seconds.__getitem__)
    listed = ", ".join(
        f"{value:.1f} ({short(method)})"
        for method, value in sorted(seconds.items(), key=lambda item: item[1])
    )
    return (
        f"To prune the LLaMA type by {TOLD:.1%} takes so many seconds on one core: "
        f"{listed}. {short(most)} takes {seconds[most] / seconds['2ssp']:.0f} times "
        f"the time of 2SSP, and evaluates {work[most] / work['2ssp']:.0f} times as "
        "many blocks."
    )


def _costs(results: Results, name: str) -> dict[str, float]:
    """Method of the paper -> what it costs to prune the LLaMA type, if it was run."""
    costs = {
        method: _mean(results, f"llama-{method}", at(name, TOLD))
        for method in ("2ssp", *RIVALS)
    }
    return {method: cost for method, cost in costs.items() if cost is not None}
