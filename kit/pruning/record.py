"""What a pruning method did, as plain numbers beside the smaller model."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from kit.pruning.greedy import Removal
from kit.pruning.outline import Part


@dataclass
class Record:
    """What went, why, and what it cost.

    Args:
        method: Name of the method.
        sparsity: The share of the block parameters that was asked for.
        reached: The share that is gone.
        neurons: Block to the neurons that stay, where a method chose neurons.
        scores: Block to the score of each neuron (neurons,), likewise.
        parts: Attentions and feed-forwards that went, in their order.
        removals: The searches' steps, with the perplexity after each.
        part_scores: What else parts or blocks were judged by, by name.
        perplexity: On the search sequences: `"before"`, `"narrowed"` (after neurons
            went) and `"after"`.
        candidates: Models without some parts that were evaluated to choose among.
        block_evaluations: Blocks run, each times the number of sequences.
        seconds: Of the whole, and of each stage by name.

    Example:
        >>> record = Record("2ssp", 0.25, parts=[Part("attention", 1)])
        >>> record.to_dict()["parts"]
        ['attention 1']
    """

    method: str
    sparsity: float
    reached: float = 0.0
    neurons: dict[int, list[int]] = field(default_factory=dict)
    scores: dict[int, np.ndarray] = field(default_factory=dict, repr=False)
    parts: list[Part] = field(default_factory=list)
    removals: list[Removal] = field(default_factory=list)
    part_scores: dict[str, float] = field(default_factory=dict)
    perplexity: dict[str, float] = field(default_factory=dict)
    candidates: int = 0
    block_evaluations: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return vars(self) | {
            "neurons": {str(block): kept for block, kept in self.neurons.items()},
            "scores": {str(block): s.tolist() for block, s in self.scores.items()},
            "parts": [str(part) for part in self.parts],
            "removals": [removal.to_dict() for removal in self.removals],
        }


class Pruned(NamedTuple):
    """A smaller model and how it came to be.

    Args:
        model: The smaller model: an ordinary kit model, or the `Prunable` that was
            asked for.
        record: What went, why, and what it cost.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> model, record = Pruned(build(config), Record("none", 0.0))
        >>> record.reached
        0.0
    """

    model: Any
    record: Record
