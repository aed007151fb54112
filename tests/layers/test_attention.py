"""The written-out attention against four other roads to the same numbers."""

import time

import keras
import numpy as np
import pytest
from keras import ops

from kit.compiled import compiled
from kit.layers import Attention, AttentionBias, Collector, RotaryPositions
from kit.layers import alibi_slopes as slopes_of
from tests.cases import TIME, WIDTH, assert_same

HEADS, HEAD_DIM = 4, 6
CAUSAL = AttentionBias("causal")


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal((3, TIME, WIDTH), dtype="float32")


@pytest.fixture
def bias():
    return ops.convert_to_numpy(CAUSAL(np.zeros((1, TIME), "int32"), queries=TIME))


def make(key_heads=HEADS, **kwargs):
    layer = Attention(HEADS, HEAD_DIM, key_heads, std=0.5, **kwargs)
    layer.build((None, TIME, WIDTH))
    return layer


def map_of(layer, x, bias):
    with Collector("*/map") as collector:
        layer(x, bias=bias)
    (attention_map,) = collector.values.values()
    return ops.convert_to_numpy(attention_map)


def by_hand(layer, x, bias):
    """The paper's equation, head by head, in float64."""
    query, key, value, output = (w.astype("float64") for w in layer.get_weights())
    result = np.zeros(x.shape)
    for head in range(HEADS):
        mine = slice(head * HEAD_DIM, (head + 1) * HEAD_DIM)
        group = head // (HEADS // layer.num_key_value_heads)
        theirs = slice(group * HEAD_DIM, (group + 1) * HEAD_DIM)
        scores = (x @ query[:, mine]) @ np.swapaxes(x @ key[:, theirs], 1, 2)
        weights = np.exp(scores / np.sqrt(HEAD_DIM) + (0 if bias is None else bias[0]))
        weights /= weights.sum(axis=-1, keepdims=True)
        result += weights @ (x @ value[:, theirs]) @ output[mine]
    return result


@pytest.mark.parametrize("key_heads", [4, 2, 1])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_the_equation(key_heads, fused, masked, x, bias):
    layer = make(key_heads, fused=fused)
    bias = bias if masked else None
    assert_same(layer(x, bias=bias), by_hand(layer, x, bias))


def test_attention_is_keras_dot_product_attention(x, bias):
    layer = make()
    query, key, value, output = layer.get_weights()
    heads = [
        ops.reshape(x @ w, (3, TIME, HEADS, HEAD_DIM)) for w in (query, key, value)
    ]
    mixed = ops.dot_product_attention(*heads, bias=np.tile(bias, (1, HEADS, 1, 1)))
    expected = ops.reshape(mixed, (3, TIME, HEADS * HEAD_DIM)) @ output
    assert_same(layer(x, bias=bias), expected)


@pytest.mark.parametrize("key_heads", [4, 2, 1])
def test_attention_is_the_layer_of_keras(key_heads, x, bias):
    layer = make(key_heads)
    if key_heads == HEADS:
        theirs = keras.layers.MultiHeadAttention(HEADS, HEAD_DIM, use_bias=False)
    else:
        theirs = keras.layers.GroupQueryAttention(
            HEAD_DIM, HEADS, key_heads, use_bias=False
        )
    theirs.build(x.shape, x.shape)
    # Keras keeps query, value, key, output; ours are query, key, value, output.
    query, key, value, output = layer.get_weights()
    ordered = {"query": query, "key": key, "value": value}
    for variable in theirs.weights:
        name = variable.path.split("/")[-2]
        new = ordered.get(name, output)
        variable.assign(new.reshape(variable.shape))
    expected, scores = theirs(x, x, return_attention_scores=True, use_causal_mask=True)
    assert_same(layer(x, bias=bias), expected)
    assert_same(map_of(layer, x, bias), scores)


def test_grouped_attention_is_repeated_key_heads(x, bias):
    grouped, repeated = make(2), make(4)
    query, key, value, output = grouped.get_weights()
    twice = [
        np.repeat(w.reshape(WIDTH, 2, HEAD_DIM), 2, axis=1).reshape(WIDTH, -1)
        for w in (key, value)
    ]
    repeated.set_weights([query, *twice, output])
    assert_same(grouped(x, bias=bias), repeated(x, bias=bias))


@pytest.mark.parametrize("fused", [False, True])
def test_maps_are_causal_and_their_rows_sum_to_one(fused, x, bias):
    attention_map = map_of(make(fused=fused), x, bias)
    np.testing.assert_allclose(attention_map.sum(axis=-1), 1, atol=1e-6)
    assert not np.triu(attention_map, k=1).any()
    assert (attention_map >= 0).all()


def test_rotary_scores_depend_on_the_distance_only(x, bias):
    """Equal tokens at every place: each map entry is a function of i - j."""
    layer = make(rotary=RotaryPositions(TIME))
    same = np.repeat(x[:, :1], TIME, axis=1)
    scores = np.log(map_of(layer, same, None))
    scores -= scores[..., :1]  # a row is known up to a constant
    for row in range(1, TIME):
        shifted = scores[:, :, row, 1:] - scores[:, :, row, 1:2]
        before = scores[:, :, row - 1, :-1] - scores[:, :, row - 1, :1]
        np.testing.assert_allclose(shifted, before, atol=1e-4)
    assert np.ptp(scores) > 0.1  # and it does depend on that


def test_alibi_subtracts_slope_times_distance(x, bias):
    slopes = slopes_of(HEADS)
    plain, sloped = make(), make(slopes=slopes)
    sloped.set_weights(plain.get_weights())
    distance = np.abs(np.arange(TIME)[:, None] - np.arange(TIME))
    expected = map_of(plain, x, bias) * np.exp(-slopes[:, None, None] * distance)
    expected /= expected.sum(axis=-1, keepdims=True)
    assert_same(map_of(sloped, x, bias), expected)


def test_dropout_acts_on_the_map_in_training_only(x):
    plain, dropping = make(), make(dropout=0.5)
    dropping.set_weights(plain.get_weights())
    assert_same(dropping(x), plain(x))
    assert np.abs(dropping(x, training=True) - plain(x)).max() > 1e-2


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow")
def test_no_operation_is_fused_into_a_slow_one():
    """A graph without XLA, as `predict` has it: once it took nine times as long as the
    same operations one by one, and with longer sequences 200 times."""
    layer, x = Attention(num_heads=4, head_dim=16), ops.ones((8, 64, 64))
    bias = AttentionBias("causal")(ops.ones((8, 64), "int32"), queries=64)

    def seconds(run):
        start = time.process_time()
        ops.convert_to_numpy(run(x, bias))
        return time.process_time() - start

    graph = compiled(layer)
    each = [(seconds(graph), seconds(layer)) for _ in range(4)][1:]
    assert min(graph for graph, _ in each) < 3 * min(plain for _, plain in each)
