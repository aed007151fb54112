"""The main grid: what is trained on addition, as edits of one base model.

Blocks are counted from 0. Full runs have four blocks (six are reported second-hand for
the paper), quick runs two, so that a class can wait for them.
"""

from dataclasses import replace
from typing import Any

from kit.config import ModelConfig
from kit.data import PAD, Addition
from kit.labels import difference_label
from kit.studies.study import Arm
from kit.studies.symmetry.base import (
    PREPARATION,
    SCALES,
    Scale,
    base_model,
    base_task,
    base_training,
    seconds,
    without,
)
from kit.studies.symmetry.others import invariance_arms, text_arms
from kit.training.config import TrainConfig


def arms(budget: str) -> list[Arm]:
    """All arms of a budget, in the order of the report."""
    scale = SCALES[budget]
    addition = _addition_arms(scale, budget)
    return [*addition, *invariance_arms(scale, budget), *text_arms(scale, budget)]


def consecutive(count: int, blocks: int) -> tuple[int, ...]:
    """`count` neighbouring blocks around the middle."""
    first = (blocks - count) // 2
    return tuple(range(first, first + count))


def spread(count: int, blocks: int) -> tuple[int, ...]:
    """`count` blocks of which no two are neighbours, from block 0 on."""
    return tuple(range(0, blocks, 2))[:count]


def _addition_arms(scale: Scale, budget: str) -> list[Arm]:
    full = budget == "full"
    depth = scale.blocks
    learned, none = base_model(scale), base_model(scale, "none")
    blind, told = (_full_mask(scale, positions) for positions in ("none", "learned"))
    next_token = base_task(scale, protocol="next_token")
    slow = _one_target_a_pass(scale)
    prefix = base_task(scale).prompt_length
    one_block = base_model(scale, "none", blocks=1)
    highest_first = replace(base_task(scale), reverse_answer=False)

    def arm(
        name: Any, model: Any, task: Any = None, train: Any = None, seeds: Any = 3
    ) -> Any:
        task, train = task or base_task(scale), train or base_training(scale)
        return _training_arm(scale, name, model, task, train, seeds)

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
        arm("P-prefix", replace(none, mask="prefix", prefix_length=prefix)),
    ]
    grid += [arm(f"F-block-{i}", without(none, [i]), seeds=5) for i in range(depth)]
    for count in range(2, depth + 1):
        chosen = consecutive(count, depth)
        grid.append(arm(f"G-{count}-consecutive", without(none, chosen), seeds=5))
        few = 5 if count == depth else 3
        grid.append(arm(f"I-{count}-consecutive", without(learned, chosen), seeds=few))
    grid.append(arm("H-2-spread", without(none, spread(2, depth)), seeds=5))
    for part in ("attention", "feed_forward"):
        model = without(none, range(depth), {f"{part}_skip": 0.0})
        grid.append(arm(f"J-{depth}-{part.replace('_', '-')}", model))
    for share in (0.3, 0.1):
        train = base_training(scale)
        train = replace(train, learning_rate=share * train.learning_rate)
        bare, helped = (without(each, range(depth)) for each in (none, learned))
        grid.append(arm(f"K-{depth}-rate-x{share}", bare, train=train, seeds=5))
        grid.append(arm(f"K-{depth}-learned-rate-x{share}", helped, train=train))
    return grid


def _full_mask(scale: Scale, positions: str) -> ModelConfig:
    """Two blocks that see everything but the padding."""
    model = base_model(scale, positions, blocks=2)
    return replace(model, mask="full", padding_id=PAD)


def _one_target_a_pass(scale: Scale) -> TrainConfig:
    """As many targets a step as the other arms have, in fewer steps.

    Four times the rows cost four times the time: hence two blocks and fewer steps.
    """
    train = base_training(scale)
    rows = train.batch_size * base_task(scale).answer_length
    return replace(train, batch_size=rows, steps=train.steps // scale.full_mask_share)


def _few(scale: Scale, grid: list[Arm], none: Any, learned: Any, arm: Any) -> list[Arm]:
    """What a class can wait for: the grid so far, and no skips at all."""
    chosen = range(scale.blocks)
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
    scale: Scale,
    name: str,
    model: ModelConfig,
    task: Addition,
    train: TrainConfig,
    seeds: int,
) -> Arm:
    # Padding comes with the task, and is no edit.
    base = base_model(scale, blocks=len(model.blocks))
    base = replace(base, padding_id=model.padding_id)
    label = [difference_label(model, base)]
    if len(model.blocks) < 3:
        label.insert(0, f"{len(model.blocks)} block" + "s" * (len(model.blocks) > 1))
    if not task.reverse_answer:
        label.append("highest digit first")
    if train.learning_rate != scale.learning_rate:
        share = train.learning_rate / scale.learning_rate
        label.append(f"learning rate x{share:g}")
    spec: dict[str, Any] = {
        "kind": "addition",
        "model": model.to_dict(),
        "task": task.spec() | {"fingerprint": task.fingerprint},
        "train": train.to_dict(),
    }
    if task.protocol == "next_token":
        spec["probed"] = "prompt"
    return Arm(name, "; ".join(label), spec, seconds(model, train), seeds, PREPARATION)
