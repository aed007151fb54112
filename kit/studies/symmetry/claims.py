"""What the paper claims, and the test that answers each claim.

Sources are quoted as `papers` of the study's card: the abstracts and introduction of
both versions were read, the experiments only through a summary.
"""

from collections.abc import Callable

from scipy.stats import binom

from kit.probes.ceilings import bayes_ceilings
from kit.probes.symmetry import INVARIANCE_TOLERANCE
from kit.studies.claims import (
    AllOf,
    Claim,
    Custom,
    Difference,
    Exact,
    Value,
)
from kit.studies.findings import UNDECIDED, Finding
from kit.studies.results import Results

# Half of the held-out sums: ten times what an order-blind model can do, and a mean that
# no arm reaches whose runs mostly fail.
LEARNT = 0.5
# Rounding leaves 1e-6 of the logits' size, a dependence on order a tenth and more.
SURELY_BROKEN = 1e-3

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


def of_those_run(arms: list[str], test: Callable[[list[str]], Callable]) -> Custom:
    """A test of those of `arms` that a budget has; it needs at least one."""

    def run(results: Results) -> Finding:
        present = [arm for arm in arms if arm in results.arms]
        if not present:
            return Finding(UNDECIDED, "None of the arms was run.")
        return test(present)(results)

    return Custom(run)


def largest(prefix: str, results: Results) -> str | None:
    """The arm of a family with the most blocks changed, such as `G-4-consecutive`."""
    family = [arm for arm in results.arms if arm.startswith(prefix)]
    return max(family, key=lambda arm: int(arm.split("-")[1]), default=None)


def _changes(arms: list[str], **bound: float) -> AllOf:
    weights = ("random_weights_change", "trained_weights_change")
    return AllOf([Exact(arms, metric, form=".1e", **bound) for metric in weights])


def _with_fewest_skips(
    test: Callable[[str], Callable[[Results], Finding]],
) -> Custom:
    """A test of the arm with the most consecutive blocks without skips."""

    def run(results: Results) -> Finding:
        arm = largest("G-", results)
        if arm is None:
            return Finding(UNDECIDED, "No arm without skips was run.")
        return test(arm)(results)

    return Custom(run)


def _stays_below_the_ceiling(results: Results) -> Finding:
    """At most the ceiling, plus what drawing the held-out pairs can add."""
    tests = []
    for arm in ("C-one-block", "E-full"):
        if not results.of(arm):
            return Finding(UNDECIDED, f"The arm {arm} was not run.")
        pairs = results.of(arm)[0].spec["task"]["validation_pairs"]
        bound = luckiest_share(REVERSED.exact_match, pairs)
        tests.append(Exact([arm], "exact_match", at_most=bound, form=".2%"))
    return AllOf(tests)(results)


def _passes_the_ceiling(results: Results) -> Finding:
    """More than the ceiling, and more than drawing the held-out pairs can add."""
    rows = results.of("B-none")
    if not rows:
        return Finding(UNDECIDED, "The arm B-none was not run.")
    pairs = rows[0].spec["task"]["validation_pairs"]
    bound = luckiest_share(REVERSED.exact_match, pairs)
    return Exact(["B-none"], "exact_match", at_least=bound, form=".2%")(results)


def luckiest_share(probability: float, draws: int) -> float:
    """The share of successes that `draws` exceed once in a thousand times.

    Example:
        >>> luckiest_share(0.5, 4) <= 1.0
        True
    """
    return float(binom.ppf(0.999, draws, probability)) / draws


REVERSED = bayes_ceilings(digits=3, reverse=True)

CLAIMS = (
    Claim(
        "C1a",
        "Without positions, a full mask of any depth, and one causal block, predict "
        "the same whatever the order of the earlier tokens",
        "Theorem for the full mask (introduction); one causal block is our addition",
        of_those_run(
            INVARIANT, lambda arms: _changes(arms, at_most=INVARIANCE_TOLERANCE)
        ),
        "theorem",
    ),
    Claim(
        "C1b",
        "Two causal blocks, with or without skips, break that symmetry, and so do "
        "learned, sinusoidal, rotary and ALiBi positions",
        "Abstract: the causal mask is what tells positions apart",
        of_those_run(BROKEN, lambda arms: _changes(arms, at_least=SURELY_BROKEN)),
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
        "Every such run passes what an order-blind model can do, so it uses the order",
        "What the argument needs: the causal mask is the only thing left to break the "
        "symmetry",
        Custom(_passes_the_ceiling),
        "derived here",
    ),
    Claim(
        "C2c",
        "Without positions and without a causal mask of two blocks or more, exact "
        f"match stays at or below {REVERSED.exact_match:.2%}, plus the luck of the "
        "held-out pairs",
        "Derived here by enumerating all pairs: the best that an invariant predictor "
        "can do",
        Custom(_stays_below_the_ceiling),
        "derived here",
    ),
    Claim(
        "C2d",
        "Such a model reaches the floor of the loss that order-blindness allows, "
        f"{REVERSED.cross_entropy:.3f} nats per digit, to within 5 %",
        "Derived here by the same enumeration",
        AllOf(
            [
                Value(arm, "loss", at_most=1.05 * REVERSED.cross_entropy, form=".3f")
                for arm in ("C-one-block", "E-full")
            ]
        ),
        "derived here",
    ),
    Claim(
        "C3",
        "Each slice keeps its own token better where skips are kept",
        "Introduction of v1, as an intuition",
        _with_fewest_skips(
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
        _with_fewest_skips(
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
        "C5",
        "Without skips, activations of neighbouring layers correlate less with their "
        "own position, relative to other positions",
        "Second-hand: correlation matrices have more off-diagonal mass; the exact "
        "definition is unknown",
        _with_fewest_skips(
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
        "The failure is about positions: with learned positions, the same skips can go",
        "v1 suggests it; the abstract of v2 says that no definitive evidence was found",
        _with_fewest_skips(
            lambda arm: Difference(
                arm.replace("G-", "I-"), arm, "exact_match", smallest_effect=0.3
            )
        ),
        "withdrawn by v2",
    ),
    Claim(
        "C6b",
        "A lower learning rate does not rescue training without skips",
        "Control of ours: if it does, the failure was one of optimisation",
        of_those_run(
            ["K-4-rate-x0.3", "K-4-rate-x0.1"],
            lambda arms: AllOf(
                [Value(arm, "exact_match", at_most=LEARNT, form=".1%") for arm in arms]
            ),
        ),
        "control",
    ),
)
