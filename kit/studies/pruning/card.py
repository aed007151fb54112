"""The report's introduction: what is asked, how, and at which sizes."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from kit.markdown import table
from kit.studies.cost import plan
from kit.studies.pruning.arms import SPLITS, arms
from kit.studies.pruning.base import (
    METHODS,
    PAPER_SEQUENCES,
    PAPER_TIME,
    SCALES,
    named,
    subjects,
)
from kit.studies.pruning.real import (
    CHECKPOINT_SPARSITIES,
    NOT_ON_CHECKPOINT,
    SCORED,
    SEARCHED,
    TIME,
)
from kit.studies.pruning.sizes import SMOLLM2, gone_of_all, judged
from kit.studies.text import CONTEXT, VOCABULARY

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
embeddings and head not. Of all parameters less is gone. SliceGPT's type narrows the
embedding too, but its head is no longer the embedding and has a matrix of its own:

{shares}

Methods that remove whole blocks overshoot, so all are compared at the same place of
their curves: on the straight line between the points around it, one of which may be the
dense model. Where a loss bends upwards, the line lies above it, so that methods that
overshoot look a little worse than they are. On SmolLM2 these are ShortGPT and the
sliding window: asked for {asked} of the blocks they remove {removed}.

Scores are not stored; `kit prune` shows how those of a model are spread.

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
    full, blocks = SCALES["full"], len(SMOLLM2.blocks)
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
        shares=_shares(),
        asked=_percents(CHECKPOINT_SPARSITIES),
        removed=_percents([ceil(s * blocks) / blocks for s in CHECKPOINT_SPARSITIES]),
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


def _percents(shares: Sequence[float]) -> str:
    *first, last = (f"{share:.1%}" for share in shares)
    return f"{', '.join(first)} and {last}"


def _shares() -> str:
    """The share of all parameters that is gone at each sparsity."""
    models = subjects(SCALES["full"])
    llama, gpt = (
        replace(models[name].model, vocabulary_size=VOCABULARY)
        for name in ("llama", "gpt")
    )
    rows = {
        models["llama"].words: (llama, False),
        f"{models['llama'].words}, {METHODS['slice']}": (llama, True),
        models["gpt"].words: (gpt, False),
        "SmolLM2-135M": (SMOLLM2, False),
        f"SmolLM2-135M, {METHODS['slice']}": (SMOLLM2, True),
    }
    return table(
        ["gone of the whole model", *(f"{s:.1%} of its blocks" for s in SPLITS)],
        [
            [words, *(f"{gone_of_all(config, s, sliced):.1%}" for s in SPLITS)]
            for words, (config, sliced) in rows.items()
        ],
    )
