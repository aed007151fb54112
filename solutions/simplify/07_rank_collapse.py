# /// exercise
# id = "rank_collapse"
# title = "Are all tokens alike?"
# paper = "2311.01906"
# section = "the argument from signal propagation"
# concepts = ["rank collapse", "cosine similarity", "probes"]
# prerequisites = ["attention"]
# difficulty = 3
# minutes = 15
# points = 3
# ///

# %% statement [markdown]
# Attention is an average, and averages of averages are all the same. Stack enough of it
# without skips and every token becomes the same vector up to its length: the matrix of
# tokens has rank one, nothing can be told apart, and queries and keys, which choose
# among equals, get no gradient. That is **rank collapse**, and it is why skips could
# not simply be left out.
#
# It can be seen before any training. The probe: the cosine of the angle between two
# tokens of the same sequence, on average over all pairs of **different** tokens and
# over all sequences. At 1 all tokens point the same way; tokens drawn at random are
# near 0.
#
# Write `mean_cosines(activations)`, one number per layer.
#
# The tokens (1, 0), (0, 2) and (3, 3) have pairs with the cosines 0, 0.7071 and 0.7071,
# and the mean 0.4714: lengths do not matter.
#
# Out of scope: tokens that are all zeros; there are none.

# %% stub
import numpy as np


def mean_cosines(activations):
    """Mean cosine of two different tokens of a sequence, for each layer.

    Args:
        activations: float32 (layers, batch, time, width), time at least 2.

    Returns:
        float32 (layers,), from -1 to 1.
    """
    raise NotImplementedError("mean_cosines is not done yet")


# %% example
tokens = np.array([[1, 0], [0, 2], [3, 3]], "float32")
activations = np.stack([tokens, np.ones_like(tokens)])[:, None]  # 2 layers, 1 batch
np.testing.assert_allclose(mean_cosines(activations), [0.4714, 1.0], atol=1e-4)


# %% reference
def mean_cosines(activations):
    lengths = np.linalg.norm(activations, axis=-1, keepdims=True)
    unit = activations / lengths
    cosines = unit @ np.swapaxes(unit, -1, -2)
    different = ~np.eye(activations.shape[2], dtype=bool)
    return cosines[..., different].mean(axis=(1, 2))


# %% hint 1 [markdown]
# What has to happen to two vectors so that their dot product is the cosine? And in a
# table of all pairs, which entries say nothing, because a token is compared with
# itself?

# %% hint 2 [markdown]
# `np.linalg.norm` takes an axis and `keepdims=True`. A matrix product with the last two
# axes exchanged (`np.swapaxes`) makes all pairs of a sequence at once, and `np.eye`
# marks the pairs to leave out.

# %% hint 3 [markdown]
# Divide every token by its length. Multiply tokens with tokens, sequence by sequence.
# Of each table take what is off the diagonal, and the mean of that over everything but
# the layers.


# %% right answer="the sum of the units"
def mean_cosines(activations):
    x = activations.astype("float64")
    time = x.shape[2]
    x = x / np.sqrt(np.einsum("lbtw,lbtw->lbt", x, x))[..., None]
    total = np.square(x.sum(axis=2)).sum(axis=-1)  # of all pairs, also with oneself
    return ((total - time) / (time**2 - time)).mean(axis=1).astype("float32")


# %% right answer="pair by pair"
from itertools import combinations


def mean_cosines(activations):
    means = []
    for layer in activations:
        cosines = []
        for sequence in layer:
            for a, b in combinations(sequence, 2):
                cosines.append(np.dot(a, b) / np.sqrt(np.dot(a, a) * np.dot(b, b)))
        means.append(np.mean(cosines))
    return np.array(means, "float32")


# %% wrong answer="with oneself" caught_by="random_tokens"
# Each token is also compared with itself. That cosine is always 1, and it makes short
# sequences look collapsed.
def mean_cosines(activations):
    unit = activations / np.linalg.norm(activations, axis=-1, keepdims=True)
    return (unit @ np.swapaxes(unit, -1, -2)).mean(axis=(1, 2, 3))


# %% wrong answer="dot products" caught_by="random_tokens"
# These are dot products: long tokens count more, and the numbers are not between -1 and
# 1. Divide each token by its length first.
def mean_cosines(activations):
    products = activations @ np.swapaxes(activations, -1, -2)
    different = ~np.eye(activations.shape[2], dtype=bool)
    return products[..., different].mean(axis=(1, 2))


# %% wrong answer="one length for all" caught_by="random_tokens"
# All tokens of a sequence are divided by the same length, that of the whole sequence.
# Each token has its own.
def mean_cosines(activations):
    time = activations.shape[2]
    squares = np.square(activations).sum(axis=-1, keepdims=True)
    unit = activations / np.sqrt(squares.mean(axis=2, keepdims=True))
    different = ~np.eye(time, dtype=bool)
    return (unit @ np.swapaxes(unit, -1, -2))[..., different].mean(axis=(1, 2))


# %% wrong answer="lengths along time" caught_by="random_tokens"
# The lengths are taken along time, so each feature is divided by its size. The length
# of a token is taken over its features, the last axis.
def mean_cosines(activations):
    unit = activations / np.linalg.norm(activations, axis=2, keepdims=True)
    different = ~np.eye(activations.shape[2], dtype=bool)
    return (unit @ np.swapaxes(unit, -1, -2))[..., different].mean(axis=(1, 2))


# %% wrong answer="features instead of tokens" caught_by="random_tokens"
# Pairs of features are compared, over time. Asked for are pairs of tokens.
def mean_cosines(activations):
    unit = activations / np.linalg.norm(activations, axis=2, keepdims=True)
    different = ~np.eye(activations.shape[3], dtype=bool)
    return (np.swapaxes(unit, -1, -2) @ unit)[..., different].mean(axis=(1, 2))


# %% wrong answer="across sequences" caught_by="random_tokens"
# Tokens of different sequences are compared as well. Only tokens of the same sequence
# are mixed by attention, and only they can collapse onto each other.
def mean_cosines(activations):
    layers, _, _, width = activations.shape
    tokens = activations.reshape(layers, -1, width)
    unit = tokens / np.linalg.norm(tokens, axis=-1, keepdims=True)
    different = ~np.eye(tokens.shape[1], dtype=bool)
    return (unit @ np.swapaxes(unit, -1, -2))[..., different].mean(axis=1)


# %% wrong answer="absolute values" caught_by="random_tokens"
# The signs are gone: tokens that point in opposite directions count as alike, and
# random tokens no longer have a mean near zero.
def mean_cosines(activations):
    unit = activations / np.linalg.norm(activations, axis=-1, keepdims=True)
    different = ~np.eye(activations.shape[2], dtype=bool)
    return np.abs(unit @ np.swapaxes(unit, -1, -2))[..., different].mean(axis=(1, 2))


# %% wrong answer="centred first" caught_by="random_tokens"
# The mean token has been taken off before. It is just what collapsed tokens share, so
# this probe cannot see a collapse.
def mean_cosines(activations):
    centred = activations - activations.mean(axis=2, keepdims=True)
    unit = centred / np.linalg.norm(centred, axis=-1, keepdims=True)
    different = ~np.eye(activations.shape[2], dtype=bool)
    return (unit @ np.swapaxes(unit, -1, -2))[..., different].mean(axis=(1, 2))


# %% wrong answer="neighbours only" caught_by="random_tokens"
# Only neighbouring tokens are compared. Take all pairs of a sequence.
def mean_cosines(activations):
    unit = activations / np.linalg.norm(activations, axis=-1, keepdims=True)
    return (unit[:, :, 1:] * unit[:, :, :-1]).sum(axis=-1).mean(axis=(1, 2))


# %% wrong answer="half of the mean" caught_by="random_tokens"
# Each pair is counted once but the sum is divided as if it were counted twice.
def mean_cosines(activations):
    time = activations.shape[2]
    unit = activations / np.linalg.norm(activations, axis=-1, keepdims=True)
    pairs = np.triu(unit @ np.swapaxes(unit, -1, -2), 1).sum(axis=(2, 3))
    return pairs.mean(axis=1) / (time * (time - 1))


# %% wrong answer="all layers together" caught_by="random_tokens"
# This is one number for the whole model. One per layer shows where the collapse begins.
def mean_cosines(activations):
    unit = activations / np.linalg.norm(activations, axis=-1, keepdims=True)
    different = ~np.eye(activations.shape[2], dtype=bool)
    return (unit @ np.swapaxes(unit, -1, -2))[..., different].mean()


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def case(activations, shown=""):
    return call(activations, returns=floats(len(activations)), shown=shown)


def mixed(rng, layers, keep):
    """Tokens behind 0, 1, 2 ... layers of random causal attention.

    The identity has the share `keep` in each map; 1 is shaped attention at its start.
    """
    x = rng.standard_normal((2, 8, 32))
    found = [x]
    for _ in range(layers):
        scores = np.where(np.tril(np.ones((8, 8), bool)), rng.random((2, 8, 8)), -1e9)
        weights = np.exp(scores)
        weights /= weights.sum(axis=-1, keepdims=True)
        x = (keep * np.eye(8) + (1 - keep) * weights) @ x
        found.append(x)
    return np.stack(found)


@check
def example(rng):
    """the example: three tokens"""
    tokens = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    yield case(np.stack([tokens, np.ones_like(tokens)])[:, None])


@check
def random_tokens(rng):
    """tokens that share a direction, some more than others"""
    for layers, batch, time, width in [(3, 2, 5, 4), (2, 3, 4, 6)]:
        shared = rng.standard_normal((layers, batch, 1, width))
        tokens = rng.standard_normal((layers, batch, time, width)) + shared
        lengths = np.exp(rng.standard_normal((layers, batch, time, 1)))
        yield case(3 * lengths * tokens)


@check
def networks(rng):
    """behind layers of attention, without skips and with shaped maps"""
    for keep, name in [(0.0, "plain attention, no skips"), (1.0, "shaped attention")]:
        yield case(mixed(rng, 12, keep), shown=f"mean_cosines(12 layers of {name})")


@check(hidden=True)
def two_tokens(rng):
    """two tokens: opposite, alike, at a right angle"""
    x = rng.standard_normal((1, 2))
    pairs = [[x, -3 * x], [x, 2 * x], [x, x[:, ::-1] * [1, -1]]]
    yield case(np.array(pairs).reshape(3, 1, 2, 2))
