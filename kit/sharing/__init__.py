"""Attention maps shared between layers: attend, copy, adjust (EchoAtt, 2409.14595).

`similarity` says how alike maps are, `selection` who copies from whom, `share` makes
the smaller model, and `distillation` trains it.
"""

from kit.sharing.distillation import (
    STAGE,
    Distillation,
    DistillingTrainer,
    adjust,
    distil,
    last_of_groups,
)
from kit.sharing.heads import match_heads
from kit.sharing.keras_distiller import keras_distiller
from kit.sharing.losses import DistillationConfig, distillation_loss
from kit.sharing.measures import MEASURES, Compared, compare_maps
from kit.sharing.selection import (
    Copies,
    at_random,
    by_largest_gap,
    by_list,
    consecutive,
    copies_at_rate,
    inner_blocks,
    least_similar,
    most_similar,
)
from kit.sharing.share import Savings, savings_of, share, shared_config
from kit.sharing.similarity import MapSimilarity, map_similarity

__all__ = [
    "MEASURES",
    "STAGE",
    "Compared",
    "Copies",
    "Distillation",
    "DistillationConfig",
    "DistillingTrainer",
    "MapSimilarity",
    "Savings",
    "adjust",
    "at_random",
    "by_largest_gap",
    "by_list",
    "compare_maps",
    "consecutive",
    "copies_at_rate",
    "distil",
    "distillation_loss",
    "inner_blocks",
    "keras_distiller",
    "last_of_groups",
    "least_similar",
    "map_similarity",
    "match_heads",
    "most_similar",
    "savings_of",
    "share",
    "shared_config",
]
