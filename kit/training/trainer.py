"""The one training loop: Keras' `fit`, one compiled step for all seeds."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from kit.config import ModelConfig
from kit.data import Task
from kit.models import Transformer, build, initialise
from kit.training.callbacks import Watch
from kit.training.checkpoint import Checkpoint
from kit.training.config import TrainConfig
from kit.training.feeding import feed
from kit.training.fit import check_fit
from kit.training.optimizer import make_optimizer
from kit.training.progress import progress_reporter
from kit.training.scoring import Scorer, token_cross_entropy

Progress = bool | Callable[[float], None]
Observe = Callable[[Transformer], Mapping[str, float]]
Report = Callable[[int], None]

# A loss this many times that of guessing uniformly is no longer learning.
DIVERGED = 3.0
# Steps from which XLA is worth its start, about 5 s: on a model of width 64 it saves
# half of a step's 30 ms, on larger ones more.
XLA_FROM = 100
# Training tokens that Keras gets in one piece: 64 MiB with their targets.
TOKENS_AT_ONCE = 2**23


@dataclass
class Run:
    """What a training run left behind.

    Args:
        model: The trained model. A later run of the same `Trainer` reuses it.
        history: One row per evaluation: `step`, `seconds`, `learning_rate`, `loss`
            (training, nats) and the task's metrics as `validation_...`.
        status: `"finished"`, `"reached"` (the target) or `"diverged"`.
        steps: Optimizer steps taken. The loss is looked at after each call of Keras,
            that is every `n` steps, where `n` is the largest divisor of
            `evaluate_every` up to 10 (1 on PyTorch): a run that diverged between two
            evaluations has its first loss that is not finite in its last `n` steps.
        seconds, training_seconds: Wall time of the run, and of training steps alone.

    Example:
        >>> run = Run(model=None, history=[{"step": 2, "validation_loss": 0.5}])
        >>> run.metrics
        {'loss': 0.5}
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
        A `Run`. The same seed on the same machine gives the same history, apart from
        its `seconds`.

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
        jit_compile: Compile the step and the scoring with XLA. By default where that
            pays: not for runs of a few steps on TensorFlow, which end before XLA has
            started.

    Raises:
        KitError: Model and task do not fit.

    Example:
        >>> from kit.data import Addition
        >>> task = Addition(digits=1, validation_pairs=8)
        >>> config = ModelConfig.uniform(
        ...     1, width=16, vocabulary_size=14, context_length=task.context_length
        ... )
        >>> quick = TrainConfig(steps=2, batch_size=8, warmup_steps=0, evaluate_every=1)
        >>> trainer = Trainer(config, task, quick)
        >>> runs = [trainer.run(seed, progress=False) for seed in (0, 1)]
        >>> runs[0].metrics["loss"] != runs[1].metrics["loss"]
        True
    """

    def __init__(
        self,
        model_config: ModelConfig,
        task: Task,
        config: TrainConfig,
        jit_compile: bool | None = None,
    ):
        self.validation = task.validation()
        check_fit(model_config, task, self.validation)
        self.task = task
        self.config = config
        dtype = "mixed_bfloat16" if config.precision == "bfloat16" else "float32"
        self.model = build(model_config, dtype=dtype)
        self.learner = self._make_learner()
        self.learner.compile(
            optimizer=make_optimizer(config, self.model),
            loss=token_cross_entropy if self.learner is self.model else None,
            jit_compile=_pays(config) if jit_compile is None else jit_compile,
            steps_per_execution=_steps_per_execution(config),
        )
        self.scorer = Scorer(self.model, dtype="float32")
        self.scorer.compile(jit_compile=self.model.jit_compile)

    def _make_learner(self) -> keras.Model:
        """What Keras fits: the model, or one around it with a loss of its own."""
        return self.model

    def warm_up(self) -> None:
        """Compile everything now, so that no run pays for it; `run` starts afresh."""
        steps = range(self.learner.steps_per_execution)
        self._fit(steps, seed=0, callbacks=())
        self.scorer.score(self.validation)

    def reset(self, seed: int) -> None:
        """Fresh weights and an optimizer that has not seen anything."""
        initialise(self.model, seed)
        for variable in self.learner.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))

    def run(
        self,
        seed: int = 0,
        *,
        directory: str | Path | None = None,
        progress: Progress = True,
        observe: Observe | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> Run:
        """Train from fresh weights; see `train`. A seed gives the same history each
        time, apart from its `seconds`.

        Args:
            seed, directory, progress: As for `train`.
            observe: Called with the model after every evaluation; the numbers that it
                returns by name join the row of the history.
            callbacks: Of Keras, for the training steps. A run calls `fit` many times,
                so count steps by `model.optimizer.iterations`. What a callback adds to
                the optimizer is kept in `directory` if its `attach(model)` adds it.
        """
        start = time.perf_counter()
        self.reset(seed)
        for callback in callbacks:
            if hasattr(callback, "attach"):  # before the state of a run is restored
                callback.attach(self.learner)
        run = Run(self.model)
        checkpoint = Checkpoint(directory, self, seed) if directory else None
        if checkpoint:
            checkpoint.restore(run)
        with progress_reporter(progress, self.config.steps) as report:
            while run.status == "finished" and run.steps < self.config.steps:
                self._train_until_evaluation(run, seed, report, callbacks)
                if run.status != "diverged":
                    self._evaluate(run, observe)
                if checkpoint:
                    checkpoint.save(run)
        run.seconds = time.perf_counter() - start
        return run

    def _train_until_evaluation(
        self,
        run: Run,
        seed: int,
        report: Report,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        """`evaluate_every` steps; Keras gets them as arrays, a piece at a time."""
        start, first = time.perf_counter(), run.steps
        self.watch = Watch(run, report)
        for steps in self._pieces(range(first, first + self.config.evaluate_every)):
            self._fit(steps, seed, [self.watch, *callbacks])
            if run.status == "diverged":
                break
        run.training_seconds += time.perf_counter() - start

    def _fit(
        self, steps: range, seed: int, callbacks: Sequence[keras.callbacks.Callback]
    ) -> None:
        batches = [self.task.batch(i, self.config.batch_size, seed) for i in steps]
        inputs = np.concatenate([batch.inputs for batch in batches])
        targets = np.concatenate([batch.targets for batch in batches])
        self.learner.fit(
            **feed(self.config.batch_size, inputs, targets),
            shuffle=False,
            verbose=0,
            callbacks=list(callbacks),
        )

    def _pieces(self, steps: range) -> list[range]:
        per_step = self.config.batch_size * self.task.context_length
        together = self.learner.steps_per_execution
        size = max(TOKENS_AT_ONCE // per_step // together, 1) * together
        return [steps[i : i + size] for i in range(0, len(steps), size)]

    def _evaluate(self, run: Run, observe: Observe | None) -> None:
        """Add a row to the history; stop where the target or no hope is reached."""
        scores = self.scorer.score(self.validation)
        metrics = self.task.metrics(scores, self.validation.targets)
        schedule = self.learner.optimizer._learning_rate
        row = {
            "step": run.steps,
            "seconds": run.training_seconds,
            "learning_rate": float(schedule(run.steps - 1)),
            "loss": self.watch.mean_loss,
        }
        row |= {f"validation_{k}": v for k, v in metrics.items()}
        run.history.append(row | dict(observe(self.model) if observe else {}))
        if self._diverged(row["loss"], metrics["loss"]):
            run.status = "diverged"
        elif self.config.reached(metrics):
            run.status = "reached"

    def _diverged(self, training: float, held_out: float) -> bool:
        """Whether a loss is not finite, or a cross-entropy is far above guessing.

        A learner with a loss of its own, whose scale may be any, is judged by what the
        model does on the held-out data.
        """
        judged = training if self.learner is self.model else held_out
        ceiling = DIVERGED * math.log(self.task.vocabulary_size)
        finite = math.isfinite(training) and math.isfinite(held_out)
        return not (finite and judged <= ceiling)


def _pays(config: TrainConfig) -> bool:
    """Whether XLA saves more in the steps than it takes to compile them."""
    return keras.backend.backend() != "tensorflow" or config.steps >= XLA_FROM


def _steps_per_execution(config: TrainConfig) -> int:
    """Several steps a call save Keras' overhead between two of them."""
    if keras.backend.backend() == "torch":
        return 1
    return max(n for n in range(1, 11) if config.evaluate_every % n == 0)
