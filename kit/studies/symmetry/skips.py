"""Claims about skips: do they keep a slice at its position (C3 to C6)?"""

from dataclasses import replace
from functools import partial

from kit.studies.claims import AllOf, Claim, Custom, Difference, Value
from kit.studies.findings import UNDECIDED, Finding
from kit.studies.results import Results
from kit.studies.symmetry.bounds import (
    HUNDREDS,
    PREFIX,
    on_the_plateau,
    order_is_known,
)
from kit.studies.symmetry.families import (
    LEARNT,
    best_of_search,
    both_learnt,
    in_agreement,
    learnt,
    of_those_run,
    saying,
    with_fewest_skips,
)

RATES = ("rate-x0.3", "rate-x0.1")  # searched beside the usual one, without any skip


# Without positions, and several neighbouring blocks without skips.
BARE = [
    *(f"G-{count}-consecutive" for count in (2, 3, 4)),
    *(f"K-4-{rate}" for rate in RATES),
]


def _with_positions(count: int, results: Results) -> Finding:
    """With positions minus without, `count` blocks without skips.

    Where a search was made, each side stands with the best of the rates of both.
    """
    bare, helped = f"G-{count}-consecutive", f"I-{count}-consecutive"
    lower = [(f"K-{count}-learned-{rate}", f"K-{count}-{rate}") for rate in RATES]
    both = [(helped, bare), *(pair for pair in lower if {*pair} <= {*results.arms})]
    learned, none = (
        best_of_search(side, results, "exact_match") for side in zip(*both, strict=True)
    )
    difference = Difference(learned, none, "exact_match", smallest_effect=0.3)
    finding = saying(difference, partial(both_learnt, learned, none))(results)
    return replace(finding, brief=f"{learnt(learned, results)} learn")


def _positions_help(results: Results) -> Finding:
    """The same for each number of neighbouring blocks: all have to agree."""
    counts = [
        count
        for count in (2, 3, 4)
        if {f"G-{count}-consecutive", f"I-{count}-consecutive"} <= {*results.arms}
    ]
    if not counts:
        return Finding(UNDECIDED, "No arms with and without positions were both run.")
    parts = {f"{k} blocks": Custom(partial(_with_positions, k)) for k in counts}
    return in_agreement(parts)(results)


def _held(metric: str, smallest_effect: float) -> Custom:
    """What slices hold: with all skips minus without, and who learnt to add."""
    return with_fewest_skips(
        lambda arm: saying(
            Difference("B-none", arm, metric, smallest_effect),
            partial(both_learnt, "B-none", arm),
        )
    )


SKIPS = (
    Claim(
        "C3",
        "Each slice keeps its own token better where skips are kept (a skip copies "
        "the slice upwards, so it raises this number by construction)",
        "Introduction of v1, as an intuition",
        _held("own_token_margin", smallest_effect=0.05),
        "hypothesis of v1",
    ),
    Claim(
        "C4a",
        "With the skips of all blocks removed, a model without positions does not "
        "learn all digits within the given steps",
        "Second-hand: training is said to fail for several consecutive layers, which "
        "ones is unknown",
        with_fewest_skips(
            lambda arm: Value(arm, "exact_match", at_most=LEARNT, form=".1%")
        ),
        "second-hand",
    ),
    Claim(
        "C4b",
        "Removing the skips of one block is tolerated, at one learning rate",
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
        "Consecutive blocks without skips hurt more than as many spread out, at one "
        "learning rate",
        "Second-hand: the failure is reported for consecutive layers",
        of_those_run(
            ["H-2-spread"],
            lambda arms: Difference(
                arms[0], "G-2-consecutive", "exact_match", 0.1, one_reaches=LEARNT
            ),
        ),
        "second-hand",
    ),
    Claim(
        "C4d",
        "The skip around attention is the one that matters: without it training does "
        "worse than without that around the feed-forward part, at one learning rate",
        "Derived here from the intuition of v1: only attention mixes what slices hold",
        Difference(
            "J-4-feed-forward", "J-4-attention", "exact_match", 0.1, one_reaches=LEARNT
        ),
        "derived here",
    ),
    Claim(
        "C5",
        "Without skips, activations of neighbouring layers correlate less with their "
        "own position, relative to other positions (a skip copies the slice upwards, "
        "so it raises this number by construction)",
        "Second-hand: correlation matrices have more off-diagonal mass; the exact "
        "definition is unknown",
        _held("diagonal_dominance", smallest_effect=0.1),
        "second-hand",
    ),
    Claim(
        "C6a",
        "The failure without skips is about positions: with learned positions the same "
        "skips can go, of two, three or four neighbouring blocks alike; where all four "
        "are gone, each side at the best of the learning rates that both were given",
        "v1 suggests it; the abstract of v2 says that no definitive evidence was found",
        Custom(_positions_help),
        "withdrawn by v2",
    ),
    Claim(
        "C6b",
        "A lower learning rate does not rescue training without any skip",
        "Control of ours: if it does, the failure was one of optimisation",
        of_those_run(
            [f"K-4-{rate}" for rate in RATES],
            lambda arms: AllOf(
                [Value(arm, "exact_match", at_most=LEARNT, form=".1%") for arm in arms]
            ),
        ),
        "control",
    ),
    Claim(
        "C6c",
        "What fails without skips is not the order: without positions and without the "
        "skips of several neighbouring blocks, most runs know it, for their hundreds "
        "digit is right more often than a prompt that is read as a bag allows, "
        f"{PREFIX.digit_accuracies[HUNDREDS]:.1%} plus the luck of the held-out pairs",
        "Derived here by enumerating all pairs, for a model that knows the lower "
        "digits of the answer in order",
        of_those_run(
            BARE,
            lambda arms: saying(
                Custom(partial(order_is_known, arms)), partial(on_the_plateau, arms)
            ),
        ),
        "derived here",
    ),
)
