# /// exercise
# id = "blockwise_step"
# title = "A rate for each block"
# paper = "2502.19002"
# section = "section 5, block-wise learning rates"
# concepts = ["AdamW", "parameter groups", "global clipping"]
# prerequisites = ["variable_groups", "gradient_scale"]
# difficulty = 3
# minutes = 25
# points = 3
# ///

# %% statement [markdown]
# The learning rate has to be multiplied where it is used, after Adam has divided by the
# size of the gradients. So write one step of AdamW in which each block has a rate of
# its own, η_b = ratio of b · η, with β₁ = 0.9, β₂ = 0.999, ε = 1e-7:
#
#     g ← g · min(1, clip / ‖g‖)                 ‖g‖ over all blocks together
#     w ← w - η_b λ w                            decay with the rate of the block
#     m ← β₁ m + (1 - β₁) g     v ← β₂ v + (1 - β₂) g²
#     w ← w - η_b · m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε)
#
# Three things are easily done in another way, and are then another experiment. Clipping
# knows nothing of blocks: there is *one* norm. The averages know nothing of ratios. And
# decay does: in PyTorch, where the paper was made, it is multiplied by the rate of the
# group.
#
# Write `blockwise_step(...)`, which returns the new weights and both averages. Each row
# of the arrays is a block.
#
# By hand: a single weight of 1 with gradient 2, averages of zero, t = 1, η = 0.1, ratio
# 4, no decay and a clip of 10 becomes 1 - 0.4 = 0.6, with averages of 0.2 and 0.004.

# %% stub
import numpy as np

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


def blockwise_step(
    weights, gradients, first, second, t, learning_rate, ratios, weight_decay, clip_norm
):
    """One step of AdamW with a learning rate for each block.

    Args:
        weights: float32 (blocks, n).
        gradients: float32 (blocks, n), not all zero.
        first, second: float32 (blocks, n), Adam's averages before the step.
        t: Number of the step, from 1.
        learning_rate: Number, the rate of ratio 1.
        ratios: float32 (blocks,).
        weight_decay: Number from 0, λ.
        clip_norm: Number above 0, the largest norm of all gradients together.

    Returns:
        Three float32 arrays (blocks, n): weights, first and second after the step.
    """
    raise NotImplementedError("blockwise_step is not done yet")


# %% example
one, zero = np.ones((1, 1), "float32"), np.zeros((1, 1), "float32")
four = np.array([4.0], "float32")
found = blockwise_step(one, 2 * one, zero, zero, 1, 0.1, four, 0.0, 10.0)
np.testing.assert_allclose(found, [[[0.6]], [[0.2]], [[0.004]]], rtol=1e-5)


# %% reference
def update(weights, gradients, first, second, t, rates, decays):
    first = BETA_1 * first + (1 - BETA_1) * gradients
    second = BETA_2 * second + (1 - BETA_2) * gradients**2
    size = np.sqrt(second / (1 - BETA_2**t)) + EPSILON
    step = rates * first / (1 - BETA_1**t) / size
    return weights - decays * weights - step, first, second


def clipped(gradients, clip_norm, axis=None):
    norm = np.sqrt(np.sum(gradients**2, axis=axis, keepdims=True))
    return gradients * np.minimum(1.0, clip_norm / norm)


def blockwise_step(
    weights, gradients, first, second, t, learning_rate, ratios, weight_decay, clip_norm
):
    gradients = clipped(gradients, clip_norm)
    rates = learning_rate * ratios[:, None]
    decays = weight_decay * rates
    return update(weights, gradients, first, second, t, rates, decays)


# %% hint 1 [markdown]
# In which of the four lines does a ratio belong, and in which would Adam divide it out
# again?

# %% hint 2 [markdown]
# `ratios[:, None]` has a row for each block, and multiplies all its weights. For the
# norm, `np.sum` without an axis looks at everything at once, and `np.minimum` leaves
# short gradients as they are.

# %% hint 3 [markdown]
# In this order: the shortened gradients; a column of rates; decayed weights; two new
# averages; their corrections; one subtraction. The rates occur twice, the ratios not
# at all after that.


# %% right answer="one block at a time"
def blockwise_step(
    weights, gradients, first, second, t, learning_rate, ratios, weight_decay, clip_norm
):
    length = np.linalg.norm(gradients.ravel())
    shrunk = clip_norm / length if length > clip_norm else 1.0
    new = []
    for w, g, m, v, ratio in zip(weights, gradients, first, second, ratios):
        m = m + 0.1 * (shrunk * g - m)
        v = v + 0.001 * ((shrunk * g) ** 2 - v)
        w = w * (1 - ratio * learning_rate * weight_decay)
        root = np.sqrt(v) / np.sqrt(1 - BETA_2**t)
        w = w - ratio * learning_rate / (1 - BETA_1**t) * m / (root + EPSILON)
        new.append((w, m, v))
    return tuple(np.array(each, "float32") for each in zip(*new))


# %% wrong answer="louder gradients" caught_by="ratios"
# The ratios multiply the gradients. Adam divides that out again, and after a while all
# blocks learn at the same rate: multiply the step instead.
def blockwise_step(
    weights, gradients, first, second, t, learning_rate, ratios, weight_decay, clip_norm
):
    louder = clipped(gradients, clip_norm) * ratios[:, None]
    decays = weight_decay * learning_rate * ratios[:, None]
    return update(weights, louder, first, second, t, learning_rate, decays)


# %% wrong answer="a norm for each block" caught_by="clipping"
# Every block is clipped by its own norm. That changes the proportions between blocks,
# which is what the ratios are there for: take one norm of everything.
def blockwise_step(
    weights, gradients, first, second, t, learning_rate, ratios, weight_decay, clip_norm
):
    gradients = clipped(gradients, clip_norm, axis=1)
    rates = learning_rate * ratios[:, None]
    return update(weights, gradients, first, second, t, rates, weight_decay * rates)


# %% wrong answer="the norm of the steps" caught_by="clipping"
# The norm is taken of gradients times ratios. A ratio of 10 then makes all blocks
# slower, because the norm grows.
def blockwise_step(
    weights, gradients, first, second, t, learning_rate, ratios, weight_decay, clip_norm
):
    rates = learning_rate * ratios[:, None]
    gradients = clipped(gradients * ratios[:, None], clip_norm) / ratios[:, None]
    return update(weights, gradients, first, second, t, rates, weight_decay * rates)


# %% wrong answer="always that long" caught_by="ratios"
# Short gradients are made longer. Clipping makes long ones shorter, and leaves the
# others alone.
def blockwise_step(
    weights, gradients, first, second, t, learning_rate, ratios, weight_decay, clip_norm
):
    gradients = gradients * clip_norm / np.sqrt(np.sum(gradients**2))
    rates = learning_rate * ratios[:, None]
    return update(weights, gradients, first, second, t, rates, weight_decay * rates)


# %% wrong answer="one decay for all" caught_by="decay"
# All blocks decay with the common rate. That is a fair experiment of its own, but not
# the paper's: there, decay is multiplied by the rate of the block.
def blockwise_step(
    weights, gradients, first, second, t, learning_rate, ratios, weight_decay, clip_norm
):
    gradients = clipped(gradients, clip_norm)
    rates, decay = learning_rate * ratios[:, None], weight_decay * learning_rate
    return update(weights, gradients, first, second, t, rates, decay)


# %% wrong answer="decay in the gradient" caught_by="decay"
# Decay is added to the gradient. Adam then divides by its size, and large weights decay
# no faster than small ones: the W in AdamW is that this is done apart.
def blockwise_step(
    weights, gradients, first, second, t, learning_rate, ratios, weight_decay, clip_norm
):
    gradients = clipped(gradients, clip_norm) + weight_decay * weights
    rates = learning_rate * ratios[:, None]
    return update(weights, gradients, first, second, t, rates, 0.0)


# %% wrong answer="averages not corrected" caught_by="ratios"
# The averages are not divided by 1 - βᵗ. They start at zero, so that the first steps
# are far from what Adam would do.
def blockwise_step(
    weights, gradients, first, second, t, learning_rate, ratios, weight_decay, clip_norm
):
    gradients = clipped(gradients, clip_norm)
    rates = learning_rate * ratios[:, None]
    decays = weight_decay * rates
    return update(weights, gradients, first, second, 10**9, rates, decays)


# %% wrong answer="decay without a rate" caught_by="decay"
# Weights decay by λ at each step, whatever the learning rate is. It is η_b λ: decay
# follows the schedule, too.
def blockwise_step(
    weights, gradients, first, second, t, learning_rate, ratios, weight_decay, clip_norm
):
    gradients = clipped(gradients, clip_norm)
    rates = learning_rate * ratios[:, None]
    return update(weights, gradients, first, second, t, rates, weight_decay)


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def case(rng, t, decay=0.0, clip=1e3, shape=(4, 3), alike=False):
    rows = 1 + rng.permutation(shape[0])[:, None]
    weights, gradients = 2 * rng.standard_normal((2, *shape))
    first = 0.5 * rng.standard_normal(shape) * (t > 1)
    second = (0.5 + rng.random(shape)) * (t > 1)
    ratios = np.ones(shape[0]) if alike else 1 + 5 * rng.random(shape[0])
    return call(
        weights,
        gradients * rows,
        first,
        second,
        t,
        0.3,
        ratios,
        decay,
        clip,
        returns=(floats(*shape),) * 3,
        shown=f"blockwise_step(weights, gradients, first, second, {t}, 0.3,\n"
        f"{ratios.round(2)}, {decay}, {clip})\narrays are (1) weights, (2) first, "
        "(3) second after the step",
    )


@check
def example(rng):
    """the example: one weight"""
    one, zero = np.ones((1, 1)), np.zeros((1, 1))
    arrays = one, 2 * one, zero, zero
    returns = (floats(1, 1),) * 3
    yield call(*arrays, 1, 0.1, np.array([4.0]), 0.0, 10.0, returns=returns)


@check
def adam(rng):
    """ratios of one: a plain step of Adam"""
    yield case(rng, 3, alike=True)


@check
def ratios(rng):
    """a ratio for each block"""
    for t in (1, 7):
        yield case(rng, t)


@check
def decay(rng):
    """with weight decay"""
    for t in (1, 7):
        yield case(rng, t, decay=0.2)


@check
def clipping(rng):
    """gradients that are too long"""
    for clip in (1.0, 3.0):
        yield case(rng, 5, clip=clip)


@check(hidden=True)
def everything(rng):
    """decay and clipping, one block and many"""
    for blocks in (1, 6):
        yield case(rng, 3, decay=0.1, clip=2.0, shape=(blocks, 5))
