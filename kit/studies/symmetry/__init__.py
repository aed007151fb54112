"""Breaking Symmetry When Training Transformers (Zuo and Guerzhoy, 2402.05969)."""

from kit.studies.results import Results
from kit.studies.study import Figure, Study
from kit.studies.symmetry.arms import arms
from kit.studies.symmetry.claims import CLAIMS

SEEDS = {"smoke": 1, "quick": 3, "full": 3}

CARD = """
How does a Transformer know the order of its tokens when nobody tells it? Without
positional encoding, attention treats its input as a bag of tokens. The paper argues
that the causal mask must then be what breaks this symmetry, and guesses that skip
connections help each vertical slice of the network to keep its own position. Its task
is 3-digit addition, where the place of a digit decides what it is worth.

**Command** `kit reproduce symmetry --budget full` (quick: under 6 minutes on 2 cores).

**What was read.** The abstracts and introductions of both versions; the experiments
only through a summary, so the paper's accuracies, sizes and steps are unknown, and no
number of theirs is quoted here. The second version withdrew the evidence for the skip
hypothesis. The ceilings are our own: the best that an order-blind model can do follows
from enumerating all million pairs.

**Set-up.** `abc+def=` and the four digits of the answer, lowest first, all
zero-padded; held-out pairs never occur in training in either order; AdamW, warm-up,
linear decay; exact match by greedy decoding. A full mask would see the answer, so its
arms learn one next token a pass, and everything after it is padded away.

**What counts.** A claim is *reproduced* when the 95 % interval over seeds lies wholly
on its side of the smallest effect that matters, *not reproduced* when it lies wholly on
the other side, else *undecided*; what a theorem says must hold in every run. Claims
that are tested together are corrected for it (Holm). Fewer than three seeds decide
nothing. The learning rate was searched once, on the base without positions; the control
K lowers it where no skips are left.

**What it costs.** {cost}
"""


def _cost() -> str:
    """The plan's arithmetic, budget by budget."""
    lines = []
    for budget in ("quick", "full"):
        every = arms(budget)
        cells = sum(arm.seeds or SEEDS[budget] for arm in every)
        training = sum(arm.cost * (arm.seeds or SEEDS[budget]) for arm in every)
        preparing = sum(arm.preparation for arm in every)
        minutes = (training + preparing) / 2 / 60
        lines.append(
            f"{budget}: {len(every)} arms and {cells} runs, {training / 60:.0f} "
            f"minutes of training and {preparing / 60:.0f} of compiling, "
            f"about {minutes:.0f} minutes on 2 cores"
        )
    return "; ".join(lines) + ". Runs that reach their target end sooner."


def figures(results: Results) -> list[Figure]:
    """The report's figures; workers never draw, so they need not load Matplotlib."""
    from kit.studies.symmetry.drawing import draw

    return draw(results)


STUDY = Study(
    slug="symmetry",
    title="Order without positions",
    paper="Breaking Symmetry When Training Transformers (2402.05969)",
    card=CARD.format(cost=_cost()),
    arms=arms,
    seeds=SEEDS,
    claims=CLAIMS,
    prepare="kit.studies.symmetry.cells:prepare",
    figures=figures,
    metrics={
        "exact_match": ".1%",
        "loss": ".3f",
        "steps_taken": ".0f",
        "permutation_change": ".1e",
        "own_token_margin": ".2f",
        "diagonal_dominance": ".2f",
        "random_weights_change": ".1e",
        "trained_weights_change": ".1e",
    },
)
