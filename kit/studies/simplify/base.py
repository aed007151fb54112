"""The one model, task and training that every arm of `simplify` edits."""

from dataclasses import dataclass
from typing import Any

from kit.config import ModelConfig
from kit.data.docs import versions
from kit.studies.text import BATCH, CONTEXT, STEPS, initial_std, text_spec
from kit.training.config import TrainConfig

RATES = (1e-3, 3e-3, 1e-2)
"""The learning rates that every arm is given, a log grid around the best of Pre-LN."""


@dataclass(frozen=True)
class Scale:
    """How much of everything a budget takes.

    Args:
        blocks: Blocks of the base model.
        deep: Blocks of the arms that compare depths.
        width: Width of the stream.
        steps: Training steps.
        every: Steps between evaluations.
    """

    blocks: int = 6
    deep: int = 12
    width: int = 64
    steps: int = STEPS
    every: int = 80


SCALES = {
    "smoke": Scale(2, 3, 16, 10, 5),
    "quick": Scale(steps=480, every=40),
    "search": Scale(steps=240, every=120),
    "full": Scale(),
}


def base_model(preset: str, blocks: int, width: int, encoder: bool = False) -> Any:
    """A preset as the paper trains it: ReLU and RMSNorm in the blocks.

    Positions are learned and the last norm is LayerNorm, as in its code. An encoder is
    one with a full mask. The vocabulary is the text's, which only the worker reads.
    """
    model = ModelConfig.uniform(
        blocks,
        preset,
        vocabulary_size=1,
        context_length=CONTEXT,
        width=width,
        positions="learned",
        mask="full" if encoder else "causal",
        initializer_std=initial_std(width),
    )
    norms = {
        index: {"norm": "rms", "feed_forward": "relu"}
        if block.norm == "layer"
        else {"feed_forward": "relu"}
        for index, block in enumerate(model.blocks)
    }
    return model.with_blocks(norms)


def base_training(scale: Scale) -> TrainConfig:
    """Appendix D of the paper: AdamW, 5 % warm-up, linear decay to zero, clip at 1."""
    return TrainConfig(
        steps=scale.steps,
        batch_size=BATCH,
        learning_rate=RATES[1],
        warmup_steps=max(1, scale.steps // 20),
        schedule="linear",
        final_learning_rate=0.0,
        weight_decay=0.1,
        beta_2=0.999,
        evaluate_every=scale.every,
    )


def training_spec(model: ModelConfig, scale: Scale, encoder: bool) -> dict[str, Any]:
    """All that a worker needs to train an arm."""
    return {
        "kind": "training",
        "model": model.to_dict(),
        "task": text_spec(encoder),
        "sources": versions(),
        "train": base_training(scale).to_dict(),
    }
