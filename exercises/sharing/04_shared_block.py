# %% [markdown]
# ## A layer that does not look
#
# ★★★☆☆ · about 25 minutes · 3 points
# · arXiv 2409.14595, section 3, shared attention block
#
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
#
# Check it: `kit check shared_block`. Stuck: `kit hint shared_block`.

# %%
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


# %% The example
if __name__ == "__main__":
    import numpy as np

    x = np.array([[[2.0], [4.0]]], "float32")  # batch 1, time 2, width 1
    nothing, ones = np.zeros((1, 1, 1), "float32"), np.ones((2, 1, 1, 1), "float32")
    uniform = causal_map(x, nothing, nothing)
    np.testing.assert_allclose(uniform, [[[[1.0, 0.0], [0.5, 0.5]]]])
    added = copying_layer(x, uniform, ones[0], ones[0])
    np.testing.assert_allclose(added, [[[2.0], [3.0]]])
    result = shared_group(x, nothing, nothing, ones, ones)
    np.testing.assert_allclose(result, [[[8.0], [12.5]]])
    print("The example is right.")
