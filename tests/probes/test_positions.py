"""Similarities of positions, on activations built to have them or not."""

import numpy as np
import pytest

from kit.errors import KitError
from kit.probes.positions import (
    adjacency_probability,
    diagonal_dominance,
    layer_correlation,
    neighbour_cosine,
    position_cosine,
)

SAMPLES, TIME, WIDTH = 512, 12, 64


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def noise(rng):
    return rng.normal(size=(SAMPLES, TIME, WIDTH))


def test_a_layer_correlates_fully_with_itself(noise):
    matrix = layer_correlation(noise, noise)
    np.testing.assert_allclose(matrix.diagonal(), 1.0, atol=1e-12)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)


def test_equals_pearson_correlation_for_a_single_feature(rng):
    lower, upper = rng.normal(size=(2, SAMPLES, TIME, 1))
    pearson = np.corrcoef(lower[..., 0].T, upper[..., 0].T)[:TIME, TIME:]
    np.testing.assert_allclose(layer_correlation(lower, upper), pearson, atol=1e-12)


def test_a_skip_keeps_a_known_share(noise, rng):
    """x + noise of equal size correlates with x by 1 / sqrt(2)."""
    upper = noise + rng.normal(size=noise.shape)
    matrix = layer_correlation(noise, upper)
    np.testing.assert_allclose(matrix.diagonal(), np.sqrt(0.5), atol=0.01)
    assert np.abs(matrix[~np.eye(TIME, dtype=bool)]).max() < 0.03


def test_rows_are_the_lower_layer(noise):
    matrix = layer_correlation(noise, np.roll(noise, 1, axis=1))
    np.testing.assert_allclose(np.diag(matrix, k=1), 1.0, atol=1e-12)


def test_position_vectors_and_scale_drop_out(noise, rng):
    upper = noise + rng.normal(size=noise.shape)
    moved = 5 * upper + rng.normal(size=(TIME, WIDTH)) * 100
    np.testing.assert_allclose(
        layer_correlation(noise, moved), layer_correlation(noise, upper), atol=1e-9
    )


def test_a_position_without_content_has_no_correlation(noise):
    noise[:, 3] = 0.7
    matrix = layer_correlation(noise, noise)
    assert np.isnan(matrix[3]).all() and np.isnan(matrix[:, 3]).all()
    assert np.isfinite(np.delete(np.delete(matrix, 3, 0), 3, 1)).all()
    assert np.isfinite(diagonal_dominance(matrix))


def test_dominance_falls_as_content_spreads_over_positions(noise, rng):
    def dominance(share):
        mixing = (1 - share) * np.eye(TIME) + share / TIME
        return diagonal_dominance(layer_correlation(noise, mixing @ noise))

    values = [dominance(share) for share in (0.0, 0.5, 0.9, 1.0)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 20
    assert values[-1] == pytest.approx(1.0, abs=0.01)


def test_dominance_by_hand():
    assert diagonal_dominance(np.array([[2.0, 1.0], [-3.0, 4.0]])) == 1.5


def test_cosine_equals_the_definition(rng):
    x = rng.normal(size=(1, 2, 5))
    a, b = x[0]
    expected = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert position_cosine(x)[0, 1] == pytest.approx(expected)


def test_running_means_make_neighbours_alike(noise):
    """What one causal layer with equal weights does, with no positions at all."""
    prefix_means = noise.cumsum(axis=1) / np.arange(1, TIME + 1)[:, None]
    near, far = neighbour_cosine(prefix_means)
    assert near > 0.8 > far
    assert adjacency_probability(prefix_means) > 0.9


def test_without_order_neighbours_are_like_any_other(noise):
    near, far = neighbour_cosine(noise)
    assert abs(near) < 0.005 and abs(far) < 0.005
    assert adjacency_probability(noise) == pytest.approx(0.5, abs=0.01)


def test_a_full_mean_makes_all_positions_alike(noise):
    mean = np.broadcast_to(noise.mean(axis=1, keepdims=True), noise.shape)
    assert neighbour_cosine(mean) == pytest.approx((1.0, 1.0))


def test_ties_are_chance():
    assert adjacency_probability(np.ones((2, 5, 4))) == 0.5
    assert adjacency_probability(np.zeros((2, 3, 4))) == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: layer_correlation(x, x[:, 1:]), "expected the same"),
        (lambda x: neighbour_cosine(x, min_distance=4), "min_distance=4"),
        (lambda x: neighbour_cosine(x, min_distance=1), "min_distance=1"),
        (lambda x: adjacency_probability(x[:, :2]), "2 positions"),
        (lambda x: diagonal_dominance(np.full((2, 2), np.nan)), "no number"),
        (lambda x: position_cosine(x[0]), "expected three axes"),
    ],
)
def test_what_cannot_be_measured_says_so(call, message):
    with pytest.raises(KitError, match=message):
        call(np.ones((3, 4, 2)))
