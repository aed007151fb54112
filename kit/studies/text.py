"""The offline text and the sizes that studies on it share."""

import math
from dataclasses import replace
from typing import Any

from kit.config import ModelConfig
from kit.counts import flops_per_token
from kit.errors import KitError
from kit.training.config import TrainConfig

CONTEXT = 64
VOCABULARY = 2048  # tokens of the byte-pair encoding
BATCH = 16
STEPS = 960  # one pass over the text; see `check_passes`
# 0.02 at the papers' width of 768, and the same size of a matrix product at others.
PAPER_STD, PAPER_WIDTH = 0.02, 768

# Measured on one core; only used to order the work and to estimate the time left.
FLOPS_PER_SECOND = 4e10
SECONDS_PER_STEP = 4e-3
PREPARATION = 12.0  # seconds to build and compile an arm


def initial_std(width: int) -> float:
    """Standard deviation of the initial matrices at a width.

    Example:
        >>> initial_std(PAPER_WIDTH)
        0.02
    """
    return PAPER_STD * (PAPER_WIDTH / width) ** 0.5


def text_spec(encoder: bool = False) -> dict[str, Any]:
    """The offline text in one pass, as byte pairs; masked tokens for an encoder."""
    return {
        "task": "masked_text" if encoder else "text",
        "corpus": "docs",
        "tokenizer": {"bpe": VOCABULARY},
        "context_length": CONTEXT,
        "validation_tokens": 16_384,
        "sampling": "epoch",
    }


def check_passes(task: Any, train: TrainConfig) -> None:
    """Raise a `KitError` where a run reads the text more often than a study says.

    The text is made from installed packages and is shorter with some versions of them.
    `STEPS` steps are one pass, up to twice as many are two.

    Args:
        task: A `TextTask`; any other has no passes to check.
        train: How long the run is.
    """
    if getattr(task, "sampling", None) != "epoch":
        return
    passes = math.ceil(train.steps / STEPS)
    epoch = task.steps_per_epoch(train.batch_size)
    if train.steps > passes * epoch:
        raise KitError(
            f"{train.steps} steps need {train.steps / epoch:.2f} passes over the text, "
            f"of {epoch} steps each, and the study allows {passes}: the text made from "
            "the installed packages is too short",
            "Install the versions of requirements.lock, or take a smaller budget",
        )


def seconds(model: ModelConfig, steps: int) -> float:
    """Estimated duration of one run on one core."""
    sized = replace(model, vocabulary_size=VOCABULARY)
    per_step = 3 * flops_per_token(sized) * BATCH * CONTEXT / FLOPS_PER_SECOND
    return steps * (per_step + SECONDS_PER_STEP)
