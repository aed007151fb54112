# /// exercise
# id = "test_blockwise"
# title = "Write the test"
# paper = "2502.19002"
# section = "section 5, block-wise learning rates"
# concepts = ["testing", "optimizers", "scale invariance"]
# prerequisites = ["blockwise_step"]
# difficulty = 4
# minutes = 30
# points = 4
# ///

# %% statement [markdown]
# An optimizer that ignores your ratios trains just fine. So does one that multiplies
# gradients, or clips each block for itself: the loss goes down, the curve looks like
# the baseline's, and the paper "does not reproduce". Nothing but a test can tell.
#
# Write `is_right(train)`. It gets a function `train(weights, gradients, ratios)` that
# claims to be block-wise Adam, as in the exercise before, without weight decay: a rate
# of 0.1 times the ratio of the block, β₁ = 0.9, β₂ = 0.999, ε = 1e-7, and *one* norm of
# all gradients, which is clipped at 1. It takes a step for each of the gradients, which
# do not depend on the weights, and returns the last weights. Return whether you believe
# it. Call it as often as you like, with whatever arrays you like.
#
# Fourteen functions will be shown to you, in random order. Some are right, each in its
# own way, and differ by rounding, about one part in a million. The others have one
# mistake each. Calling a right one wrong loses all points; for the wrong ones you get
# points in proportion to those you find. Adam forgives a lot: choose arrays with which
# a mistake *can* be seen.
#
# A function that returns its weights unchanged, for instance, is wrong.

# %% stub
import numpy as np


def is_right(train):
    """Whether a function is block-wise Adam with one norm for clipping.

    Args:
        train: Function of weights, float32 (blocks, n), gradients, float32
            (steps, blocks, n), and ratios, float32 (blocks,), that returns the last
            weights, float32 (blocks, n).

    Returns:
        True or False.
    """
    raise NotImplementedError("is_right is not done yet")


# %% example
assert not is_right(lambda weights, gradients, ratios: weights)


# %% reference
def inputs(blocks=3, steps=6, size=1.0):
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((blocks, 4))
    sizes = 2.0 ** rng.integers(-4, 4, size=(steps, blocks, 1))
    gradients = size * sizes * rng.standard_normal((steps, blocks, 4))
    ratios = np.array([5.0, 1.0, 2.0, 3.0])[:blocks]
    return [array.astype("float32") for array in (weights, gradients, ratios)]


def expected(weights, gradients, ratios):
    weights, first, second = weights.astype("float64"), 0.0, 0.0
    for t, gradient in enumerate(gradients.astype("float64"), start=1):
        gradient = gradient / max(1.0, np.sqrt(np.sum(gradient**2)))
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        size = np.sqrt(second / (1 - 0.999**t)) + 1e-7
        weights = weights - 0.1 * ratios[:, None] * first / (1 - 0.9**t) / size
    return weights


def agrees(train, *arrays):
    return bool(np.abs(train(*arrays) - expected(*arrays)).max() < 1e-3)


def is_right(train):
    return agrees(train, *inputs())


# %% hint 1 [markdown]
# Multiply all gradients by the same number: what happens under Adam? So what has to be
# different from step to step before a wrong norm can be seen, and what from block to
# block?

# %% hint 2 [markdown]
# You have written one step already: a loop over `gradients` makes an oracle of it. Draw
# gradients of very different sizes, some steps above the norm of 1 and some below, and
# ratios that are all different; compare with a tolerance, never with `==`.

# %% hint 3 [markdown]
# Random arrays from a fixed seed; sizes such as powers of two, one for each step and
# block; averages that start at zero; the loop of six lines; at the end, whether the
# largest difference is below a thousandth.


# %% right answer="properties"
def is_right(train):
    weights, gradients, ratios = inputs(steps=5)
    start, ones = np.zeros_like(weights), np.ones_like(ratios)
    moved = train(start, gradients, ratios)
    plain = train(start, gradients, ones)
    # Ratios are factors, blocks have one norm, and the plain optimizer is Adam.
    factors = np.allclose(moved, ratios[:, None] * plain, atol=1e-4)
    shifted = np.allclose(train(weights, gradients, ratios), weights + moved, atol=1e-4)
    return bool(factors and shifted and agrees(train, start, gradients, ones))


# %% wrong answer="believes nobody" caught_by="tells_apart"
# Your test believes no function at all, not even the right ones.
def is_right(train):
    return False


# %% wrong answer="exactly equal" caught_by="tells_apart"
# Your test asks for equality to the last bit. Right functions differ by rounding;
# compare with a tolerance.
def is_right(train):
    arrays = inputs()
    return np.array_equal(train(*arrays), expected(*arrays).astype("float32"))


# %% wrong answer="that something moves" caught_by="tells_apart"
# Your test finds out whether weights move. Say where they should be.
def is_right(train):
    weights, gradients, ratios = inputs()
    return not np.allclose(train(weights, gradients, ratios), weights)


# %% wrong answer="a single step" caught_by="tells_apart"
# Your test takes one step. Adam's first step is the rate times a sign, whatever the
# averages, the norm and the size of the gradient are.
def is_right(train):
    return agrees(train, *inputs(steps=1))


# %% wrong answer="ratios of one" caught_by="tells_apart"
# All ratios are one in your test, so that it cannot see what becomes of them.
def is_right(train):
    weights, gradients, ratios = inputs()
    return agrees(train, weights, gradients, np.ones_like(ratios))


# %% wrong answer="a single block" caught_by="tells_apart"
# Your test has only one block. One norm for all and a norm for each are then the same,
# and no ratio can go to the wrong place.
def is_right(train):
    return agrees(train, *inputs(blocks=1))


# %% wrong answer="small gradients" caught_by="tells_apart"
# Your gradients are so short that nothing is ever clipped.
def is_right(train):
    return agrees(train, *inputs(size=0.01))


# %% wrong answer="the same gradient" caught_by="tells_apart"
# The gradient is the same at every step of your test. Under Adam no constant factor can
# then be seen, neither from clipping nor from a ratio at the wrong place.
def is_right(train):
    weights, gradients, ratios = inputs()
    return agrees(train, weights, np.repeat(gradients[:1], 6, axis=0), ratios)


# %% wrong answer="only the order" caught_by="tells_apart"
# Your test asks only that a larger ratio makes a block move farther. How far?
def is_right(train):
    weights, gradients, ratios = inputs()
    moved = np.abs(train(weights, gradients, ratios) - weights).mean(axis=1)
    return bool((np.argsort(moved) == np.argsort(ratios)).all())


# %% driver
import answer
import numpy as np


def short(gradient, most=1.0, axis=None):
    norm = np.sqrt(np.sum(gradient**2, axis=axis, keepdims=True))
    return gradient * np.minimum(1.0, most / norm)


def clipped(gradient, ratios):
    return short(gradient)


def usual(m, v):
    return m / (np.sqrt(v) + 1e-7)


def block(
    before=clipped, factors=lambda r: r, step=usual, betas=(0.9, 0.999), count=int
):
    def train(weights, gradients, ratios):
        w, m, v = weights.astype("float64"), 0.0, 0.0
        rates = 0.1 * factors(ratios.astype("float64"))[:, None]
        for t, gradient in enumerate(gradients.astype("float64"), start=1):
            gradient = before(gradient, ratios[:, None])
            m = betas[0] * m + (1 - betas[0]) * gradient
            v = betas[1] * v + (1 - betas[1]) * gradient**2
            one, two = (1 - beta ** count(t) for beta in betas)
            w = w - rates * step(m / one, v / two)
        return w.astype("float32")

    return train


def by_block(weights, gradients, ratios):
    lengths = np.sqrt(np.square(gradients).sum(axis=(1, 2), keepdims=True))
    gradients = gradients / np.maximum(lengths, np.float32(1))
    alone = block(before=lambda gradient, ratios: gradient)
    parts = zip(weights, np.swapaxes(gradients, 0, 1), ratios)
    return np.concatenate([alone(w[None], g[:, None], r[None]) for w, g, r in parts])


def in_float32(weights, gradients, ratios):
    weights, m, v = weights.copy(), np.zeros_like(weights), np.zeros_like(weights)
    for t, gradient in enumerate(gradients, start=1):
        gradient = short(gradient)
        m += (gradient - m) * np.float32(0.1)
        v += (gradient**2 - v) * np.float32(0.001)
        root, rate = np.sqrt(1 - 0.999**t), np.float32(0.1 / (1 - 0.9**t))
        size = (np.sqrt(v) / root + 1e-7).astype("float32")
        weights -= rate * ratios[:, None] * m / size
    return weights


OPTIMIZERS = [
    block(),
    by_block,
    in_float32,
    block(before=lambda g, r: short(g) * r, factors=np.ones_like),
    block(factors=np.ones_like),
    block(count=lambda t: 1),
    block(factors=lambda r: r / r.mean()),
    block(factors=lambda r: r[::-1]),
    block(before=lambda g, r: g),
    block(before=lambda g, r: short(g, axis=1)),
    block(before=lambda g, r: short(g * r) / r),
    block(betas=(0.999, 0.9)),
    block(step=lambda m, v: usual(m, v.mean(axis=1, keepdims=True))),
    block(count=lambda t: 1e9),
    lambda weights, gradients, ratios: weights,
]


def judged(number):
    return answer.is_right(OPTIMIZERS[number])


# %% checks
from kit.grading.cases import booleans, call, check

RIGHT = {
    0: "all blocks at once, in float64",
    1: "one block after the other",
    2: "in float32, the corrections in the rate",
}
WRONG = {
    3: "multiplies the gradients by the ratios instead of the steps",
    4: "ignores the ratios",
    5: "corrects the averages at each step as at the first",
    6: "divides the ratios by their mean",
    7: "has the ratios in the wrong order",
    8: "does not clip",
    9: "clips each block by its own norm",
    10: "clips by the norm of gradients times ratios",
    11: "has the two betas exchanged",
    12: "has one second average for a whole block",
    13: "does not correct the averages for their start at zero",
}


def shown(number, right):
    about = "is right: " + RIGHT[number] if right else WRONG.get(number, "never moves")
    return call(
        number,
        returns=booleans(),
        function="judged",
        expected=right,
        must=right,
        shown="is_right(an optimizer)",
        remark=f"you {'rejected' if right else 'believed'} one that {about}",
    )


@check
def example(rng):
    """the example: weights as they were"""
    yield shown(14, False)


@check(partial=True)
def tells_apart(rng):
    """3 right optimizers and 11 wrong ones, in random order"""
    for number in rng.permutation(14):
        yield shown(int(number), int(number) in RIGHT)
