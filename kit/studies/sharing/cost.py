"""Estimated seconds of an arm on one core: to order the work and to say how long."""

from collections.abc import Mapping
from typing import Any

from kit.config import ModelConfig
from kit.studies.sharing.base import LOOKS, RULES, stages
from kit.studies.text import PREPARATION, seconds

# Measured on one core.
READING = 3.0  # the text, once for each arm
WATCHING = 3.0  # the maps of a model on a few sequences, and its loss
SHARED = 0.85  # to make a shared model of 8 blocks and to look at its loss
STAGE = 12.0  # to trace a stage of training, another model for each seed, and to score
FASTER = 0.65  # of the usual estimate of a step; without XLA a tenth more
TEACHER = 0.45  # of a step more, where a teacher is asked
ADDING = 0.07  # a step on addition, 8 blocks
CHECKPOINTS = {"text-8": 120.0, "smollm2": 420.0}
SPEED = {"23": 60.0, "41": 60.0, "77": 60.0}


def base_cost(model: ModelConfig, steps: int, text: bool) -> tuple[float, float]:
    """Seconds of one run and its looks, and to build and compile the model."""
    training = FASTER * seconds(model, steps) if text else ADDING * steps
    return training + (LOOKS + 4) * WATCHING, PREPARATION


def copied_cost(model: ModelConfig, plan: Mapping[str, Any]) -> tuple[float, float]:
    """The same for all that is measured without training."""
    blocks, reach = len(model.blocks), plan["reach"]
    pairs = sum(min(block, reach) for block in range(blocks))
    looks = pairs + blocks + len(RULES) * len(plan["rates"])
    return looks * SHARED * blocks / 8, READING


def student_cost(
    model: ModelConfig, plan: Mapping[str, Any], steps: int, text: bool
) -> tuple[float, float]:
    """The same for a model that is shared and trained further."""
    first, second = stages(plan["regime"], steps)
    step = 1.1 * FASTER * seconds(model, 1) if text else ADDING
    work = first * (1 + TEACHER) + second
    return work * step + STAGE * (bool(first) + bool(second)), READING


def scratch_cost(model: ModelConfig, steps: int) -> tuple[float, float]:
    """The same for one that is trained from fresh weights."""
    return FASTER * seconds(model, steps) + 2 * STAGE, READING
