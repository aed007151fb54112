# /// exercise
# id = "shaped_map"
# title = "The shaped attention map"
# paper = "2311.01906"
# section = "equation 5"
# concepts = ["shaped attention", "centring matrix", "broadcasting"]
# prerequisites = ["attention", "heads"]
# difficulty = 2
# minutes = 15
# points = 2
# ///

# %% statement [markdown]
# Without the skip around attention, a token has to come through the attention map, and
# a softmax blurs it: after a few blocks all tokens are alike. Shaped attention puts the
# token back into the map. With A the softmax and I the identity, each head has
#
#     S = alpha I + beta A - gamma C
#
# The **centring matrix** C is what A would be if all scores were equal: in each row,
# the positions that the mask allows share 1 equally, and the others get 0. So when
# training starts (scores all zero, the three gains at 1), A and C cancel and S = I: a
# skip that nobody has drawn.
#
# Write
#
# - `centring_matrix(mask)`, for any mask: causal, full, or one with a prefix;
# - `shaped_map(attention_map, mask, alpha, beta, gamma)`. The map A is given, with a
#   head axis, and every head has gains of its own.
#
# With two positions and a causal mask, C has the rows 1, 0 and 1/2, 1/2.
#
# Out of scope: the softmax, and what the map is then multiplied with.

# %% stub
from keras import ops


def centring_matrix(mask):
    """The attention map of equal scores.

    Args:
        mask: bool (time, time), true where row i may look at column j; no row is empty.

    Returns:
        float32 (time, time); each row adds up to 1.
    """
    raise NotImplementedError("centring_matrix is not done yet")


def shaped_map(attention_map, mask, alpha, beta, gamma):
    """The attention map, with a share of each token and less of the mean.

    Args:
        attention_map: float32 (batch, heads, time, time), the softmax A.
        mask: bool (time, time), as above.
        alpha: float32 (heads,), gains of the identity.
        beta: float32 (heads,), gains of A.
        gamma: float32 (heads,), gains of C.

    Returns:
        float32 (batch, heads, time, time).
    """
    raise NotImplementedError("shaped_map is not done yet")


# %% example
import numpy as np

causal = np.array([[True, False], [True, True]])
np.testing.assert_allclose(centring_matrix(causal), [[1, 0], [0.5, 0.5]])
looks_back = np.array([[[[1.0, 0.0], [1.0, 0.0]]]], "float32")  # 1 batch, 1 head
ones = np.ones(1, "float32")
np.testing.assert_allclose(
    shaped_map(looks_back, causal, 2 * ones, ones, ones), [[[[2, 0], [0.5, 1.5]]]]
)


# %% reference
def centring_matrix(mask):
    allowed = ops.cast(mask, "float32")
    return allowed / ops.sum(allowed, axis=-1, keepdims=True)


def shaped_map(attention_map, mask, alpha, beta, gamma):
    alpha, beta, gamma = (ops.reshape(g, (-1, 1, 1)) for g in (alpha, beta, gamma))
    identity = ops.eye(mask.shape[-1])
    return alpha * identity + beta * attention_map - gamma * centring_matrix(mask)


# %% hint 1 [markdown]
# How many positions does row i of the mask allow, and what is then each one's share?
# Next: which axis of the map belongs to the heads, and what shape must three gains have
# to be stretched along all the other axes?

# %% hint 2 [markdown]
# `ops.cast` makes zeros and ones of truth values, and `ops.sum` with `keepdims=True`
# counts them row by row. `ops.reshape` gives a gain the axes that it lacks; `ops.eye`
# is I.

# %% hint 3 [markdown]
# C: the mask as numbers, divided by its sums over the last axis. S: each gain with two
# axes of length 1 behind its heads; then a sum of three products, the last one taken
# off.


# %% right answer="softmax of zeros"
def centring_matrix(mask):
    return ops.softmax(ops.where(mask, 0.0, -1e9), axis=-1)


def shaped_map(attention_map, mask, alpha, beta, gamma):
    time = attention_map.shape[-1]
    on_diagonal = ops.arange(time)[:, None] == ops.arange(time)
    mixing = ops.einsum("h,bhqk->bhqk", beta, attention_map)
    mixing = mixing - ops.einsum("h,qk->hqk", gamma, centring_matrix(mask))
    return mixing + ops.where(on_diagonal, alpha[:, None, None], 0.0)


# %% right answer="head by head"
def centring_matrix(mask):
    counts = ops.sum(ops.cast(mask, "int32"), axis=1)
    rows = [
        ops.where(mask[i], 1.0 / ops.cast(counts[i], "float32"), 0.0)
        for i in range(len(mask))
    ]
    return ops.stack(rows)


def shaped_map(attention_map, mask, alpha, beta, gamma):
    heads = []
    for h in range(attention_map.shape[1]):
        mixing = beta[h] * attention_map[:, h] - gamma[h] * centring_matrix(mask)
        heads.append(mixing + alpha[h] * ops.eye(mixing.shape[-1]))
    return ops.stack(heads, axis=1)


# %% wrong answer="one share for all rows" caught_by="centring"
# Every allowed position gets 1 / time, whatever its row. Row i allows fewer positions,
# and they have to share 1: divide by how many the row allows.
def centring_matrix(mask):
    return ops.cast(mask, "float32") / mask.shape[-1]


# %% wrong answer="counts the columns" caught_by="centring"
# Each column adds up to 1. The map of equal scores has rows that do: divide by the sums
# over the last axis.
def centring_matrix(mask):
    allowed = ops.cast(mask, "float32")
    return allowed / ops.sum(allowed, axis=0, keepdims=True)


# %% wrong answer="mask forgotten" caught_by="centring"
# C is the same for every mask. Taking off the mean of all positions lets each one see
# the future.
def centring_matrix(mask):
    return ops.ones(mask.shape) / mask.shape[-1]


# %% wrong answer="always causal" caught_by="centring"
# C is the causal one even when the mask is not: count what the given mask allows.
def centring_matrix(mask):
    allowed = ops.tril(ops.ones(mask.shape))
    return allowed / ops.sum(allowed, axis=-1, keepdims=True)


# %% wrong answer="the statistician's matrix" caught_by="centring"
# This is the identity minus the mean, which statistics calls centring. Here C is the
# mean alone; the formula has the identity and the minus sign already.
def centring_matrix(mask):
    allowed = ops.cast(mask, "float32")
    mean = allowed / ops.sum(allowed, axis=-1, keepdims=True)
    return ops.eye(mask.shape[-1]) - mean


# %% wrong answer="alpha everywhere" caught_by="shaped"
# Alpha is added to every entry of the map. It belongs to the identity, so only the
# diagonal gets it.
def shaped_map(attention_map, mask, alpha, beta, gamma):
    alpha, beta, gamma = (ops.reshape(g, (-1, 1, 1)) for g in (alpha, beta, gamma))
    return alpha + beta * attention_map - gamma * centring_matrix(mask)


# %% wrong answer="adds the mean" caught_by="shaped"
# C is added. It has to be taken off, or nothing cancels when training starts.
def shaped_map(attention_map, mask, alpha, beta, gamma):
    alpha, beta, gamma = (ops.reshape(g, (-1, 1, 1)) for g in (alpha, beta, gamma))
    identity = ops.eye(mask.shape[-1])
    return alpha * identity + beta * attention_map + gamma * centring_matrix(mask)


# %% wrong answer="no centring" caught_by="shaped"
# Gamma and C are missing. This is the attention of an earlier paper (V-SkipInit), which
# starts as the identity only because its beta starts at 0.
def shaped_map(attention_map, mask, alpha, beta, gamma):
    alpha, beta = (ops.reshape(gain, (-1, 1, 1)) for gain in (alpha, beta))
    return alpha * ops.eye(mask.shape[-1]) + beta * attention_map


# %% wrong answer="gains of the first head" caught_by="shaped"
# All heads have the gains of the first one. Each has its own three.
def shaped_map(attention_map, mask, alpha, beta, gamma):
    mixing = beta[0] * attention_map - gamma[0] * centring_matrix(mask)
    return alpha[0] * ops.eye(mask.shape[-1]) + mixing


# %% wrong answer="gains along the keys" caught_by="shaped"
# The gains are stretched along the wrong axis: gain j is applied to column j instead of
# head j. It only runs where there are as many heads as positions.
def shaped_map(attention_map, mask, alpha, beta, gamma):
    identity = ops.eye(mask.shape[-1])
    return alpha * identity + beta * attention_map - gamma * centring_matrix(mask)


# %% wrong answer="rows made to add up to one" caught_by="shaped"
# The rows are divided by their sums. A shaped map is no longer a set of weights: its
# rows add up to alpha + beta - gamma, and may be negative in places.
def shaped_map(attention_map, mask, alpha, beta, gamma):
    alpha, beta, gamma = (ops.reshape(g, (-1, 1, 1)) for g in (alpha, beta, gamma))
    identity = ops.eye(mask.shape[-1])
    shaped = alpha * identity + beta * attention_map - gamma * centring_matrix(mask)
    return shaped / ops.sum(shaped, axis=-1, keepdims=True)


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def causal(time):
    return np.tril(np.ones((time, time), bool))


def prefix(time, length):
    mask = causal(time)
    mask[:length, :length] = True
    return mask


def masks(rng, time):
    yield causal(time)
    yield prefix(time, int(rng.integers(2, time)))
    yield np.ones((time, time), bool)


def draw(rng, mask, batch, heads, alike=False):
    """A softmax of large scores (or of equal ones), and gains from 1 to 2."""
    scores = 0 if alike else 2 * rng.standard_normal((batch, heads, *mask.shape))
    weights = np.where(mask, np.exp(scores), 0) * np.ones((batch, heads, 1, 1))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return weights, mask, *(1 + rng.random((3, heads)))


def shaped_case(inputs):
    shape = inputs[0].shape
    return call(*inputs, returns=floats(*shape), function="shaped_map")


@check
def example(rng):
    """the example: two positions, causal"""
    yield call(causal(2), returns=floats(2, 2))
    looks_back = np.array([[[[1.0, 0.0], [1.0, 0.0]]]])
    one = np.ones(1)
    yield shaped_case((looks_back, causal(2), 2 * one, one, one))


@check
def centring(rng):
    """centring_matrix: causal, prefix and full masks"""
    for time in rng.integers(4, 9, size=2):
        for mask in masks(rng, time):
            yield call(mask, returns=floats(time, time))


@check
def shaped(rng):
    """shaped_map, gains of each head"""
    for time, heads in [(4, 4), (6, 3)]:
        for mask in masks(rng, time):
            yield shaped_case(draw(rng, mask, 2, heads))


@check
def start(rng):
    """at the start of training: equal scores, gains of 1"""
    for mask in masks(rng, 5):
        equal, _, *gains = draw(rng, mask, 2, 3, alike=True)
        yield shaped_case((equal, mask, *np.ones_like(gains)))


@check(hidden=True)
def any_mask(rng):
    """any other mask, and a single position"""
    mask = rng.random((7, 7)) < 0.4
    mask[np.arange(7), rng.integers(7, size=7)] = True  # no row is empty
    yield call(mask, returns=floats(7, 7))
    yield shaped_case(draw(rng, mask, 1, 2))
    yield shaped_case(draw(rng, causal(1), 1, 2))
