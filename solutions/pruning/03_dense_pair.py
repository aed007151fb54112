# /// exercise
# id = "dense_pair"
# title = "Surgery on two layers"
# paper = "2501.17771"
# section = "official code, first stage"
# concepts = ["structured pruning", "Keras layers", "bias"]
# prerequisites = ["neuron_score"]
# difficulty = 3
# minutes = 25
# points = 3
# ///

# %% statement [markdown]
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

# %% stub
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


# %% example
up, down = (keras.layers.Dense(units, use_bias=False) for units in (3, 1))
up.build((None, 2))
down.build((None, 3))
up.set_weights([np.ones((2, 3))])
down.set_weights([np.array([[1.0], [10.0], [100.0]])])
first, second = smaller_pair(up, down, np.array([0, 2]))
x = np.ones((1, 2), "float32")
np.testing.assert_allclose(np.asarray(second(first(x))), [[202.0]])


# %% reference
def resized(layer, units, inputs):
    new = keras.layers.Dense(units, layer.activation, use_bias=layer.use_bias)
    new.build((None, inputs))
    return new


def smaller_pair(up, down, kept):
    first = resized(up, len(kept), up.kernel.shape[0])
    second = resized(down, down.units, len(kept))
    first.set_weights([weight[..., kept] for weight in up.get_weights()])
    kernel, *bias = down.get_weights()
    second.set_weights([kernel[kept], *bias])
    return first, second


# %% hint 1 [markdown]
# Cross out one neuron in the formula. Which numbers of A, a, B and b are never used any
# more? Three of the four lose something.

# %% hint 2 [markdown]
# `layer.get_weights()` gives NumPy arrays, the kernel and then the bias if there is
# one; `set_weights` takes such a list once the new layer is built. What else the new
# layer should be like is in `layer.activation` and `layer.use_bias`.

# %% hint 3 [markdown]
# Two new layers with the old settings, of which only the first has another number of
# units, built for the width and for the number of neurons that stay. Then columns of
# the first kernel and entries of its bias; rows of the second kernel; its bias as it
# is.


# %% right answer="assigned one by one"
def smaller_pair(up, down, kept):
    pair = []
    for layer, axis in ((up, 1), (down, 0)):
        kernel = np.take(np.asarray(layer.kernel), kept, axis=axis)
        options = {"activation": layer.activation, "use_bias": layer.use_bias}
        new = keras.layers.Dense(kernel.shape[1], **options)
        new(np.zeros((1, len(kernel)), "float32"))
        new.kernel.assign(kernel)
        if layer.use_bias:
            new.bias.assign(np.asarray(layer.bias)[kept if axis else slice(None)])
        pair.append(new)
    return tuple(pair)


# %% wrong answer="the others" caught_by="outputs"
# `kept` are the neurons that stay, and here it is they that go.
def smaller_pair(up, down, kept):
    others = np.setdiff1d(np.arange(up.units), kept)
    first = resized(up, len(others), up.kernel.shape[0])
    second = resized(down, down.units, len(others))
    first.set_weights([weight[..., others] for weight in up.get_weights()])
    kernel, *bias = down.get_weights()
    second.set_weights([kernel[others], *bias])
    return first, second


# %% wrong answer="the first ones" caught_by="outputs"
# The first neurons are taken, as many as should stay. Take those that `kept` names.
def smaller_pair(up, down, kept):
    count = len(kept)
    first = resized(up, count, up.kernel.shape[0])
    second = resized(down, down.units, count)
    first.set_weights([weight[..., :count] for weight in up.get_weights()])
    kernel, *bias = down.get_weights()
    second.set_weights([kernel[:count], *bias])
    return first, second


# %% wrong answer="as after dropout" caught_by="outputs"
# The second kernel is made larger, as dropout does to keep sums as large as they were.
# The neurons that are left did not say more before either.
def smaller_pair(up, down, kept):
    first = resized(up, len(kept), up.kernel.shape[0])
    second = resized(down, down.units, len(kept))
    first.set_weights([weight[..., kept] for weight in up.get_weights()])
    kernel, *bias = down.get_weights()
    second.set_weights([kernel[kept] * (up.units / len(kept)), *bias])
    return first, second


# %% wrong answer="no output bias" caught_by="outputs"
# The bias of the second layer is lost. It belongs to no neuron, and stays whole.
def smaller_pair(up, down, kept):
    first = resized(up, len(kept), up.kernel.shape[0])
    second = resized(down, down.units, len(kept))
    first.set_weights([weight[..., kept] for weight in up.get_weights()])
    kernel, *bias = down.get_weights()
    second.set_weights([kernel[kept], *(0 * each for each in bias)])
    return first, second


# %% wrong answer="no hidden bias" caught_by="outputs"
# The bias of the first layer is new, that is zero. Each neuron that stays takes its
# entry along.
def smaller_pair(up, down, kept):
    first = resized(up, len(kept), up.kernel.shape[0])
    second = resized(down, down.units, len(kept))
    kernel, *bias = up.get_weights()
    first.set_weights([kernel[:, kept], *(0 * each[kept] for each in bias)])
    kernel, *bias = down.get_weights()
    second.set_weights([kernel[kept], *bias])
    return first, second


# %% wrong answer="without the activation" caught_by="activations"
# The new first layer has no activation, or another one. It is part of what the old one
# computes.
def smaller_pair(up, down, kept):
    first = resized(up, len(kept), up.kernel.shape[0])
    second = resized(down, down.units, len(kept))
    first.activation = keras.activations.linear
    first.set_weights([weight[..., kept] for weight in up.get_weights()])
    kernel, *bias = down.get_weights()
    second.set_weights([kernel[kept], *bias])
    return first, second


# %% wrong answer="always a bias" caught_by="size"
# The new layers have a bias where the old ones have none. It is zero and changes no
# result, but is a parameter that would be trained.
def smaller_pair(up, down, kept):
    kernels = up.get_weights()[0][:, kept], down.get_weights()[0][kept]
    pair = []
    for layer, kernel in zip((up, down), kernels):
        new = keras.layers.Dense(kernel.shape[1], activation=layer.activation)
        new.build((None, len(kernel)))
        bias = layer.get_weights()[1:] or [np.zeros(layer.units)]
        new.set_weights([kernel, bias[0][kept] if layer is up else bias[0]])
        pair.append(new)
    return tuple(pair)


# %% wrong answer="masked" caught_by="size"
# The weights of neurons that go are set to zero, and the layers are as large as before.
# It says the same, but nothing is saved.
def smaller_pair(up, down, kept):
    first = resized(up, up.units, up.kernel.shape[0])
    second = resized(down, down.units, up.units)
    first.set_weights(up.get_weights())
    kernel, *bias = down.get_weights()
    stays = np.isin(np.arange(up.units), kept)
    second.set_weights([kernel * stays[:, None], *bias])
    return first, second


# %% wrong answer="the old ones change" caught_by="untouched"
# The old layers are changed on the way. Whoever compares the models before and after
# then compares a broken one with itself.
def smaller_pair(up, down, kept):
    kernel, *bias = down.get_weights()
    down.set_weights([kernel * np.isin(np.arange(up.units), kept)[:, None], *bias])
    first = resized(up, len(kept), up.kernel.shape[0])
    second = resized(down, down.units, len(kept))
    first.set_weights([weight[..., kept] for weight in up.get_weights()])
    second.set_weights([kernel[kept], *bias])
    return first, second


# %% driver
import answer
import keras
import numpy as np


def dense(kernel, bias, activation, use_bias):
    layer = keras.layers.Dense(kernel.shape[1], activation, use_bias=use_bias)
    layer.build((None, kernel.shape[0]))
    layer.set_weights([kernel, bias] if use_bias else [kernel])
    return layer


def said(pair, x):
    for layer in pair:
        x = layer(x)
    return np.asarray(x)


def pairs(A, a, B, b, kept, activation, use_bias):
    old = dense(A, a, activation, use_bias), dense(B, b, None, use_bias)
    return old, answer.smaller_pair(*old, kept)


def outputs(x, *arguments):
    return said(pairs(*arguments)[1], x)


def parameters(*arguments):
    return np.array([layer.count_params() for layer in pairs(*arguments)[1]])


def old_outputs(x, *arguments):
    return said(pairs(*arguments)[0], x)


# %% checks
from functools import partial

import numpy as np

from kit.grading.cases import call, check, floats, integers


def case(rng, function, activation, use_bias, sizes=(5, 5, 5), count=2):
    width, neurons, out = sizes
    A, B = rng.standard_normal((width, neurons)), rng.standard_normal((neurons, out))
    a, b = 1 + rng.random(neurons), 1 + rng.random(out)
    kept = np.sort(rng.choice(np.arange(1, neurons), count, replace=False))
    x = () if function == "parameters" else (2 * rng.standard_normal((3, width)),)
    about = f"{sizes} in, between and out, {activation}, use_bias={use_bias}"
    what = "parameters of the two" if function == "parameters" else "what they say"
    if function == "old_outputs":
        what = "what the OLD layers say afterwards"
    return call(
        *x,
        *(A, a, B, b, kept, activation, use_bias),
        returns=integers(2) if function == "parameters" else floats(3, out),
        function=function,
        shown=f"smaller_pair(up, down, {kept}), sizes {about}:\n{what}",
    )


# Whoever asks a layer for its config waits for TensorFlow to be imported.
patient = partial(check, seconds=30.0)


@patient()
def example(rng):
    """the example: 2 of 3 neurons"""
    A, B = np.ones((2, 3)), np.array([[1.0], [10.0], [100.0]])
    kept = np.array([0, 2])
    arguments = np.ones((1, 2)), A, np.zeros(3), B, np.zeros(1), kept, None, False
    yield call(
        *arguments,
        returns=floats(1, 1),
        function="outputs",
        shown=f"smaller_pair(up, down, {kept}): what they say to ones",
    )


@patient()
def outputs(rng):
    """what the smaller pair says"""
    for count in (2, 3):
        yield case(rng, "outputs", "relu", True, count=count)


@patient()
def activations(rng):
    """with other activations"""
    for activation in ("tanh", "gelu", None):
        yield case(rng, "outputs", activation, True, (4, 6, 3))


@patient()
def size(rng):
    """how many parameters the two layers have"""
    for use_bias in (True, False):
        yield case(rng, "parameters", "relu", use_bias, (4, 7, 3))


@patient()
def untouched(rng):
    """the old layers afterwards"""
    yield case(rng, "old_outputs", "relu", True)


@patient(hidden=True)
def extremes(rng):
    """a single neuron, and no bias"""
    yield case(rng, "outputs", "gelu", False, (3, 6, 4), count=1)
    yield case(rng, "outputs", "relu", False, (3, 6, 4), count=5)
