"""2SSP: two-stage structured pruning (Sandri et al., 2501.17771)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kit.studies.cost import plan
from kit.studies.pruning.arms import arms
from kit.studies.pruning.base import (
    PAPER_SEQUENCES,
    PAPER_TIME,
    SCALES,
    named,
    subjects,
)
from kit.studies.pruning.claims import CLAIMS
from kit.studies.pruning.real import (
    CHECKPOINT_SPARSITIES,
    NOT_ON_CHECKPOINT,
    SCORED,
    SEARCHED,
    TIME,
)
from kit.studies.pruning.sizes import SMOLLM2, judged
from kit.studies.results import Results
from kit.studies.study import Figure, Study
from kit.studies.text import CONTEXT, VOCABULARY

if TYPE_CHECKING:
    from kit.studies.verdicts import Verdict

SEEDS = {"smoke": 1, "quick": 3, "full": 5}

CARD = """
Which half of a Transformer can go? Two-stage pruning takes neurons first, the same
number from every feed-forward, by how active they are on a little text; then whole
attentions, one by one, each time the one that is missed least. A closed rule says how
many of each. Nothing is trained.

**Command** `kit reproduce pruning --budget full` (quick: under 8 minutes on 2 cores).

**What was read.** Abstract and the whole official code; the body of the paper and its
tables were not accessible, so no number of theirs is quoted.

**Sparsity** is the share of the parameters of all blocks that is gone, norms included,
embeddings and head not. Methods that remove whole blocks overshoot, so all are compared
at the same place of their curves.

**Set-up.** Of the LLaMA type (RMSNorm, SwiGLU, rotary), {scale.blocks} blocks of width
{scale.width}, and of the GPT type, {scale.deep} of width {scale.narrow}; a feed-forward
has twice the parameters of an attention, as in Llama-2. The offline text as
{vocabulary:,} byte pairs. Each seed trains a model, once, and
every arm prunes that one: so arms are paired. Losses are on held-out text, without
training after pruning but where it says so. 3-digit addition in {addition_blocks}
blocks is the stress test, judged on the digits of the answer.

**Calibration** is on training text: {scale.sequences} sequences of {context} tokens for
scores, and {scale.search} of them, {searched:,} tokens, for what goes as a whole. All
methods get the same. The authors' code takes {paper_sequences} sequences of
{paper_time:,} tokens for the scores of 2SSP and one of them for what goes as a whole,
and other numbers for other methods.

**SmolLM2-135M** is part of the full run where it is found (`kit fetch smollm2`) with
three texts in $KIT_DATA: calibrated on the offline text, judged on tinyshakespeare,
classic_children and the last words of sentences of tinystories_sample. A seed draws
calibration data and passages. Being large, it gets less text: {scored} sequences of
{time} tokens for scores, and {real_searched} of them for what goes as a whole, which is
{less:.0%} of the tokens that the paper takes for that. C1e, C1f and C4c rest on it.
{missing} were not run on it because of their cost: {judged}

**What counts.** A claim is *reproduced* when the 95 % interval over seeds lies wholly
on its side of the smallest effect that matters, *not reproduced* when it lies wholly on
the other side, else *undecided*. Claims that are tested together are corrected for it
(Holm).

**What it costs.** {cost}
"""


def card() -> str:
    """The report's introduction."""
    full = SCALES["full"]
    return CARD.format(
        scale=full,
        vocabulary=VOCABULARY,
        context=CONTEXT,
        searched=full.search * CONTEXT,
        paper_sequences=PAPER_SEQUENCES,
        paper_time=PAPER_TIME,
        scored=SCORED,
        time=TIME,
        real_searched=SEARCHED,
        less=SEARCHED * TIME / PAPER_TIME,
        addition_blocks=len(subjects(full)["addition"].model.blocks),
        missing=named(NOT_ON_CHECKPOINT),
        judged=_judged(max(CHECKPOINT_SPARSITIES)),
        cost=plan(arms, SEEDS),
    )


def _judged(sparsity: float) -> str:
    """How many pruned models each search judges on the checkpoint."""
    counts = {
        method: f"{fewest:,}" + f" to {most:,}" * (most > fewest)
        for method in ("2ssp", *NOT_ON_CHECKPOINT)
        for fewest, most in [judged(method, SMOLLM2, sparsity)]
    }
    return (
        f"at {sparsity:.0%} 2SSP judges {counts['2ssp']} pruned models; BlockPruner, "
        "which removes one half of a block after another and each time tries all that "
        f"are left, {counts['blockpruner']}; and EvoPress {counts['evopress']}."
    )


def figures(results: Results) -> list[Figure]:
    """The report's figures; workers never draw, so they need not load Matplotlib."""
    from kit.studies.pruning.drawing import draw

    return draw(results)


def in_short(results: Results, verdicts: Sequence["Verdict"]) -> list[str]:
    """The study in a few sentences; see `sentences`."""
    from kit.studies.pruning import sentences

    return sentences.in_short(results, verdicts)


STUDY = Study(
    slug="pruning",
    title="Two-stage pruning",
    paper="2SSP: Two-Stage Structured Pruning (2501.17771)",
    card=card,
    arms=arms,
    seeds=SEEDS,
    claims=CLAIMS,
    prepare="kit.studies.pruning.cells:prepare",
    figures=figures,
    in_short=in_short,
    metrics={
        "loss": ".3f",
        "loss_at_25%": ".3f",
        "loss_at_37.5%": ".3f",
        "loss_at_50%": ".3f",
        "exact_match_at_50%": ".1%",
        "regret": ".3f",
        "recovered_loss": ".3f",
    },
)
