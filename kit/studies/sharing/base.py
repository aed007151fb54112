"""The models whose maps are shared, what they learned, and how much of everything.

The vocabulary of a model on text is 1 here: only a worker reads the text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kit.config import ModelConfig, block_preset
from kit.data import Addition
from kit.studies.text import BATCH, CONTEXT, initial_std, text_spec
from kit.training.config import TrainConfig

RATES = {"0": 0.0, "25": 0.25, "40": 0.4, "75": 0.75}
"""Shares of the blocks that copy, by their name in arms; the paper: 23, 41, 77 %."""

REGIMES = {
    "continual": "trained further",
    "kd": "distilled",
    "kd-continual": "distilled, then trained further",
}
RULES = {
    "list": "the most similar",
    "rows": "the most similar beyond chance",
    "gap": "above the largest gap, in groups",
    "consecutive": "inner ones, in groups",
    "random": "at random",
    "worst": "the least similar",
    "ends": "first and last among them",
    "cheapest": "cheapest to copy",
}
"""How blocks are chosen, see `choosing`; the first is that of the paper's lists."""

FURTHER_RATES = (3e-4, 1e-3, 3e-3)
"""The learning rates that every arm of the main table is given."""

LEARNING_RATE = 3e-3  # of the first training: the best of other studies on this text
DISTILLED = 0.8  # of the further steps: the paper has one epoch, and then a quarter
PRINTED = (4, 6, 8, 10)  # the blocks of 12 that copy in the paper's smallest model
ADDITION_BATCH = 128


@dataclass(frozen=True)
class Scale:
    """How much of everything a budget takes.

    Args:
        blocks, width: Of the main model.
        deep, narrow: Of the smaller one, which has more blocks.
        steps: Training steps on text.
        addition_steps: The same on addition, at most.
        further: Steps after sharing, of distillation and further training together.
        sequences: Training sequences that maps and costs are measured on.
        watched: The same while a model trains.
        validation_tokens: Held-out tokens.
    """

    blocks: int = 8
    width: int = 96
    deep: int = 12
    narrow: int = 48
    steps: int = 1440
    addition_steps: int = 2000
    further: int = 240
    sequences: int = 64
    watched: int = 16
    validation_tokens: int = 16_384


SCALES = {
    "smoke": Scale(4, 16, 4, 16, 8, 8, 5, 4, 2, 1024),
    "quick": Scale(6, 48, steps=480, further=120, sequences=32),
    "search": Scale(further=120),
    "full": Scale(),
}
LOOKS = 8  # times that a model is looked at while it trains


@dataclass(frozen=True)
class Subject:
    """A model, what it learns and how.

    Args:
        words: What it is called in labels and sentences.
        model, task, train: As `kit.studies.dense.Dense` takes them.
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


def subjects(scale: Scale) -> dict[str, Subject]:
    """Everything that is trained and then shared, by the first part of arms' names."""
    text = text_spec() | {"validation_tokens": scale.validation_tokens}
    train = TrainConfig(
        steps=scale.steps,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        warmup_steps=max(1, scale.steps // 50),
        final_learning_rate=0.05,
        beta_2=0.95,
        evaluate_every=scale.steps // LOOKS,
    )
    addition = _addition(scale)
    return {
        "text": Subject("text", _llama(scale.blocks, scale.width), text, train),
        "small": Subject("small", _llama(scale.deep, scale.narrow), text, train),
        "addition": Subject(
            "addition",
            replace(
                _llama(scale.blocks, scale.narrow),
                vocabulary_size=addition.vocabulary_size,
                context_length=addition.context_length,
                initializer_std=0.15,
            ),
            addition.spec(),
            _drill(scale),
        ),
    }


def further(subject: Subject, steps: int) -> TrainConfig:
    """How a shared model is trained: as the paper's, cosine down to nothing."""
    return replace(
        subject.train,
        steps=steps,
        learning_rate=FURTHER_RATES[1],
        warmup_steps=steps // 20,
        schedule="cosine",
        final_learning_rate=0.0,
        evaluate_every=steps,
        target_metric=None,
        target_value=None,
    )


def stages(regime: str, steps: int) -> tuple[int, int]:
    """Steps of distillation, and of further training, of a regime.

    Example:
        >>> stages("kd-continual", 240), stages("continual", 240)
        ((192, 48), (0, 240))
    """
    share = {"continual": 0.0, "kd": 1.0, "kd-continual": DISTILLED}[regime]
    first = round(share * steps)
    return first, steps - first


def _llama(blocks: int, width: int) -> ModelConfig:
    """RMSNorm, SwiGLU and rotary positions, as in the paper's models."""
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


def _addition(scale: Scale) -> Addition:
    pairs = 1000 if scale.addition_steps > 100 else 50
    return Addition(reverse_answer=True, start=True, validation_pairs=pairs)


def _drill(scale: Scale) -> TrainConfig:
    """As in the study of order without positions, until it can add."""
    steps = scale.addition_steps
    return TrainConfig(
        steps=steps,
        batch_size=ADDITION_BATCH,
        learning_rate=LEARNING_RATE,
        weight_decay=0.01,
        warmup_steps=min(100, steps // 10),
        schedule="linear",
        evaluate_every=steps // LOOKS,
        target_metric="exact_match",
        target_value=0.999,
    )
