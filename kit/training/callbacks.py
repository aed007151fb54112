"""What is watched while training steps run."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

if TYPE_CHECKING:
    from kit.training.trainer import Run


class Watch(keras.callbacks.Callback):
    """Counts steps, keeps the loss, and ends training when it is not finite.

    Args:
        run: Whose steps and status change.
        report: Called with the steps done.
    """

    def __init__(self, run: "Run", report: Callable[[int], None]):
        super().__init__()
        self.training_run, self.report = run, report
        self.losses: list[float] = []
        self.weights: list[int] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.before = self.training_run.steps

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.training_run.steps = self.before + batch + 1
        self.report(self.training_run.steps)
        if not math.isfinite(logs["loss"]):
            self.training_run.status = "diverged"
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.losses.append(logs["loss"])
        self.weights.append(self.training_run.steps - self.before)

    @property
    def mean_loss(self) -> float:
        """Mean training loss of all steps that were watched, in nats."""
        return float(np.average(self.losses, weights=self.weights))
