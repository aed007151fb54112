"""Small deep models for pruning, shared by its tests."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from kit.config import ModelConfig
from kit.data import IGNORED, Batch
from kit.models import Transformer, build
from kit.pruning import Calibration
from tests.cases import BLOCK, case, shake

DEPTH, NEURONS = 4, 48
KINDS: dict[str, dict[str, Any]] = {
    "gpt": {},
    "llama": {
        "block": {"norm": "rms", "feed_forward": "swiglu", "num_key_value_heads": 2},
        "positions": "rotary",
        "final_norm": "rms",
        "tied_head": False,
    },
    "padded": {"padding_id": 10},
    "encoder": {"mask": "full", "padding_id": 10},
    "parallel": {"block": {"wiring": "parallel"}},
}


def deep_config(kind: str = "gpt", blocks: int = DEPTH) -> ModelConfig:
    """`blocks` equal small blocks."""
    shared = dict(KINDS[kind])
    block = replace(BLOCK, feed_forward_dim=NEURONS, **shared.pop("block", {}))
    return case(blocks=(block,) * blocks, **shared)


@cache
def deep(kind: str = "gpt", blocks: int = DEPTH) -> Transformer:
    """A model whose weights are far from their start; only to be read."""
    return shake(build(deep_config(kind, blocks)), seed=3)


def some_data(config: ModelConfig, sequences: int = 6) -> Batch:
    """Random tokens, and targets of which a third is ignored; with some padding."""
    rng = np.random.default_rng(5)
    tokens = rng.integers(10, size=(sequences, config.context_length), dtype="int32")
    targets = np.roll(tokens, -1, axis=1)
    targets[:, ::3] = IGNORED
    if config.padding_id is not None:
        tokens[1, 5:], targets[1, 5:] = config.padding_id, IGNORED
    return Batch(tokens, targets)


def calibration(config: ModelConfig, search_sequences: int = 2) -> Calibration:
    return Calibration(some_data(config), 6, search_sequences)
