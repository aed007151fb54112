"""What the paper claims of how alike maps are, and the test that answers each claim.

Written before any run was looked at. What is not in the paper is called derived.
"""

from dataclasses import replace

from kit.counts import parameter_counts
from kit.studies.claims import AllOf, CannotTell
from kit.studies.sharing.ablations import DERIVED, claim
from kit.studies.sharing.base import SCALES, subjects
from kit.studies.sharing.comparisons import (
    ALIKE,
    OnCheckpoint,
    compared,
    ends_apart,
    value,
)
from kit.studies.text import VOCABULARY

FLAT = 0.9  # similarity of maps that have not learned anything
TELLS = -0.5  # rank correlation of similarity and cost


def millions(subject: str) -> str:
    """The parameters of a model of text.

    Example:
        >>> millions("small"), millions("text")
        ('0.4', '1.1')
    """
    model = subjects(SCALES["full"])[subject].model
    with_tokens = replace(model, vocabulary_size=VOCABULARY)
    return f"{sum(parameter_counts(with_tokens).values()) / 1e6:.1f}"


C1 = (
    claim(
        "C1a",
        "After training, maps of inner blocks are alike, and those of the first and "
        "the last are not (flattened cosine)",
        "Fig. 1 and 2; TinyLlama: inner about 0.7, first 0.16, last 0.31",
        ends_apart("text-base", "cosine"),
    ),
    claim(
        "C1b",
        "Maps of inner blocks are alike, and the others not, by rows without column 0 "
        "too, which a sink does not make alike",
        "not in the paper",
        ends_apart("text-base", "rows"),
        DERIVED,
    ),
    claim(
        "C1c",
        "Inner maps are more alike than their sharpness and sink alone make them",
        "the paper has no null model",
        AllOf(
            [
                value("text-base", f"{measure}_inner_excess", at_least=ALIKE)
                for measure in ("cosine", "rows", "jensen-shannon")
            ]
        ),
        DERIVED,
    ),
    claim(
        "C1d",
        "Inner maps are more alike than those of two models that were trained apart",
        "not in the paper",
        value("text-copied", "rows_above_unrelated", at_least=ALIKE),
        DERIVED,
    ),
    claim(
        "C1e",
        "Before training all maps are alike, so that likeness alone says nothing",
        "follows from flat maps",
        AllOf(
            [
                value("text-base", "cosine_start", at_least=FLAT),
                value("text-base", "cosine_fall", at_least=ALIKE),
            ]
        ),
        DERIVED,
    ),
    claim(
        "C1f",
        "A model that adds has alike inner blocks too",
        "a stress test",
        ends_apart("addition-base", "cosine"),
        DERIVED,
    ),
    claim(
        "C1g",
        "Maps of inner blocks of SmolLM2-135M are alike, and those of the first and "
        "the last are not",
        "Fig. 1 and 2; six models of 1 to 13 billion parameters",
        OnCheckpoint(ends_apart("smollm2", "cosine")),
    ),
    claim(
        "C1h",
        "The more alike two maps, the less it costs to copy one for the other",
        "what the method rests on; not measured in the paper",
        value("text-copied", "correlation_cosine", at_most=TELLS),
        DERIVED,
    ),
    claim(
        "C1i",
        "In SmolLM2-135M, too, the more alike the maps of a block and the next, the "
        "less it costs to copy one for the other",
        "not measured in the paper",
        OnCheckpoint(value("smollm2", "next_correlation_cosine", at_most=TELLS)),
        DERIVED,
    ),
)

C2 = (
    claim(
        "C2a",
        "The larger model has the more similar inner maps",
        "Pythia-1B < TinyLlama-1.1B < LLaMA-7B/13B; here "
        f"{millions('small')} against {millions('text')} million parameters",
        compared("text-base", "small-base", "cosine_inner", ALIKE / 2, "greater"),
    ),
    claim(
        "C2b",
        "The larger model has the more similar inner maps beyond what chance gives",
        "the paper has no null model",
        compared("text-base", "small-base", "rows_inner_excess", ALIKE / 2, "greater"),
        DERIVED,
    ),
    claim(
        "C2c",
        "Inner maps grow more similar with size up to 13 billion parameters",
        "Fig. 2",
        CannotTell("This scale cannot tell: the largest model here has 135 million."),
    ),
)
