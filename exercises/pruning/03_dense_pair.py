# %% [markdown]
# ## Surgery on two layers
#
# ★★★☆☆ · about 25 minutes · 3 points
# · arXiv 2501.17771, official code, first stage
#
# To set the weights of a neuron to zero changes what a model says, but neither its size
# nor its speed. *Structured* pruning makes the matrices smaller. A neuron lives in two
# layers, and has to go from both:
#
#     y = act(x A + a) B + b        A (width, neurons), B (neurons, out)
#
# so think about which rows or columns are its own, and which of the two biases has an
# entry for it. (Keras keeps kernels as (in, out), PyTorch the other way around. Half of
# all bugs of this kind are that.)
#
# A layer of Keras cannot be resized once it is built. Write `smaller_pair(up, down,
# kept)`, which returns two **new** layers: like the old ones in activation and in
# whether they have a bias, with the weights of the neurons that are kept. On any input
# they must say what the old pair says when the other neurons are zero. The old layers
# stay as they are, and nothing makes up for what is gone: the paper changes no weight.
#
# By hand: with a kernel of ones from 2 inputs to 3 neurons, no activation, a second
# kernel (1, 10, 100) and no biases, the input (1, 1) makes 2 · 111 = 222. With the
# neurons 0 and 2 it makes 2 · 101 = 202.
#
# Check it: `kit check dense_pair`. Stuck: `kit hint dense_pair`.

# %%
import keras
import numpy as np


def smaller_pair(up, down, kept):
    """A pair of layers with some of the neurons that are between them.

    Args:
        up: Built keras.layers.Dense, width to neurons, with any activation, with or
            without a bias.
        down: Built keras.layers.Dense, neurons to outputs, likewise.
        kept: int32 (count,), the neurons that stay, ascending; at least one.

    Returns:
        Two built keras.layers.Dense: width to count, count to outputs.
    """
    raise NotImplementedError("smaller_pair is not done yet")


# %% The example
if __name__ == "__main__":
    up, down = (keras.layers.Dense(units, use_bias=False) for units in (3, 1))
    up.build((None, 2))
    down.build((None, 3))
    up.set_weights([np.ones((2, 3))])
    down.set_weights([np.array([[1.0], [10.0], [100.0]])])
    first, second = smaller_pair(up, down, np.array([0, 2]))
    x = np.ones((1, 2), "float32")
    np.testing.assert_allclose(np.asarray(second(first(x))), [[202.0]])
    print("The example is right.")
