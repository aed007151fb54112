"""The Sharpness Disparity Principle (Wang et al., 2502.19002)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kit.studies.cost import plan
from kit.studies.results import Results
from kit.studies.search import SEARCH, range_in_words
from kit.studies.sharpness.arms import all_variants, arms
from kit.studies.sharpness.base import LION_RATES, RATES, SCALES
from kit.studies.sharpness.claims import CLAIMS
from kit.studies.study import Figure, Study

if TYPE_CHECKING:
    from kit.studies.verdicts import Verdict

SEEDS = {"smoke": 1, "quick": 3, SEARCH: 1, "full": 3}

CARD = """
Is every part of a Transformer as curved as every other? The paper says no: after
training, the loss is flattest in the embedding, then in queries and keys, the
feed-forward, values and projection, and by far the sharpest in the norms. And if the
sharp parts are what limits the learning rate, the flat ones can have a larger one:
10, 8, 6 and 4 times that of the norms.

**Command** `kit reproduce sharpness --budget full` (quick: under 8 minutes on 2 cores).

**What was read.** Abstract, introduction, the official training code and the figures of
its README; no code of the sharpness measurements was published.

**Sharpness** of a block is the trace of the Hessian in it over its number of
parameters, in all layers. Measured as N |grad|^2 with labels drawn from the model, N
the tokens of a batch, which has the trace of the Fisher matrix as its mean; also with
the true labels, and once from the Hessian itself. Emb is the matrix of token
embeddings there, as in the paper; a head of its own and learned positions are measured
by themselves. Which rates they had in the paper is not known: here that of Emb, and in
one arm the head has that of the norms.

**Set-up.** Of the LLaMA type (RMSNorm, SwiGLU, rotary, head of its own) and of the GPT
type (LayerNorm, GELU, learned positions, tied head), six blocks of width 64; the
offline text as 2,048 byte pairs, one pass (two for AdamW with twice the steps); AdamW
(0.9, 0.95), decay 0.1 on everything, clipping at 1, 2 % warm-up, cosine to a twentieth.
Rates by block follow `*_alpha` of the official code: a ratio multiplies peak and length
of the warm-up, all end at a common rate, and decay goes with the rate. The paper trains
12 to 32 blocks of width 768 to 2048 for 30,000 steps and more: what needs size or
length may not show here. 3-digit addition, with 14 symbols, is the stress test.

**Learning rates.** Every arm was given the same grid, {rates} (Lion a tenth: {lion}),
on one seed and a quarter of the steps (`--budget search`), and takes the rate with the
lowest loss: {found}; of Lion, {lion_found}. The arms that are named after a multiple of
AdamW's rate take that, as does AdamW with twice the steps.

**What counts.** A claim is *reproduced* when the 95 % interval over seeds lies wholly
on its side of the smallest effect that matters, *not reproduced* when it lies wholly on
the other side, else *undecided*. Claims that are tested together are corrected for it
(Holm). The paper's "much less" is tested as "less".

**What it costs.** {cost}
"""


def card() -> str:
    """The report's introduction."""
    return CARD.format(
        rates=", ".join(f"{rate:g}" for rate in RATES),
        lion=", ".join(f"{rate:g}" for rate in LION_RATES),
        found=_found(RATES),
        lion_found=_found(LION_RATES),
        cost=plan(arms, SEEDS),
    )


def _found(rates: Sequence[float]) -> str:
    """What the search found for the arms that were given a grid."""
    variants = all_variants(SCALES["full"])
    names = [n for n, each in variants.items() if each.grid == rates and not each.like]
    return range_in_words("sharpness", rates, names)


def figures(results: Results) -> list[Figure]:
    """The report's figures; workers never draw, so they need not load Matplotlib."""
    from kit.studies.sharpness.drawing import draw

    return draw(results)


def in_short(results: Results, verdicts: Sequence["Verdict"]) -> list[str]:
    """The study in a few sentences; see `sentences`."""
    from kit.studies.sharpness import sentences

    return sentences.in_short(results, verdicts)


STUDY = Study(
    slug="sharpness",
    title="Sharp and flat blocks",
    paper="The Sharpness Disparity Principle (2502.19002)",
    card=card,
    arms=arms,
    seeds=SEEDS,
    claims=CLAIMS,
    prepare="kit.studies.sharpness.cells:prepare",
    figures=figures,
    in_short=in_short,
    metrics={
        "loss": ".3f",
        "tau_start": ".2f",
        "tau_early": ".2f",
        "tau_end": ".2f",
        "tau_end_true": ".2f",
        "type_share": ".0%",
        "depth_share": ".0%",
    },
)
