"""What is trained: three kinds of model, AdamW, and rates by block in many variants."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kit.config import ModelConfig
from kit.data.docs import versions
from kit.rates import HEAD, PAPER_RATIOS, BlockRates
from kit.studies.search import SEARCH, kept_rates, searched, with_rate
from kit.studies.sharpness.base import (
    ADDITION_BATCH,
    LION_RATES,
    RATES,
    SCALES,
    Scale,
    addition,
    base_training,
    checkpoints,
    gpt,
    llama,
)
from kit.studies.study import Arm
from kit.studies.text import PREPARATION, seconds, text_spec
from kit.training.config import TrainConfig

ORDER = tuple(PAPER_RATIOS)  # of sharpness, as the paper has it: flattest first
ONES = dict.fromkeys(ORDER, 1.0)
REVERSED = dict(zip(ORDER, reversed([*PAPER_RATIOS.values()]), strict=True))
SQUARE_ROOTS = {role: ratio**0.5 for role, ratio in PAPER_RATIOS.items()}
UNIFORM = (2, 4, 6)
QUICK = ("adamw", "blockwise", "uniform-x4")
FIVE_SEEDS = (  # where an interval decides a claim of the paper
    *("llama-adamw", "llama-blockwise", "llama-adamw-2x", "llama-paper-rate"),
    *("llama-emb", "llama-emb-ffn", "llama-norm"),
    *("llama-lion", "llama-lion-blockwise", "llama-wsd", "llama-wsd-blockwise"),
    *("gpt-adamw", "gpt-blockwise", "narrow-adamw", "narrow-blockwise"),
)


@dataclass(frozen=True)
class Variant:
    """An arm whose learning rate is still to be found.

    Args:
        family: `"llama"` and so on, the first part of the arm's name.
        model, task: What learns what.
        train: How, at a learning rate that does not matter.
        grid: The learning rates of its search.
        like: The arm whose learning rate it takes instead, and how often.
        looks: What is measured beyond the loss; see `cells`.
    """

    family: str
    model: ModelConfig
    train: TrainConfig
    task: Mapping[str, Any] = field(default_factory=text_spec)
    grid: tuple[float, ...] = RATES
    like: tuple[str, float] | None = None
    looks: Mapping[str, Any] = field(default_factory=dict)


def arms(budget: str) -> list[Arm]:
    """All arms of a budget, in the order of the report."""
    scale = SCALES[budget]
    if budget in ("full", SEARCH):
        variants = all_variants(scale)
    else:
        variants = {
            name: variant
            for family in (_llama(scale), _gpt(scale))
            for name, variant in family.items()
            if name.removeprefix(f"{variant.family}-") in QUICK
        }
    if budget == SEARCH:
        return [
            found
            for name, variant in variants.items()
            if not variant.like
            for found in searched(
                [_arm(name, replace(variant, looks={}), scale)], variant.grid
            )
        ]
    return [_at_its_rate(name, variant, scale) for name, variant in variants.items()]


def all_variants(scale: Scale) -> dict[str, Variant]:
    """Every arm by name: the controls and the ablation are of the LLaMA type."""
    families = (_llama, _controls, _optimizers, _gpt, _ties, _narrow, _addition)
    return {name: found for f in families for name, found in f(scale).items()}


def _pair(family: str, model: ModelConfig, scale: Scale, **more: Any) -> dict:
    """AdamW and rates by block, both watched while they train."""
    train = more.pop("train", base_training(scale))
    looks = {"steps": checkpoints(train.steps), "batches": scale.batches}
    adamw = Variant(family, model, train, looks=looks, **more)
    blockwise = replace(adamw, train=replace(train, block_rates=BlockRates()))
    return {f"{family}-adamw": adamw, f"{family}-blockwise": blockwise}


def _llama(scale: Scale) -> dict[str, Variant]:
    """The main comparison, and rates that are larger for all blocks alike."""
    pair = _pair("llama", llama(scale), scale)
    adamw, blockwise = pair.values()
    looks = {**adamw.looks, "products": scale.products}
    longer = replace(adamw.train, steps=2 * adamw.train.steps)
    own = replace(adamw, looks={})
    return {
        "llama-adamw": replace(adamw, looks=looks),
        "llama-blockwise": blockwise,
        "llama-paper-rate": replace(blockwise, like=("llama-adamw", 1.0), looks={}),
        "llama-adamw-2x": replace(own, train=longer, like=("llama-adamw", 1.0)),
        **{
            f"llama-uniform-x{factor}": replace(own, like=("llama-adamw", factor))
            for factor in UNIFORM
        },
    }


def _controls(scale: Scale) -> dict[str, Variant]:
    """The ablation, other ratios, and what else the official code changes."""
    base = base_training(scale)
    rates = {
        "emb": BlockRates(_ratios("Emb")),
        "emb-ffn": BlockRates(_ratios("Emb", "FFN")),
        "norm": BlockRates({**ONES, "Norm": 2.0}),
        "all-norm": BlockRates({**PAPER_RATIOS, "Norm": 2.0}),
        "head-base": BlockRates({**PAPER_RATIOS, HEAD: 1.0}),
        "reversed": BlockRates(REVERSED),
        "square-root": BlockRates(SQUARE_ROOTS),
        "common-warmup": BlockRates(scaling="peak"),
        "own-minimum": BlockRates(scaling="curve"),
        "common-decay": BlockRates(scale_decay=False),
    }
    trained = {name: replace(base, block_rates=found) for name, found in rates.items()}
    longest = int(max(PAPER_RATIOS.values()))
    matrices = replace(base, decay_everything=False)
    trained |= {
        "long-warmup": replace(base, warmup_steps=longest * base.warmup_steps),
        "adamw-matrices": matrices,
        "blockwise-matrices": replace(matrices, block_rates=BlockRates()),
    }
    return {
        f"llama-{name}": Variant("llama", llama(scale), train)
        for name, train in trained.items()
    }


def _ratios(*roles: str) -> dict[str, float]:
    return ONES | {role: PAPER_RATIOS[role] for role in roles}


def _optimizers(scale: Scale) -> dict[str, Variant]:
    """Lion and the WSD schedule, with and without rates by block."""
    base = base_training(scale)
    lion = replace(base, optimizer="lion", beta_1=0.95, beta_2=0.98, weight_decay=1.0)
    wsd = replace(base, schedule="wsd", final_learning_rate=0.1)
    found = {}
    for name, train, grid in (("lion", lion, LION_RATES), ("wsd", wsd, RATES)):
        alone = Variant("llama", llama(scale), train, grid=grid)
        found[f"llama-{name}"] = alone
        found[f"llama-{name}-blockwise"] = replace(
            alone, train=replace(train, block_rates=BlockRates())
        )
    return found


def _gpt(scale: Scale) -> dict[str, Variant]:
    return _pair("gpt", gpt(scale), scale)


def _ties(scale: Scale) -> dict[str, Variant]:
    """The other kind of head for each model."""
    untied = _pair("gpt-untied", gpt(scale, tied=False), scale)
    return untied | _pair("llama-tied", llama(scale, tied=True), scale)


def _narrow(scale: Scale) -> dict[str, Variant]:
    return _pair("narrow", llama(scale, width=scale.narrow), scale)


def _addition(scale: Scale) -> dict[str, Variant]:
    model, task = addition(scale)
    train = replace(base_training(scale), batch_size=ADDITION_BATCH)
    return _pair("addition", model, scale, task=task, train=train)


def _at_its_rate(name: str, variant: Variant, scale: Scale) -> Arm:
    """The arm at the rate that the kept search found, or the middle of its grid."""
    found, factor = variant.like or (name, 1.0)
    middle = variant.grid[len(variant.grid) // 2]
    rate = kept_rates("sharpness").get(found, middle)
    arm = with_rate(_arm(name, variant, scale), factor * rate)
    return replace(
        arm, seeds=5 if name in FIVE_SEEDS and scale == SCALES["full"] else None
    )


def _arm(name: str, variant: Variant, scale: Scale) -> Arm:
    spec: dict[str, Any] = {
        "model": variant.model.to_dict(),
        "task": dict(variant.task),
        "train": variant.train.to_dict(),
    }
    if variant.task["task"] == "text":
        spec["sources"] = versions()
    if variant.looks:
        spec["looks"] = dict(variant.looks)
    cost = seconds(variant.model, variant.train.steps)
    label = f"{variant.family}: {in_words(variant.train, base_training(scale))}"
    if variant.like:
        other, factor = variant.like
        label += f", at {f'{factor:g} times ' * (factor != 1)}the rate of {other}"
    return Arm(name, label, spec, cost, preparation=PREPARATION)


def in_words(train: TrainConfig, base: TrainConfig) -> str:
    """How a training differs from the base, for the tables.

    Example:
        >>> base = TrainConfig()
        >>> in_words(replace(base, block_rates=BlockRates({"Emb": 10, "QK": 1})), base)
        'AdamW, rates Emb 10'
    """
    words = ["Lion" if train.optimizer == "lion" else "AdamW"]
    if train.schedule != base.schedule:
        words.append(train.schedule.upper())
    if train.steps != base.steps:
        words.append(f"{train.steps} steps")
    if train.warmup_steps != base.warmup_steps:
        words.append(
            f"warm-up {train.warmup_steps / base.warmup_steps:g} times as long"
        )
    if train.decay_everything != base.decay_everything:
        words.append("decay on matrices only")
    rates = train.block_rates
    if rates:
        told = [(r, x) for r, x in rates.ratios.items() if x != 1 or r == HEAD]
        words.append("rates " + " ".join(f"{r} {x:.3g}" for r, x in told))
        if rates.scaling != "warmup":
            words.append("common warm-up")
        if rates.scaling == "curve":
            words.append("a minimum for each block")
        if not rates.scale_decay:
            words.append("common decay")
    return ", ".join(words)
