"""Readouts of positions and tokens, on activations with planted information."""

import numpy as np
import pytest

from kit.errors import KitError
from kit.probes.linear import position_probe, token_from_slice

SAMPLES, TIME, WIDTH = 512, 12, 64


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(size=(SAMPLES, TIME, WIDTH))


@pytest.fixture
def tokens():
    return np.random.default_rng(1).integers(0, 10, (SAMPLES, TIME))


def binomial_bound(chance, trials, deviations=5):
    return deviations * np.sqrt(chance * (1 - chance) / trials)


def test_planted_positions_are_found(noise):
    planted = np.random.default_rng(2).normal(size=(TIME, WIDTH))
    assert position_probe(noise + planted) > 0.99


def test_positions_in_a_row_are_found():
    """One direction that grows with the position: regression would miss the middle."""
    noise = np.random.default_rng(0).normal(size=(SAMPLES, TIME, 4))
    assert position_probe(noise + 10 * np.arange(TIME)[:, None]) == 1.0


def test_no_positions_give_chance(noise):
    rows = SAMPLES // 2 * TIME
    accuracy = position_probe(noise)
    assert abs(accuracy - 1 / TIME) < binomial_bound(1 / TIME, rows)


def test_a_position_that_is_other_in_each_sample_gives_chance(noise):
    """Shuffled labels: the same planted vectors, in a random order in each sample."""
    rng = np.random.default_rng(3)
    planted = rng.permuted(np.broadcast_to(np.arange(TIME), (SAMPLES, TIME)), axis=1)
    vectors = rng.normal(size=(TIME, WIDTH))
    accuracy = position_probe(noise + 3 * vectors[planted])
    assert abs(accuracy - 1 / TIME) < binomial_bound(1 / TIME, SAMPLES // 2 * TIME)


def test_constant_activations_give_chance():
    assert position_probe(np.ones((8, 5, 3))) == pytest.approx(1 / 5)


def test_each_slice_that_holds_its_token_is_found(noise, tokens):
    embedding = np.random.default_rng(2).normal(size=(10, WIDTH))
    accuracy = token_from_slice(noise + embedding[tokens], tokens)
    own = np.eye(TIME, dtype=bool)
    assert accuracy[own].min() > 0.95
    bound = binomial_bound(0.1, SAMPLES // 2)
    assert np.abs(accuracy[~own] - 0.1).max() < bound + 0.02  # classes not balanced


def test_rows_are_tokens_and_columns_are_slices(noise, tokens):
    embedding = np.random.default_rng(2).normal(size=(10, WIDTH))
    activations = noise.copy()
    activations[:, 7] += 2 * embedding[tokens[:, 2]]
    accuracy = token_from_slice(activations, tokens)
    assert accuracy[2, 7] > 0.95
    accuracy[2, 7] = 0.0
    assert accuracy.max() < 0.25


def test_a_rotation_hides_nothing(noise, tokens):
    embedding = np.random.default_rng(2).normal(size=(10, WIDTH))
    rotation, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(WIDTH, WIDTH)))
    activations = 0.3 * noise + embedding[tokens]
    turned = token_from_slice(activations @ rotation, tokens).diagonal()
    assert turned.min() > 0.95


def test_tokens_that_never_change_are_read_everywhere(noise, tokens):
    tokens[:, 3] = 11
    assert token_from_slice(noise, tokens)[3].min() == 1.0


def test_a_class_that_was_never_fitted_is_never_guessed():
    tokens = np.zeros((40, 1), int)
    tokens[0] = 9  # in one half only: the other half alone cannot know it
    activations = np.random.default_rng(0).normal(size=(40, 1, 3))
    for seed in range(4):
        assert token_from_slice(activations, tokens, seed)[0, 0] >= 0.95


def test_float32_and_float64_agree(noise, tokens):
    activations = noise + np.random.default_rng(2).normal(size=(TIME, WIDTH)) / 4
    single = position_probe(activations.astype(np.float32))
    assert single == pytest.approx(position_probe(activations), abs=1e-3)


@pytest.mark.parametrize(
    ("activations", "message"),
    [
        (np.zeros((4, 3)), "expected three axes"),
        (np.zeros((3, 4, 2)), "3 samples, expected at least 4"),
        (np.full((4, 4, 2), np.nan), "not finite"),
    ],
)
def test_activations_that_cannot_be_probed_say_so(activations, message):
    with pytest.raises(KitError, match=message):
        position_probe(activations)


def test_tokens_of_another_shape_say_so(noise, tokens):
    with pytest.raises(KitError, match=r"tokens of shape \(512, 11\)"):
        token_from_slice(noise, tokens[:, 1:])
