"""Attention maps shared between layers: attend, copy, adjust (EchoAtt, 2409.14595).

`similarity` says how alike maps are, `selection` who copies from whom, `share` makes
the smaller model, and `distillation` trains it; `attend_copy_adjust` does all of it.
"""

from kit.sharing.distillation import (
    STAGE,
    Distillation,
    DistillingTrainer,
    adjust,
    distil,
    last_of_groups,
)
from kit.sharing.echoatt import ADJUSTING, attend_copy_adjust, stage
from kit.sharing.heads import match_heads
from kit.sharing.keras_distiller import keras_distiller
from kit.sharing.losses import DistillationConfig, distillation_loss
from kit.sharing.measures import MEASURES, Compared, compare_maps
from kit.sharing.record import Choice, Record, Shared
from kit.sharing.selection import (
    RULES,
    Copies,
    at_random,
    by_largest_gap,
    by_list,
    choose,
    consecutive,
    copies_at_rate,
    inner_blocks,
    least_similar,
    most_similar,
)
from kit.sharing.share import Savings, saved_by, savings_of, share, shared_config
from kit.sharing.similarity import MapSimilarity, map_similarity

__all__ = [
    "ADJUSTING",
    "MEASURES",
    "RULES",
    "STAGE",
    "Choice",
    "Compared",
    "Copies",
    "Distillation",
    "DistillationConfig",
    "DistillingTrainer",
    "MapSimilarity",
    "Record",
    "Savings",
    "Shared",
    "adjust",
    "at_random",
    "attend_copy_adjust",
    "by_largest_gap",
    "by_list",
    "compare_maps",
    "choose",
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
    "saved_by",
    "savings_of",
    "share",
    "shared_config",
    "stage",
]
