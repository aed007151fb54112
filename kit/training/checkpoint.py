"""The state of a run on disk, so that an interrupted run goes on where it was."""

import hashlib
import json
import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from kit.errors import KitError

if TYPE_CHECKING:
    from kit.training.trainer import Run, Trainer

UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile)


class Checkpoint:
    """Weights, optimizer and history of one run in `directory/state.npz`.

    Args:
        directory: Made if missing.
        trainer: Whose model and optimizer are saved.
        seed: Seed of the run.

    Raises:
        KitError: The directory cannot be written, or holds another run.
    """

    def __init__(self, directory: str | Path, trainer: "Trainer", seed: int):
        self.path = Path(directory) / "state.npz"
        self.trainer = trainer
        self.identity = _identity(trainer, seed)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.path.parent):
                pass
        except OSError as error:
            raise KitError(
                f"the folder {directory} cannot be written to: "
                f"{error.strerror or error}",
                "Choose a folder that you may write to",
            ) from error

    def save(self, run: "Run") -> None:
        """Replace the state in one step: a kill leaves the old or the new one."""
        note = {
            "identity": self.identity,
            "history": run.history,
            "status": run.status,
            "steps": run.steps,
            "training_seconds": run.training_seconds,
        }
        arrays = {
            f"variable_{index}": np.asarray(variable)
            for index, variable in enumerate(self._variables())
        }
        arrays["note"] = np.array(json.dumps(note))
        temporary = self.path.with_suffix(".tmp.npz")
        try:
            np.savez(temporary, allow_pickle=False, **arrays)
            os.replace(temporary, self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise KitError(
                f"the state could not be written to {self.path}: "
                f"{error.strerror or error}; the last state is kept",
                "Free some space or choose another folder, and run again",
            ) from error

    def restore(self, run: "Run") -> None:
        """Fill the run, the model and the optimizer from the state, if there is one."""
        if not self.path.exists():
            return
        note, arrays = self._read()
        if note["identity"] != self.identity:
            raise KitError(
                f"{self.path} belongs to another run (model, data, settings or seed "
                "differ)",
                "Use another directory, or move that file away",
            )
        for index, variable in enumerate(self._variables()):
            variable.assign(arrays[f"variable_{index}"])
        run.history, run.status = note["history"], note["status"]
        run.steps, run.training_seconds = note["steps"], note["training_seconds"]

    def _read(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        expected = [tuple(variable.shape) for variable in self._variables()]
        try:
            with self.path.open("rb") as file, np.load(file) as state:
                arrays = {name: state[name] for name in state.files}
            note = json.loads(str(arrays.pop("note")))
            found = [arrays[f"variable_{i}"].shape for i in range(len(arrays))]
            if note["identity"] == self.identity and found != expected:
                raise ValueError("another version of the model")
        except UNREADABLE as error:
            raise KitError(
                f"{self.path} is not a state of this version of the kit",
                "Move it away and run again",
            ) from error
        return note, arrays

    def _variables(self) -> Any:
        trainer = self.trainer
        return [*trainer.model.variables, *trainer.learner.optimizer.variables]


def _identity(trainer: "Trainer", seed: int) -> str:
    parts = {
        "model": trainer.model.config.to_dict(),
        "train": trainer.config.to_dict(),
        "task": trainer.task.fingerprint,
        "seed": seed,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
