"""Claims about order: who can know it, and what it is worth to know it (C1, C2).

C7 and C8 are not the paper's: the order of the digits, and text.
"""

from functools import partial

from kit.probes.symmetry import INVARIANCE_TOLERANCE
from kit.studies.claims import AllOf, Claim, Custom, Difference, Exact, Value
from kit.studies.symmetry.bounds import (
    LOWEST_FIRST,
    LUCK_OF_THE_LOSS,
    PREFIX,
    digits_stay_below,
    passes,
    stays_below,
)
from kit.studies.symmetry.families import (
    LEARNT,
    last_fifth,
    of_those_run,
    saying,
)

# Rounding leaves 1e-6 of the logits' size, a dependence on order a tenth and more.
SURELY_BROKEN = 1e-3
FEWER_STEPS = 200  # two evaluations, a tenth of the longest training
SAME_LOSS = 0.1  # nats per character, about 5 % of what such a model has left

FLOOR = LOWEST_FIRST.cross_entropy

INVARIANT = [
    "N-1-full",
    "N-1-full-no-skips",
    "N-1-causal",
    "N-1-causal-no-skips",
    "N-2-full",
    "N-2-full-no-skips",
    "N-3-full",
    "N-3-full-no-skips",
]
BROKEN = [
    "N-2-causal",
    "N-2-causal-no-skips",
    "N-3-causal",
    "N-3-causal-no-skips",
    *(
        f"N-1-{mask}-{positions}"
        for mask in ("full", "causal")
        for positions in ("learned", "sinusoidal", "rotary", "alibi")
    ),
]


# The same of the arms that were trained to the end.
INVARIANT_TRAINED = ["C-one-block", "E-full", "E-highest-first", "P-prefix"]
BROKEN_TRAINED = ["A-learned", "B-none", "B-two-blocks", "D-learned-full"]


def _changes(arms: list[str], trained: list[str], **bound: float) -> AllOf:
    """The change under permutation with weights of every age."""
    weights = {
        "random_weights_change": "a change with random weights of",
        "trained_weights_change": "a change after a few steps of",
    }
    fully = "a change after the whole training of"

    def exact(arms: list[str], metric: str, words: str) -> Exact:
        return Exact(arms, metric, form=".1e", words=words, **bound)

    return AllOf(
        [
            *(
                of_those_run(arms, partial(exact, metric=metric, words=words))
                for metric, words in weights.items()
            ),
            of_those_run(
                trained, partial(exact, metric="permutation_change", words=fully)
            ),
        ]
    )


def _reaches(arm: str, at_most: float) -> Custom:
    """The mean loss of an arm, and whether it still fell when training ended."""
    value = Value(arm, "loss", at_most=at_most, form=".3f")
    return saying(value, partial(last_fifth, [arm]))


ORDER = (
    Claim(
        "C1a",
        "Without positions, a full mask of any depth, a prompt under a prefix mask, "
        "and one causal block predict the same whatever the order of the earlier "
        "tokens",
        "Theorem for the full mask (introduction); one causal block is our addition",
        _changes(INVARIANT, INVARIANT_TRAINED, at_most=INVARIANCE_TOLERANCE),
        "theorem",
    ),
    Claim(
        "C1b",
        "Two causal blocks, with or without skips, break that symmetry, and so do "
        "learned, sinusoidal, rotary and ALiBi positions",
        "Abstract: the causal mask is what tells positions apart",
        _changes(BROKEN, BROKEN_TRAINED, at_least=SURELY_BROKEN),
        "measured here",
    ),
    Claim(
        "C2a",
        "A causal model without positions learns 3-digit addition",
        "Abstract and introduction: such models work; the paper's accuracy is unknown",
        Value("B-none", "exact_match", at_least=LEARNT, form=".1%"),
        "read in the paper",
    ),
    Claim(
        "C2b",
        "Every causal run without positions passes what an order-blind model can do, "
        "so it uses the order",
        "What the argument needs: the causal mask is the only thing left to break the "
        "symmetry",
        Custom(partial(passes, "B-none")),
        "derived here",
    ),
    Claim(
        "C2c",
        "Without positions and without a causal mask of two blocks or more, exact "
        f"match stays at or below {LOWEST_FIRST.exact_match:.2%}, plus the luck of the "
        "held-out pairs",
        "Derived here by enumerating all pairs: the best that an invariant predictor "
        "can do",
        Custom(partial(stays_below, ("C-one-block", "E-full"))),
        "derived here",
    ),
    Claim(
        "C2d",
        "Within the given steps an order-blind model reaches the floor of the loss "
        f"that order-blindness allows, {FLOOR:.3f} nats per digit, to within 5 %",
        "Derived here by the same enumeration",
        AllOf(
            [_reaches(arm, at_most=1.05 * FLOOR) for arm in ("C-one-block", "E-full")]
        ),
        "derived here",
    ),
    Claim(
        "C2e",
        "Two causal blocks are enough: without positions they pass what an order-blind "
        "model can do as well",
        "Derived here: the symmetry breaks from the second block on",
        Custom(partial(passes, "B-two-blocks")),
        "derived here",
    ),
    Claim(
        "C2f",
        "Learned positions are all that the full mask lacks: with them it learns to "
        "add",
        "What the argument needs: positions break the symmetry as well",
        Value("D-learned-full", "exact_match", at_least=LEARNT, form=".1%"),
        "derived here",
    ),
    Claim(
        "C2g",
        "A prompt without positions under a full mask stays a bag even where the "
        f"answer is causal: exact match at most {PREFIX.exact_match:.2%}, loss at "
        f"least {PREFIX.cross_entropy:.3f} nats per digit, up to the luck of the "
        "held-out pairs",
        "Derived here by enumerating all pairs, for a prefix mask",
        AllOf(
            [
                Custom(partial(stays_below, ("P-prefix",))),
                Exact(
                    ["P-prefix"],
                    "loss",
                    at_least=(1 - LUCK_OF_THE_LOSS) * PREFIX.cross_entropy,
                    form=".3f",
                ),
            ]
        ),
        "derived here",
    ),
    Claim(
        "C2h",
        "After a prompt without order the causal mask tells that of the answer: within "
        f"the given steps the loss falls at least 5 % below {FLOOR:.3f} nats, the "
        "floor of a model that reads the answer as a bag, too",
        "Derived here: what the two floors leave between them is the answer's order",
        _reaches("P-prefix", at_most=0.95 * FLOOR),
        "derived here",
    ),
    Claim(
        "C2i",
        "No digit of an order-blind model is right more often than counting allows, "
        "whichever digit is written first, up to the luck of the held-out pairs",
        "Derived here by the same enumeration, digit by digit",
        of_those_run(
            ["C-one-block", "E-full", "E-highest-first"],
            lambda arms: Custom(partial(digits_stay_below, arms)),
        ),
        "derived here",
    ),
    Claim(
        "C7",
        "An answer is learnt more easily lowest digit first: with positions at least "
        f"{FEWER_STEPS} steps sooner, and without them, where the steps run out, at "
        "least a tenth of the sums more are right at the end",
        "Others report it with positions (Lee et al., 2307.03381); the paper's own "
        "order of digits is unknown",
        AllOf(
            [
                Difference("A-highest-first", "A-learned", "steps_taken", FEWER_STEPS),
                Difference("B-none", "B-highest-first", "exact_match", 0.1),
            ]
        ),
        "second-hand",
    ),
    Claim(
        "C8",
        "On English text a causal model without positions does as well as one with "
        f"them, to within {SAME_LOSS} nats per character",
        "Follow-ups and earlier work report small differences; in the paper text is "
        "not tried",
        Difference("T-none", "T-learned", "loss", SAME_LOSS, "same", form=".3f"),
        "second-hand",
    ),
)
