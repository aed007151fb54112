"""Attention by the map of an earlier layer, against the equation."""

import numpy as np
import pytest
from keras import ops

from kit.errors import KitError
from kit.layers import Attention, AttentionBias, CopyingAttention, SharedMap
from tests.cases import TIME, WIDTH, assert_same

HEADS, HEAD_DIM = 4, 6
SHAPE = (3, TIME, WIDTH)


def make(kind, key_heads=HEADS, **kwargs):
    layer = kind(HEADS, HEAD_DIM, key_heads, std=0.5, **kwargs)
    layer.build(SHAPE)
    return layer


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal(SHAPE, dtype="float32")


@pytest.fixture
def bias():
    return AttentionBias("causal")(np.zeros((1, TIME), "int32"), queries=TIME)


def by_hand(attention_map, x, value, output, key_heads):
    """map V W_O, head by head, in float64."""
    result = np.zeros(x.shape)
    for head in range(HEADS):
        mine = slice(head * HEAD_DIM, (head + 1) * HEAD_DIM)
        group = head // (HEADS // key_heads)
        theirs = slice(group * HEAD_DIM, (group + 1) * HEAD_DIM)
        result += attention_map[:, head] @ (x @ value[:, theirs]) @ output[mine]
    return result


@pytest.mark.parametrize("key_heads", [4, 2, 1])
@pytest.mark.parametrize("fused", [False, True])
def test_the_copy_is_the_equation(key_heads, fused, x, bias):
    """Whatever the copy reads, its map is that of the other layer."""
    source, copy = make(Attention, 2, fused=fused), make(CopyingAttention, key_heads)
    shared, other = SharedMap(), x[::-1] + 1
    assert_same(source(x, bias=bias, shared=shared), source(x, bias=bias))
    attention_map = np.asarray(shared.map, "float64")
    value, output = (w.astype("float64") for w in copy.get_weights())
    expected = by_hand(attention_map, other, value, output, key_heads)
    assert_same(copy(other, shared=shared), expected)


def test_a_copy_with_the_same_matrices_on_the_same_stream_is_the_layer(x, bias):
    source, copy = make(Attention, 2), make(CopyingAttention, 2)
    copy.set_weights(source.get_weights()[2:])
    shared = SharedMap()
    expected = source(x, bias=bias, shared=shared)
    assert_same(copy(x, bias=bias, shared=shared), expected)


def test_a_copy_has_no_queries_and_keys():
    weights = {variable.name for variable in make(CopyingAttention).weights}
    assert weights == {"value", "output"}


def test_the_map_is_shared_before_dropout(x, bias):
    source = make(Attention, dropout=0.5)
    quiet, training = SharedMap(), SharedMap()
    source(x, bias=bias, shared=quiet)
    source(x, bias=bias, shared=training, training=True)
    assert_same(training.map, quiet.map)
    np.testing.assert_allclose(ops.sum(training.map, axis=-1), 1, atol=1e-6)


@pytest.mark.parametrize("shared", [None, SharedMap()])
def test_without_a_map_to_copy_the_layer_says_so(shared, x):
    with pytest.raises(KitError, match="none was made before it. Call the layer that"):
        make(CopyingAttention)(x, shared=shared)
