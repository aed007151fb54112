"""Training after pruning starts at the pruned weights, and leaves the shapes."""

from dataclasses import replace

import numpy as np
import pytest

from kit.config import ModelConfig
from kit.data import Addition
from kit.errors import KitError
from kit.models import build
from kit.pruning import RECOVERY, Calibration, recover, two_stage
from kit.training import Scorer, TrainConfig, train

TASK = Addition(digits=1, reverse_answer=True, validation_pairs=20)
CONFIG = ModelConfig.uniform(
    4, width=32, vocabulary_size=14, context_length=TASK.context_length
)
SHORT = replace(RECOVERY, steps=40, evaluate_every=20, warmup_steps=5)


def pruned(model):
    data = Calibration(TASK.batch(0, 16, seed=1), sequences=16, search_sequences=8)
    return two_stage(model, data, 0.5).model


@pytest.mark.slow
def test_it_gives_back_some_of_what_pruning_took():
    how = TrainConfig(steps=150, batch_size=64, learning_rate=3e-3, evaluate_every=150)
    dense = train(CONFIG, TASK, replace(how, warmup_steps=20), progress=False)
    smaller = pruned(dense.model)
    weights = [np.asarray(w).copy() for w in smaller.weights]
    found = recover(smaller, TASK, replace(SHORT, batch_size=64), progress=False)
    losses = [row["loss"] for row in found.run.history]
    assert found.after["loss"] < found.before["loss"]
    assert losses == sorted(losses, reverse=True) and losses[0] < found.before["loss"]
    assert found.model.config == smaller.config
    assert [w.shape for w in found.model.weights] == [w.shape for w in smaller.weights]
    for old, weight in zip(weights, smaller.weights, strict=True):
        np.testing.assert_array_equal(old, np.asarray(weight))


@pytest.mark.slow
def test_it_starts_at_the_weights_that_are_given():
    smaller = pruned(build(CONFIG, seed=7))
    scores = Scorer(smaller).score(TASK.validation())
    expected = TASK.metrics(scores, TASK.validation().targets)
    still = replace(SHORT, steps=1, evaluate_every=1, warmup_steps=0)
    found = recover(smaller, TASK, replace(still, learning_rate=1e-9), progress=False)
    assert found.before["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert found.after["loss"] == pytest.approx(expected["loss"], rel=1e-5)


def test_a_task_of_other_tokens_is_an_error():
    with pytest.raises(KitError):
        recover(build(CONFIG), Addition(digits=2, validation_pairs=5), progress=False)
