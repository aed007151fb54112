"""What we expect of the five together, and the test that answers each expectation.

No paper claims any of it: these are our own hypotheses, written before any run was
looked at. Losses are in nats per token on held-out text. An interaction is the loss of
both, minus that of each alone, plus that of neither: above zero the two fight.
"""

from collections.abc import Sequence

from kit.studies.capstone.arms import HALF
from kit.studies.capstone.base import (
    INGREDIENTS,
    POSITIONS,
    PRUNED,
    RATES,
    SHARED,
    SIMPLIFIED,
    name_of,
    together,
    without,
)
from kit.studies.claim import Claim, Test
from kit.studies.claims import AllOf, Difference
from kit.studies.contrasts import Contrast

EFFECT = 0.02  # nats per token: a difference below it does not matter
SAME = 0.05  # and effects that are closer than that add up
WHOLE = 0.1  # the same for all five, whose errors add up too
OURS = "our own hypothesis"
PLAIN, ALL = name_of(()), name_of(together())


def interaction(pair: Sequence[str]) -> dict[str, float]:
    """Arm -> weight of the sum that says whether two ingredients fight.

    Example:
        >>> interaction([SHARED, PRUNED])
        {'shared+pruned': 1, 'shared': -1, 'pruned': -1, 'plain': 1}
    """
    first, second = pair
    return {name_of(pair): 1, first: -1, second: -1, PLAIN: 1}


def beyond_the_sum() -> dict[str, float]:
    """The same for all five: the whole minus what the effects alone add up to."""
    alone = dict.fromkeys(INGREDIENTS, -1.0)
    return {ALL: 1.0, **alone, PLAIN: len(INGREDIENTS) - 1.0}


def _alone(
    id: str, ingredient: str, statement: str, why: str, by: float, direction: str
) -> Claim:
    test = Difference(ingredient, PLAIN, "loss", by, direction, form=".3f")
    return Claim(id, statement, why, test, OURS)


def _fight(first: str, second: str) -> Test:
    return _sum((first, second), EFFECT, "greater")


def _add_up(*couples: tuple[str, str]) -> Test:
    return AllOf([_sum(pair, SAME, "same") for pair in couples])


def _sum(pair: Sequence[str], by: float, direction: str) -> Contrast:
    words = f"Interaction of {' and '.join(INGREDIENTS[name] for name in pair)}"
    return Contrast(words, interaction(pair), "loss", by, direction)


A = (
    _alone(
        "A1",
        SIMPLIFIED,
        "Simplified blocks alone cost little",
        "The study simplify finds SAS-P close behind Pre-LN",
        SAME,
        "no more",
    ),
    _alone(
        "A2",
        POSITIONS,
        "Leaving out positions alone costs something",
        "The study symmetry finds that on characters",
        EFFECT,
        "greater",
    ),
    _alone(
        "A3",
        RATES,
        "Learning rates by block alone lower the loss",
        "The main claim of the paper of the study sharpness",
        EFFECT,
        "less",
    ),
    _alone(
        "A4",
        SHARED,
        "Sharing maps alone costs little, once the model is trained further",
        "The study sharing asks the same, with a teacher too",
        SAME,
        "no more",
    ),
    _alone(
        "A5",
        PRUNED,
        "Pruning alone costs something, although the model is trained further",
        "More than a third of its blocks is gone, far more than sharing saves",
        EFFECT,
        "greater",
    ),
)

B = (
    Claim(
        "B1",
        "Simplified blocks and no positions fight",
        "By symmetry, skips carry the order upwards; SAS-P has none",
        _fight(SIMPLIFIED, POSITIONS),
        OURS,
    ),
    Claim(
        "B2",
        "Simplified blocks and sharing fight",
        "An attention of SAS-P that copies its map has no matrix left",
        _fight(SIMPLIFIED, SHARED),
        OURS,
    ),
    Claim(
        "B3",
        "Simplified blocks and pruning fight",
        "In SAS-P the identity is part of the attention, and goes with it",
        _fight(SIMPLIFIED, PRUNED),
        OURS,
    ),
    Claim(
        "B4",
        "Sharing and pruning fight",
        "Both take from the attentions, and what one leaves the other needs",
        _fight(SHARED, PRUNED),
        OURS,
    ),
    Claim(
        "B5",
        "Learning rates by block add up with each of the other four",
        "They change how fast a model learns, and not what it can",
        _add_up(*((RATES, other) for other in without(RATES))),
        OURS,
    ),
    Claim(
        "B6",
        "No positions add up with sharing, and with pruning",
        "The causal mask, which tells the order, is left in place",
        _add_up((POSITIONS, SHARED), (POSITIONS, PRUNED)),
        OURS,
    ),
)

W = (
    Claim(
        "W1",
        "All five cost more together than alone, added up",
        "Follows from B1 to B4, unless pairs undo each other",
        Contrast(
            "All five minus the sum of the effects alone",
            beyond_the_sum(),
            "loss",
            WHOLE,
        ),
        OURS,
    ),
    Claim(
        "W2",
        "All five together are better than a plain model of half the blocks, with as "
        "many tokens",
        "Else all the work would be for nothing: that model is about as large",
        Difference(ALL, HALF, "loss", EFFECT, "less", form=".3f"),
        OURS,
    ),
    Claim(
        "W3",
        "In the whole, too, learning rates by block lower the loss",
        "Follows from A3 and B5",
        Difference(ALL, name_of(without(RATES)), "loss", EFFECT, "less", form=".3f"),
        OURS,
    ),
    Claim(
        "W4",
        "All five without simplified blocks are better than all five",
        "Follows from B1 to B3: three of the four fights are theirs",
        Difference(
            name_of(without(SIMPLIFIED)), ALL, "loss", EFFECT, "less", form=".3f"
        ),
        OURS,
    ),
)

CLAIMS = (*A, *B, *W)
