"""The verdicts on the claims of a study, corrected for their number."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from kit.studies import statistics
from kit.studies.claims import CannotTell, Claim
from kit.studies.findings import ALPHA, NOT_IN_BUDGET, UNDECIDED, Finding
from kit.studies.results import Results
from kit.studies.study import Study


@dataclass(frozen=True)
class Verdict(Finding):
    """A finding with the claim that it answers."""

    claim: str = ""
    statement: str = ""
    source: str = ""
    evidence: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON holds it: `claim`, `verdict`, `estimate`, ..."""
        fields = asdict(self)
        for name in ("low", "high"):  # JSON has no infinity
            if fields[name] is not None and not math.isfinite(fields[name]):
                fields[name] = None
        first = ("claim", "verdict", "estimate", "low", "high", "seeds", "runs")
        return {name: fields.pop(name) for name in first} | fields


def judge(claims: Sequence[Claim], results: Results) -> list[Verdict]:
    """The verdict on each claim, corrected for the number of claims tested."""
    findings = [claim.test(results) for claim in claims]
    tested = [i for i, finding in enumerate(findings) if finding.p_value is not None]
    adjusted = statistics.holm([findings[i].p_value or 0.0 for i in tested])
    for i, p_value in zip(tested, adjusted, strict=True):
        findings[i] = _corrected(findings[i], p_value, len(tested))
    return [
        Verdict(
            **asdict(finding),
            claim=claim.id,
            statement=claim.statement,
            source=claim.source,
            evidence=claim.evidence,
        )
        for claim, finding in zip(claims, findings, strict=True)
    ]


def judge_study(study: Study, results: Results) -> list[Verdict]:
    """The verdicts of a study; "not in this budget" for claims whose arms it lacks.

    A claim is that where no run speaks for it although every arm of the budget was run,
    unless no budget could tell.
    """
    verdicts = judge(study.claims, results)
    budget = results.budget
    if budget == "full" or not _every_arm_was_run(study, results):
        return verdicts
    sentence = f"The budget {budget} leaves its arms out; --budget full has them."
    return [
        replace(verdict, verdict=NOT_IN_BUDGET, sentence=sentence)
        if not (verdict.runs or isinstance(claim.test, CannotTell))
        else verdict
        for claim, verdict in zip(study.claims, verdicts, strict=True)
    ]


def _every_arm_was_run(study: Study, results: Results) -> bool:
    """With a seed in common, so that no two arms lack a comparison."""
    if results.budget not in study.seeds:
        return False
    arms = study.arms_named(results.budget)
    seeds = [{row.seed for row in results.of(arm.name)} for arm in arms]
    return bool(set.intersection(*seeds))


def _corrected(finding: Finding, p_value: float, tests: int) -> Finding:
    finding = replace(finding, p_value=p_value)
    if finding.verdict == UNDECIDED or p_value <= ALPHA:
        return finding
    reason = f"would be {finding.verdict} alone, but not among {tests} tested claims"
    sentence = f"{finding.sentence} It {reason} (Holm, p = {p_value:.2g})."
    return replace(finding, verdict=UNDECIDED, sentence=sentence)


def still_open(verdicts: Sequence[Verdict], why: str) -> str:
    """Which claims are undecided, as a sentence.

    Args:
        verdicts: Those of a study.
        why: What keeps claims of it open.
    """
    names = [each.claim for each in verdicts if each.verdict == UNDECIDED]
    judged = sum(each.verdict != NOT_IN_BUDGET for each in verdicts)
    if not names:
        return "No claim is left open."
    return f"Open are {len(names)} of {judged} claims, {why}: {', '.join(names)}."
