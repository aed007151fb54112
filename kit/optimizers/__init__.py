"""Optimizers that take the same step on every backend."""

from kit.optimizers.dense import AdamW, WarmUpSchedule
from kit.optimizers.recorder import Recorder

__all__ = ["AdamW", "Recorder", "WarmUpSchedule"]
