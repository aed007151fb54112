"""Structured pruning: two-stage pruning (2SSP, 2501.17771) and its rivals.

Three nouns: `scores` say what a neuron is worth, `allocation` how much goes where, and
`surgery` makes the smaller model.
"""

from kit.pruning.adapters import KitModel, Prunable
from kit.pruning.allocation import (
    Allocation,
    NotReached,
    allocate,
    attention_share,
    block_parameters,
    closed_rule,
    even_rule,
    feed_forward_rule,
    sparsity_of,
)
from kit.pruning.calibration import Calibration, activities
from kit.pruning.callback import PruningCallback
from kit.pruning.evaluation import Evaluator, perplexity
from kit.pruning.functional import FunctionalModel
from kit.pruning.greedy import Removal, remove_greedily
from kit.pruning.methods import METHODS, prune
from kit.pruning.named import BlockLayers
from kit.pruning.operation import Operation
from kit.pruning.outline import BlockOutline, Outline, Part
from kit.pruning.pieces import Pieces
from kit.pruning.record import Pruned, Record
from kit.pruning.recovery import RECOVERY, Recovered, recover
from kit.pruning.schedules import Constant, OneShot, Polynomial
from kit.pruning.scores import SCORES, Activity, best, score_neurons
from kit.pruning.surgery import (
    keep_neurons,
    parts_of,
    parts_of_blocks,
    path,
    remove_parts,
    smaller_config,
)
from kit.pruning.two_stage import two_stage
from kit.pruning.units import Units, units_of, without_units

__all__ = [
    "METHODS",
    "RECOVERY",
    "SCORES",
    "Activity",
    "Allocation",
    "BlockLayers",
    "BlockOutline",
    "Calibration",
    "Constant",
    "Evaluator",
    "FunctionalModel",
    "KitModel",
    "NotReached",
    "OneShot",
    "Operation",
    "Outline",
    "Part",
    "Pieces",
    "Polynomial",
    "Prunable",
    "Pruned",
    "PruningCallback",
    "Record",
    "Recovered",
    "Removal",
    "Units",
    "activities",
    "allocate",
    "attention_share",
    "best",
    "block_parameters",
    "closed_rule",
    "even_rule",
    "feed_forward_rule",
    "keep_neurons",
    "parts_of",
    "parts_of_blocks",
    "path",
    "perplexity",
    "prune",
    "recover",
    "remove_greedily",
    "remove_parts",
    "score_neurons",
    "smaller_config",
    "sparsity_of",
    "two_stage",
    "units_of",
    "without_units",
]
