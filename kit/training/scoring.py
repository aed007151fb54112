"""The loss, and scores of every token, inside one compiled function."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from kit.data import IGNORED, Batch, Scores, Task
from kit.models.intact import intact
from kit.training.feeding import feed

# One compiled shape: large enough to use the cores, small enough for a laptop, where
# the logits of a large vocabulary are what counts: 256 MiB.
TOKENS_PER_CALL = 2**14
LOGITS_PER_CALL = 2**26


def token_losses(targets: Any, logits: Any) -> Any:
    """Negative log-likelihood of each target, 0 where it is ignored.

    Args:
        targets: (batch, time) integers, -1 where ignored.
        logits: (batch, time, vocabulary).

    Returns:
        (batch, time) float32, in nats.
    """
    logits = ops.cast(logits, "float32")
    targets = ops.cast(targets, "int32")  # Keras hands them to a loss as floats
    target = ops.one_hot(targets, logits.shape[-1], dtype="float32")
    picked = ops.sum(target * logits, axis=-1)
    kept = ops.cast(ops.not_equal(targets, IGNORED), "float32")
    return kept * (ops.logsumexp(logits, axis=-1) - picked)


@keras.saving.register_keras_serializable(package="kit")
def token_cross_entropy(targets: Any, logits: Any) -> Any:
    """Mean loss over the kept tokens (not over all tokens), in nats.

    Example:
        >>> targets, logits = np.array([[3, IGNORED]]), np.zeros((1, 2, 4), "float32")
        >>> round(float(token_cross_entropy(targets, logits)), 4)  # the log of 4
        1.3863
    """
    kept = ops.cast(ops.not_equal(targets, IGNORED), "float32")
    return ops.sum(token_losses(targets, logits)) / ops.maximum(ops.sum(kept), 1.0)


class Scorer(keras.Model):
    """Scores a model's predictions without handing the logits back.

    Call arguments:
        data: `{"inputs": (batch, time), "targets": (batch, time)}`.

    Returns:
        (batch, time, 2) float32: the loss, and 1 where the likeliest token is right.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.data import Addition
        >>> from kit.models import build
        >>> task = Addition(digits=1, validation_pairs=8)
        >>> config = ModelConfig.uniform(
        ...     1, width=16, vocabulary_size=14, context_length=task.context_length
        ... )
        >>> Scorer(build(config)).score(task.validation()).loss.shape
        (8, 5)
    """

    def __init__(self, model: keras.Model, **kwargs: Any):
        super().__init__(**kwargs)
        self.model = model

    def call(self, data: Any, training: bool = False) -> Any:
        logits = self.model(data["inputs"], training=False)
        targets = data["targets"]
        correct = ops.equal(ops.argmax(logits, axis=-1), ops.cast(targets, "int32"))
        losses = token_losses(targets, logits)
        return ops.stack([losses, ops.cast(correct, "float32")], axis=-1)

    def score(
        self, batch: Batch, progress: Callable[[float], None] | None = None
    ) -> Scores:
        """Scores of a batch of any size, computed in chunks of one shape.

        Args:
            batch: Inputs and targets.
            progress: Called with the share done.
        """
        count, time = batch.inputs.shape
        size = max(1, min(count, self._tokens_per_call // time))
        missing = -count % size
        inputs = np.pad(batch.inputs, ((0, missing), (0, 0)))
        targets = np.pad(batch.targets, ((0, missing), (0, 0)), constant_values=IGNORED)
        data = feed(size, {"inputs": inputs, "targets": targets})
        told = [_Told(progress, len(inputs) // size)] if progress else []
        both = self.predict(**data, verbose=0, callbacks=told)[:count]
        return Scores(both[..., 0], both[..., 1] > 0.5)

    @property
    def _tokens_per_call(self) -> int:
        config = getattr(self.model, "config", None)
        vocabulary = config.vocabulary_size if config else 1
        return min(TOKENS_PER_CALL, LOGITS_PER_CALL // vocabulary)


class _Told(keras.callbacks.Callback):
    """Tells the share of the calls that are done."""

    def __init__(self, progress: Callable[[float], None], calls: int):
        super().__init__()
        self.progress, self.calls = progress, calls

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self.progress((batch + 1) / self.calls)


def evaluate(
    model: keras.Model, task: Task, progress: Callable[[float], None] | None = None
) -> dict[str, float]:
    """The metrics of a model on the held-out data of a task.

    Args:
        model: A kit model.
        task: Whose data.
        progress: Called with the share done.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.data import Addition
        >>> from kit.models import build
        >>> task = Addition(digits=1, validation_pairs=8)
        >>> config = ModelConfig.uniform(
        ...     1, width=16, vocabulary_size=14, context_length=task.context_length
        ... )
        >>> sorted(evaluate(build(config), task))[-2:]
        ['perplexity', 'token_accuracy']
    """
    batch, scorer = task.validation(), Scorer(model, dtype="float32")
    scorer.compile(jit_compile=True)
    with intact(model):
        return task.metrics(scorer.score(batch, progress), batch.targets)
