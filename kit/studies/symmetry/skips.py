"""Claims about skips: do they keep a slice at its position (C3 to C6)?"""

from kit.studies.claims import AllOf, Claim, Custom, Difference, Value
from kit.studies.findings import UNDECIDED, Finding
from kit.studies.results import Results
from kit.studies.symmetry.families import (
    LEARNT,
    best_of_search,
    largest,
    of_those_run,
    with_fewest_skips,
)

RATES = ("rate-x0.3", "rate-x0.1")  # searched beside the usual one, without any skip


def _positions_at_their_best(results: Results) -> Finding:
    """With positions minus without, both without skips, after the same search."""
    bare, helped = largest("G-", results), largest("I-", results)
    if bare is None or helped is None:
        return Finding(UNDECIDED, "The arms without any skip were not both run.")
    lower = [(f"K-4-learned-{rate}", f"K-4-{rate}") for rate in RATES]
    both = [(helped, bare), *(pair for pair in lower if {*pair} <= {*results.arms})]
    learned, none = zip(*both, strict=True)
    return Difference(
        best_of_search(learned, results, "exact_match"),
        best_of_search(none, results, "exact_match"),
        "exact_match",
        smallest_effect=0.3,
    )(results)


SKIPS = (
    Claim(
        "C3",
        "Each slice keeps its own token better where skips are kept",
        "Introduction of v1, as an intuition",
        with_fewest_skips(
            lambda arm: Difference(
                "B-none", arm, "own_token_margin", smallest_effect=0.05
            )
        ),
        "hypothesis of v1",
    ),
    Claim(
        "C4a",
        "With the skips of several consecutive blocks removed, training fails",
        "Second-hand: reported for several consecutive layers, which ones is unknown",
        with_fewest_skips(
            lambda arm: Value(arm, "exact_match", at_most=LEARNT, form=".1%")
        ),
        "second-hand",
    ),
    Claim(
        "C4b",
        "Removing the skips of one block is tolerated",
        "Second-hand: a few are tolerated",
        of_those_run(
            [f"F-block-{i}" for i in range(4)],
            lambda arms: AllOf(
                [Value(arm, "exact_match", at_least=LEARNT, form=".1%") for arm in arms]
            ),
        ),
        "second-hand",
    ),
    Claim(
        "C4c",
        "Consecutive blocks without skips hurt more than as many spread out",
        "Second-hand: the failure is reported for consecutive layers",
        of_those_run(
            ["H-2-spread"],
            lambda arms: Difference(
                arms[0], "G-2-consecutive", "exact_match", smallest_effect=0.1
            ),
        ),
        "second-hand",
    ),
    Claim(
        "C4d",
        "It is the skip around attention that matters: without it training does worse "
        "than without that around the feed-forward part",
        "Derived here from the intuition of v1: only attention mixes what slices hold",
        Difference(
            "J-4-feed-forward", "J-4-attention", "exact_match", smallest_effect=0.1
        ),
        "derived here",
    ),
    Claim(
        "C5",
        "Without skips, activations of neighbouring layers correlate less with their "
        "own position, relative to other positions",
        "Second-hand: correlation matrices have more off-diagonal mass; the exact "
        "definition is unknown",
        with_fewest_skips(
            lambda arm: Difference(
                arm,
                "B-none",
                "diagonal_dominance",
                smallest_effect=0.1,
                direction="less",
            )
        ),
        "second-hand",
    ),
    Claim(
        "C6a",
        "The failure is about positions: with learned positions the same skips can go, "
        "each side at the best of the learning rates that both were given",
        "v1 suggests it; the abstract of v2 says that no definitive evidence was found",
        Custom(_positions_at_their_best),
        "withdrawn by v2",
    ),
    Claim(
        "C6b",
        "A lower learning rate does not rescue training without skips",
        "Control of ours: if it does, the failure was one of optimisation",
        of_those_run(
            [f"K-4-{rate}" for rate in RATES],
            lambda arms: AllOf(
                [Value(arm, "exact_match", at_most=LEARNT, form=".1%") for arm in arms]
            ),
        ),
        "control",
    ),
)
