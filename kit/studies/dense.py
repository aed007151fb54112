"""Trained models that many cells share: each is trained once and kept beside the runs.

A cell asks for the model of a seed. The first that does trains it, and a second worker
that wants the same one waits for it. A training that is killed goes on from its last
evaluation, and what the key does not name cannot change a model.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

from kit.config import ModelConfig
from kit.data import task_from_spec
from kit.models import Transformer, build, named_weights
from kit.paths import runs_dir
from kit.studies.study import NUMERICS_VERSION, canonical
from kit.training import Observe, TrainConfig, Trainer

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # not on Windows, where two workers may train the same model
    fcntl = None

TRAINED = ("model", "task", "train", "sources")
Progress = Callable[[float], None]
Result = dict[str, Any]


class Dense:
    """The models of one arm, one for each seed.

    Args:
        study: Whose folder they are kept in.
        spec: `model`, `task` and `train` as plain data, and the `sources` of a text;
            anything else in it is not looked at.
        observe: Called with the model after every evaluation; what it returns joins
            the row of the history. For all that use the models the same.
    """

    def __init__(
        self, study: str, spec: Mapping[str, Any], observe: Observe | None = None
    ):
        self.study, self.observe = study, observe
        self.spec = {name: spec[name] for name in TRAINED if name in spec}
        self.task = task_from_spec(spec["task"])
        self.train = TrainConfig.from_dict(spec["train"])
        self.config = replace(
            ModelConfig.from_dict(spec["model"]),
            vocabulary_size=self.task.vocabulary_size,
        )

    @cached_property
    def trainer(self) -> Trainer:
        """Compiled when a model has to be trained, and never else."""
        return Trainer(self.config, self.task, self.train)

    def folder(self, seed: int) -> Path:
        """Where the model of a seed is kept."""
        identity = canonical(
            {
                "spec": self.spec,
                "seed": seed,
                "numerics": NUMERICS_VERSION,
                "data": self.task.fingerprint,
                "backend": keras.backend.backend(),
            }
        )
        name = hashlib.sha256(identity.encode()).hexdigest()[:16]
        return runs_dir() / self.study / "models" / name

    def model(self, seed: int, progress: Progress) -> tuple[Transformer, dict]:
        """The trained model of a seed, and a note of how its training went."""
        folder = self.folder(seed)
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / "lock"):
            if (found := self._read(folder / "model.npz")) is None:
                found = self._train(seed, folder, progress)
        return found

    def take_apart(
        self, look: "Look", plan: Mapping[str, Any]
    ) -> Callable[[int, Progress], Result]:
        """What a worker calls for each seed: get the model, then look at it.

        Args:
            look: Called with what was trained, the plan, and a function that takes the
                share of the cell that is done; training counts as the first half.
            plan: Handed on.
        """

        def run(seed: int, progress: Progress) -> Result:
            model, note = self.model(seed, lambda share: progress(0.5 * share))
            if note["status"] == "diverged":
                return {"status": "diverged", "history": note["history"]}
            found = look(Trained(model, self, note, seed), plan, progress)
            probes = {"data_fingerprint": self.task.fingerprint}
            probes = found.pop("probes", {}) | probes
            return {"status": "finished", "probes": probes, **found}

        return run

    def _train(
        self, seed: int, folder: Path, progress: Progress
    ) -> tuple[Transformer, dict]:
        run = self.trainer.run(
            seed, directory=folder, progress=progress, observe=self.observe
        )
        note = {
            name: getattr(run, name)
            for name in ("status", "metrics", "history", "steps", "training_seconds")
        }
        arrays = {
            name: np.asarray(weight)
            for name, weight in named_weights(run.model).items()
        }
        partial = folder / "model.part.npz"
        np.savez(partial, allow_pickle=False, note=np.array(json.dumps(note)), **arrays)
        os.replace(partial, folder / "model.npz")
        (folder / "state.npz").unlink(missing_ok=True)  # three times as large
        return run.model, note

    def _read(self, path: Path) -> tuple[Transformer, dict] | None:
        """What `_train` wrote; None if it is not there, or is not whole."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                note = json.loads(str(arrays["note"]))
                model = build(self.config, seed=None)
                for name, weight in named_weights(model).items():
                    weight.assign(arrays[name])
        except (OSError, KeyError, ValueError, EOFError, BadZipFile):
            return None
        return model, note


@dataclass(frozen=True)
class Trained:
    """The trained model of a seed, which a cell takes apart.

    Args:
        model: The model; not to be changed.
        dense: Where it comes from.
        note: How its training went: `metrics`, `history`, `steps`, `training_seconds`.
        seed: The seed of the cell.
    """

    model: Transformer
    dense: Dense
    note: Mapping[str, Any]
    seed: int

    @property
    def task(self) -> Any:
        """What it learned."""
        return self.dense.task


Look = Callable[[Trained, Mapping[str, Any], Progress], Result]


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in here; ends with the process that is."""
    with path.open("a") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
