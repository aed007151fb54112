"""What is trained: the grid of arms, as edits of one base model.

Blocks are counted from 0. Full runs have four blocks (six are reported second-hand for
the paper), quick runs three, so that a class can wait for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kit.config import BlockConfig, ModelConfig
from kit.data import PAD, Addition
from kit.labels import difference_label
from kit.models.counts import flops_per_token
from kit.studies.study import Arm
from kit.studies.texts import docs_sources
from kit.training.config import TrainConfig

# Measured on one core; only used to order the work and to estimate the time left.
FLOPS_PER_SECOND = 4e10
SECONDS_PER_STEP = 2e-3

# Searched on the base without positions (rates 1e-3 to 5e-3, scales 0.02 to 0.15, decay
# 0.1 and 0.01, one seed) for the fewest steps; the same for all arms but the control K.
# GPT-2's scale of 0.02 is for widths near 1000.
LEARNING_RATE = 3e-3
INITIALIZER_STD = 0.15
WEIGHT_DECAY = 0.01

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


SCALES = {
    "smoke": Scale(2, 16, 20, 16, 10, 10, 10, 2, 50),
    "quick": Scale(3, 64, 1000, 128, 100, 300, 100, 4, 500),
    "full": Scale(),
}


def arms(budget: str) -> list[Arm]:
    """All arms of a budget, in the order of the report."""
    scale = SCALES[budget]
    addition = _addition_arms(scale, budget)
    return [*addition, *_invariance_arms(scale, budget), *_text_arms(scale, budget)]


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
        initializer_std=INITIALIZER_STD,
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
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        warmup_steps=min(100, scale.steps // 10),
        schedule="linear",
        evaluate_every=scale.every,
        target_metric="exact_match",
        target_value=0.999,
    )


def consecutive(count: int, blocks: int) -> tuple[int, ...]:
    """`count` neighbouring blocks around the middle."""
    first = (blocks - count) // 2
    return tuple(range(first, first + count))


def spread(count: int, blocks: int) -> tuple[int, ...]:
    """`count` blocks of which no two are neighbours, from block 0 on."""
    return tuple(range(0, blocks, 2))[:count]


def without(
    config: ModelConfig, blocks: Sequence[int], skips: Any = None
) -> ModelConfig:
    """The same model with the skips of some blocks removed."""
    return config.with_blocks(dict.fromkeys(blocks, skips or NO_SKIPS))


def _addition_arms(scale: Scale, budget: str) -> list[Arm]:
    full = budget == "full"
    depth = scale.blocks
    learned, none = base_model(scale), base_model(scale, "none")
    blind, told = (_full_mask(scale, positions) for positions in ("none", "learned"))
    next_token = base_task(scale, protocol="next_token")
    slow = _one_target_a_pass(scale)
    prefix = {"mask": "prefix", "prefix_length": base_task(scale).prompt_length}
    one_block = base_model(scale, "none", blocks=1)
    highest_first = replace(base_task(scale), reverse_answer=False)

    def arm(name, model, task=None, train=None, seeds=3):
        return _training_arm(
            name, model, task or base_task(scale), train or base_training(scale), seeds
        )

    grid = [
        arm("A-learned", learned, seeds=5),
        arm("B-none", none, seeds=5),
        arm("C-one-block", one_block, seeds=5),
        arm("E-full", blind, next_token, slow, seeds=5),
    ]
    if not full:
        return _few(scale, grid, none, learned, arm)
    grid += [
        arm("A-highest-first", learned, highest_first),
        arm("B-highest-first", none, highest_first),
        arm("B-two-blocks", base_model(scale, "none", blocks=2)),
        arm("D-learned-full", told, next_token, slow),
        arm("E-highest-first", blind, replace(next_token, reverse_answer=False), slow),
        arm("P-prefix", replace(none, **prefix)),
    ]
    grid += [arm(f"F-block-{i}", without(none, [i])) for i in range(depth)]
    for count, seeds in {2: 5, 3: 3, 4: 5}.items():
        chosen = consecutive(count, depth)
        grid.append(arm(f"G-{count}-consecutive", without(none, chosen), seeds=seeds))
        grid.append(
            arm(f"I-{count}-consecutive", without(learned, chosen), seeds=seeds)
        )
    grid.append(arm("H-2-spread", without(none, spread(2, depth)), seeds=5))
    for part in ("attention", "feed_forward"):
        model = without(none, range(depth), {f"{part}_skip": 0.0})
        grid.append(arm(f"J-{depth}-{part.replace('_', '-')}", model))
    for share in (0.3, 0.1):
        train = base_training(scale)
        train = replace(train, learning_rate=share * train.learning_rate)
        model = without(none, range(depth))
        grid.append(arm(f"K-{depth}-rate-x{share}", model, train=train))
    return grid


def _full_mask(scale: Scale, positions: str) -> ModelConfig:
    """Two blocks that see everything but the padding."""
    model = base_model(scale, positions, blocks=2)
    return replace(model, mask="full", padding_id=PAD)


def _one_target_a_pass(scale: Scale) -> TrainConfig:
    """As many targets a step as the other arms have, in half as many steps.

    Four times the rows cost four times the time: hence two blocks and fewer steps.
    """
    train = base_training(scale)
    rows = train.batch_size * base_task(scale).answer_length
    return replace(train, batch_size=rows, steps=train.steps // 2)


def _few(scale: Scale, grid: list[Arm], none, learned, arm) -> list[Arm]:
    """What a class can wait for: the grid so far, and two neighbouring blocks."""
    chosen = consecutive(scale.blocks - 1, scale.blocks)
    count = len(chosen)
    return [
        replace(each, seeds=None)
        for each in [
            *grid,
            arm(f"G-{count}-consecutive", without(none, chosen)),
            arm(f"I-{count}-consecutive", without(learned, chosen)),
        ]
    ]


def _training_arm(
    name: str, model: ModelConfig, task: Addition, train: TrainConfig, seeds: int
) -> Arm:
    base = base_model(
        Scale(width=model.width, heads=model.blocks[0].num_heads),
        blocks=len(model.blocks),
    )
    label = [difference_label(model, base)]
    if len(model.blocks) < 3:
        label.insert(0, f"{len(model.blocks)} block" + "s" * (len(model.blocks) > 1))
    if not task.reverse_answer:
        label.append("highest digit first")
    if train.learning_rate != LEARNING_RATE:
        label.append(f"learning rate x{train.learning_rate / LEARNING_RATE:g}")
    spec = {
        "kind": "addition",
        "model": model.to_dict(),
        "task": task.spec() | {"fingerprint": task.fingerprint},
        "train": train.to_dict(),
    }
    return Arm(name, "; ".join(label), spec, _seconds(model, train), seeds)


def _invariance_arms(scale: Scale, budget: str) -> list[Arm]:
    """Claim C1: depth x mask x skips without positions, and two controls with them."""
    depths = {"smoke": (1, 2), "quick": (1, 2), "full": (1, 2, 3)}[budget]
    grid = [
        (f"N-{depth}-{mask}{'' if skips else '-no-skips'}", depth, mask, skips, "none")
        for depth in depths
        for mask in ("full", "causal")
        for skips in (True, False)
    ]
    if budget == "full":
        grid += [
            (f"N-1-{mask}-{positions}", 1, mask, True, positions)
            for mask in ("full", "causal")
            for positions in ("learned", "sinusoidal", "rotary", "alibi")
        ]
    return [_invariance_arm(scale, *row) for row in grid]


def _invariance_arm(
    scale: Scale, name: str, depth: int, mask: str, skips: bool, positions: str
) -> Arm:
    model = replace(
        base_model(scale, positions, blocks=depth),
        mask=mask,
        padding_id=PAD if mask == "full" else None,
    )
    if not skips:
        model = without(model, range(depth))
    protocol = "next_token" if mask == "full" else "sequence"
    train = replace(
        base_training(scale),
        steps=scale.invariance_steps,
        evaluate_every=scale.invariance_steps,
        warmup_steps=scale.invariance_steps // 10,
        target_metric=None,
        target_value=None,
    )
    blocks = f"{depth} block" + "s" * (depth > 1)
    label = f"{blocks}, {mask} mask, {'skips' if skips else 'no skips'}, positions "
    spec = {
        "kind": "invariance",
        "model": model.to_dict(),
        "task": base_task(scale, protocol=protocol).spec(),
        "train": train.to_dict(),
    }
    return Arm(name, label + positions, spec, _seconds(model, train), 3)


def _text_arms(scale: Scale, budget: str) -> list[Arm]:
    """A character model of English, with and without positions."""
    every = {"positions": "learned"}, {"positions": "none"}
    train = TrainConfig(
        steps=scale.text_steps,
        batch_size=12,
        learning_rate=1e-3,
        warmup_steps=min(100, scale.text_steps // 10),
        evaluate_every=scale.text_steps // 10,
    )
    chosen = every if budget == "full" else every[:1]
    return [_text_arm(scale, train, edit["positions"]) for edit in chosen]


def _text_arm(scale: Scale, train: TrainConfig, positions: str) -> Arm:
    context_length = 64
    spec = {
        "kind": "text",
        # The vocabulary is that of the text, which only the worker reads.
        "model": ModelConfig.uniform(
            min(scale.blocks, 4),
            BlockConfig(num_heads=scale.heads),
            vocabulary_size=1,
            context_length=context_length,
            width=2 * scale.width,
            positions=positions,
        ).to_dict(),
        "task": {
            "task": "text",
            "corpus": "docs",
            "tokenizer": "character",
            "context_length": context_length,
            "validation_tokens": 16_384,
        },
        "sources": docs_sources(),
        "train": train.to_dict(),
    }
    model = replace(ModelConfig.from_dict(spec["model"]), vocabulary_size=100)
    label = f"text, positions {positions}"
    return Arm(f"T-{positions}", label, spec, _seconds(model, train), None)


def _seconds(model: ModelConfig, train: TrainConfig) -> float:
    tokens = train.batch_size * model.context_length
    per_step = 3 * flops_per_token(model) * tokens / FLOPS_PER_SECOND
    return train.steps * (per_step + SECONDS_PER_STEP)
