"""Things to learn: addition and text."""

from collections.abc import Mapping
from typing import Any

from kit.checks import check_fields
from kit.data.addition import PAD, Addition
from kit.data.batch import IGNORED, Batch, Scores, Task, token_metrics
from kit.data.corpora import Corpus, load_corpus
from kit.data.masked import MaskedTextTask
from kit.data.text import TextTask
from kit.errors import known

__all__ = [
    "IGNORED",
    "PAD",
    "Addition",
    "Batch",
    "Corpus",
    "MaskedTextTask",
    "Scores",
    "Task",
    "TextTask",
    "load_corpus",
    "task_from_spec",
    "token_metrics",
]

TASKS: dict[str, type] = {
    "addition": Addition,
    "text": TextTask,
    "masked_text": MaskedTextTask,
}


def task_from_spec(spec: Mapping[str, Any]) -> Any:
    """The task that `task.spec()` describes.

    Raises:
        KitError: There is no such task, or it has other settings.

    Example:
        >>> task_from_spec({"task": "addition", "digits": 2}).context_length
        8
    """
    kind = TASKS[known("task", spec.get("task"), TASKS)]
    settings = {k: v for k, v in spec.items() if k not in ("task", "fingerprint")}
    check_fields(kind, settings)
    return kind(**settings)
