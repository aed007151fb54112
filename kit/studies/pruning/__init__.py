"""2SSP: two-stage structured pruning (Sandri et al., 2501.17771)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kit.studies.pruning.arms import arms
from kit.studies.pruning.card import SEEDS, card
from kit.studies.pruning.claims import CLAIMS
from kit.studies.results import Results
from kit.studies.study import Figure, Study

if TYPE_CHECKING:
    from kit.studies.verdicts import Verdict


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
