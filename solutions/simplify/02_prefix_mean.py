# /// exercise
# id = "prefix_mean"
# title = "Centring without a matrix"
# paper = "2311.01906"
# section = "equation 5"
# concepts = ["cumulative sum", "linear time", "fused kernels"]
# prerequisites = ["shaped_map"]
# difficulty = 2
# minutes = 15
# points = 2
# ///

# %% statement [markdown]
# A fast attention kernel never writes down the map A: it returns `A Y` for values Y,
# and a map of time x time numbers is what it saves. Shaped attention seems to need the
# map. It does not, because a product with a sum is a sum of products:
#
#     (alpha I + beta A - gamma C) Y = alpha Y + beta A Y - gamma C Y
#
# Here `A Y` comes from the kernel, and with a causal mask row i of `C Y` is the mean of
# the rows 0 to i of Y. That needs no matrix either.
#
# Write
#
# - `prefix_mean(values)`, the mean of each position and all before it, in a time that
#   grows like the number of positions: one check has 50,000 of them;
# - `shaped_values(mixed, values, alpha, beta, gamma)`, the formula above, where `mixed`
#   is `A Y` and each head has gains of its own.
#
# Three positions with the values 2, 4 and 9 have the prefix means 2, 3 and 5.
#
# Out of scope: other masks than the causal one.

# %% stub
from keras import ops


def prefix_mean(values):
    """Mean over each position and all before it.

    Args:
        values: float32 (..., time, head_dim).

    Returns:
        float32 (..., time, head_dim).
    """
    raise NotImplementedError("prefix_mean is not done yet")


def shaped_values(mixed, values, alpha, beta, gamma):
    """What shaped attention makes of values, from what plain attention makes of them.

    Args:
        mixed: float32 (batch, heads, time, head_dim), A times values.
        values: float32 (batch, heads, time, head_dim).
        alpha: float32 (heads,), gains of the values themselves.
        beta: float32 (heads,), gains of what is mixed.
        gamma: float32 (heads,), gains of the prefix mean.

    Returns:
        float32 (batch, heads, time, head_dim).
    """
    raise NotImplementedError("shaped_values is not done yet")


# %% example
import numpy as np

values = np.array([[[[2.0], [4.0], [9.0]]]], "float32")  # 1 batch, 1 head, width 1
np.testing.assert_allclose(prefix_mean(values), [[[[2], [3], [5]]]], rtol=1e-6)
ones = np.ones(1, "float32")
shaped = shaped_values(0 * values, values, 3 * ones, ones, ones)
np.testing.assert_allclose(shaped, [[[[4], [9], [22]]]], rtol=1e-6)


# %% reference
def prefix_mean(values):
    counts = ops.arange(1, values.shape[-2] + 1, dtype="float32")
    return ops.cumsum(values, axis=-2) / counts[:, None]


def shaped_values(mixed, values, alpha, beta, gamma):
    alpha, beta, gamma = (ops.reshape(g, (-1, 1, 1)) for g in (alpha, beta, gamma))
    return alpha * values + beta * mixed - gamma * prefix_mean(values)


# %% hint 1 [markdown]
# You know the sum of the first i rows. What do you have to do to get the sum of the
# first i + 1, and by how many rows do you divide each of these sums?

# %% hint 2 [markdown]
# `ops.cumsum` adds up along an axis and keeps every intermediate sum. `ops.arange` can
# start at 1. Take care that time is the last axis but one.

# %% hint 3 [markdown]
# The prefix mean: the cumulative sum over time, divided by the counts 1, 2, 3 ... as a
# column. The shaped values: each gain gets two axes of length 1 behind its heads; then
# three products, the last of them taken off.


# %% right answer="doubling"
def prefix_mean(values):
    time, sums, step = values.shape[-2], values, 1
    while step < time:  # sums of 1, 2, 4 ... rows become sums of twice as many
        empty = ops.zeros_like(sums[..., :step, :])
        sums = sums + ops.concatenate([empty, sums[..., :-step, :]], axis=-2)
        step *= 2
    return sums / ops.cast(ops.reshape(ops.arange(time) + 1, (time, 1)), "float32")


def shaped_values(mixed, values, alpha, beta, gamma):
    parts = ops.stack([values, mixed, -prefix_mean(values)])
    return ops.einsum("ph,pbhtd->bhtd", ops.stack([alpha, beta, gamma]), parts)


# %% right answer="in pieces"
def prefix_mean(values):
    pieces, before, size = [], 0.0, 256
    time = values.shape[-2]
    for start in range(0, time, size):
        piece = values[..., start : start + size, :]
        triangle = ops.tril(ops.ones((piece.shape[-2],) * 2))
        pieces.append(ops.matmul(triangle, piece) + before)
        before = pieces[-1][..., -1:, :]
    return ops.concatenate(pieces, axis=-2) / ops.linspace(1.0, time, time)[:, None]


# %% wrong answer="a matrix of time x time" caught_by="long"
# This builds the centring matrix: 50,000 x 50,000 numbers are 10 GB, and the machine
# has to add them all up. Carry one running sum along instead.
def prefix_mean(values):
    time = values.shape[-2]
    allowed = ops.tril(ops.ones((time, time)))
    return ops.matmul(allowed / ops.sum(allowed, axis=-1, keepdims=True), values)


# %% wrong answer="mean of everything" caught_by="means"
# Every position gets the mean of all positions, and so a look at the future. Row i is
# the mean of the rows 0 to i.
def prefix_mean(values):
    mean = ops.mean(values, axis=-2, keepdims=True)
    return mean + ops.zeros_like(values)


# %% wrong answer="leaves itself out" caught_by="means"
# The mean leaves out the position itself. The causal mask lets it look at itself, so it
# counts.
def prefix_mean(values):
    counts = ops.arange(values.shape[-2], dtype="float32")[:, None]
    return (ops.cumsum(values, axis=-2) - values) / ops.maximum(counts, 1.0)


# %% wrong answer="counts from zero" caught_by="means"
# The sums are divided by 0, 1, 2 ... and row 0 is infinite. It holds one row already.
def prefix_mean(values):
    counts = ops.arange(values.shape[-2], dtype="float32")[:, None]
    return ops.cumsum(values, axis=-2) / counts


# %% wrong answer="divided by time" caught_by="means"
# All sums are divided by the number of all positions. Row i is a sum of i + 1 rows.
def prefix_mean(values):
    return ops.cumsum(values, axis=-2) / values.shape[-2]


# %% wrong answer="sums" caught_by="means"
# These are the sums. For means, divide each one by how many rows it holds.
def prefix_mean(values):
    return ops.cumsum(values, axis=-2)


# %% wrong answer="forgets slowly" caught_by="means"
# Each row is halfway between the row and the mean before it, so the old ones fade away.
# In a mean all rows count the same.
def prefix_mean(values):
    means = [values[..., 0, :]]
    for i in range(1, values.shape[-2]):
        means.append((means[-1] + values[..., i, :]) / 2)
    return ops.stack(means, axis=-2)


# %% wrong answer="along the features" caught_by="means"
# The sum runs along the features. Time is the last axis but one.
def prefix_mean(values):
    counts = ops.arange(1, values.shape[-1] + 1, dtype="float32")
    return ops.cumsum(values, axis=-1) / counts


# %% wrong answer="always axis 1" caught_by="means"
# Time is taken to be axis 1. With a batch and heads, axis 1 is the heads; count the
# axes from the end.
def prefix_mean(values):
    counts = ops.arange(1, values.shape[-2] + 1, dtype="float32")
    return ops.cumsum(values, axis=1) / counts[:, None]


# %% wrong answer="centres what is mixed" caught_by="combined"
# The prefix mean is that of the mixed values, A Y. The formula has C Y: take the mean
# of the values as they came in.
def shaped_values(mixed, values, alpha, beta, gamma):
    alpha, beta, gamma = (ops.reshape(g, (-1, 1, 1)) for g in (alpha, beta, gamma))
    return alpha * values + beta * mixed - gamma * prefix_mean(mixed)


# %% wrong answer="alpha and beta exchanged" caught_by="combined"
# Alpha and beta have traded places: alpha is the gain of the values themselves, beta
# that of what attention mixes.
def shaped_values(mixed, values, alpha, beta, gamma):
    alpha, beta, gamma = (ops.reshape(g, (-1, 1, 1)) for g in (alpha, beta, gamma))
    return alpha * mixed + beta * values - gamma * prefix_mean(values)


# %% wrong answer="gains along the features" caught_by="combined"
# The gains are stretched along the features: gain j is applied to feature j instead of
# head j. It only runs where a head is as wide as there are heads.
def shaped_values(mixed, values, alpha, beta, gamma):
    return alpha * values + beta * mixed - gamma * prefix_mean(values)


# %% wrong answer="adds the mean" caught_by="combined"
# The prefix mean is added. It has to be taken off, or nothing cancels when training
# starts.
def shaped_values(mixed, values, alpha, beta, gamma):
    alpha, beta, gamma = (ops.reshape(g, (-1, 1, 1)) for g in (alpha, beta, gamma))
    return alpha * values + beta * mixed + gamma * prefix_mean(values)


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def draw(rng, *shape):
    return 3 * rng.standard_normal(shape)


def combined_case(mixed, values, alpha, beta, gamma):
    shape = values.shape
    gains = (alpha, beta, gamma)
    return call(mixed, values, *gains, returns=floats(*shape), function="shaped_values")


@check
def example(rng):
    """the example: the values 2, 4 and 9"""
    values = np.array([2.0, 4.0, 9.0]).reshape(1, 1, 3, 1)
    yield call(values, returns=floats(*values.shape))
    one = np.ones(1)
    yield combined_case(0 * values, values, 3 * one, one, one)


@check
def means(rng):
    """prefix_mean, with and without leading axes"""
    for shape in [(5, 3), (2, 6, 6), (2, 3, 6, 4), (3, 4, 4, 4)]:
        yield call(draw(rng, *shape), returns=floats(*shape))


@check
def combined(rng):
    """shaped_values, gains of each head"""
    for shape in [(2, 4, 5, 4), (1, 3, 6, 2)]:
        gains = rng.permutation(np.arange(1, 3 * shape[1] + 1) / 2)
        parts = draw(rng, 2, *shape)
        yield combined_case(*parts, *gains.reshape(3, -1))


@check(seconds=2.0)
def long(rng):
    """prefix_mean of 50,000 positions"""
    yield call(draw(rng, 50_000, 2), returns=floats(50_000, 2))


@check(hidden=True)
def short(rng):
    """one position, one feature"""
    for shape in [(1, 1), (2, 1, 1, 3), (1, 4, 1)]:
        yield call(draw(rng, *shape), returns=floats(*shape))
