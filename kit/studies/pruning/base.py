"""The models that are pruned, what they learned, and how much of everything.

The vocabulary of a model on text is 1 here: only a worker reads the text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kit.config import BlockConfig, ModelConfig, block_preset
from kit.data import Addition
from kit.studies.text import BATCH, CONTEXT, initial_std, text_spec
from kit.training.config import TrainConfig

METHODS = {
    "2ssp": "2SSP",
    "stage-1": "neurons only (stage 1)",
    "attention": "attentions only, greedily",
    "shortgpt": "ShortGPT",
    "window": "sliding window",
    "blockpruner": "BlockPruner",
    "evopress": "EvoPress",
    "slice": "SliceGPT type (one rotation)",
    "magnitude": "smallest weights",
    "random": "at random",
}
"""What the methods are called in labels, figures and sentences."""

SPARSITIES = (0.125, 0.25, 0.375, 0.5)
ALPHAS = (0.75, 1.0, 1.5, 2.0, 3.0)
LEARNING_RATE = 3e-3  # the best of the searches of the other studies on this text
ADDITION_BATCH = 128


@dataclass(frozen=True)
class Scale:
    """How much of everything a budget takes.

    Args:
        blocks, width: Of the LLaMA type; the width divides by three.
        deep, narrow: Blocks and width of the GPT type.
        steps: Training steps on text.
        every: Steps between evaluations.
        addition_steps: The same on addition, at most.
        sparsities: Points of a curve.
        sequences: Calibration sequences that give the scores, of 64 tokens.
        search: How many of them judge what is removed as a whole; 32 are the 2048
            tokens of the paper.
        draws: Calibration sets for each model, where their size is varied.
        recovery: Training steps after pruning.
        validation_tokens: Held-out tokens.
    """

    blocks: int = 8
    width: int = 96
    deep: int = 12
    narrow: int = 64
    steps: int = 1440
    every: int = 120
    addition_steps: int = 2000
    sparsities: tuple[float, ...] = SPARSITIES
    sequences: int = 256
    search: int = 32
    draws: int = 5
    recovery: int = 240
    validation_tokens: int = 16_384


SCALES = {
    "smoke": Scale(3, 24, 3, 16, 10, 10, 10, (0.5,), 8, 4, 1, 4, 1024),
    "quick": Scale(
        8, 48, steps=480, every=120, sparsities=(0.25, 0.375, 0.5), sequences=128
    ),
    "full": Scale(),
}


@dataclass(frozen=True)
class Subject:
    """A model, what it learns and how.

    Args:
        words: What it is called in labels and sentences.
        model, task, train: As `kit.studies.training.prepare` takes them.
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
    """Everything that is trained and then pruned, by the first part of arms' names.

    In all of them a feed-forward has twice the parameters of an attention, as in
    Llama-2.
    """
    text = text_spec() | {"validation_tokens": scale.validation_tokens}
    train = TrainConfig(
        steps=scale.steps,
        batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        warmup_steps=max(1, scale.steps // 50),
        final_learning_rate=0.05,
        beta_2=0.95,
        evaluate_every=scale.every,
    )
    return {
        "llama": Subject("LLaMA type", _llama(scale), text, train),
        "gpt": Subject("GPT type", _gpt(scale), text, train),
        "addition": Subject(
            "addition", _adder(scale), _addition(scale).spec(), _drill(scale)
        ),
    }


def _llama(scale: Scale) -> ModelConfig:
    """RMSNorm, SwiGLU and rotary positions."""
    block = replace(block_preset("llama"), feed_forward_dim=8 * scale.width // 3)
    return ModelConfig.uniform(
        scale.blocks,
        block,
        vocabulary_size=1,
        context_length=CONTEXT,
        width=scale.width,
        positions="rotary",
        final_norm="rms",
        initializer_std=initial_std(scale.width),
    )


def _gpt(scale: Scale) -> ModelConfig:
    """LayerNorm, GELU and learned positions; deeper and narrower."""
    return ModelConfig.uniform(
        scale.deep,
        BlockConfig(feed_forward="gelu"),
        vocabulary_size=1,
        context_length=CONTEXT,
        width=scale.narrow,
        positions="learned",
        initializer_std=initial_std(scale.narrow),
    )


def _addition(scale: Scale) -> Addition:
    pairs = 1000 if scale.addition_steps > 100 else 50
    return Addition(reverse_answer=True, start=True, validation_pairs=pairs)


def _adder(scale: Scale) -> ModelConfig:
    """The stress test: few blocks, and each attention moves the digits."""
    task = _addition(scale)
    return ModelConfig.uniform(
        min(scale.blocks, 4),
        BlockConfig(feed_forward="gelu"),
        vocabulary_size=task.vocabulary_size,
        context_length=task.context_length,
        width=scale.narrow,
        positions="learned",
        initializer_std=0.15,
    )


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
        evaluate_every=min(100, steps),
        target_metric="exact_match",
        target_value=0.999,
    )
