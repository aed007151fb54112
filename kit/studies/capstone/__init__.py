"""All five papers in one model: which gains add up, and which fight."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kit.studies.capstone.arms import arms
from kit.studies.capstone.base import (
    FURTHER,
    LEARNING_RATES,
    PRUNED,
    SCALES,
    SEARCH_SEEDS,
    SHARE,
    SHARED,
    SIMPLIFIED,
    SPARSITY,
    taken,
)
from kit.studies.capstone.claims import CLAIMS
from kit.studies.cost import plan
from kit.studies.results import Results
from kit.studies.search import SEARCH, range_in_words
from kit.studies.study import Figure, Study
from kit.studies.text import BATCH, CONTEXT

if TYPE_CHECKING:
    from kit.studies.verdicts import Verdict

SEEDS = {"smoke": 1, "quick": 3, SEARCH: SEARCH_SEEDS, "full": 5}
SHOWN = ("blocks", "width", "steps", "further")  # of the full budget, in the card

CARD = """
Five papers, five changes of one model: simplified blocks, no positions, learning rates
by block, shared attention maps, pruning. Each has a study of its own. Here they meet.

**Command** `kit reproduce capstone --budget full` (quick: under 8 minutes on 2 cores).

**Whose claims.** No paper says anything about it. The claims are our own hypotheses,
written down before the first run. *Reproduced* only means that we were right.

**What adds up.** The effect of an ingredient is the loss with it minus the loss
without, in nats per token, seed by seed. Two add up when the effect of both is the sum
of their effects. The interaction is what is left: above zero they fight, below zero
they help each other. All of this is so in nats: where effects add up, they multiply the
perplexity, and on another scale other pairs may fight.

**Set-up.** The plain model is that of `simplify`: Pre-LN with ReLU, RMSNorm and learned
positions, {blocks} blocks of width {width}, on the offline text as byte pairs. The
ingredients: SAS-P blocks, all equal (its first block, too, has no value matrix, because
two-stage pruning needs blocks of one size); no positions; the ratios of the paper on
learning rates, where the gains of SAS-P have the rate of norms; {copied:g} % of the
attentions, {copies} of {blocks}, copy the map of an earlier one, those with the most
similar maps, and where some are pruned as many of the others; 2SSP takes {sparsity:g} %
of the parameters of the blocks: by its rule {pruned} attentions of a plain model and
{simplified} of one with SAS-P blocks, which are smaller, and neurons for the rest.

**Order.** Sharing and pruning need a trained model. So every arm is trained for {steps}
steps, then pruned, then shared, if it is to be, and then trained for {further} more,
also where nothing was taken away: {tokens} tokens in every arm. There is no teacher.
Arms that differ only in what is taken away start from the same models.

**Learning rates.** Every first training was given the same grid, {rates}, on {seeds}
seeds (one at the ends of the grid) and all of its {search} steps (`--budget search`),
and has the rate with the lowest mean: {found}. The further training of every arm
starts at {share:.2g} of the rate of its first one. That rule was not searched, and may
suit one arm better than another.

**The control** is a plain model of half the blocks. It is not smaller than all five
together, and has had a learning-rate search of its own.

**What counts.** A claim is *reproduced* when the 95 % interval over seeds lies wholly
on its side of the smallest effect that matters, *not reproduced* when it lies wholly on
the other side, else *undecided*. Seeds are paired: the runs of one read the same text
in the same order. Claims that are tested together are corrected for it (Holm). All ten
pairs are told at once, by intervals that are corrected too (Bonferroni).

**What it leaves open.** One model, one text, one strength of each ingredient. A rate
that a search on a few seeds and a coarse grid has missed is part of an interaction, as
if it were a fight, and no interval over seeds knows of it. Tokens per second are those
of reading held-out text on one core, without XLA.

**What it costs.** {cost}
"""


def card() -> str:
    """The report's introduction."""
    full = SCALES["full"]
    return CARD.format(
        **{name: getattr(full, name) for name in SHOWN},
        tokens=f"{(full.steps + full.further) * BATCH * CONTEXT:,}",
        rates=", ".join(f"{rate:g}" for rate in LEARNING_RATES),
        search=SCALES[SEARCH].steps,
        seeds=SEARCH_SEEDS,
        found=range_in_words("capstone", LEARNING_RATES),
        share=FURTHER,
        copied=100 * SHARE,
        copies=taken([SHARED], full)[1],
        sparsity=100 * SPARSITY,
        pruned=taken([PRUNED], full)[0],
        simplified=taken([SIMPLIFIED, PRUNED], full)[0],
        cost=plan(arms, SEEDS),
    )


def figures(results: Results) -> list[Figure]:
    """The report's figures; workers never draw, so they need not load Matplotlib."""
    from kit.studies.capstone.drawing import draw

    return draw(results)


def in_short(results: Results, verdicts: Sequence["Verdict"]) -> list[str]:
    """The study in a few sentences; see `sentences`."""
    from kit.studies.capstone import sentences

    return sentences.in_short(results, verdicts)


STUDY = Study(
    slug="capstone",
    title="All five together",
    paper="No paper: hypotheses of ours",
    card=card,
    arms=arms,
    seeds=SEEDS,
    claims=CLAIMS,
    prepare="kit.studies.capstone.cells:prepare",
    figures=figures,
    in_short=in_short,
    arms_per_process=4,  # each seed traces a model of its own
    metrics={
        "first_loss": ".3f",
        "loss": ".3f",
        "parameters": ",.0f",
        "flops_per_token": ",.0f",
        "tokens_per_second": ",.0f",
    },
)
