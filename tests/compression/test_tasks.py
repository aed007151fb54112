"""What a model learns from, and what judges it: never the same."""

import numpy as np
import pytest

from kit.compression.models import Trained
from kit.compression.tasks import read_task
from kit.config import ModelConfig
from kit.data import IGNORED, Batch
from kit.errors import KitError
from kit.models import build
from kit.pruning import Calibration
from kit.training.fit import check_fit
from tests.cases import shake


@pytest.fixture(scope="module")
def trained():
    config = ModelConfig.uniform(2, width=16, vocabulary_size=400, context_length=12)
    return Trained("gpt", shake(build(config)), None)


@pytest.mark.parametrize("length", [None, 5])
def test_no_token_is_learnt_and_judged(length, trained, tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(400))  # each token once
    task, about = read_task(trained, str(tmp_path / "ids.npy"), length=length)
    time = length or 12
    assert task.context_length == task.validation().inputs.shape[1] == time
    inputs, targets = task.batch(0, 500, seed=1)
    assert inputs.min() == 0 and inputs.max() == 319  # of the first four fifths
    assert task.validation().inputs.min() == 320
    np.testing.assert_array_equal(targets[:, :-1], inputs[:, 1:])
    assert (targets[:, -1] == IGNORED).all()
    assert "320 tokens from the first 80% of" in about["data"]


def test_batches_are_those_of_their_step_and_seed(trained, tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(400))
    task = read_task(trained, str(tmp_path / "ids.npy"))[0]
    first, again = (task.batch(3, 4, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first.inputs, again.inputs)
    for other in (task.batch(4, 4, seed=1), task.batch(3, 4, seed=2)):
        assert (other.inputs != first.inputs).any()
    np.save(tmp_path / "others.npy", np.arange(400)[::-1])
    other = read_task(trained, str(tmp_path / "others.npy"))[0]
    assert task.fingerprint != other.fingerprint


def test_questions_with_answers_go_as_they_are(trained, tmp_path):
    rng = np.random.default_rng(0)
    inputs, targets = rng.integers(300, size=(2, 10, 7))
    inputs[:, 0] = np.arange(10)  # names the row
    targets[:, :3] = IGNORED
    np.savez(tmp_path / "sums.npz", inputs=inputs, targets=targets)
    task, _ = read_task(trained, str(tmp_path / "sums.npz"))
    found = task.batch(0, 100, seed=0)
    assert set(found.inputs[:, 0]) == set(range(8))
    np.testing.assert_array_equal(found.targets, targets[found.inputs[:, 0]])
    np.testing.assert_array_equal(task.validation().inputs, inputs[8:])


def test_of_padding_in_a_stream_nothing_is_learnt(tmp_path):
    """Neither what it is, nor what comes after it."""
    config = ModelConfig.uniform(
        1, width=16, vocabulary_size=400, context_length=12, padding_id=0
    )
    stream = np.arange(1, 401)
    stream[[3, 5, 200, 399]] = 0
    np.save(tmp_path / "ids.npy", stream)
    model = Trained("gpt", build(config), None)
    inputs, targets = read_task(model, str(tmp_path / "ids.npy"))[0].batch(0, 200, 0)
    following, learnt = inputs[:, 1:], targets[:, :-1]
    padded = (following == 0) | (inputs[:, :-1] == 0)
    assert padded.any() and (learnt[padded] == IGNORED).all()
    np.testing.assert_array_equal(learnt[~padded], following[~padded])


def test_an_encoder_learns_what_is_hidden_and_not_what_it_sees(tmp_path):
    config = ModelConfig.uniform(
        1, width=16, vocabulary_size=400, context_length=12, mask="full"
    )
    encoder = Trained("encoder", build(config), None)
    rng = np.random.default_rng(0)
    tokens = rng.integers(399, size=(40, 12))
    hidden = rng.random(tokens.shape) < 0.3
    masked = Batch(np.where(hidden, 399, tokens), np.where(hidden, tokens, IGNORED))
    for name, batch in (("hidden", masked), ("next", Calibration(tokens, 1).batch)):
        np.savez(tmp_path / f"{name}.npz", inputs=batch.inputs, targets=batch.targets)
    task = read_task(encoder, str(tmp_path / "hidden.npz"))[0]
    check_fit(config, task, task.validation())
    task = read_task(encoder, str(tmp_path / "next.npz"))[0]
    with pytest.raises(KitError, match='mask="full" shows the model the token'):
        check_fit(config, task, task.validation())


def test_the_last_token_of_a_stream_is_looked_at_too(trained, tmp_path):
    stream = np.zeros(500, int)
    stream[399] = 400  # the first four fifths end there, and not with a whole window
    np.save(tmp_path / "ids.npy", stream)
    with pytest.raises(KitError, match="token 400, which is outside"):
        read_task(trained, str(tmp_path / "ids.npy"), length=9)
