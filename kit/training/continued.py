"""Training that goes on from the weights of a model."""

from typing import NamedTuple

import numpy as np

from kit.data import Task
from kit.models import Transformer, named_weights
from kit.training.config import TrainConfig
from kit.training.trainer import Progress, Run, Trainer


class Continued(NamedTuple):
    """A model after further training, and what that changed.

    Args:
        model: The trained model, of the same config.
        before: Metrics on the held-out data before training, `"loss"` and
            `"perplexity"` among them.
        run: The training run.

    Example:
        >>> Continued(model=None, before={"loss": 2.0}, run=Run(None)).before
        {'loss': 2.0}
    """

    model: Transformer
    before: dict[str, float]
    run: Run

    @property
    def after(self) -> dict[str, float]:
        """The same metrics after it."""
        return self.run.metrics


class ContinuedTrainer(Trainer):
    """A `Trainer` whose runs start at the weights of a model, and not at fresh ones.

    Args:
        model: Where to start. It is not changed.
        task: What to learn.
        config: How.
        jit_compile: As for `Trainer`.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.data import Addition
        >>> from kit.models import build
        >>> task = Addition(digits=1, validation_pairs=8)
        >>> config = ModelConfig.uniform(
        ...     1, width=16, vocabulary_size=14, context_length=task.context_length
        ... )
        >>> quick = TrainConfig(steps=4, batch_size=8, warmup_steps=0, evaluate_every=4)
        >>> found = ContinuedTrainer(build(config), task, quick).go_on(progress=False)
        >>> found.after["loss"] < found.before["loss"]
        True
    """

    def __init__(
        self,
        model: Transformer,
        task: Task,
        config: TrainConfig,
        jit_compile: bool | None = None,
    ):
        super().__init__(model.config, task, config, jit_compile)
        weights = named_weights(model)
        self.start = {name: np.asarray(weight) for name, weight in weights.items()}

    def reset(self, seed: int) -> None:
        super().reset(seed)
        for name, variable in named_weights(self.model).items():
            variable.assign(self.start[name])

    def go_on(self, seed: int = 0, *, progress: Progress = True) -> Continued:
        """Measure, train, and measure again.

        Args:
            seed: Of the training data and of dropout.
            progress: A progress bar, or a function that gets the share done.
        """
        self.reset(seed)
        scores = self.scorer.score(self.validation)
        before = self.task.metrics(scores, self.validation.targets)
        run = self.run(seed, progress=progress)
        return Continued(run.model, before, run)
