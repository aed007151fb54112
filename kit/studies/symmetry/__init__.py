"""Breaking Symmetry When Training Transformers (Zuo and Guerzhoy, 2402.05969)."""

from kit.studies.cost import plan
from kit.studies.results import Results
from kit.studies.study import Figure, Study
from kit.studies.symmetry.arms import arms
from kit.studies.symmetry.claims import CLAIMS
from kit.studies.symmetry.sentences import in_short

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

**Where it differs.** Claims about skips compare models of four blocks; the summary
reports six for the paper. Which skips matter, and where, is asked at one learning rate
(C4b to C4d, and C6a for two and three blocks); lower ones are tried only where no skip
is left. Two models that both fail cannot be compared: such a claim is *undecided*.

**Failing is not forgetting.** A model "does not learn" here when it has not learnt all
four digits within the given steps. Without skips nearly every run stops at ln(10)/2
nats per digit: the upper two digits are right, the lower two are guessed. The hundreds
are then right more often than any model could manage that reads its prompt as a bag, so
such a model knows the order (C6c), and its failure is no evidence that skips keep it.

**Set-up.** `abc+def=` and the four digits of the answer, all zero-padded, lowest digit
of the answer first (three arms write the highest first, and are named so); held-out
pairs never occur in training in either order; AdamW, warm-up, linear decay; exact match
by greedy decoding. A full mask would see the answer, so its arms learn one next token a
pass, and everything after it is padded away; that costs four times as much, so they
have two blocks and fewer steps. Text is learnt by characters, with cosine decay.

**Learning rate.** Searched once, on the base without positions, with one seed. All
arms on addition have it but the control K: where no skip is left, the model without
positions and the one with learned positions both get two lower rates as well.

**Looking inside.** 400 held-out sums, after training. The readouts of positions and
tokens are linear discriminants, fitted on half of the sums and judged on the other
half, at the six digits of the operands. What C5 reads is the kit's own definition of a
correlation between layers, for the paper's could not be found.

**What counts.** A claim is *reproduced* when the 95 % interval over seeds lies wholly
on its side of the smallest effect that matters, *not reproduced* when it lies wholly on
the other side, else *undecided*; what follows from a theorem, or from counting, must
hold in every run. Claims that are tested together are corrected for it (Holm). Fewer
than three seeds decide nothing. In the full budget arms whose interval decides a
claim of the paper have five, the others three.

**What it costs.** {cost}
"""


def card() -> str:
    """The report's introduction."""
    return CARD.format(cost=plan(arms, SEEDS))


def figures(results: Results) -> list[Figure]:
    """The report's figures; workers never draw, so they need not load Matplotlib."""
    from kit.studies.symmetry.drawing import draw

    return draw(results)


STUDY = Study(
    slug="symmetry",
    title="Order without positions",
    paper="Breaking Symmetry When Training Transformers (2402.05969)",
    card=card,
    arms=arms,
    seeds=SEEDS,
    claims=CLAIMS,
    prepare="kit.studies.symmetry.cells:prepare",
    figures=figures,
    in_short=in_short,
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
