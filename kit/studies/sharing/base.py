"""The models whose maps are shared, what they learned, and how much of everything."""

from dataclasses import dataclass, replace

from kit.studies.subjects import Subject, drill, for_sums, llama, sums, text_training
from kit.studies.text import text_spec
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

FURTHER_RATES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
"""The learning rates that every arm of the main table is given."""

UNSEARCHED_RATE = 3e-4
"""The learning rate of an arm that no search has found one for."""

DISTILLED = 0.8  # of the further steps: the paper has one epoch, and then a quarter
PRINTED = (4, 6, 8, 10)  # the blocks of 12 that copy in the paper's smallest model


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


def subjects(scale: Scale) -> dict[str, Subject]:
    """Everything that is trained and then shared, by the first part of arms' names."""
    text = text_spec() | {"validation_tokens": scale.validation_tokens}
    train = text_training(scale.steps, scale.steps // LOOKS)
    every = scale.addition_steps // LOOKS
    return {
        "text": Subject("text", llama(scale.blocks, scale.width), text, train),
        "small": Subject("small", llama(scale.deep, scale.narrow), text, train),
        "addition": Subject(
            "addition",
            for_sums(llama(scale.blocks, scale.narrow)),
            sums(scale.addition_steps).spec(),
            drill(scale.addition_steps, every),
        ),
    }


def further(subject: Subject, steps: int) -> TrainConfig:
    """How a shared model is trained: as the paper's, cosine down to nothing."""
    return replace(
        subject.train,
        steps=steps,
        learning_rate=UNSEARCHED_RATE,
        warmup_steps=steps // 20,
        schedule="cosine",
        final_learning_rate=0.0,
        evaluate_every=steps,
        target_metric=None,
        target_value=None,
    )


def number_at_rate(rate: float, blocks: int) -> int:
    """How many of the blocks copy: `kit.sharing.copies_at_rate`, without Keras, which
    it would load.

    Example:
        >>> [number_at_rate(rate, 8) for rate in RATES.values()]
        [0, 2, 3, 6]
    """
    return round(rate * blocks)


def stages(regime: str, steps: int) -> tuple[int, int]:
    """Steps of distillation, and of further training, of a regime.

    Example:
        >>> stages("kd-continual", 240), stages("continual", 240)
        ((192, 48), (0, 240))
    """
    share = {"continual": 0.0, "kd": 1.0, "kd-continual": DISTILLED}[regime]
    first = round(share * steps)
    return first, steps - first
