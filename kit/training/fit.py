"""Whether a model can learn a task honestly."""

from typing import Any

import numpy as np

from kit.config import ModelConfig
from kit.data import IGNORED, PAD, Batch, Task
from kit.errors import KitError


def check_fit(config: ModelConfig, task: Task, validation: Batch) -> None:
    """Raise a `KitError` where model and task do not go together.

    The model must be large enough for the tokens, must not attend to padding that
    takes the place of answers, and must not see an answer that it has to give.

    Args:
        config: The model as data.
        task: What it should learn.
        validation: The task's held-out data.
    """
    for name in ("vocabulary_size", "context_length"):
        if getattr(config, name) < getattr(task, name):
            raise KitError(
                f"the model's {name}={getattr(config, name)} is below the task's "
                f"{getattr(task, name)}",
                f"Use {name}=task.{name}",
            )
    if getattr(task, "protocol", None) == "next_token" and config.padding_id != PAD:
        raise KitError(
            'protocol="next_token" pads what follows, but the model has padding_id='
            f"{config.padding_id} and would attend to the padding",
            "Use padding_id=kit.data.PAD",
        )
    in_place = getattr(task, "reads_in_place", False)  # hides its answers itself
    if config.mask != "causal" and not in_place:
        for batch in (validation, task.batch(0, 256, 0)):
            _check_no_answer_is_seen(config, batch)


def _check_no_answer_is_seen(config: ModelConfig, batch: Batch) -> None:
    seen: Any = batch.inputs[:, 1 : config.prefix_length]  # all of a full mask
    asked = batch.targets[:, : seen.shape[1]] != IGNORED
    padding = np.full_like(seen, -1 if config.padding_id is None else config.padding_id)
    leaks = np.argwhere(asked & (seen != padding))
    if len(leaks):
        raise KitError(
            f'mask="{config.mask}" shows the model the token at position '
            f"{leaks[0, 1] + 1}, which it has to predict",
            'Use mask="causal", a prefix that ends with the question, or '
            'Addition(protocol="next_token")',
        )
