"""Arms beside the main grid: who is invariant (claim C1), and text."""

from dataclasses import replace
from typing import Any

from kit.config import BlockConfig, ModelConfig
from kit.data import PAD
from kit.data.docs import versions as docs_sources
from kit.studies.study import Arm
from kit.studies.symmetry.base import (
    PREPARATION,
    Scale,
    base_model,
    base_task,
    base_training,
    seconds,
    without,
)
from kit.training.config import TrainConfig


def invariance_arms(scale: Scale, budget: str) -> list[Arm]:
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
    seeds = None if budget == "smoke" else 3
    return [_invariance_arm(scale, seeds, *row) for row in grid]


def _invariance_arm(
    scale: Scale,
    seeds: int | None,
    name: str,
    depth: int,
    mask: str,
    skips: bool,
    positions: str,
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
    return Arm(name, label + positions, spec, seconds(model, train), seeds, PREPARATION)


def text_arms(scale: Scale, budget: str) -> list[Arm]:
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
    spec: dict[str, Any] = {
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
    return Arm(f"T-{positions}", label, spec, seconds(model, train), None, PREPARATION)
