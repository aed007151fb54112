"""What every task hands to training, and how its scores become metrics."""

from typing import NamedTuple, Protocol

import numpy as np

from kit.errors import KitError

IGNORED = -1


class Batch(NamedTuple):
    """Tokens and what should come next.

    Args:
        inputs: (batch, time) int32.
        targets: (batch, time) int32; `IGNORED` (-1) where nothing is learnt.

    Example:
        >>> batch = Batch(np.array([[7, 11]]), np.array([[IGNORED, 3]]))
        >>> batch.inputs.shape
        (1, 2)
    """

    inputs: np.ndarray
    targets: np.ndarray


class Scores(NamedTuple):
    """How a model did on a batch, token by token.

    Args:
        loss: (batch, time) float32, negative log-likelihood of the target in nats.
        correct: (batch, time) bool, whether the likeliest token is the target.

    Example:
        >>> scores = Scores(np.array([[0.1, 2.3]]), np.array([[True, False]]))
        >>> float(scores.loss.max())
        2.3
    """

    loss: np.ndarray
    correct: np.ndarray


class Task(Protocol):
    """Something to learn: batches, a validation set and its metrics.

    Example:
        >>> from kit.data import Addition
        >>> task: Task = Addition(digits=1, validation_pairs=5)
        >>> task.batch(step=0, batch_size=3, seed=0).inputs.shape
        (3, 5)
        >>> task.validation().inputs.shape
        (5, 5)
    """

    vocabulary_size: int
    context_length: int

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what the data depend on."""
        ...

    def batch(self, step: int, batch_size: int, seed: int) -> Batch:
        """Training data of one step: a pure function of its arguments."""
        ...

    def validation(self) -> Batch:
        """The held-out data, always the same."""
        ...

    def metrics(self, scores: Scores, targets: np.ndarray) -> dict[str, float]:
        """What is reported about `validation()`; holds `loss` at least."""
        ...


def token_metrics(scores: Scores, targets: np.ndarray) -> dict[str, float]:
    """Token-weighted loss (nats), perplexity and accuracy over the kept tokens.

    Example:
        >>> scores = Scores(np.array([[1.0, 3.0, 9.0]]), np.array([[1, 0, 1]]))
        >>> token_metrics(scores, np.array([[4, 5, IGNORED]]))["loss"]
        2.0
    """
    kept = targets != IGNORED
    loss = float(np.mean(scores.loss[kept], dtype="float64"))
    return {
        "loss": loss,
        "perplexity": float(np.exp(min(loss, 700.0))),
        "token_accuracy": float(np.mean(scores.correct[kept])),
    }


def generator(seed: int, position: int) -> np.random.Generator:
    """A counter-based random generator: the same for the same seed and position."""
    for name, value in (("seed", seed), ("step", position)):
        if not 0 <= value < 2**64:
            raise KitError(
                f"{name}={value} is not from 0 to 2^64 - 1",
                f"Use a {name} from 0 up" if value < 0 else f"Use a smaller {name}",
            )
    return np.random.Generator(
        np.random.Philox(key=np.array([seed, position], "uint64"))
    )
