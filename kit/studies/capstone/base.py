"""The five ingredients, and the one model, text and training that they change.

The vocabulary of a model is 1 here: only a worker reads the text.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from kit.config import ModelConfig, block_preset
from kit.counts import parameter_counts
from kit.data.docs import versions
from kit.rates import PAPER_RATIOS, BlockRates
from kit.studies.simplify.base import base_model
from kit.studies.subjects import text_training
from kit.studies.text import STEPS, text_spec
from kit.training.config import TrainConfig

SIMPLIFIED, POSITIONS, RATES = "simplified", "no-positions", "block-rates"
SHARED, PRUNED = "shared", "pruned"
SHARE, SPARSITY = 0.4, 0.375
INGREDIENTS = {
    SIMPLIFIED: "SAS-P blocks",
    POSITIONS: "no positions",
    RATES: "rates by block",
    SHARED: f"{100 * SHARE:g} % of the maps shared",
    PRUNED: f"{100 * SPARSITY:g} % pruned",
}
"""What arms are made of, in this order, and what labels call it."""
TRAINED = (SIMPLIFIED, POSITIONS, RATES)  # these a model is trained with from the start

Combination = tuple[str, ...]

LEARNING_RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
"""The grid that every first training is given."""
SEARCH_SEEDS = 3
"""Of every rate but the two ends: on one, chance chose what served others badly."""
FURTHER = 1 / 3  # of that rate, for the further training


@dataclass(frozen=True)
class Scale:
    """How much of everything a budget takes.

    Args:
        blocks, width: Of the plain model.
        steps: Of the first training.
        further: Steps after sharing and pruning, in every arm.
        sequences: Training sequences that maps and neurons are looked at on.
        search: How many of them judge which attention goes.
        validation_tokens: Held-out tokens.
    """

    blocks: int = 8
    width: int = 64
    steps: int = STEPS
    further: int = STEPS // 2
    sequences: int = 128
    search: int = 32
    validation_tokens: int = 16_384


SCALES = {
    "smoke": Scale(4, 16, 10, 10, 8, 4, 1024),
    "quick": Scale(8, 48, 200, 100, 64, 16),  # the blocks of full: as many parts go
    "search": Scale(),  # shorter ones chose rates that end worse
    "full": Scale(),
}


def pairs() -> list[Combination]:
    """Any two ingredients."""
    return list(combinations(INGREDIENTS, 2))


def together() -> Combination:
    """All five."""
    return tuple(INGREDIENTS)


def without(ingredient: str) -> Combination:
    """All but one."""
    return tuple(name for name in INGREDIENTS if name != ingredient)


def name_of(combination: Collection[str]) -> str:
    """What an arm is called.

    Example:
        >>> name_of(()), name_of([PRUNED, SHARED]), name_of(without(RATES))
        ('plain', 'shared+pruned', 'all-but-block-rates')
    """
    chosen = [name for name in INGREDIENTS if name in combination]
    missing = [name for name in INGREDIENTS if name not in combination]
    if not missing:
        return "all"
    if len(missing) == 1:
        return f"all-but-{missing[0]}"
    return "+".join(chosen) or "plain"


def first_part(combination: Sequence[str]) -> Combination:
    """The ingredients that a model is trained with before anything is taken away."""
    return tuple(name for name in combination if name in TRAINED)


def model_of(combination: Collection[str], scale: Scale, blocks: int = 0) -> Any:
    """The model that is trained first; the plain one is that of `simplify`.

    Its SAS-P has equal blocks, as two-stage pruning needs them: the first one, too, is
    without a value matrix.
    """
    plain = base_model("pre-ln", blocks or scale.blocks, scale.width)
    model = plain
    if SIMPLIFIED in combination:
        block, like = block_preset("sas-p"), plain.blocks[0]
        block = replace(block, norm=like.norm, feed_forward=like.feed_forward)
        model = replace(model, blocks=(block,) * len(plain.blocks))
    if POSITIONS in combination:
        model = replace(model, positions="none")
    return model


def taken(combination: Collection[str], scale: Scale) -> tuple[int, int]:
    """How many attentions of a combination are pruned, and how many copy a map.

    Example:
        >>> full = SCALES["full"]
        >>> taken([PRUNED, SHARED], full), taken([SIMPLIFIED, PRUNED], full)
        ((2, 3), (1, 0))
    """
    from kit.pruning import closed_rule  # here, because it loads Keras
    from kit.sharing import copies_at_rate

    sparsity = SPARSITY if PRUNED in combination else 0.0
    share = SHARE if SHARED in combination else 0.0
    pruned = closed_rule(model_of(combination, scale), sparsity)
    return pruned, copies_at_rate(share, range(scale.blocks))


def rates_of(model: ModelConfig) -> BlockRates:
    """The paper's ratios, for the roles that a model has; gains have that of norms.

    Example:
        >>> sorted(rates_of(model_of([SIMPLIFIED], SCALES["full"])).ratios)
        ['Emb', 'FFN', 'Norm', 'QK', 'other']
    """
    roles = [role for role, count in parameter_counts(model).items() if count]
    return BlockRates({role: PAPER_RATIOS.get(role, 1.0) for role in roles})


def first_training(combination: Collection[str], scale: Scale) -> TrainConfig:
    """How a model is trained first; the learning rate is still to be found."""
    train = text_training(scale.steps, scale.steps // 2)
    if RATES in combination:
        train = replace(train, block_rates=rates_of(model_of(combination, scale)))
    return train


def further_training(first: TrainConfig, scale: Scale) -> TrainConfig:
    """How it is trained further, from a third of its rate down to nothing.

    Its warm-up has the same share of the steps: a ratio of ten makes it ten times as
    long.
    """
    return replace(
        first,
        steps=scale.further,
        learning_rate=first.learning_rate * FURTHER,
        warmup_steps=max(1, first.warmup_steps * scale.further // first.steps),
        final_learning_rate=0.0,
        evaluate_every=scale.further,
    )


def first_spec(
    combination: Collection[str], scale: Scale, blocks: int = 0
) -> dict[str, Any]:
    """What `kit.studies.dense.Dense` and `kit.studies.training` train."""
    return {
        "model": model_of(combination, scale, blocks).to_dict(),
        "task": text_spec() | {"validation_tokens": scale.validation_tokens},
        "train": first_training(combination, scale).to_dict(),
        "sources": versions(),
    }
