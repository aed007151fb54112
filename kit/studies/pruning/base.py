"""The models that are pruned, what they learned, and how much of everything."""

from collections.abc import Iterable
from dataclasses import dataclass

from kit.config import BlockConfig, ModelConfig
from kit.studies.subjects import Subject, drill, for_sums, llama, sums, text_training
from kit.studies.text import CONTEXT, initial_std, text_spec

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

RIVALS = ("shortgpt", "window", "blockpruner", "evopress", "slice")  # of the paper


def short(method: str) -> str:
    """The name of a method without what explains it.

    Example:
        >>> short("stage-1")
        'neurons only'
    """
    return METHODS[method].partition(" (")[0]


def named(methods: Iterable[str]) -> str:
    """The names of some methods, as a sentence has them.

    Example:
        >>> named(["shortgpt", "blockpruner", "evopress"])
        'ShortGPT, BlockPruner and EvoPress'
    """
    *first, last = map(short, methods)
    return f"{', '.join(first)} and {last}" if first else last


PAPER_SEQUENCES, PAPER_TIME = 32, 2048  # for the scores; one of them for the search

SPARSITIES = (0.125, 0.25, 0.375, 0.5)
ALPHAS = (0.75, 1.0, 1.5, 2.0, 3.0)


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
        search: How many of them judge what is removed as a whole; 32 are as many
            tokens as in the paper.
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


def subjects(scale: Scale) -> dict[str, Subject]:
    """Everything that is trained and then pruned, by the first part of arms' names."""
    text = text_spec() | {"validation_tokens": scale.validation_tokens}
    train = text_training(scale.steps, scale.every)
    every = min(100, scale.addition_steps)
    return {
        "llama": Subject("LLaMA type", llama(scale.blocks, scale.width), text, train),
        "gpt": Subject("GPT type", _gpt(scale.deep, scale.narrow), text, train),
        "addition": Subject(
            "addition",
            for_sums(_gpt(min(scale.blocks, 4), scale.narrow)),
            sums(scale.addition_steps).spec(),
            drill(scale.addition_steps, every),
        ),
    }


def _gpt(blocks: int, width: int) -> ModelConfig:
    """LayerNorm, GELU and learned positions; deeper and narrower.

    Its feed-forward has twice the parameters of an attention as well.
    """
    return ModelConfig.uniform(
        blocks,
        BlockConfig(feed_forward="gelu"),
        vocabulary_size=1,
        context_length=CONTEXT,
        width=width,
        positions="learned",
        initializer_std=initial_std(width),
    )
