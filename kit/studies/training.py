"""What most workers do with an arm: train it, then look at what was trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras

from kit.config import ModelConfig
from kit.data import task_from_spec
from kit.studies.text import check_passes
from kit.training import Observe, Run, TrainConfig, Trainer

Result = dict[str, Any]
RunSeed = Callable[[int, Callable[[float], None]], Result]
After = Callable[[Run, Any, int], tuple[dict[str, float], dict[str, Any]]]
Callbacks = Callable[[Any], Sequence[keras.callbacks.Callback]]


def nothing(run: Run, task: Any, seed: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Look at nothing but the task's own metrics."""
    return {}, {}


def none(task: Any) -> list[keras.callbacks.Callback]:
    """Watch nothing while training steps run."""
    return []


def prepare(
    spec: Mapping[str, Any],
    after: After = nothing,
    observe: Observe | None = None,
    callbacks: Callbacks = none,
) -> RunSeed:
    """Build and compile an arm once; the returned function trains one seed.

    Args:
        spec: `model`, `task` and `train` as plain data. The vocabulary is the task's,
            because a text's is known only to who reads the text.
        after: Called with the run, the task and the seed unless the run diverged;
            returns more metrics, and probes.
        observe: Numbers of the model for every row of the history.
        callbacks: Called with the task before each seed; Keras callbacks for the run.

    Returns:
        The function that the study engine calls for each seed.

    Raises:
        KitError: The steps are more passes over a text than the study says.
    """
    task = task_from_spec(spec["task"])
    model = replace(
        ModelConfig.from_dict(spec["model"]), vocabulary_size=task.vocabulary_size
    )
    train = TrainConfig.from_dict(spec["train"])
    check_passes(task, train)
    trainer = Trainer(model, task, train)
    trainer.warm_up()  # here, so that it counts as compiling and not as training

    def run_seed(seed: int, progress: Callable[[float], None]) -> Result:
        run = trainer.run(
            seed, progress=progress, observe=observe, callbacks=callbacks(task)
        )
        metrics: dict[str, float] = {}
        found: dict[str, Any] = {}
        if run.status != "diverged":
            metrics, found = after(run, task, seed)
        return {
            "status": run.status,
            "metrics": run.metrics | metrics | {"steps_taken": float(run.steps)},
            "history": run.history,
            "probes": found | {"data_fingerprint": task.fingerprint},
            "training_seconds": run.training_seconds,
            "steps": run.steps,
        }

    return run_seed
