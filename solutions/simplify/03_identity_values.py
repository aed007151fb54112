# /// exercise
# id = "identity_values"
# title = "Attention that only mixes"
# paper = "2311.01906"
# section = "section 4.2, equations 12 and 13"
# concepts = ["shaped attention", "identity values", "heads"]
# prerequisites = ["heads", "shaped_map", "prefix_mean"]
# difficulty = 3
# minutes = 20
# points = 3
# ///

# %% statement [markdown]
# Half of an attention layer's weights are its value and projection matrices, before and
# after the mixing. The paper finds that, without a skip, training does best when both
# are the identity. Then they need not be there at all: no weights, no products. What is
# mixed are the features as they come in. For head h, with Y_h its columns of the input,
#
#     Q = Y W_Q,  K = Y W_K                               all features of Y
#     A_h = softmax(Q_h K_hᵀ / √head_dim), causal
#     output_h = (alpha_h I + beta_h A_h - gamma_h C) Y_h
#
# and the heads' outputs stand side by side again.
#
# Write `shaped_attention(x, query_kernel, key_kernel, alpha, beta, gamma)` for a causal
# mask; there are as many heads as entries in `alpha`. Copy from your earlier answers
# what you need: heads are cut as there, and C Y is a prefix mean.
#
# If the query kernel is zero, so are all scores, and A = C. For two positions with the
# single features 2 and 4 and the gains 1, 1, 0, the output is 2 + 2 and 4 + 3.
#
# Out of scope: the norm in front, and any skip around this.

# %% stub
from keras import ops


def shaped_attention(x, query_kernel, key_kernel, alpha, beta, gamma):
    """Causal shaped attention without values and projection.

    Args:
        x: float32 (batch, time, width), normalised.
        query_kernel: float32 (width, width), W_Q of all heads side by side.
        key_kernel: float32 (width, width), W_K of all heads side by side.
        alpha: float32 (heads,), gains of the identity.
        beta: float32 (heads,), gains of the attention map.
        gamma: float32 (heads,), gains of the centring matrix.

    Returns:
        float32 (batch, time, width).
    """
    raise NotImplementedError("shaped_attention is not done yet")


# %% example
import numpy as np

x = np.array([[[2.0], [4.0]]], "float32")  # 1 batch, 2 positions, width 1
zero, one = np.zeros((1, 1), "float32"), np.ones(1, "float32")
mixed = shaped_attention(x, zero, np.ones_like(zero), one, one, 0 * one)
np.testing.assert_allclose(mixed, [[[4], [7]]], rtol=1e-6)
unchanged = shaped_attention(x, zero, np.ones_like(zero), one, one, one)
np.testing.assert_allclose(unchanged, x, rtol=1e-6)


# %% reference
def split(x, num_heads):
    batch, time, width = x.shape
    x = ops.reshape(x, (batch, time, num_heads, width // num_heads))
    return ops.transpose(x, (0, 2, 1, 3))


def merge(x):
    batch, num_heads, time, head_dim = x.shape
    x = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(x, (batch, time, num_heads * head_dim))


def causal_map(query, key):
    time = query.shape[-2]
    causal = ops.tril(ops.ones((time, time), dtype="bool"))
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / query.shape[-1] ** 0.5
    return ops.softmax(ops.where(causal, scores, -1e9), axis=-1)


def prefix_mean(values):
    counts = ops.arange(1, values.shape[-2] + 1, dtype="float32")
    return ops.cumsum(values, axis=-2) / counts[:, None]


def shaped_attention(x, query_kernel, key_kernel, alpha, beta, gamma):
    parts = ops.matmul(x, query_kernel), ops.matmul(x, key_kernel), x
    query, key, values = (split(part, alpha.shape[0]) for part in parts)
    alpha, beta, gamma = (ops.reshape(g, (-1, 1, 1)) for g in (alpha, beta, gamma))
    mixed = ops.matmul(causal_map(query, key), values)
    return merge(alpha * values + beta * mixed - gamma * prefix_mean(values))


# %% hint 1 [markdown]
# Usual attention splits three things into heads: queries, keys and values. Which array
# stands in for the values when their matrix is the identity, and what is left to do
# after merging when the projection is the identity as well?

# %% hint 2 [markdown]
# The pieces are your own: `split_heads`, `attention`, `shaped_values` and `merge_heads`
# (or `ops.matmul`, `ops.softmax` and `ops.cumsum` once more). Helpers may stand beside
# the function in your file.

# %% hint 3 [markdown]
# Split x times each of the two kernels, and x itself. Attention of the three gives what
# is mixed. Then the three terms with their gains: the split x, what is mixed, the
# prefix mean of the split x. Merge.


# %% right answer="the map written down"
def shaped_attention(x, query_kernel, key_kernel, alpha, beta, gamma):
    heads, time = alpha.shape[0], x.shape[1]
    values = ops.rearrange(x, "b t (h d) -> b t h d", h=heads)
    size = values.shape[-1]
    queries = ops.reshape(query_kernel, (-1, heads, size))
    keys = ops.reshape(key_kernel, (-1, heads, size))
    scores = ops.einsum("bqw,whd,bke,ehd->bhqk", x, queries, x, keys) * size**-0.5
    seen = ops.tril(ops.ones((time, time)))
    weights = ops.softmax(scores + (seen - 1.0) * 1e9, axis=-1)
    share = seen / ops.sum(seen, axis=1, keepdims=True)
    shaped = ops.einsum("h,bhqk->bhqk", beta, weights)
    shaped = shaped + ops.einsum("h,qk->hqk", alpha, ops.eye(time))
    shaped = shaped - ops.einsum("h,qk->hqk", gamma, share)
    return ops.rearrange(
        ops.einsum("bhqk,bkhd->bqhd", shaped, values), "b t h d -> b t (h d)"
    )


# %% right answer="row by row"
def shaped_attention(x, query_kernel, key_kernel, alpha, beta, gamma):
    num_heads = alpha.shape[0]
    size = x.shape[-1] // num_heads
    heads = []
    for h in range(num_heads):
        own = slice(h * size, (h + 1) * size)
        y, rows = x[:, :, own], []
        query = ops.matmul(x, query_kernel[:, own])
        key = ops.matmul(x, key_kernel[:, own])
        for i in range(x.shape[1]):
            fits = ops.sum(query[:, i, None] * key[:, : i + 1], axis=-1)
            weights = ops.softmax(fits / ops.sqrt(float(size)), axis=-1)[..., None]
            past = y[:, : i + 1]
            row = alpha[h] * y[:, i] - gamma[h] * ops.mean(past, axis=1)
            rows.append(row + beta[h] * ops.sum(weights * past, axis=1))
        heads.append(ops.stack(rows, axis=1))
    return ops.concatenate(heads, axis=-1)


# %% wrong answer="mixes the keys" caught_by="one_head"
# The keys are mixed instead of the features. That brings a value matrix back, W_K,
# which the paper has just removed.
def shaped_attention(x, query_kernel, key_kernel, alpha, beta, gamma):
    parts = ops.matmul(x, query_kernel), *2 * (ops.matmul(x, key_kernel),)
    query, key, values = (split(part, alpha.shape[0]) for part in parts)
    alpha, beta, gamma = (ops.reshape(g, (-1, 1, 1)) for g in (alpha, beta, gamma))
    mixed = ops.matmul(causal_map(query, key), values)
    return merge(alpha * values + beta * mixed - gamma * prefix_mean(values))


# %% wrong answer="no identity" caught_by="one_head"
# The term with alpha is missing. Without it nothing of a token itself comes through
# when training starts: the output is zero.
def shaped_attention(x, query_kernel, key_kernel, alpha, beta, gamma):
    parts = ops.matmul(x, query_kernel), ops.matmul(x, key_kernel), x
    query, key, values = (split(part, alpha.shape[0]) for part in parts)
    alpha, beta, gamma = (ops.reshape(g, (-1, 1, 1)) for g in (alpha, beta, gamma))
    mixed = ops.matmul(causal_map(query, key), values)
    return merge(beta * mixed - gamma * prefix_mean(values))


# %% wrong answer="no centring" caught_by="one_head"
# The term with gamma is missing: what the map has in common with every map has to be
# taken off.
def shaped_attention(x, query_kernel, key_kernel, alpha, beta, gamma):
    parts = ops.matmul(x, query_kernel), ops.matmul(x, key_kernel), x
    query, key, values = (split(part, alpha.shape[0]) for part in parts)
    alpha, beta, gamma = (ops.reshape(g, (-1, 1, 1)) for g in (alpha, beta, gamma))
    mixed = ops.matmul(causal_map(query, key), values)
    return merge(alpha * values + beta * mixed)


# %% wrong answer="skip added" caught_by="one_head"
# The input is added once more, as a skip would do. Alpha is what is left of the skip,
# and it is in the formula already.
def shaped_attention(x, query_kernel, key_kernel, alpha, beta, gamma):
    parts = ops.matmul(x, query_kernel), ops.matmul(x, key_kernel), x
    query, key, values = (split(part, alpha.shape[0]) for part in parts)
    alpha, beta, gamma = (ops.reshape(g, (-1, 1, 1)) for g in (alpha, beta, gamma))
    mixed = ops.matmul(causal_map(query, key), values)
    return merge((1 + alpha) * values + beta * mixed - gamma * prefix_mean(values))


# %% wrong answer="centred on everything" caught_by="one_head"
# The mean of all positions is taken off, also of those that come later: the attention
# is causal, and its centring must be.
def prefix_mean(values):
    return ops.mean(values, axis=-2, keepdims=True)


# %% wrong answer="sees the future" caught_by="one_head"
# The attention map has no causal mask: a position looks at what comes later.
def causal_map(query, key):
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / query.shape[-1] ** 0.5
    return ops.softmax(scores, axis=-1)


# %% wrong answer="scaled by the whole width" caught_by="heads"
# The scores are divided by the root of the whole width. A head has width / heads
# features, and the root of that is the scale.
def causal_map(query, key):
    width = query.shape[1] * query.shape[-1]
    causal = ops.tril(ops.ones((query.shape[-2],) * 2, dtype="bool"))
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / width**0.5
    return ops.softmax(ops.where(causal, scores, -1e9), axis=-1)


# %% wrong answer="one map for all heads" caught_by="heads"
# There is one map for all heads, from all features of queries and keys. Each head
# compares its own.
def causal_map(query, key):
    query, key = merge(query), merge(key)
    causal = ops.tril(ops.ones((query.shape[1],) * 2, dtype="bool"))
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / query.shape[-1] ** 0.5
    return ops.softmax(ops.where(causal, scores, -1e9), axis=-1)[:, None]


# %% wrong answer="merges without transpose" caught_by="heads"
# The heads are joined by a reshape alone, which glues positions of one head together.
# Bring the heads next to their features first.
def merge(x):
    batch, num_heads, time, head_dim = x.shape
    return ops.reshape(x, (batch, time, num_heads * head_dim))


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def draw(rng, batch, time, heads, head_dim):
    """Features, two kernels that make large scores, and gains from 1 to 2."""
    width = heads * head_dim
    x = rng.standard_normal((batch, time, width))
    kernels = 1.5 * rng.standard_normal((2, width, width)) / width**0.5
    return x, *kernels, *(1 + rng.random((3, heads)))


def case(inputs):
    return call(*inputs, returns=floats(*inputs[0].shape))


@check
def example(rng):
    """the example: two positions, one feature"""
    x, zero, one = np.array([[[2.0], [4.0]]]), np.zeros((1, 1)), np.ones(1)
    for gamma in (0 * one, one):
        yield case((x, zero, zero + 1, one, one, gamma))


@check
def one_head(rng):
    """a single head"""
    for head_dim in (3, 5):
        yield case(draw(rng, 2, 6, 1, head_dim))


@check
def heads(rng):
    """several heads"""
    for number, head_dim in [(2, 4), (4, 3)]:
        yield case(draw(rng, 2, 5, number, head_dim))


@check
def start(rng):
    """at the start of training nothing changes"""
    x, query, key, *gains = draw(rng, 2, 7, 3, 2)
    yield case((x, 0 * query, key, *np.ones_like(gains)))


@check(hidden=True)
def edges(rng):
    """one position; heads of width 1; no head uses its map"""
    yield case(draw(rng, 3, 1, 2, 2))
    yield case(draw(rng, 1, 4, 3, 1))
    x, query, key, alpha, beta, gamma = draw(rng, 1, 4, 2, 2)
    yield case((x, query, key, alpha, 0 * beta, gamma))
