"""The models, tasks and training that every arm of `sharpness` edits.

The vocabulary of a model on text is 1 here: only a worker reads the text.
"""

from dataclasses import dataclass
from typing import Any

from kit.config import BlockConfig, ModelConfig
from kit.data import Addition
from kit.studies.text import BATCH, CONTEXT, STEPS, initial_std
from kit.training.config import TrainConfig

RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
"""The learning rates that every arm is given, a log grid around the best of AdamW."""

LION_RATES = tuple(rate / 10 for rate in RATES)
"""The same for Lion, whose steps are larger (2302.06675, Section 5)."""

ADDITION_BATCH = 128


@dataclass(frozen=True)
class Scale:
    """How much of everything a budget takes.

    Args:
        blocks: Blocks of the models on text.
        width: Width of their stream.
        narrow: Width of the models that ask what size does.
        steps: Training steps.
        every: Steps between evaluations.
        batches: Batches that sharpness is the mean over.
        products: Products with the Hessian, for its trace.
    """

    blocks: int = 6
    width: int = 64
    narrow: int = 32
    steps: int = STEPS
    every: int = 80
    batches: int = 16
    products: int = 32


SCALES = {
    "smoke": Scale(2, 16, 8, 20, 10, 2, 2),
    "quick": Scale(steps=400, every=40),
    "search": Scale(steps=240, every=120),
    "full": Scale(),
}


def gpt(scale: Scale, tied: bool = True) -> ModelConfig:
    """GPT-2's block: LayerNorm, GELU, learned positions; a tied head by default."""
    return ModelConfig.uniform(
        scale.blocks,
        BlockConfig(feed_forward="gelu"),
        vocabulary_size=1,
        context_length=CONTEXT,
        width=scale.width,
        positions="learned",
        tied_head=tied,
        initializer_std=initial_std(scale.width),
    )


def llama(scale: Scale, tied: bool = False, width: int = 0) -> ModelConfig:
    """LLaMA's block: RMSNorm, SwiGLU, rotary; a head of its own by default."""
    width = width or scale.width
    return ModelConfig.uniform(
        scale.blocks,
        "llama",
        vocabulary_size=1,
        context_length=CONTEXT,
        width=width,
        positions="rotary",
        final_norm="rms",
        tied_head=tied,
        initializer_std=initial_std(width),
    )


def addition(scale: Scale) -> tuple[ModelConfig, dict[str, Any]]:
    """The stress test: 14 symbols, so every row of the embedding is in every batch."""
    task = Addition(reverse_answer=True, start=True, validation_pairs=500)
    model = ModelConfig.uniform(
        min(scale.blocks, 4),
        BlockConfig(feed_forward="gelu"),
        vocabulary_size=task.vocabulary_size,
        context_length=task.context_length,
        width=scale.width,
        positions="learned",
        initializer_std=0.1,
    )
    return model, task.spec()


def base_training(scale: Scale) -> TrainConfig:
    """The official code's: AdamW on everything, 2 % warm-up, cosine to a twentieth."""
    return TrainConfig(
        steps=scale.steps,
        batch_size=BATCH,
        learning_rate=RATES[2],
        warmup_steps=max(1, scale.steps // 50),
        schedule="cosine",
        final_learning_rate=0.05,
        weight_decay=0.1,
        beta_2=0.95,
        decay_everything=True,
        evaluate_every=scale.every,
    )


def checkpoints(steps: int) -> list[int]:
    """The steps at which sharpness is measured, the last one included.

    Example:
        >>> checkpoints(400)
        [0, 10, 30, 100, 300, 400]
    """
    return [*(s for s in (0, 10, 30, 100, 300, 600) if s < steps), steps]
