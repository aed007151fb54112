"""Blocks as sums of branches, with parts that are really absent."""

import keras
import numpy as np
import pytest
from keras import ops

from kit.layers import Block, SubBlock
from tests.cases import TIME, WIDTH, assert_same
from tests.layers.layer_cases import attention, feed_forward, parallel, serial


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((3, TIME, WIDTH), dtype="float32")


def loud_norm():
    """A norm whose gain and bias are not 1 and 0."""
    norm = keras.layers.LayerNormalization(
        beta_initializer=keras.initializers.RandomNormal(stddev=1.0, seed=1),
        gamma_initializer=keras.initializers.RandomNormal(1.0, 0.5, seed=2),
    )
    norm.build((None, TIME, WIDTH))
    return norm


@pytest.mark.parametrize("skip", [1.0, 0.5, 0.0])
def test_pre_norm_is_on_the_branch_only(skip, x):
    branch, norm = feed_forward(None), loud_norm()
    block = SubBlock(feed_forward=branch, norm=norm, skip=skip)
    assert_same(block(x), skip * x + ops.convert_to_numpy(branch(norm(x))))


@pytest.mark.parametrize("skip", [1.0, 0.5, 0.0])
def test_post_norm_is_after_the_sum(skip, x):
    branch, norm = feed_forward(None), loud_norm()
    block = SubBlock(feed_forward=branch, norm=norm, norm_position="post", skip=skip)
    assert_same(block(x), norm(skip * x + ops.convert_to_numpy(branch(x))))


def test_parallel_is_the_sum_of_two_branches_on_one_norm(x):
    first, second, norm = attention(None), feed_forward(None), loud_norm()
    block = SubBlock(first, second, norm, skip=0.5)
    y = norm(x)
    branches = ops.convert_to_numpy(first(y)) + ops.convert_to_numpy(second(y))
    assert_same(block(x), 0.5 * x + branches)


@pytest.mark.parametrize("make", [serial, parallel])
def test_post_norm_output_is_normalised(make, x):
    output = ops.convert_to_numpy(make(None, norm_position="post")(x))
    np.testing.assert_allclose(output.mean(axis=-1), 0, atol=1e-5)
    np.testing.assert_allclose(output.std(axis=-1), 1, atol=2e-2)


def test_a_block_without_parts_is_the_identity(x):
    np.testing.assert_array_equal(Block()(x), x)


@pytest.mark.parametrize("part", ["attention", "feed_forward"])
def test_an_absent_part_leaves_the_other(part, x):
    whole = serial(None)
    (kept,) = [each for each in whole.sub_blocks if getattr(each, part) is None]
    again = Block([kept])
    assert_same(again(x), kept(x))
    assert again.part(part) is None
    assert not any(part in variable.path for variable in again.weights)


def test_a_skip_of_zero_is_not_computed(x):
    """0 * inf is NaN, so a skip that is multiplied by zero would show."""

    class Zeros(keras.layers.Layer):
        def call(self, x):
            return ops.zeros_like(x)

    x[0, 0, 0] = np.inf
    output = SubBlock(feed_forward=Zeros(), skip=0.0)(x)
    np.testing.assert_array_equal(output, np.zeros_like(x))


def test_dropout_is_on_the_branches_and_not_on_the_skip(x):
    class Ones(keras.layers.Layer):
        def call(self, x):
            return ops.ones_like(x)

    block = SubBlock(feed_forward=Ones(), dropout=0.5)
    added = ops.convert_to_numpy(block(x, training=True)) - x
    np.testing.assert_allclose(added[np.abs(added) > 1e-3], 2.0, atol=1e-5)
    assert 0.3 < np.mean(np.abs(added) > 1e-3) < 0.7
    assert_same(block(x), x + 1)
