"""What is trained, the same for everyone who is timed."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Batches(NamedTuple):
    """Random tokens, (steps, batch, time) int32, and what should follow them."""

    inputs: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Case:
    """A GPT and its batches: Pre-LN, learned positions, causal, GELU, tied head."""

    blocks: int
    width: int
    context: int
    batch: int
    vocabulary: int
    heads: int = 4

    def batches(self, steps: int) -> Batches:
        """The data of some steps, the same for every peer."""
        rng = np.random.default_rng(0)
        shape = (steps, self.batch, self.context + 1)
        tokens = rng.integers(self.vocabulary, size=shape, dtype="int32")
        return Batches(tokens[..., :-1], tokens[..., 1:])

    @property
    def tokens(self) -> int:
        """Tokens of one step."""
        return self.batch * self.context


CASES = {
    "text": Case(blocks=4, width=128, context=64, batch=12, vocabulary=65),
    "addition": Case(blocks=6, width=64, context=12, batch=256, vocabulary=14),
}
STEPS = {"text": 100, "addition": 50}
"""Steps that are timed at a time: some seconds, as between two evaluations."""

OPTIMIZER = {"learning_rate": 1e-3, "weight_decay": 0.1, "betas": (0.9, 0.99)}
CLIP_NORM = 1.0
