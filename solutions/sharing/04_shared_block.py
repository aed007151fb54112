# /// exercise
# id = "shared_block"
# title = "A layer that does not look"
# paper = "2409.14595"
# section = "section 3, shared attention block"
# concepts = ["attention maps", "weight removal", "residual stream"]
# prerequisites = ["attention", "heads", "map_similarity"]
# difficulty = 3
# minutes = 25
# points = 3
# ///

# %% statement [markdown]
# A group of layers shares a map. The first computes it, for each head h, from what it
# gets,
#
#     A_h = softmax(x Q_h (x K_h)ᵀ / √d, causal)
#
# and uses it; the layers after it have no Q and no K at all. Each layer of the group,
# the first one too, still has values and an output matrix of its own, which see the
# stream as it is by then:
#
#     x ← x + sum over heads of  A_h (x V_h) O_h
#
# So layers stop looking for themselves, but not to say something else about what is
# there. Norms and feed-forwards, which come between, are left out here.
#
# Write
#
# - `causal_map(x, query, key)`, the maps of all heads;
# - `copying_layer(x, attention_map, value, output)`, what a layer adds to the stream;
# - `shared_group(x, query, key, values, outputs)`, the stream after all layers.
#
# By hand: width 1, one head, Q = 0, so that the map is ½, ½ in row 1, and all values
# and outputs 1. The stream 2, 4 becomes 4, 7 after the first layer and 8, 12.5 after
# another.

# %% stub
from keras import ops


def causal_map(x, query, key):
    """Who attends to whom, and how much.

    Args:
        x: float32 (batch, time, width).
        query: float32 (heads, width, head_dim).
        key: float32 (heads, width, head_dim).

    Returns:
        float32 (batch, heads, time, time); rows add up to 1.
    """
    raise NotImplementedError("causal_map is not done yet")


def copying_layer(x, attention_map, value, output):
    """What a layer adds to the stream with a map that it is given.

    Args:
        x: float32 (batch, time, width).
        attention_map: float32 (batch, heads, time, time).
        value: float32 (heads, width, head_dim).
        output: float32 (heads, head_dim, width).

    Returns:
        float32 (batch, time, width).
    """
    raise NotImplementedError("copying_layer is not done yet")


def shared_group(x, query, key, values, outputs):
    """The stream after a group of layers with one map.

    Args:
        x: float32 (batch, time, width), before the first layer.
        query: float32 (heads, width, head_dim), of the first layer.
        key: float32 (heads, width, head_dim), of the first layer.
        values: float32 (layers, heads, width, head_dim).
        outputs: float32 (layers, heads, head_dim, width).

    Returns:
        float32 (batch, time, width).
    """
    raise NotImplementedError("shared_group is not done yet")


# %% example
import numpy as np

x = np.array([[[2.0], [4.0]]], "float32")  # batch 1, time 2, width 1
nothing, ones = np.zeros((1, 1, 1), "float32"), np.ones((2, 1, 1, 1), "float32")
uniform = causal_map(x, nothing, nothing)
np.testing.assert_allclose(uniform, [[[[1.0, 0.0], [0.5, 0.5]]]])
added = copying_layer(x, uniform, ones[0], ones[0])
np.testing.assert_allclose(added, [[[2.0], [3.0]]])
result = shared_group(x, nothing, nothing, ones, ones)
np.testing.assert_allclose(result, [[[8.0], [12.5]]])


# %% reference
def causal_map(x, query, key):
    time, head_dim = x.shape[1], query.shape[-1]
    queries = ops.einsum("btw,hwd->bhtd", x, query)
    keys = ops.einsum("btw,hwd->bhtd", x, key)
    scores = ops.matmul(queries, ops.swapaxes(keys, 2, 3)) / head_dim**0.5
    seen = ops.tril(ops.ones((time, time), "bool"))
    return ops.softmax(ops.where(seen, scores, -1e9), axis=-1)


def copying_layer(x, attention_map, value, output):
    mixed = ops.matmul(attention_map, ops.einsum("btw,hwd->bhtd", x, value))
    return ops.einsum("bhtd,hdw->btw", mixed, output)


def shared_group(x, query, key, values, outputs):
    attention_map = causal_map(x, query, key)
    for value, output in zip(values, outputs):
        x = x + copying_layer(x, attention_map, value, output)
    return x


# %% hint 1 [markdown]
# How often is the map computed, and from which stream? And how often are values
# computed, and from which?

# %% hint 2 [markdown]
# `ops.einsum` says which axes meet and which stay: from a stream with batch, time and
# width and a matrix for each head to something with a time axis for every head. The
# last product of a layer sums over heads and head_dim at once. For what is hidden use
# `ops.tril` and `ops.where` before the softmax.

# %% hint 3 [markdown]
# The map is the attention of an earlier exercise without its last product. The layer: a
# product for the values, the map times those, a product that ends in the width. The
# group: one map first; then a loop over the matrices of the layers, in which the stream
# grows by what the layer says of the stream as it is.


# %% right answer="head by head"
def causal_map(x, query, key):
    time = x.shape[1]
    hidden = -1e9 * (1 - ops.tril(ops.ones((time, time))))
    maps = []
    for q, k in zip(query, key):
        right = ops.transpose(ops.matmul(x, k), (0, 2, 1))
        scores = ops.matmul(ops.matmul(x, q) * q.shape[-1] ** -0.5, right)
        maps.append(ops.softmax(scores + hidden, axis=-1))
    return ops.stack(maps, axis=1)


def copying_layer(x, attention_map, value, output):
    total = ops.zeros_like(x)
    for h in range(len(value)):
        # The map acts on time and the matrices on the width: any order will do.
        rewritten = ops.matmul(ops.matmul(x, value[h]), output[h])
        total = total + ops.matmul(attention_map[:, h], rewritten)
    return total


def shared_group(x, query, key, values, outputs):
    shared = causal_map(x, query, key)
    streams = [x]
    for layer in range(len(values)):
        said = copying_layer(streams[-1], shared, values[layer], outputs[layer])
        streams.append(streams[-1] + said)
    return streams[-1]


# %% wrong answer="no scale" caught_by="maps"
# The scores are not divided by the square root of the head's width.
def causal_map(x, query, key):
    queries = ops.einsum("btw,hwd->bhtd", x, query)
    keys = ops.einsum("btw,hwd->bhtd", x, key)
    scores = ops.matmul(queries, ops.swapaxes(keys, 2, 3))
    seen = ops.tril(ops.ones((x.shape[1], x.shape[1]), "bool"))
    return ops.softmax(ops.where(seen, scores, -1e9), axis=-1)


# %% wrong answer="looks ahead" caught_by="maps"
# The maps are not causal: tokens attend to what comes after them.
def causal_map(x, query, key):
    queries = ops.einsum("btw,hwd->bhtd", x, query)
    keys = ops.einsum("btw,hwd->bhtd", x, key)
    scores = ops.matmul(queries, ops.swapaxes(keys, 2, 3)) / query.shape[-1] ** 0.5
    return ops.softmax(scores, axis=-1)


# %% wrong answer="scores are shared" caught_by="maps"
# These are the scores before the softmax. What is shared is the map after it, whose
# rows add up to one.
def causal_map(x, query, key):
    queries = ops.einsum("btw,hwd->bhtd", x, query)
    keys = ops.einsum("btw,hwd->bhtd", x, key)
    scores = ops.matmul(queries, ops.swapaxes(keys, 2, 3)) / query.shape[-1] ** 0.5
    seen = ops.tril(ops.ones((x.shape[1], x.shape[1]), "bool"))
    return ops.where(seen, scores, 0.0)


# %% wrong answer="one map for all heads" caught_by="one_layer"
# The maps of the heads are averaged. Each head has its own, and copies that of the same
# number.
def copying_layer(x, attention_map, value, output):
    one = ops.mean(attention_map, axis=1, keepdims=True)
    mixed = ops.matmul(one, ops.einsum("btw,hwd->bhtd", x, value))
    return ops.einsum("bhtd,hdw->btw", mixed, output)


# %% wrong answer="mean of the heads" caught_by="one_layer"
# What the heads say is averaged. It is added up.
def copying_layer(x, attention_map, value, output):
    mixed = ops.matmul(attention_map, ops.einsum("btw,hwd->bhtd", x, value))
    return ops.einsum("bhtd,hdw->btw", mixed, output) / value.shape[0]


# %% wrong answer="map turned over" caught_by="one_layer"
# The map is transposed: each token is told by those that attend to it.
def copying_layer(x, attention_map, value, output):
    values = ops.einsum("btw,hwd->bhtd", x, value)
    mixed = ops.matmul(ops.swapaxes(attention_map, 2, 3), values)
    return ops.einsum("bhtd,hdw->btw", mixed, output)


# %% wrong answer="with the skip inside" caught_by="one_layer"
# The stream itself is in the result. The layer returns what it adds; the group adds it.
def copying_layer(x, attention_map, value, output):
    mixed = ops.matmul(attention_map, ops.einsum("btw,hwd->bhtd", x, value))
    return x + ops.einsum("bhtd,hdw->btw", mixed, output)


# %% wrong answer="looks again" caught_by="groups"
# Every layer computes the map again, from the stream as it is by then. That saves the
# matrices, but no time: the map is computed once, by the first layer.
def shared_group(x, query, key, values, outputs):
    for value, output in zip(values, outputs):
        x = x + copying_layer(x, causal_map(x, query, key), value, output)
    return x


# %% wrong answer="old values" caught_by="groups"
# All layers take their values from the stream before the group. Only the map is old;
# the values see what the layers before have said.
def shared_group(x, query, key, values, outputs):
    attention_map, start = causal_map(x, query, key), x
    for value, output in zip(values, outputs):
        x = x + copying_layer(start, attention_map, value, output)
    return x


# %% wrong answer="output copied" caught_by="groups"
# What the first layer says is added once more for each layer. Copied is the map; every
# layer has values and an output matrix of its own.
def shared_group(x, query, key, values, outputs):
    said = copying_layer(x, causal_map(x, query, key), values[0], outputs[0])
    for _ in values:
        x = x + said
    return x


# %% wrong answer="the first says nothing" caught_by="groups"
# The first layer computes the map and does nothing with it. It uses its map as well.
def shared_group(x, query, key, values, outputs):
    attention_map = causal_map(x, query, key)
    for value, output in zip(values[1:], outputs[1:]):
        x = x + copying_layer(x, attention_map, value, output)
    return x


# %% wrong answer="no skip" caught_by="groups"
# The stream is replaced by what a layer says. It is added to the stream.
def shared_group(x, query, key, values, outputs):
    attention_map = causal_map(x, query, key)
    for value, output in zip(values, outputs):
        x = copying_layer(x, attention_map, value, output)
    return x


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def draw(rng, *shape, scale=1.0):
    return scale * rng.standard_normal(shape) / shape[-2] ** 0.5


def group_case(rng, batch, time, width, layers, heads, head_dim):
    shape = heads, width, head_dim
    return call(
        rng.standard_normal((batch, time, width)),
        *(draw(rng, *shape, scale=2.0) for _ in "qk"),
        draw(rng, layers, *shape),
        draw(rng, layers, heads, head_dim, width),
        returns=floats(batch, time, width),
        function="shared_group",
    )


@check
def example(rng):
    """the example: a map of one half"""
    x, nothing = np.array([[[2.0], [4.0]]]), np.zeros((1, 1, 1))
    ones = np.ones((2, 1, 1, 1))
    returns = floats(1, 2, 1)
    arguments = x, nothing, nothing, ones, ones
    yield call(*arguments, returns=returns, function="shared_group")


@check
def maps(rng):
    """maps of several heads"""
    for heads, head_dim in ((2, 3), (3, 4)):
        x = rng.standard_normal((2, 5, 6))
        matrices = (draw(rng, heads, 6, head_dim, scale=2.0) for _ in "qk")
        yield call(x, *matrices, returns=floats(2, heads, 5, 5))


@check
def one_layer(rng):
    """a layer with a map that it is given"""
    weights = np.tril(np.exp(2 * rng.standard_normal((2, 3, 5, 5))))
    yield call(
        rng.standard_normal((2, 5, 6)),
        weights / weights.sum(axis=-1, keepdims=True),
        draw(rng, 3, 6, 4),
        draw(rng, 3, 4, 6),
        returns=floats(2, 5, 6),
        function="copying_layer",
    )


@check
def groups(rng):
    """groups of two and three layers"""
    for layers in (2, 3):
        yield group_case(rng, 2, 5, 6, layers, 2, 3)


@check(hidden=True)
def other_sizes(rng):
    """a single layer, and other sizes"""
    yield group_case(rng, 1, 4, 8, 1, 4, 2)
    yield group_case(rng, 3, 7, 4, 4, 1, 5)
