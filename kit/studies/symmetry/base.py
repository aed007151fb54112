"""The one model, task and training that every arm edits, and how much of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kit.config import BlockConfig, ModelConfig
from kit.counts import flops_per_token
from kit.data import Addition
from kit.training.config import TrainConfig

# Measured on one core; only used to order the work and to estimate the time left.
FLOPS_PER_SECOND = 4e10
SECONDS_PER_STEP = 2e-3
PREPARATION = 8.0  # seconds to build and compile an arm

NO_SKIPS = {"attention_skip": 0.0, "feed_forward_skip": 0.0}


@dataclass(frozen=True)
class Scale:
    """How much of everything a budget takes.

    Args:
        blocks: Blocks of the base model.
        width: Width of the base model.
        steps: Training steps of an addition arm.
        batch_size: Sequences per step.
        every: Steps between evaluations.
        text_steps: Training steps of a text arm.
        invariance_steps: Training steps before the invariance is measured again.
        heads: Attention heads.
        validation_pairs: Held-out pairs.
        learning_rate: Searched, with the two below, on the base without positions
            (rates 1e-3 to 5e-3, scales 0.02 to 0.15, decay 0.1 and 0.01; one seed) for
            the fewest steps; the same for all arms but the control K.
        initializer_std: Scale of the first weights. GPT-2's 0.02 is for widths near
            1000.
        weight_decay: AdamW's decay.
        full_mask_share: The full-mask arms take the steps divided by this.
    """

    blocks: int = 4
    width: int = 64
    steps: int = 2000
    batch_size: int = 128
    every: int = 100
    text_steps: int = 1000
    invariance_steps: int = 200
    heads: int = 4
    validation_pairs: int = 1000
    learning_rate: float = 3e-3
    initializer_std: float = 0.15
    weight_decay: float = 0.01
    full_mask_share: int = 2


SCALES = {
    "smoke": Scale(2, 16, 20, 16, 10, 10, 10, 2, 50),
    "quick": Scale(2, 64, 1000, 128, 100, 300, 100, 4, 500, 4e-3, 0.1, 0.1, 5),
    "full": Scale(),
}


def base_model(
    scale: Scale, positions: str = "learned", blocks: int = 0
) -> ModelConfig:
    """The model that every arm edits: Pre-LN, causal, learned positions."""
    return ModelConfig.uniform(
        blocks or scale.blocks,
        BlockConfig(num_heads=scale.heads),
        vocabulary_size=Addition.vocabulary_size,
        context_length=base_task(scale).context_length,
        width=scale.width,
        positions=positions,
        initializer_std=scale.initializer_std,
    )


def base_task(scale: Scale, **changes: Any) -> Addition:
    """3-digit addition, with a start token, lowest digit of the answer first."""
    return Addition(
        reverse_answer=True,
        start=True,
        validation_pairs=scale.validation_pairs,
        **changes,
    )


def base_training(scale: Scale) -> TrainConfig:
    """The training that all arms share; only the control K changes it."""
    return TrainConfig(
        steps=scale.steps,
        batch_size=scale.batch_size,
        learning_rate=scale.learning_rate,
        weight_decay=scale.weight_decay,
        warmup_steps=min(100, scale.steps // 10),
        schedule="linear",
        evaluate_every=scale.every,
        target_metric="exact_match",
        target_value=0.999,
    )


def seconds(model: ModelConfig, train: TrainConfig) -> float:
    """Estimated duration of one run on one core."""
    tokens = train.batch_size * model.context_length
    per_step = 3 * flops_per_token(model) * tokens / FLOPS_PER_SECOND
    return train.steps * (per_step + SECONDS_PER_STEP)


def without(
    config: ModelConfig, blocks: Sequence[int], skips: Any = None
) -> ModelConfig:
    """The same model with the skips of some blocks removed."""
    return config.with_blocks(dict.fromkeys(blocks, skips or NO_SKIPS))
