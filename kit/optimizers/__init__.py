"""Optimizers that take the same step on every backend."""

from kit.optimizers.blockwise import blockwise, blockwise_class
from kit.optimizers.dense import SGD, AdamW, Dense, Lion, Muon
from kit.optimizers.labels import role
from kit.optimizers.recorder import Recorder
from kit.optimizers.schedules import BlockSchedule, WarmUpSchedule, WarmUpStableDecay
from kit.rates import PAPER_RATIOS

__all__ = [
    "PAPER_RATIOS",
    "SGD",
    "AdamW",
    "BlockSchedule",
    "Dense",
    "Lion",
    "Muon",
    "Recorder",
    "WarmUpSchedule",
    "WarmUpStableDecay",
    "blockwise",
    "blockwise_class",
    "role",
]
