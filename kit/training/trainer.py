"""The one training loop: Keras' `fit`, one compiled step for all seeds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kit.config import ModelConfig
from kit.data import Task
from kit.errors import KitError
from kit.models import Transformer, build, initialise
from kit.optimizers import AdamW, WarmUpSchedule
from kit.training.callbacks import Evaluate
from kit.training.checkpoint import Checkpoint
from kit.training.config import TrainConfig
from kit.training.progress import progress_reporter
from kit.training.scoring import Scorer, token_cross_entropy

Progress = bool | Callable[[float], None]


@dataclass
class Run:
    """What a training run left behind.

    Args:
        model: The trained model. A later run of the same `Trainer` reuses it.
        history: One row per evaluation: `step`, `seconds`, `learning_rate`, `loss`
            (training, nats) and the task's metrics as `validation_...`.
        status: `"finished"`, `"reached"` (the target) or `"diverged"`.
        steps: Optimizer steps taken; where a run diverged, the step of that.
        seconds: Wall time of the run, and of training steps alone.
    """

    model: Transformer
    history: list[dict[str, float]] = field(default_factory=list)
    status: str = "finished"
    steps: int = 0
    seconds: float = 0.0
    training_seconds: float = 0.0

    @property
    def metrics(self) -> dict[str, float]:
        """The validation metrics of the last row, without their prefix."""
        last = self.history[-1] if self.history else {}
        prefix = "validation_"
        return {k.removeprefix(prefix): v for k, v in last.items() if prefix in k}


def train(
    model_config: ModelConfig,
    task: Task,
    train_config: TrainConfig | None = None,
    *,
    seed: int = 0,
    directory: str | Path | None = None,
    progress: Progress = True,
) -> Run:
    """Train a fresh model on a task.

    Args:
        model_config: The model as data.
        task: What to learn, such as `kit.data.Addition()`.
        train_config: How; defaults to `TrainConfig()`.
        seed: Seed of the weights, of dropout and of the training data.
        directory: Where to keep a state after every evaluation. If one of the same
            run lies there, training goes on from it, so Ctrl-C loses little.
        progress: Show a progress bar, or call a function with the share done.

    Returns:
        A `Run`. The same seed on the same machine gives the same history.

    Raises:
        KitError: Model and task do not fit, or `directory` holds another run.

    Example:
        >>> from kit.data import Addition
        >>> task = Addition(digits=1, validation_pairs=8)
        >>> config = ModelConfig.uniform(
        ...     1, width=16, vocabulary_size=14, context_length=task.context_length
        ... )
        >>> quick = TrainConfig(steps=4, batch_size=8, warmup_steps=0, evaluate_every=2)
        >>> run = train(config, task, quick, progress=False)
        >>> [row["step"] for row in run.history]
        [2, 4]
    """
    trainer = Trainer(model_config, task, train_config or TrainConfig())
    return trainer.run(seed, directory=directory, progress=progress)


class Trainer:
    """A model, a task and one compiled step that serves every seed.

    Args:
        model_config: The model as data.
        task: What to learn.
        config: How.
        jit_compile: Compile the step with XLA. Given explicitly, because Keras'
            default is no XLA on a CPU.

    Raises:
        KitError: Model and task do not fit.
    """

    def __init__(
        self,
        model_config: ModelConfig,
        task: Task,
        config: TrainConfig,
        jit_compile: bool = True,
    ):
        _check_fit(model_config, task)
        self.task = task
        self.config = config
        dtype = "mixed_bfloat16" if config.precision == "bfloat16" else "float32"
        self.model = build(model_config, dtype=dtype)
        self.model.compile(
            optimizer=make_optimizer(config, self.model),
            loss=token_cross_entropy,
            jit_compile=jit_compile,
            steps_per_execution=_steps_per_execution(config),
        )
        self.scorer = Scorer(self.model, dtype="float32")
        self.scorer.compile(jit_compile=jit_compile)
        self.validation = task.validation()

    def reset(self, seed: int) -> None:
        """Fresh weights and an optimizer that has not seen anything."""
        initialise(self.model, seed)
        optimizer = self.model.optimizer
        optimizer.build(self.model.trainable_variables)
        for variable in optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))

    def run(
        self,
        seed: int = 0,
        *,
        directory: str | Path | None = None,
        progress: Progress = True,
    ) -> Run:
        """Train from fresh weights; see `train`."""
        start = time.perf_counter()
        self.reset(seed)
        run = Run(self.model)
        checkpoint = Checkpoint(directory, self, seed) if directory else None
        if checkpoint:
            checkpoint.restore(run)
        every = self.config.evaluate_every
        unfinished = run.status == "finished" and run.steps < self.config.steps
        if unfinished:
            with progress_reporter(progress, self.config.steps) as report:
                self.model.fit(
                    Stream(self.task, self.config.batch_size, seed, run.steps),
                    initial_epoch=run.steps // every,
                    epochs=self.config.steps // every,
                    steps_per_epoch=every,
                    shuffle=False,
                    callbacks=[Evaluate(self, run, checkpoint, report)],
                    verbose=0,
                )
        run.seconds += time.perf_counter() - start
        return run


class Stream(keras.utils.PyDataset):
    """A task's batches as Keras wants them, from a given step on."""

    def __init__(self, task: Task, batch_size: int, seed: int, first_step: int):
        super().__init__(workers=1, use_multiprocessing=False)
        self.task, self.batch_size, self.seed = task, batch_size, seed
        self.first_step = first_step

    @property
    def num_batches(self) -> None:
        """Endless."""
        return None

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        batch = self.task.batch(self.first_step + index, self.batch_size, self.seed)
        return batch.inputs, batch.targets


def make_optimizer(config: TrainConfig, model: keras.Model) -> keras.Optimizer:
    """AdamW as the config says; weight decay on matrices only."""
    optimizer = AdamW(
        learning_rate=WarmUpSchedule(
            config.learning_rate,
            config.steps,
            config.warmup_steps,
            config.schedule,
            config.final_learning_rate,
        ),
        weight_decay=config.weight_decay,
        beta_1=config.beta_1,
        beta_2=config.beta_2,
        global_clipnorm=config.clip_norm,
    )
    vectors = [v for v in model.trainable_variables if len(v.shape) < 2]
    optimizer.exclude_from_weight_decay(var_list=vectors)
    return optimizer


def _steps_per_execution(config: TrainConfig) -> int:
    """Several steps a call save Keras' overhead between two of them."""
    if keras.backend.backend() == "torch":
        return 1
    return max(n for n in range(1, 11) if config.evaluate_every % n == 0)


def _check_fit(config: ModelConfig, task: Any) -> None:
    for name in ("vocabulary_size", "context_length"):
        if getattr(config, name) < getattr(task, name):
            raise KitError(
                f"the model's {name}={getattr(config, name)} is below the task's "
                f"{getattr(task, name)}",
                f"Use {name}=task.{name}",
            )
    next_token = getattr(task, "protocol", "sequence") == "next_token"
    if next_token and config.padding_id is None:
        raise KitError(
            'protocol="next_token" pads what follows, but the model has padding_id='
            "None and would attend to the padding",
            "Use padding_id=kit.data.PAD",
        )
    if config.mask == "full" and not next_token:
        raise KitError(
            'mask="full" sees the answers of a task that learns whole sequences',
            'Use Addition(protocol="next_token"), or mask="causal" or "prefix"',
        )
