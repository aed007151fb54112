"""What happens after each stretch of training steps."""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from kit.training.checkpoint import Checkpoint
    from kit.training.trainer import Run, Trainer

# A loss this many times that of guessing uniformly is no longer learning.
DIVERGED = 3.0


class Evaluate(keras.callbacks.Callback):
    """Adds a row to the history, saves, reports, and stops where it should.

    Args:
        trainer: Whose task and model are scored.
        run: Whose history grows.
        checkpoint: Where to save, or `None`.
        report: Called with the steps done.
    """

    def __init__(
        self,
        trainer: "Trainer",
        run: "Run",
        checkpoint: "Checkpoint | None",
        report: Callable[[int], None],
    ):
        super().__init__()
        self.trainer, self.run = trainer, run
        self.checkpoint, self.report = checkpoint, report
        self.ceiling = DIVERGED * math.log(trainer.task.vocabulary_size)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.begin = time.perf_counter()
        self.first = self.run.steps

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        done = self.first + batch + 1
        if not math.isfinite(float((logs or {}).get("loss", 0.0))):
            self._stop("diverged", done)
        self.report(done)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.run.training_seconds += time.perf_counter() - self.begin
        if self.run.status == "diverged":
            return
        self.run.steps = (epoch + 1) * self.trainer.config.evaluate_every
        scores = self.trainer.scorer.score(self.trainer.validation)
        metrics = self.trainer.task.metrics(scores, self.trainer.validation.targets)
        schedule = self.model.optimizer._learning_rate
        row = {
            "step": self.run.steps,
            "seconds": self.run.training_seconds,
            "learning_rate": float(schedule(self.run.steps - 1)),
            "loss": float((logs or {})["loss"]),
        }
        row |= {f"validation_{name}": value for name, value in metrics.items()}
        self.run.history.append(row)
        if not row["loss"] <= self.ceiling or not math.isfinite(metrics["loss"]):
            self._stop("diverged", self.run.steps)
        elif self.trainer.config.reached(metrics):
            self._stop("reached", self.run.steps)
        if self.checkpoint:
            self.checkpoint.save(self.run)

    def _stop(self, status: str, step: int) -> None:
        self.run.status, self.run.steps = status, step
        self.model.stop_training = True
