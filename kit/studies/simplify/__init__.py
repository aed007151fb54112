"""Simplifying Transformer Blocks (He and Hofmann, 2311.01906)."""

from kit.studies.cost import plan
from kit.studies.results import Results
from kit.studies.search import SEARCH, range_in_words
from kit.studies.simplify.arms import arms
from kit.studies.simplify.base import RATES, SCALES
from kit.studies.simplify.claims import CLAIMS
from kit.studies.simplify.sentences import in_short
from kit.studies.study import Figure, Study
from kit.studies.text import VOCABULARY

SHOWN = ("blocks", "deep", "width", "steps")  # of the full budget, in the card
SEEDS = {"smoke": 1, "quick": 3, SEARCH: 1, "full": 3}

CARD = """
A Transformer block has skips, norms, value and projection matrices, and two sub-blocks
in a fixed order. Which of them does training need? The paper takes them out one by one:
attention that starts as the identity (shaped attention) makes the attention skip
unnecessary; then value and projection matrices can be the identity too (SAS); with
attention and feed-forward side by side no skip is left at all (SAS-P); and even the
norms can go.

**Command** `kit reproduce simplify --budget full` (quick: under 8 minutes on 2 cores).

**What was read.** The paper and its code. Where they differ, the presets follow the
code, and `kit/presets.py` says where.

**Set-up.** GPT-type models of {blocks} blocks and width {width} ({deep} blocks for the
depth comparison), and encoders that fill in masked tokens; the offline text as
{vocabulary:,} byte pairs, one pass; ReLU, RMSNorm, learned positions; AdamW, 5 %
warm-up, linear decay to zero. The paper trains 18 blocks of width 768 on 700
million tokens: what needs depth or size may not show here.

**Learning rates.** Every arm was given the same grid, {rates}, on one seed and
{search} of {steps} steps (`--budget search`), and takes the rate with the lowest loss:
{found}.

**What counts.** A claim is *reproduced* when the 95 % interval over seeds lies wholly
on its side of the smallest effect that matters, *not reproduced* when it lies wholly on
the other side, else *undecided*. Claims that are tested together are corrected for it
(Holm). Losses that differ by less than the margin named in a claim count as equal.

**What it leaves open.** The grid of rates is coarse, and the search of the deep Pre-LN
was a near tie whose winner is unstable in the long runs: C9 hangs on it. The signal
inside is measured at the start and at the end of training. No run on a GPU was made;
the speeds are those of a CPU.

**What it costs.** {cost}
"""


def card() -> str:
    """The report's introduction."""
    return CARD.format(
        **{name: getattr(SCALES["full"], name) for name in SHOWN},
        vocabulary=VOCABULARY,
        search=SCALES[SEARCH].steps,
        rates=", ".join(f"{rate:g}" for rate in RATES),
        found=range_in_words("simplify", RATES),
        cost=plan(arms, SEEDS),
    )


def figures(results: Results) -> list[Figure]:
    """The report's figures; workers never draw, so they need not load Matplotlib."""
    from kit.studies.simplify.drawing import draw

    return draw(results)


STUDY = Study(
    slug="simplify",
    title="Less of a block",
    paper="Simplifying Transformer Blocks (2311.01906)",
    card=card,
    arms=arms,
    seeds=SEEDS,
    claims=CLAIMS,
    prepare="kit.studies.simplify.cells:prepare",
    figures=figures,
    in_short=in_short,
    metrics={
        "loss": ".3f",
        "parameters": ",.0f",
        "flops_per_token": ",.0f",
        "median_update_ratio": ".2f",
        "speed_ratio": ".2f",
        "bound_by_flops": ".2f",
        "memory_ratio": ".2f",
    },
)
