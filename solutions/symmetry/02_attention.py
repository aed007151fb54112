# /// exercise
# id = "attention"
# title = "Scaled dot-product attention"
# paper = "2402.05969"
# section = "section 1, the equivariance argument"
# concepts = ["attention", "softmax", "masking"]
# prerequisites = ["causal_mask"]
# difficulty = 2
# minutes = 15
# points = 2
# ///

# %% statement [markdown]
# The equation that the whole paper argues about: with queries Q, keys K, values V and
# heads of width d,
#
#     attention(Q, K, V) = softmax(Q Kᵀ / √d, hidden where the mask is false) V
#
# Each row of the softmax is a set of weights that add up to one. What the mask hides
# gets weight zero, and the rest still adds up to one.
#
# Write `attention(query, key, value, mask)`. There may be any number of leading axes
# (batch, heads), and keys need not be as many as queries. Every row of the mask allows
# at least one key. Scores may be large: hundreds are no reason for NaN.
#
# If query and key are all zero, every allowed key has the same weight, so the result is
# the mean of the allowed values: with values 2 and 4 and a causal mask, 2 and 3.
#
# Out of scope: heads (next exercise), dropout, and the projections that make Q, K, V.

# %% stub
from keras import ops


def attention(query, key, value, mask):
    """Mix the values of the allowed keys, each by how well its key fits the query.

    Args:
        query: float32 (..., queries, head_dim).
        key: float32 (..., keys, head_dim).
        value: float32 (..., keys, head_dim).
        mask: bool (queries, keys), true where a query may look at a key.

    Returns:
        float32 (..., queries, head_dim).
    """
    raise NotImplementedError("attention is not done yet")


# %% example
import numpy as np

nothing = np.zeros((2, 1), "float32")
causal = np.array([[True, False], [True, True]])
values = np.array([[2.0], [4.0]], "float32")
result = attention(nothing, nothing, values, causal)
np.testing.assert_allclose(result, [[2.0], [3.0]])


# %% reference
def attention(query, key, value, mask):
    head_dim = query.shape[-1]
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / head_dim**0.5
    scores = ops.where(mask, scores, -1e9)  # exp(-1e9) is exactly zero in float32
    return ops.matmul(ops.softmax(scores, axis=-1), value)


# %% hint 1 [markdown]
# Write the shapes of Q, K and V below each other. Which product gives one number for
# each pair of a query and a key, and along which axis must the weights add up to one?

# %% hint 2 [markdown]
# `ops.matmul`, `ops.swapaxes`, `ops.where` and `ops.softmax` are all you need. Hide a
# score before the softmax, by a number so low that its exponential is zero.

# %% hint 3 [markdown]
# Three steps: scores from query and transposed key over the root of the last axis's
# length; where the mask is false, a very negative finite number instead; the softmax
# over keys, times the values.


# %% right answer="exponentials by hand"
def attention(query, key, value, mask):
    scores = ops.einsum("...qd,...kd->...qk", query, key) * query.shape[-1] ** -0.5
    scores = ops.where(mask, scores, -float("inf"))
    weights = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True))
    return ops.einsum("...qk,...kd->...qd", weights, value) / ops.sum(
        weights, axis=-1, keepdims=True
    )


# %% right answer="one query at a time"
def attention(query, key, value, mask):
    rows = []
    for i in range(query.shape[-2]):
        scores = ops.sum(query[..., i, None, :] * key, axis=-1)
        scores = scores / ops.sqrt(float(query.shape[-1]))
        weights = ops.softmax(scores + ops.where(mask[i], 0.0, -1e9), axis=-1)
        rows.append(ops.sum(weights[..., None] * value, axis=-2))
    return ops.stack(rows, axis=-2)


# %% wrong answer="no scale" caught_by="everything_allowed"
# The scores are not divided by the square root of the head's width. With small weights
# nobody notices; with large ones the softmax looks at a single key and stops learning.
def attention(query, key, value, mask):
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2))
    scores = ops.where(mask, scores, -1e9)
    return ops.matmul(ops.softmax(scores, axis=-1), value)


# %% wrong answer="scaled by the width" caught_by="everything_allowed"
# The scores are divided by the head's width instead of by its square root. A sum of d
# random products grows like the square root of d.
def attention(query, key, value, mask):
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / query.shape[-1]
    scores = ops.where(mask, scores, -1e9)
    return ops.matmul(ops.softmax(scores, axis=-1), value)


# %% wrong answer="softmax over queries" caught_by="everything_allowed"
# The weights add up to one over the queries. They must add up to one over the keys:
# each query divides its attention.
def attention(query, key, value, mask):
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / query.shape[-1] ** 0.5
    scores = ops.where(mask, scores, -1e9)
    return ops.matmul(ops.softmax(scores, axis=-2), value)


# %% wrong answer="ignores the mask" caught_by="random_mask"
# The mask has no effect: hidden keys still get weight.
def attention(query, key, value, mask):
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / query.shape[-1] ** 0.5
    return ops.matmul(ops.softmax(scores, axis=-1), value)


# %% wrong answer="mask upside down" caught_by="random_mask"
# What the mask allows is hidden, and what it hides is seen.
def attention(query, key, value, mask):
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / query.shape[-1] ** 0.5
    scores = ops.where(mask, -1e9, scores)
    return ops.matmul(ops.softmax(scores, axis=-1), value)


# %% wrong answer="mask after the softmax" caught_by="random_mask"
# Hidden weights are set to zero after the softmax, so that the others no longer add up
# to one. Hide the scores before it.
def attention(query, key, value, mask):
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / query.shape[-1] ** 0.5
    weights = ops.where(mask, ops.softmax(scores, axis=-1), 0.0)
    return ops.matmul(weights, value)


# %% wrong answer="hidden scores are zero" caught_by="random_mask"
# Hidden scores are set to zero before the softmax. The exponential of zero is one, so
# hidden keys still get weight: they need a score that is very low.
def attention(query, key, value, mask):
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / query.shape[-1] ** 0.5
    scores = ops.where(mask, scores, 0.0)
    return ops.matmul(ops.softmax(scores, axis=-1), value)


# %% wrong answer="zero times infinity" caught_by="random_mask"
# The mask is multiplied by minus infinity, and zero times infinity is NaN. Choose with
# a condition instead of multiplying.
def attention(query, key, value, mask):
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / query.shape[-1] ** 0.5
    scores = scores + (1.0 - ops.cast(mask, "float32")) * -float("inf")
    return ops.matmul(ops.softmax(scores, axis=-1), value)


# %% wrong answer="mixes keys" caught_by="everything_allowed"
# The weights mix the keys instead of the values.
def attention(query, key, value, mask):
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / query.shape[-1] ** 0.5
    scores = ops.where(mask, scores, -1e9)
    return ops.matmul(ops.softmax(scores, axis=-1), key)


# %% wrong answer="mean of the values" caught_by="everything_allowed"
# Every allowed value has the same weight: the queries and keys have no effect.
def attention(query, key, value, mask):
    scores = ops.zeros((query.shape[-2], key.shape[-2]))
    scores = ops.where(mask, scores, -1e9)
    return ops.matmul(ops.softmax(scores, axis=-1), value)


# %% wrong answer="exponentials overflow" caught_by="huge_scores"
# A softmax by hand overflows: the exponential of 89 is too large for float32. Take off
# each row's largest score first; the result is the same.
def attention(query, key, value, mask):
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / query.shape[-1] ** 0.5
    weights = ops.where(mask, ops.exp(scores), 0.0)
    return ops.matmul(weights, value) / ops.sum(weights, axis=-1, keepdims=True)


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def draw(rng, queries, keys, head_dim, scale=1.0, lead=()):
    normal = rng.standard_normal
    return (
        scale * normal((*lead, queries, head_dim)),
        normal((*lead, keys, head_dim)),
        normal((*lead, keys, head_dim)),
    )


def draw_mask(rng, queries, keys):
    mask = rng.random((queries, keys)) < 0.5
    mask[:, 0] = True  # no row is empty
    mask[0, 1:] = False  # and one hides something for sure
    return mask


@check
def example(rng):
    """the example: the mean of what is allowed"""
    zeros = np.zeros((2, 1))
    mask = np.tril(np.ones((2, 2), bool))
    yield call(zeros, zeros, np.array([[2.0], [4.0]]), mask, returns=floats(2, 1))


@check
def everything_allowed(rng):
    """large scores, nothing hidden"""
    for head_dim in (5, 9):
        time = rng.integers(4, 8)
        inputs = draw(rng, time, time, head_dim, scale=2.0)
        mask = np.ones((time, time), bool)
        yield call(*inputs, mask, returns=floats(time, head_dim))


@check
def random_mask(rng):
    """large scores, some of them hidden"""
    for keys in (6, 9):
        inputs = draw(rng, 6, keys, 4, scale=2.0)
        mask = draw_mask(rng, 6, keys)
        yield call(*inputs, mask, returns=floats(6, 4))


@check
def leading_axes(rng):
    """a batch, with heads"""
    lead = tuple(map(int, rng.integers(2, 4, size=2)))
    inputs = draw(rng, 5, 5, 3, scale=2.0, lead=lead)
    mask = np.tril(np.ones((5, 5), bool))
    yield call(*inputs, mask, returns=floats(*lead, 5, 3))


@check(hidden=True)
def huge_scores(rng):
    """scores of several hundred"""
    # Whole numbers, so that every backend gets exactly the same scores.
    query, key = rng.integers(-3, 4, size=(2, 5, 4))
    mask = np.tril(np.ones((5, 5), bool))
    yield call(
        100.0 * query,
        1.0 * key,
        rng.standard_normal((5, 4)),
        mask,
        returns=floats(5, 4),
    )
