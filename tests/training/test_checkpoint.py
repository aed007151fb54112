"""States on disk: whole or not there, and never taken for another run's."""

import errno
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from kit.config import BlockConfig, ModelConfig
from kit.data import Addition
from kit.errors import KitError
from kit.training import Run, TrainConfig, Trainer, checkpoint
from kit.training.checkpoint import Checkpoint

TASK = Addition(digits=1, validation_pairs=9)
BLOCK = BlockConfig(num_heads=2, feed_forward_dim=8, dropout=0.1)
MODEL = ModelConfig.uniform(
    1, BLOCK, width=8, vocabulary_size=14, context_length=TASK.context_length
)
TRAIN = TrainConfig(steps=4, batch_size=4, warmup_steps=0, evaluate_every=2)


def trainer(model=MODEL, task=TASK, train=TRAIN, seed=0):
    made = Trainer(model, task, train, jit_compile=False)
    made.reset(seed)
    return made


@pytest.fixture(scope="module")
def one():
    return trainer()


@pytest.fixture
def saved(one, tmp_path):
    run = Run(one.model, [{"step": 2, "loss": 1.5}], "reached", 2, training_seconds=3.0)
    Checkpoint(tmp_path / "run", one, seed=0).save(run)
    return tmp_path / "run"


def test_a_state_comes_back_whole(one, saved):
    before = [np.array(v.value) for v in Checkpoint(saved, one, 0)._variables()]
    other = trainer(seed=1)
    run = Run(other.model)
    Checkpoint(saved, other, seed=0).restore(run)
    assert (run.history, run.status) == ([{"step": 2, "loss": 1.5}], "reached")
    assert (run.steps, run.training_seconds) == (2, 3.0)
    after = [np.array(v.value) for v in Checkpoint(saved, other, 0)._variables()]
    assert len(before) == len(after) > 20
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_dropout_and_optimizer_are_part_of_the_state(one, saved):
    with np.load(saved / "state.npz") as state:
        count = len(state.files) - 1
    model, optimizer = one.model, one.model.optimizer
    assert count == len(model.variables) + len(optimizer.variables)
    assert len(model.variables) > len(model.trainable_variables)


def test_nothing_to_restore_changes_nothing(one, tmp_path):
    run = Run(one.model)
    Checkpoint(tmp_path / "new" / "deep", one, seed=0).restore(run)
    assert (run.steps, run.history) == (0, [])


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"model": MODEL.with_blocks({0: {"attention_skip": 0.0}})},
        {"task": Addition(digits=1, validation_pairs=9, split_seed=1)},
        {"train": TrainConfig(steps=6, batch_size=4, warmup_steps=0, evaluate_every=2)},
    ],
)
def test_the_state_of_another_run_is_refused(saved, other):
    seed = other.pop("seed", 0)
    state = Checkpoint(saved, trainer(**other), seed)
    with pytest.raises(KitError, match="belongs to another run"):
        state.restore(Run(state.trainer.model))


def spoil(path, how):
    whole = path.read_bytes()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("hello")
    elif how == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif how == "flipped":
        middle = len(whole) // 2
        flipped = bytes(byte ^ 255 for byte in whole[middle : middle + 64])
        path.write_bytes(whole[:middle] + flipped + whole[middle + 64 :])
    elif how == "one array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif how == "no note":
        np.savez(path, variable_0=np.zeros(3))
    elif how == "fewer variables":
        with np.load(path) as state:
            arrays = {k: state[k] for k in state.files if k != "variable_3"}
        np.savez(path, **arrays)
    elif how == "other shapes":
        with np.load(path) as state:
            arrays = dict(state)
        np.savez(path, **{**arrays, "variable_3": np.zeros((2, 2))})


@pytest.mark.parametrize(
    "how",
    [
        "empty",
        "text",
        "cut",
        "flipped",
        "one array",
        "no note",
        "fewer variables",
        "other shapes",
    ],
)
def test_a_spoilt_state_is_a_one_line_error(one, saved, how):
    spoil(saved / "state.npz", how)
    with pytest.raises(KitError, match="not a state of this version") as caught:
        Checkpoint(saved, one, seed=0).restore(Run(one.model))
    assert "\n" not in str(caught.value)


def full(path, **_):
    Path(path).write_bytes(b"half of it")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def short(path, **_):
    raise OSError("512 requested and 128 written")  # what NumPy says


@pytest.mark.parametrize("savez, reason", [(full, "No space left"), (short, "512 req")])
def test_a_full_disk_keeps_the_last_state(one, saved, monkeypatch, savez, reason):
    before = (saved / "state.npz").read_bytes()
    monkeypatch.setattr(checkpoint.np, "savez", savez)
    with pytest.raises(KitError, match=f"{reason}.*the last state is kept"):
        Checkpoint(saved, one, seed=0).save(Run(one.model))
    assert (saved / "state.npz").read_bytes() == before
    assert [path.name for path in saved.iterdir()] == ["state.npz"]


def test_a_folder_that_is_a_file_is_an_error(one, tmp_path):
    (tmp_path / "file").write_text("here already")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(KitError, match="cannot be written to"):
            Checkpoint(folder, one, seed=0)


def test_a_folder_without_write_rights_is_noticed_before_training(
    one, tmp_path, monkeypatch
):
    def refuse(**_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(checkpoint, "TemporaryFile", refuse)
    with pytest.raises(KitError, match="cannot be written to: Permission denied"):
        Checkpoint(tmp_path, one, seed=0)


@pytest.mark.skipif(keras.backend.backend() == "numpy", reason="does not train")
def test_a_run_says_so_before_it_trains(one, tmp_path):
    (tmp_path / "file").write_text("here already")
    with pytest.raises(KitError, match="cannot be written to"):
        one.run(directory=tmp_path / "file", progress=False)
