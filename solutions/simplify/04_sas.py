# /// exercise
# id = "sas"
# title = "A block with one skip left"
# paper = "2311.01906"
# section = "section 4.2, figure 10"
# concepts = ["skips", "wiring", "gains"]
# prerequisites = ["ablation", "identity_values"]
# difficulty = 2
# minutes = 15
# points = 2
# ///

# %% statement [markdown]
# A usual (Pre-LN) block has two branches, and a skip around each:
#
#     x = x + attend(norm_1(x))
#     x = x + feed_forward(norm_2(x))
#
# The simplified block of the paper, SAS, has **no skip around the attention**. What the
# second half gets is the attention's output alone, times a gain, `beta_sa`. Around the
# feed-forward the skip stays; its strength is `alpha_ff`, and `beta_ff` is that of its
# branch. There are two norms, at the same places as above.
#
# The first norm now stands on the main road: when training starts, the attention is the
# identity, and the skip that is left carries the norm of x. No x itself comes through.
#
# Write `sas_block(...)`. Norms, attention and feed-forward are given as functions. (In
# the kit's `BlockConfig` the three gains are called `attention_gain`,
# `feed_forward_skip` and `feed_forward_gain`.)
#
# By hand, with a norm_1 that doubles, an attention that adds 1, a norm_2 that takes a
# tenth, a feed-forward that squares, and the gains 1, 1 and 4: from 2 the attention
# makes 5, and the output is 5 + 4 · 0.5² = 6.
#
# Out of scope: what the functions do inside, and the value matrix of the first block.


# %% stub
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    """A simplified block: attention without a skip, then feed-forward with one.

    Args:
        x: float32 (batch, time, width), a tensor of keras.ops.
        norm_1: Norm of the attention, a function that keeps the shape.
        attend: Shaped attention, a function that keeps the shape.
        norm_2: Norm of the feed-forward, a function that keeps the shape.
        feed_forward: Function that keeps the shape.
        beta_sa: Number, gain of the attention.
        alpha_ff: Number, gain of the skip around the feed-forward.
        beta_ff: Number, gain of the feed-forward.

    Returns:
        float32 (batch, time, width).
    """
    raise NotImplementedError("sas_block is not done yet")


# %% example
import numpy as np

result = sas_block(
    np.array([[[2.0]]], "float32"),
    norm_1=lambda x: 2 * x,
    attend=lambda x: x + 1,
    norm_2=lambda x: x / 10,
    feed_forward=lambda x: x**2,
    beta_sa=1.0,
    alpha_ff=1.0,
    beta_ff=4.0,
)
np.testing.assert_allclose(result, [[[6.0]]], rtol=1e-6)


# %% reference
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    attended = beta_sa * attend(norm_1(x))
    return alpha_ff * attended + beta_ff * feed_forward(norm_2(attended))


# %% hint 1 [markdown]
# Draw the block as a road from x to the output. Where does the road fork, and what is
# on it at that place: x, its norm, or something that the attention has made?

# %% hint 2 [markdown]
# Give the attention's output, with its gain `beta_sa`, a name of its own. Both the skip
# and `norm_2` start from it; x is not needed any more.

# %% hint 3 [markdown]
# Two lines. The first is a product: a gain, and the attention of the norm of x. The
# second is a sum of two products, each of them of a gain and something made from the
# first line.


# %% right answer="from the inside out"
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    return (lambda y: alpha_ff * y + beta_ff * feed_forward(norm_2(y)))(
        beta_sa * attend(norm_1(x))
    )


# %% right answer="a weighted sum of branches"
from keras import ops


def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    for stage in (norm_1, attend, lambda y: ops.multiply(y, beta_sa)):
        x = stage(x)
    gains = ops.convert_to_tensor([alpha_ff, beta_ff], x.dtype)
    branches = ops.stack([ops.convert_to_tensor(x), feed_forward(norm_2(x))])
    return ops.tensordot(gains, branches, axes=1)


# %% wrong answer="keeps the attention skip" caught_by="block"
# There is a skip around the attention: x is added to its output. Removing that skip is
# the point of this block.
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    attended = x + beta_sa * attend(norm_1(x))
    return alpha_ff * attended + beta_ff * feed_forward(norm_2(attended))


# %% wrong answer="skip around the whole block" caught_by="block"
# The skip starts from x, in front of the attention, and goes around everything. It
# starts from the attention's output.
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    attended = beta_sa * attend(norm_1(x))
    return alpha_ff * x + beta_ff * feed_forward(norm_2(attended))


# %% wrong answer="no skip at all" caught_by="block"
# Both skips are gone. Without the one around the feed-forward a block like this, one
# part after the other, trains much more slowly: the paper tries it, and keeps that
# skip.
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    return beta_ff * feed_forward(norm_2(beta_sa * attend(norm_1(x))))


# %% wrong answer="skip behind the second norm" caught_by="block"
# The skip around the feed-forward carries what norm_2 has made. It starts in front of
# that norm, as in the usual block.
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    normed = norm_2(beta_sa * attend(norm_1(x)))
    return alpha_ff * normed + beta_ff * feed_forward(normed)


# %% wrong answer="feed-forward reads the input" caught_by="block"
# The feed-forward reads x instead of the attention's output. Attention and feed-forward
# side by side are another block, the parallel one; here one comes after the other.
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    return alpha_ff * beta_sa * attend(norm_1(x)) + beta_ff * feed_forward(norm_2(x))


# %% wrong answer="no first norm" caught_by="block"
# The attention reads x as it is. Its norm comes first; it keeps the size of what runs
# along the main road, now that there is no skip.
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    attended = beta_sa * attend(x)
    return alpha_ff * attended + beta_ff * feed_forward(norm_2(attended))


# %% wrong answer="no second norm" caught_by="block"
# The feed-forward reads the attention's output without a norm of its own: norm_2 is
# missing.
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    attended = beta_sa * attend(norm_1(x))
    return alpha_ff * attended + beta_ff * feed_forward(attended)


# %% wrong answer="norm_1 twice" caught_by="block"
# The first norm is used for the feed-forward as well. Each of the two has weights of
# its own.
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    attended = beta_sa * attend(norm_1(x))
    return alpha_ff * attended + beta_ff * feed_forward(norm_1(attended))


# %% wrong answer="gains exchanged" caught_by="block"
# The gains of the feed-forward's skip and of its branch have traded places.
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    attended = beta_sa * attend(norm_1(x))
    return beta_ff * attended + alpha_ff * feed_forward(norm_2(attended))


# %% wrong answer="gain before attention" caught_by="block"
# The gain is on what goes into the attention. Its softmax makes something else of
# larger inputs; the gain belongs on what comes out.
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    attended = attend(beta_sa * norm_1(x))
    return alpha_ff * attended + beta_ff * feed_forward(norm_2(attended))


# %% wrong answer="gain on the skip only" caught_by="block"
# The attention's gain is applied on the skip around the feed-forward but not on what
# the feed-forward reads. With a norm nobody may notice; without one it is another
# function.
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    attended = attend(norm_1(x))
    return alpha_ff * beta_sa * attended + beta_ff * feed_forward(norm_2(attended))


# %% driver
import answer
from keras import ops


def norm(gain):
    def apply(x):
        size = ops.sqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + 0.1)
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


def output_of_block(x, norm_gains, kernel, up, down, gains):
    def feed_forward(y):
        return ops.matmul(ops.gelu(ops.matmul(y, up)), down)

    norm_1, norm_2 = (norm(gain) for gain in norm_gains)
    functions = (norm_1, attention(kernel), norm_2, feed_forward)
    return answer.sas_block(ops.convert_to_tensor(x), *functions, *map(float, gains))


def by_hand(x):
    functions = (
        lambda x: 2 * x,
        lambda x: x + 1,
        lambda x: x / 10,
        lambda x: x**2,
    )
    return answer.sas_block(ops.convert_to_tensor(x), *functions, 1.0, 1.0, 4.0)


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats

WIDTH = 6


def case(rng, gains, trained=True):
    """A block with these gains; untrained, its attention is the identity."""
    shape = (2, 5, WIDTH)
    x = 2 * rng.standard_normal(shape)
    norm_gains = 0.5 + rng.random((2, WIDTH)) if trained else np.ones((2, WIDTH))
    kernel = rng.standard_normal((WIDTH, WIDTH)) * trained
    up, down = rng.standard_normal((2, WIDTH, 4 * WIDTH)) / 2
    weights = (norm_gains, kernel, up, down.T, np.array(gains))
    shown = "beta_sa={:.3g}, alpha_ff={:.3g}, beta_ff={:.3g}".format(*gains)
    return call(
        x,
        *weights,
        returns=floats(*shape),
        function="output_of_block",
        shown=f"sas_block(x, ..., {shown})",
    )


@check
def example(rng):
    """the example: from 2 to 6"""
    yield call(
        np.array([[[2.0]]]),
        returns=floats(1, 1, 1),
        function="by_hand",
        shown="sas_block(2, doubles, adds 1, takes a tenth, squares, 1, 1, 4)",
    )


@check
def block(rng):
    """a block in the middle of training"""
    for _ in range(3):
        yield case(rng, [1.5, 0.5, 1.5] + rng.random(3))


@check
def start(rng):
    """a block at the start: the attention changes nothing"""
    yield case(rng, (1.0, 1.0, 0.1), trained=False)


@check(hidden=True)
def odd_gains(rng):
    """a gain of zero, a negative gain"""
    yield case(rng, (1.5, 0.7, 0.0))
    yield case(rng, (-0.8, 0.5, 1.5))
