"""The text that studies share is read as often as they say."""

from dataclasses import replace

import pytest

from kit.config import ModelConfig
from kit.data.corpora import Corpus
from kit.data.masked import MaskedTextTask
from kit.data.text import TextTask
from kit.errors import KitError
from kit.studies import dense, text, training
from kit.studies.capstone import cells
from kit.training import TrainConfig

TRAIN = TrainConfig(steps=20, batch_size=4, warmup_steps=1, evaluate_every=20)
SHORT = Corpus("short", ("one two buckle my shoe\n" * 30,))


@pytest.fixture
def steps(monkeypatch):
    """The steps of one pass over the short text, as if a study were planned for it."""
    whole = TextTask(SHORT, context_length=8, sampling="epoch")
    epoch = whole.steps_per_epoch(TRAIN.batch_size)
    monkeypatch.setattr(text, "STEPS", epoch)
    return epoch


@pytest.mark.parametrize("kind", [TextTask, MaskedTextTask])
@pytest.mark.parametrize("passes", [1, 2])
def test_one_step_too_many_for_the_text_is_an_error(steps, kind, passes):
    """Of as many passes as were planned for the text that it should be."""
    task = kind(SHORT, context_length=8, sampling="epoch")
    planned = replace(TRAIN, steps=passes * steps, evaluate_every=passes * steps)
    text.check_passes(task, planned)
    shorter = kind(SHORT, context_length=8, sampling="epoch", validation_fraction=0.3)
    with pytest.raises(KitError, match=rf"{planned.steps} steps .*allows {passes}"):
        text.check_passes(shorter, planned)


def test_windows_drawn_at_random_have_no_passes(steps):
    task = TextTask(SHORT, context_length=8)
    text.check_passes(task, replace(TRAIN, steps=10 * steps, evaluate_every=steps))


def test_a_worker_checks_before_it_compiles(steps, monkeypatch):
    spec = too_long(training, steps, monkeypatch)
    with pytest.raises(KitError, match="too short"):
        training.prepare(spec)


def test_so_does_one_of_the_capstone(steps, monkeypatch):
    spec = too_long(dense, steps, monkeypatch)
    with pytest.raises(KitError, match="too short"):
        cells.prepare({"kind": "combined", "base": spec, "plan": {}, "train": {}})


def too_long(module, steps, monkeypatch):
    """What to train for longer than a text lasts, where nothing can be trained."""
    task = TextTask(SHORT, context_length=8, sampling="epoch", validation_fraction=0.3)
    monkeypatch.setattr(module, "task_from_spec", lambda spec: task)
    monkeypatch.setattr(module, "Trainer", None)
    train = replace(TRAIN, steps=steps, evaluate_every=steps)
    return {"model": text_model(task), "task": {}, "train": train.to_dict()}


def text_model(task):
    """Plain data of a small model."""
    return ModelConfig.uniform(
        1, vocabulary_size=task.vocabulary_size, context_length=8, width=8
    ).to_dict()
