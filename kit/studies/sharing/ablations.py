"""What the method's parts are for. The paper has no ablation: these claims are what it
takes for granted, and ours beside it.

Written before any run was looked at.
"""

from kit.studies.claim import Claim, Test
from kit.studies.claims import Custom
from kit.studies.sharing.arms import ABLATED, MAIN
from kit.studies.sharing.comparisons import (
    EFFECT,
    SAME,
    SameNumber,
    all_as_good,
    as_good,
    compared,
)

MEASURED, DERIVED = "measured by the authors", "derived here"
NOT_THERE = "not in the paper"
LOSSES = {"hidden": "the streams", "soft": "the divergence", "hard": "the labels"}


def claim(
    id: str, statement: str, source: str, test: Test, by: str = MEASURED
) -> Claim:
    """A claim of this study."""
    return Claim(id, statement, source, test, by)


def ablated(name: str) -> str:
    """The arm that has one thing changed."""
    return f"text-{ABLATED}-{name}"


def worth(id: str, statement: str, name: str, by: float = EFFECT) -> Claim:
    """The main arm ends lower than with one thing changed."""
    return claim(
        id, statement, NOT_THERE, compared(MAIN, ablated(name), by=by), DERIVED
    )


ABLATIONS = (
    worth("S1", "The most similar blocks are better copied than any others", "random"),
    worth(
        "S2",
        "The most similar blocks are better copied than the least similar ones",
        "worst",
    ),
    worth(
        "S3",
        "The most similar blocks are better copied than the first and the last ones",
        "ends",
    ),
    claim(
        "S4",
        "The most similar blocks are copied as well as those that measured cheapest to "
        "copy, one by one",
        "the obvious rival: as little work as the maps take",
        as_good(MAIN, ablated("cheapest")),
        DERIVED,
    ),
    claim(
        "S5",
        "The paper's two ways to choose, its lists and its text, are alike",
        "the printed lists do not follow from the text",
        all_as_good(MAIN, [ablated("gap"), ablated("consecutive")]),
        DERIVED,
    ),
    claim(
        "S6",
        "Before training, heads that are matched cost less than heads in their order",
        "not described in the paper, which copies by number",
        compared(ablated("matched"), MAIN, "loss_before"),
        DERIVED,
    ),
    claim(
        "S7",
        "Training makes up for heads in their order: matched ones end no lower",
        NOT_THERE,
        as_good(MAIN, ablated("matched")),
        DERIVED,
    ),
    claim(
        "S8",
        "Copying a map is better than to leave the attention out, each trained further",
        "not in the paper; attentions can be dropped (2406.15786)",
        compared(ablated("continual"), ablated("dropped")),
        DERIVED,
    ),
    *(
        worth(f"L{number}", f"The loss on {words} helps", f"no-{name}", EFFECT / 2)
        for number, (name, words) in enumerate(LOSSES.items(), 1)
    ),
    worth("L4", "The teacher's labels teach more than the true ones", "true-labels"),
    claim(
        "L5",
        "The direction of the divergence does not matter",
        "reverse in the paper; forward is usual",
        Custom(SameNumber(compared(ablated("forward"), MAIN, "loss", SAME, "same"))),
        DERIVED,
    ),
    claim(
        "F1",
        "The trained model is needed: from scratch, with the tokens of both trainings, "
        "the shared model ends higher",
        NOT_THERE,
        compared(MAIN, ablated("scratch")),
        DERIVED,
    ),
    claim(
        "F2",
        "From scratch, with the tokens of the second training alone, the shared model "
        "ends far higher",
        NOT_THERE,
        compared(MAIN, ablated("scratch-short"), by=10 * EFFECT),
        DERIVED,
    ),
    claim(
        "F3",
        "From scratch the copied maps are not missed",
        NOT_THERE,
        as_good(ablated("scratch"), "text-0-scratch"),
        DERIVED,
    ),
    claim(
        "A1",
        "On addition, too, distilling first ends lower",
        "a stress test",
        compared("addition-40-kd-continual", "addition-40-continual"),
        DERIVED,
    ),
    claim(
        "A2",
        "On addition copied maps are not missed",
        "a stress test",
        as_good("addition-40-kd-continual", "addition-0-continual"),
        DERIVED,
    ),
)
