"""What the study found, for somebody who has not read it: from stored rows only."""

from collections.abc import Sequence

from kit.studies.findings import REPRODUCED
from kit.studies.results import Results
from kit.studies.symmetry.bounds import blind_exact_match
from kit.studies.symmetry.families import largest, learnt
from kit.studies.verdicts import Verdict, still_open

WHY_OPEN = (
    "because seeds disagree or are few, or because both sides of a comparison fail"
)


def in_short(results: Results, verdicts: Sequence[Verdict]) -> list[str]:
    """A few sentences: what learned, what did not, and what is open.

    A sentence is left out when one of its arms was not run.
    """
    by_claim = {verdict.claim: verdict for verdict in verdicts}
    texts = [
        _learning(results),
        _blindness(results),
        _skips(results, by_claim),
        still_open(verdicts, WHY_OPEN),
    ]
    return [text for text in texts if text]


def _all_run(results: Results, *arms: str | None) -> bool:
    return {*arms} <= {*results.arms}


def _learning(results: Results) -> str:
    if not _all_run(results, "A-learned", "B-none"):
        return ""
    bound = blind_exact_match(results, "B-none")
    values = results.values("B-none", "exact_match").values()
    above = sum((value or 0) > bound for value in values)
    return (
        f"With learned positions {learnt('A-learned', results)} models learn to add: "
        "at least half of the sums that they never saw are right. Without positions "
        f"{learnt('B-none', results)} do, and {above} of {len(values)} get more than "
        f"{bound:.1%} right, which is all that a model blind to order could, with luck."
    )


def _blindness(results: Results) -> str:
    if not _all_run(results, "C-one-block", "E-full"):
        return ""
    return (
        "Where the order cannot be known, without positions under a full mask or in a "
        f"single causal block, {learnt('E-full', results)} and "
        f"{learnt('C-one-block', results)} learn it."
    )


def _skips(results: Results, verdicts: dict[str, Verdict]) -> str:
    bare, helped = largest("G-", results), largest("I-", results)
    if bare is None or helped is None:
        return ""
    text = (
        f"With every skip removed {learnt(bare, results)} learn it without positions, "
        f"and {learnt(helped, results)} with learned ones."
    )
    known = verdicts["C6c"]
    if known.verdict != REPRODUCED:
        return text
    return (
        f"{text} That is no sign of lost order: without positions, and without the "
        f"skips of several neighbouring blocks, {known.brief} know it all the same."
    )
