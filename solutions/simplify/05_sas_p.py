# /// exercise
# id = "sas_p"
# title = "A block without any skip"
# paper = "2311.01906"
# section = "section 4.3, figure 11"
# concepts = ["parallel blocks", "wiring", "initialisation"]
# prerequisites = ["sas"]
# difficulty = 2
# minutes = 10
# points = 2
# ///

# %% statement [markdown]
# Without its last skip the SAS block trains badly, as long as its two halves come one
# after the other. Side by side they can do without: in a SAS-P block, attention and
# feed-forward both read the **same norm** of x, each has a gain, and the output is
# their sum. There is no skip at all.
#
# When training starts, the attention is the identity, and then it stands in for the
# skip around the feed-forward: SAS and SAS-P compute the same function, for a norm that
# changes nothing the second time. One check compares the two.
#
# Write `sas_p_block(...)`, with the gains `beta_sa` and `beta_ff` of the last exercise.
# The norm may be `None`: the paper also removes it.
#
# By hand, with a norm that doubles, an attention that adds 1, a feed-forward that
# squares, and the gains 3 and 10: from x = 0.5 come 3 · 2 and 10 · 1, together 16.
# Without the norm, 3 · 1.5 and 10 · 0.25 make 7.
#
# Out of scope: what the functions do inside, and the value matrix of the first block.


# %% stub
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    """A simplified block with attention and feed-forward side by side.

    Args:
        x: float32 (batch, time, width), a tensor of keras.ops.
        norm: Norm of both branches, a function that keeps the shape; or None.
        attend: Shaped attention, a function that keeps the shape.
        feed_forward: Function that keeps the shape.
        beta_sa: Number, gain of the attention.
        beta_ff: Number, gain of the feed-forward.

    Returns:
        float32 (batch, time, width).
    """
    raise NotImplementedError("sas_p_block is not done yet")


# %% example
import numpy as np

half = np.array([[[0.5]]], "float32")
parts = {"attend": lambda x: x + 1, "feed_forward": lambda x: x**2}
result = sas_p_block(half, norm=lambda x: 2 * x, **parts, beta_sa=3.0, beta_ff=10.0)
np.testing.assert_allclose(result, [[[16.0]]], rtol=1e-6)
result = sas_p_block(half, norm=None, **parts, beta_sa=3.0, beta_ff=10.0)
np.testing.assert_allclose(result, [[[7.0]]], rtol=1e-6)


# %% reference
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    y = x if norm is None else norm(x)
    return beta_sa * attend(y) + beta_ff * feed_forward(y)


# %% hint 1 [markdown]
# Which of the two branches has to wait for the other? And what do both of them read,
# with a norm and without?

# %% hint 2 [markdown]
# Give what both branches read a name: the norm of x, or x itself where `norm is None`.
# Nothing else in the block needs x.

# %% hint 3 [markdown]
# Two lines. The first chooses between x and its norm. The second is a sum of two
# products, each of a gain and a branch of the first line's result.


# %% right answer="a weighted sum of branches"
from keras import ops


def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    x = (norm or ops.convert_to_tensor)(x)
    branches = ops.stack([attend(x), feed_forward(x)], axis=-1)
    return ops.matmul(branches, ops.convert_to_tensor([beta_sa, beta_ff], x.dtype))


# %% right answer="one branch after the other"
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    output = 0.0
    for branch, gain in ((attend, beta_sa), (feed_forward, beta_ff)):
        branch_input = norm(x) if norm else x
        output = output + gain * branch(branch_input)
    return output


# %% wrong answer="keeps the skip" caught_by="block"
# There is a skip: x is added to the branches, as in the usual parallel block. This one
# has none.
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    y = x if norm is None else norm(x)
    return x + beta_sa * attend(y) + beta_ff * feed_forward(y)


# %% wrong answer="skip of the norm" caught_by="block"
# The norm of x is added to the branches. What has to come through of it comes through
# the attention, which starts as the identity.
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    y = x if norm is None else norm(x)
    return y + beta_sa * attend(y) + beta_ff * feed_forward(y)


# %% wrong answer="one after the other" caught_by="block"
# The feed-forward reads what the attention has made. That is the SAS block; here both
# read the same.
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    y = beta_sa * attend(x if norm is None else norm(x))
    return y + beta_ff * feed_forward(y)


# %% wrong answer="only one branch" caught_by="block"
# The feed-forward is missing, or its gain is: only the attention is in the output.
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    return beta_sa * attend(x if norm is None else norm(x))


# %% wrong answer="attention without the norm" caught_by="block"
# The attention reads x as it is. Both branches read the same norm of x.
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    y = x if norm is None else norm(x)
    return beta_sa * attend(x) + beta_ff * feed_forward(y)


# %% wrong answer="feed-forward without the norm" caught_by="block"
# The feed-forward reads x as it is. Both branches read the same norm of x.
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    y = x if norm is None else norm(x)
    return beta_sa * attend(y) + beta_ff * feed_forward(x)


# %% wrong answer="norm behind the sum" caught_by="block"
# The norm comes after the branches instead of in front of them.
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    output = beta_sa * attend(x) + beta_ff * feed_forward(x)
    return output if norm is None else norm(output)


# %% wrong answer="gains exchanged" caught_by="block"
# The gains of attention and feed-forward have traded places.
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    y = x if norm is None else norm(x)
    return beta_ff * attend(y) + beta_sa * feed_forward(y)


# %% wrong answer="gains in front of the branches" caught_by="block"
# The gains are on what goes into the branches. Both branches make something else of
# larger inputs; the gains belong on what comes out.
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    y = x if norm is None else norm(x)
    return attend(beta_sa * y) + feed_forward(beta_ff * y)


# %% wrong answer="always a norm" caught_by="without_norm"
# The norm is called even when it is None. Without a norm both branches read x.
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    y = norm(x)
    return beta_sa * attend(y) + beta_ff * feed_forward(y)


# %% driver
import answer
from keras import ops


def norm(gain):
    def apply(x):
        size = ops.sqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + 1e-7)
        return gain * x / size

    return apply


def attention(kernel):
    def apply(x):
        seen = ops.tril(ops.ones((x.shape[1],) * 2))
        scores = ops.matmul(ops.matmul(x, kernel), ops.swapaxes(x, 1, 2))
        weights = ops.softmax(scores + (seen - 1.0) * 1e9, axis=-1)
        share = seen / ops.sum(seen, axis=1, keepdims=True)
        return x + ops.matmul(weights - share, x)

    return apply


def feed_forward(up, down):
    return lambda x: ops.matmul(ops.gelu(ops.matmul(x, up)), down)


def output_of_block(x, norm_gain, kernel, up, down, gains, with_norm):
    before = norm(norm_gain) if with_norm else None
    branches = (attention(kernel), feed_forward(up, down))
    return answer.sas_p_block(
        ops.convert_to_tensor(x), before, *branches, *map(float, gains)
    )


def difference_to_sas(x, up, down, beta_ff):
    x, normalise, branch = ops.convert_to_tensor(x), norm(1.0), feed_forward(up, down)
    y = normalise(x)
    serial = y + beta_ff * branch(normalise(y))
    return answer.sas_p_block(x, normalise, lambda z: z, branch, 1.0, beta_ff) - serial


def by_hand(x, with_norm):
    before = (lambda x: 2 * x) if with_norm else None
    branches = (lambda x: x + 1, lambda x: x**2)
    return answer.sas_p_block(ops.convert_to_tensor(x), before, *branches, 3.0, 10.0)


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats

WIDTH, SHAPE = 6, (2, 5, 6)


def kernels(rng):
    up, down = rng.standard_normal((2, WIDTH, 4 * WIDTH)) / 2
    return up, down.T


def case(rng, gains, with_norm=True):
    x = 2 * rng.standard_normal(SHAPE)
    attention = 0.5 + rng.random(WIDTH), rng.standard_normal((WIDTH, WIDTH))
    weights = (*attention, *kernels(rng), np.array(gains))
    shown = "beta_sa={:.3g}, beta_ff={:.3g}".format(*gains)
    return call(
        x,
        *weights,
        with_norm,
        returns=floats(*SHAPE),
        function="output_of_block",
        shown=f"sas_p_block(x, {'norm' if with_norm else 'None'}, ..., {shown})",
    )


@check
def example(rng):
    """the example: 16, and 7 without a norm"""
    for with_norm in (True, False):
        name = "doubles" if with_norm else "None"
        yield call(
            np.array([[[0.5]]]),
            with_norm,
            returns=floats(1, 1, 1),
            function="by_hand",
            shown=f"sas_p_block(0.5, {name}, adds 1, squares, 3, 10)",
        )


@check
def block(rng):
    """a block in the middle of training"""
    for _ in range(3):
        yield case(rng, [1.5, 0.5] + rng.random(2))


@check
def without_norm(rng):
    """a block without a norm"""
    yield case(rng, [1.5, 0.5] + rng.random(2), with_norm=False)


@check
def as_sas(rng):
    """at the start of training: the same as the SAS block"""
    beta_ff = 0.1 + rng.random()
    yield call(
        2 * rng.standard_normal(SHAPE),
        *kernels(rng),
        beta_ff,
        returns=floats(*SHAPE),
        function="difference_to_sas",
        shown=f"SAS-P minus SAS, attention the identity, beta_ff={beta_ff:.3g}",
    )


@check(hidden=True)
def odd_gains(rng):
    """a gain of zero, a negative gain"""
    yield case(rng, (1.5, 0.0))
    yield case(rng, (0.0, 1.5), with_norm=False)
    yield case(rng, (-0.8, 1.5))
