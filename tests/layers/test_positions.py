"""Positions against their published formulas."""

import math

import numpy as np
import pytest
from keras import ops

from kit.layers import (
    LearnedPositions,
    RotaryPositions,
    SinusoidalPositions,
    alibi_slopes,
)

TIME, WIDTH = 7, 6


def published_slopes(heads):
    """The recursion in the authors' repository (ofirpress/attention_with_linear_biases,
    `get_slopes`): powers of two are a geometric series; others are filled up."""
    if math.log2(heads).is_integer():
        first = 2 ** (-(2 ** -(math.log2(heads) - 3)))
        return [first ** (k + 1) for k in range(heads)]
    lower = 2 ** math.floor(math.log2(heads))
    return published_slopes(lower) + published_slopes(2 * lower)[::2][: heads - lower]


def test_eight_alibi_slopes_are_the_paper_s():
    assert alibi_slopes(8).tolist() == [2.0**-k for k in range(1, 9)]


@pytest.mark.parametrize("heads", [1, 2, 3, 4, 6, 12, 16, 20])
def test_alibi_slopes_follow_the_authors_recursion(heads):
    np.testing.assert_allclose(alibi_slopes(heads), published_slopes(heads), rtol=1e-6)


def test_sinusoidal_is_the_closed_form():
    table = SinusoidalPositions(TIME)(np.zeros((1, TIME, WIDTH), "float32"))[0]
    for position in range(TIME):
        for i in range(WIDTH // 2):
            angle = position / 10_000 ** (2 * i / WIDTH)
            assert float(table[position][2 * i]) == pytest.approx(
                math.sin(angle), abs=1e-6
            )
            assert float(table[position][2 * i + 1]) == pytest.approx(
                math.cos(angle), abs=1e-6
            )


def test_learned_positions_add_their_table():
    layer, x = LearnedPositions(TIME, std=1.0), np.ones((2, 4, WIDTH), "float32")
    added = ops.convert_to_numpy(layer(x)) - x
    np.testing.assert_allclose(added[1], layer.get_weights()[0][:4], atol=1e-6)


@pytest.mark.parametrize(
    "layer", [LearnedPositions(TIME), SinusoidalPositions(TIME), RotaryPositions(TIME)]
)
def test_a_later_start_is_the_lower_part_of_the_table(layer):
    shape = (1, 2, TIME, WIDTH) if isinstance(layer, RotaryPositions) else (1, TIME, 6)
    x = np.random.default_rng(0).standard_normal(shape, dtype="float32")
    whole = ops.convert_to_numpy(layer(x))
    part = ops.convert_to_numpy(layer(x[..., 3:, :], start=3))
    np.testing.assert_array_equal(part, whole[..., 3:, :])


def turn(vector, position):
    x = np.zeros((1, 1, TIME, WIDTH), "float32")
    x[0, 0, position] = vector
    return ops.convert_to_numpy(RotaryPositions(TIME)(x))[0, 0, position]


def test_rotary_keeps_lengths_and_depends_on_the_distance_only():
    query, key = np.random.default_rng(2).standard_normal((2, WIDTH))
    for distance in range(TIME):
        products = [
            turn(query, start + distance) @ turn(key, start)
            for start in range(TIME - distance)
        ]
        np.testing.assert_allclose(products, products[0], atol=1e-5)
    for position in range(TIME):
        turned = turn(query, position)
        assert np.linalg.norm(turned) == pytest.approx(np.linalg.norm(query), rel=1e-6)
    np.testing.assert_allclose(turn(query, 0), query, atol=1e-7)


def test_rotary_turns_pairs_by_the_published_angles():
    """Channels i and i + d/2 are one complex number, turned by p * 10000^(-2i/d)."""
    vector = np.random.default_rng(3).standard_normal(WIDTH)
    half = WIDTH // 2
    number = vector[:half] + 1j * vector[half:]
    for position in range(TIME):
        angle = position * 10_000.0 ** (-2 * np.arange(half) / WIDTH)
        expected = number * np.exp(1j * angle)
        turned = turn(vector, position)
        np.testing.assert_allclose(
            turned[:half] + 1j * turned[half:], expected, atol=1e-5
        )
