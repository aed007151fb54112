# %% [markdown]
# ## Write the test
#
# ★★★★☆ · about 30 minutes · 4 points
# · arXiv 2409.14595, section 3, shared attention block
#
# A model with shared maps is expected to be worse than the one it was made from, and to
# become better when it is trained. Both happen as well if the wrong thing is shared:
# training mends a lot. Nobody would notice, but the speed and the conclusions would be
# those of another method.
#
# Write `is_right(shared)`. It gets a function
#
#     shared(x, query, key, value, output, sources)
#
# that claims to be a stack of attention layers, of which some copy the map of an
# earlier one. Each layer adds what its heads say to the stream, which starts as x:
#
#     x ← x + sum over heads of  A_h (x V_h) O_h
#
# Layer l uses the map of layer `sources[l]`: its own if that is l, else that of an
# earlier layer that has its own, not always the nearest one. Own maps are causal,
# softmax(x Q_h (x K_h)ᵀ / √d), made from the stream as that layer finds it. Queries and
# keys of layers that copy are in the arrays, but must not matter. It returns the stream
# after all layers. Call it as often as you like, with whatever arrays you like.
#
# Fourteen functions will be shown to you, in random order. Some are right, each written
# in its own way, so they differ by rounding, about one part in a million. The others
# have one mistake each. Calling a right one wrong loses all points; for the wrong ones
# you get points in proportion to those you find.
#
# A function that returns x, for instance, is wrong.
#
# Check it: `kit check test_sharing`. Stuck: `kit hint test_sharing`.

# %%
import numpy as np


def is_right(shared):
    """Whether a function is a stack of attention layers with copied maps.

    Args:
        shared: Function of x, float32 (batch, time, width); query, key and value,
            float32 (layers, heads, width, head_dim); output, float32 (layers, heads,
            head_dim, width); and sources, int32 (layers,), that returns an array like
            x.

    Returns:
        True or False.
    """
    raise NotImplementedError("is_right is not done yet")


# %% The example
if __name__ == "__main__":
    assert not is_right(lambda x, query, key, value, output, sources: x)
    print("The example is right.")
