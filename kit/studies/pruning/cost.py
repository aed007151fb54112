"""Estimated seconds of an arm on one core: to order the work and to say how long."""

from collections.abc import Mapping
from typing import Any

from kit.config import ModelConfig
from kit.studies.text import PREPARATION, seconds

# Measured on one core: most of it is compiling, because each pruned model is another.
PRUNING = {True: 8.0, False: 5.0}  # on text, or on addition
SEARCHING = 45.0  # more, for EvoPress
COMPILING = 20.0  # a training step of a pruned model, and what scores it
READING = 3.0


def training_cost(model: ModelConfig, steps: int, text: bool) -> tuple[float, float]:
    """Seconds of one run, and to build and compile the model."""
    return seconds(model, steps) if text else 0.045 * steps, PREPARATION


def look_cost(
    kind: str, plan: Mapping[str, Any], model: ModelConfig, text: bool
) -> tuple[float, float]:
    """Seconds of one seed of an arm that prunes, and to prepare it."""
    one = PRUNING[text] + SEARCHING * (plan.get("method") == "evopress")
    if kind == "split":
        return len(model.blocks) * PRUNING[text], READING
    if kind == "recovered":
        steps = plan["train"]["steps"]
        return one + COMPILING + seconds(model, steps), READING
    return len(plan["sparsities"]) * plan.get("draws", 1) * one, READING


def checkpoint_cost(method: str | None, sparsity: float) -> tuple[float, float]:
    """The same for the checkpoint.

    Of its 30 attentions, a third of a feed-forward each, 2SSP removes 30 s^2, and tries
    all that are left for each; trying one costs half of a model, 0.7 seconds.
    """
    removed = round(30 * sparsity**2) if method == "2ssp" else 0
    return 45.0 + 0.7 * sum(30 - each for each in range(removed)), READING
