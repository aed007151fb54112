"""Things to learn: addition and text."""

from kit.data.addition import PAD, Addition
from kit.data.batch import IGNORED, Batch, Scores, Task, token_metrics

__all__ = [
    "IGNORED",
    "PAD",
    "Addition",
    "Batch",
    "Scores",
    "Task",
    "token_metrics",
]
