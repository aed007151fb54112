"""Optimizers that take the same step on every backend."""

from kit.optimizers.dense import AdamW, WarmUpSchedule

__all__ = ["AdamW", "WarmUpSchedule"]
