"""Training: one loop, one compiled step for all seeds."""

from kit.training.config import TrainConfig
from kit.training.scoring import Scorer, token_cross_entropy
from kit.training.trainer import Run, Trainer, train

__all__ = ["Run", "Scorer", "TrainConfig", "Trainer", "token_cross_entropy", "train"]
