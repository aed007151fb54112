"""Training: one loop, one compiled step for all seeds."""

from typing import TYPE_CHECKING

from kit.lazy import lazy
from kit.training.config import TrainConfig

if TYPE_CHECKING:
    from kit.training.scoring import Scorer, evaluate, token_cross_entropy
    from kit.training.trainer import Observe, Run, Trainer, train

__all__ = [
    "Observe",
    "Run",
    "Scorer",
    "TrainConfig",
    "Trainer",
    "evaluate",
    "token_cross_entropy",
    "train",
]

# Studies read their settings where Keras must not be loaded.
__getattr__ = lazy(
    __name__,
    dict.fromkeys(("Observe", "Run", "Trainer", "train"), "kit.training.trainer")
    | dict.fromkeys(
        ("Scorer", "evaluate", "token_cross_entropy"), "kit.training.scoring"
    ),
)
