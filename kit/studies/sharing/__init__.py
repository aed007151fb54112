"""EchoAtt: attend, copy, then adjust (Rajabzadeh et al., 2409.14595)."""

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from kit.studies.cost import plan
from kit.studies.results import Results
from kit.studies.search import SEARCH, range_in_words
from kit.studies.sharing.arms import arms
from kit.studies.sharing.base import (
    DISTILLED,
    FURTHER_RATES,
    RATES,
    SCALES,
    number_at_rate,
)
from kit.studies.sharing.claims import CLAIMS
from kit.studies.sharing.paper import BLOCKS, LISTS, remark
from kit.studies.sharing.real import WIDTH
from kit.studies.study import Figure, Study
from kit.studies.text import VOCABULARY

if TYPE_CHECKING:
    from kit.studies.verdicts import Verdict

SEEDS = {"smoke": 1, "quick": 3, SEARCH: 1, "full": 3}

CARD = """
Do layers attend alike? EchoAtt finds that they do, lets inner layers copy the attention
map of an earlier one, which then needs no queries and keys of its own, and distils what
is left from the model before. It reports faster models with better scores.

**Command** `kit reproduce sharing --budget full` (quick: under 8 minutes on 2 cores).

**What was read.** The full paper; no code was published. {remark}

**Likeness is easy to have.** Flat maps are alike, and so are maps with a sink: before
training all are, and the cosine of unrelated maps can be 0.9. So three measures are
shown, each beside a null model that keeps how sharp each row is and its sink, and
forgets who attends to whom; and beside the maps of another model.

**Set-up.** Of the LLaMA type (RMSNorm, SwiGLU, rotary): {scale.blocks} blocks of width
{scale.width}, {scale.deep} of width {scale.narrow} for the paper's smallest model,
{scale.blocks} of width {scale.narrow} that add. The offline text as {vocabulary:,} byte
pairs. Each seed trains a model, once, and every arm shares that one, so arms
are paired. Similarities and costs are measured on training text, losses on held-out
text. The blocks with the most similar maps copy, as in the paper's lists, from the
nearest one before that does not; {shares} of them, for the paper's {theirs} %, which
here are {counts} of {scale.blocks}. What is trained further gets as many tokens in
every arm: all of them true labels, all of them the teacher's losses, or {first} of
these and then true labels. The loss of the streams is a mean over the width, for the
paper's sum, which is as many times larger as a model is wide. Even the mean can
outweigh the other two losses, where streams are large, as in SmolLM2.

**Also** text-8, which ships with the kit, and SmolLM2-135M where it is found (`kit
fetch smollm2`, and tinyshakespeare in $KIT_DATA): maps, choice of blocks, and what
copying costs without training. Speed is that of {speed_blocks} blocks of width
{speed_width} and the paper's lists, beside the same model unshared, on one core. Beside
it stands what the operations saved would give.

**Learning rates.** Every arm of the main table was given the same grid, {rates}, on one
seed and half of the steps (`--budget search`): {found}. Ablations take the rate of the
arm that they change, addition and the smallest model that of the same arm on text; from
scratch it is that of the first training.

**What counts.** A claim is *reproduced* when the 95 % interval over seeds lies wholly
on its side of the smallest effect that matters, *not reproduced* when it lies wholly on
the other side, else *undecided*. Claims that are tested together are corrected for it
(Holm).

**What it costs.** {cost}
"""


def card() -> str:
    """The report's introduction."""
    return CARD.format(
        remark=remark(),
        scale=SCALES["full"],
        vocabulary=VOCABULARY,
        shares=listed([fraction(rate) for rate in RATES.values() if rate]),
        theirs=listed(list(LISTS)),
        counts=listed(copying()),
        first=fraction(DISTILLED),
        speed_blocks=BLOCKS,
        speed_width=WIDTH,
        rates=", ".join(f"{rate:g}" for rate in FURTHER_RATES),
        found=range_in_words("sharing", FURTHER_RATES),
        cost=plan(arms, SEEDS),
    )


def copying() -> list[str]:
    """How many blocks copy at each rate."""
    blocks = SCALES["full"].blocks
    return [f"{number_at_rate(rate, blocks)}" for rate in RATES.values() if rate]


def fraction(share: float) -> str:
    """A share as people write it.

    Example:
        >>> fraction(0.4)
        '2/5'
    """
    return str(Fraction(share).limit_denominator(12))


def listed(words: Sequence[str]) -> str:
    """With commas, and "and" before the last.

    Example:
        >>> listed(["1/4", "2/5", "3/4"])
        '1/4, 2/5 and 3/4'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]])


def figures(results: Results) -> list[Figure]:
    """The report's figures; workers never draw, so they need not load Matplotlib."""
    from kit.studies.sharing.drawing import draw

    return draw(results)


def in_short(results: Results, verdicts: Sequence["Verdict"]) -> list[str]:
    """The study in a few sentences; see `sentences`."""
    from kit.studies.sharing import sentences

    return sentences.in_short(results, verdicts)


STUDY = Study(
    slug="sharing",
    title="Shared attention maps",
    paper="EchoAtt (2409.14595)",
    card=card,
    arms=arms,
    seeds=SEEDS,
    claims=CLAIMS,
    prepare="kit.studies.sharing.cells:prepare",
    figures=figures,
    in_short=in_short,
    arms_per_process=3,  # each seed compiles a student of its own
    metrics={
        "loss_before": ".3f",
        "stage_1_loss": ".3f",
        "loss": ".3f",
        "copied": ".1f",
        "cosine_inner": ".2f",
        "rows_inner": ".2f",
        "rows_inner_excess": ".2f",
        "correlation_cosine": ".2f",
    },
)
