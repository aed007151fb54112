"""Removing parts one by one, each time the one whose loss is lowest without it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit.pruning.evaluation import Judge, perplexity
from kit.pruning.outline import Part


@dataclass(frozen=True)
class Removal:
    """One removal of a search.

    Args:
        part: What went.
        perplexity: Of the model without it and all that went before.
        candidates: The perplexity without each part that could have gone.

    Example:
        >>> removal = Removal(Part("attention", 2), 7.5, {Part("attention", 2): 7.5})
        >>> removal.to_dict()["part"]
        'attention 2'
    """

    part: Part
    perplexity: float
    candidates: dict[Part, float] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        tried = {str(part): value for part, value in self.candidates.items()}
        return {
            "part": str(self.part),
            "perplexity": self.perplexity,
            "candidates": tried,
        }


def remove_greedily(
    evaluator: Judge,
    parts: Sequence[Part],
    enough: Callable[[list[Part]], bool],
) -> list[Removal]:
    """Stage 2 of 2SSP, and BlockPruner (2406.10594): greedy, evaluated anew each time.

    Removing N of B parts evaluates B + (B - 1) + ... + (B - N + 1) candidates. Of
    equals the first one in `parts` goes.

    Args:
        evaluator: Judges the candidates.
        parts: What may go.
        enough: Whether these parts are enough; asked before each removal.

    Returns:
        The removals in their order; all of `parts` where nothing is enough.

    Example:
        >>> import numpy as np
        >>> from kit.config import ModelConfig
        >>> from kit.data import Batch
        >>> from kit.models import build
        >>> from kit.pruning.surgery import parts_of
        >>> config = ModelConfig.uniform(4, vocabulary_size=14, context_length=12)
        >>> tokens = np.arange(12)[None] % 14
        >>> from kit.pruning.evaluation import Evaluator
        >>> evaluator = Evaluator(build(config), Batch(tokens, np.roll(tokens, -1)))
        >>> parts = parts_of(config, "attention")
        >>> gone = remove_greedily(evaluator, parts, lambda gone: len(gone) == 2)
        >>> len(gone), evaluator.candidates
        (2, 7)
    """
    gone: list[Part] = []
    removals: list[Removal] = []
    while len(gone) < len(parts) and not enough(gone):
        left = [part for part in parts if part not in gone]
        found = evaluator.losses([[*gone, part] for part in left])
        lowest = min(range(len(left)), key=found.__getitem__)  # the first of equals
        gone.append(left[lowest])
        tried = dict(zip(left, map(perplexity, found), strict=True))
        removals.append(Removal(left[lowest], perplexity(found[lowest]), tried))
    return removals
