"""What is trained, the same for everyone who is timed."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np


class Batches(NamedTuple):
    """Random tokens, (steps, batch, time) int32, and what should follow them."""

    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Case:
    """A GPT and its batches: learned positions, causal, GELU, tied head.

    Args:
        block: A block of `kit.presets`.
        steps: Steps that are timed at a time; some tenths of a second at least.
        feature: One of `FEATURES` that is added to plain training, or `None`.
    """

    blocks: int
    width: int
    context: int
    batch: int
    vocabulary: int
    steps: int
    heads: int = 4
    block: str = "pre-ln"
    feature: str | None = None

    @property
    def actions(self) -> tuple[str, ...]:
        """What is timed: what is added to training costs a forward pass nothing."""
        return ("train",) if self.feature else tuple(ACTIONS)

    def batches(self) -> Batches:
        """The data of all steps, the same for every peer."""
        rng = np.random.default_rng(0)
        shape = (self.steps, self.batch, self.context + 1)
        tokens = rng.integers(self.vocabulary, size=shape, dtype="int32")
        return Batches(tokens[..., :-1], tokens[..., 1:])

    @property
    def tokens(self) -> int:
        """Tokens of all steps."""
        return self.steps * self.batch * self.context


BASE = "pre-ln"
PAPER = {"sas": 1.09, "sas-p": 1.16, "sas-p-no-norm": 1.20}
"""Training speed beside Pre-LN on a GPU: 2311.01906, table 1 (16 blocks of 768)."""

TEXT = Case(blocks=4, width=128, context=64, batch=12, vocabulary=65, steps=100)
ADDITION = Case(blocks=6, width=64, context=12, batch=256, vocabulary=14, steps=50)
STEPS = {128: 20, 256: 8, 512: 2}
"""Steps of a simplified block at each width."""

FEATURES = {"blockwise": 0.02, "sharpness": 0.05}
"""What is added to plain training, and the largest share of its time that we allow."""

WATCHED = 4
"""Batches that sharpness is measured on, each of the size of one for training."""

CASES = (
    {"text": TEXT, "addition": ADDITION}
    | {
        f"{block}-{width}": replace(
            TEXT, block=block, width=width, batch=4, steps=steps
        )
        for width, steps in STEPS.items()
        for block in PAPER
    }
    # One measurement of the sharpness callback in each turn.
    | {f"text-{name}": replace(TEXT, feature=name, steps=200) for name in FEATURES}
)
ACTIONS = {"train": 3, "forward": 1}
"""What can be timed, and how many forward passes it costs (`kit.counts`)."""

OPTIMIZER = {"learning_rate": 1e-3, "weight_decay": 0.1, "betas": (0.9, 0.99)}
CLIP_NORM = 1.0
