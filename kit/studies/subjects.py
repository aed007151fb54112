"""Models that are trained once and then taken apart, what they learn, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kit.config import ModelConfig, block_preset
from kit.data import Addition
from kit.studies.text import BATCH, CONTEXT, initial_std
from kit.training.config import TrainConfig

LEARNING_RATE = 3e-3  # the best of the searches of the other studies on this text
ADDITION_BATCH = 128


@dataclass(frozen=True)
class Subject:
    """A model, what it learns and how.

    Args:
        words: What it is called in labels and sentences.
        model, task, train: As `kit.studies.dense.Dense` takes them. The vocabulary of
            a model on text is 1: only a worker reads the text.
    """

    words: str
    model: ModelConfig
    task: Mapping[str, Any]
    train: TrainConfig

    @property
    def spec(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "model": self.model.to_dict(),
            "task": dict(self.task),
            "train": self.train.to_dict(),
        }


def llama(blocks: int, width: int) -> ModelConfig:
    """RMSNorm, SwiGLU and rotary positions, on text.

    A feed-forward has twice the parameters of an attention, as in Llama-2.
    """
    block = replace(block_preset("llama"), feed_forward_dim=8 * width // 3)
    return ModelConfig.uniform(
        blocks,
        block,
        vocabulary_size=1,
        context_length=CONTEXT,
        width=width,
        positions="rotary",
        final_norm="rms",
        initializer_std=initial_std(width),
    )


def text_training(steps: int, every: int) -> TrainConfig:
    """Training on the offline text, evaluated after so many steps."""
    return TrainConfig(
        steps=steps,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        warmup_steps=max(1, steps // 50),
        final_learning_rate=0.05,
        beta_2=0.95,
        evaluate_every=every,
    )


def sums(steps: int) -> Addition:
    """3-digit addition, with fewer held-out pairs for a run that only shows its way."""
    pairs = 1000 if steps > 100 else 50
    return Addition(reverse_answer=True, start=True, validation_pairs=pairs)


def for_sums(model: ModelConfig) -> ModelConfig:
    """The same model, to learn addition."""
    task = Addition(reverse_answer=True, start=True)
    return replace(
        model,
        vocabulary_size=task.vocabulary_size,
        context_length=task.context_length,
        initializer_std=0.15,
    )


def drill(steps: int, every: int) -> TrainConfig:
    """As in the study of order without positions, until the model can add."""
    return TrainConfig(
        steps=steps,
        batch_size=ADDITION_BATCH,
        learning_rate=LEARNING_RATE,
        weight_decay=0.01,
        warmup_steps=min(100, steps // 10),
        schedule="linear",
        evaluate_every=every,
        target_metric="exact_match",
        target_value=0.999,
    )
