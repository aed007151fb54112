# /// exercise
# id = "test_shaped"
# title = "Write the test: shaped"
# paper = "2311.01906"
# section = "equation 5"
# concepts = ["testing", "oracles", "initialisation"]
# prerequisites = ["test_attention", "prefix_mean", "identity_values"]
# difficulty = 4
# minutes = 30
# points = 4
# ///

# %% statement [markdown]
# Shaped attention has a test that everybody writes first: with a zero query and the
# gains at 1, values come out as they went in. Right blocks pass it. So does a block
# that returns its values and does nothing else, and so do many mistakes that only show
# once training has moved the gains.
#
# Write `is_right(attend)`. It gets a function
# `attend(query, key, values, alpha, beta, gamma)` that claims to compute, in each head,
#
#     (alpha I + beta A - gamma C) values
#
# with A the causal softmax of scaled dot products, and C the causal centring matrix.
# Return whether you believe it. Call it as often as you like, with whatever arrays you
# like: float32, (batch, heads, time, head_dim) the first three, (heads,) the gains.
#
# Fourteen functions will be shown to you, in random order. Some are right, each written
# in its own way, so they differ by rounding, about one part in a million. The others
# have one mistake each. Calling a right one wrong loses all points; for the wrong ones
# you get points in proportion to those you find.
#
# A function that returns zeros, for instance, is wrong.

# %% stub
import numpy as np


def is_right(attend):
    """Whether a function is causal shaped attention.

    Args:
        attend: Function of query, key and values, each float32 (batch, heads, time,
            head_dim), and of alpha, beta and gamma, each float32 (heads,), that
            returns an array of the shape of the values.

    Returns:
        True or False.
    """
    raise NotImplementedError("is_right is not done yet")


# %% example
assert not is_right(lambda query, key, values, *gains: np.zeros_like(values))


# %% reference
def inputs(scale=2.0, shape=(2, 3, 5, 4)):
    rng = np.random.default_rng(0)
    arrays = scale * rng.standard_normal((3, *shape))
    gains = 0.5 + 2 * rng.random((3, shape[1]))
    return [*arrays.astype("float32"), *gains.astype("float32")]


def expected(query, key, values, alpha, beta, gamma):
    output = np.zeros_like(values)
    for batch, head, i in np.ndindex(values.shape[:3]):
        seen = values[batch, head, : i + 1]
        scores = key[batch, head, : i + 1] @ query[batch, head, i]
        weights = np.exp((scores - scores.max()) / np.sqrt(query.shape[-1]))
        mixed = weights @ seen / weights.sum()
        output[batch, head, i] = alpha[head] * seen[-1] + beta[head] * mixed
        output[batch, head, i] -= gamma[head] * seen.mean(axis=0)
    return output


def is_right(attend):
    arrays = inputs()
    return bool(np.abs(attend(*arrays) - expected(*arrays)).max() < 1e-3)


# %% hint 1 [markdown]
# Which arrays make every term of the formula visible in the output, and every head,
# sequence and position different from the others? What is hidden while all gains are 1?

# %% hint 2 [markdown]
# Three nested loops over batch, heads and positions, with `np.exp` over what a position
# may see, are an oracle that is slow but beyond doubt. Draw gains that differ between
# heads and between the three; compare with a tolerance, never with `==`.

# %% hint 3 [markdown]
# Large random arrays from a fixed seed; gains from 0.5 to 2.5; an array of zeros that
# the loops fill row by row, each row a sum of three terms; at the end, whether the
# largest difference is below a thousandth.


# %% right answer="properties"
def is_right(attend):
    query, key, values, alpha, beta, gamma = inputs(shape=(2, 3, 4, 9))
    none, output = 0 * alpha, attend(*inputs(shape=(2, 3, 4, 9)))
    moved = [array.copy() for array in (query, key, values)]
    for array in moved:
        array[..., -1, :] += 1.0
    past = attend(*moved, alpha, beta, gamma)[..., :-1, :]
    first = (alpha + beta - gamma)[:, None] * values[:, :, 0]
    # Each term alone. Position 1 sees two keys; its log-odds are a scaled difference.
    odds = np.sum(query[..., 1, :] * (key[..., 1, :] - key[..., 0, :]), -1) / 3
    share = 1 / (1 + np.exp(-odds[..., None]))
    second = (1 - share) * values[..., 0, :] + share * values[..., 1, :]
    mean = np.cumsum(values, axis=2) / np.arange(1, 5)[:, None]
    pairs = [
        (past, output[..., :-1, :]),
        (output[:, :, 0], first),
        (attend(query, key, values, alpha, none, none), alpha[:, None, None] * values),
        (attend(query, key, values, none, none, gamma), -gamma[:, None, None] * mean),
        (attend(query, key, values, none, beta, none)[:, :, 1], beta[:, None] * second),
    ]
    return all(np.allclose(a, b, atol=1e-3) for a, b in pairs)


# %% wrong answer="only the start" caught_by="tells_apart"
# Your test looks at the start of training, where values come out as they went in. Much
# that is wrong does the same there. Use other gains, and queries that are not zero.
def is_right(attend):
    query, key, values, *gains = inputs()
    output = attend(0 * query, key, values, *np.ones_like(gains))
    return np.allclose(output, values, atol=1e-3)


# %% wrong answer="gains of one" caught_by="tells_apart"
# All gains are 1 in your test, so it cannot notice that they are ignored, exchanged, or
# applied to the wrong term.
def is_right(attend):
    *arrays, alpha, beta, gamma = inputs()
    arrays += [np.ones_like(alpha)] * 3
    return np.allclose(attend(*arrays), expected(*arrays), atol=1e-3)


# %% wrong answer="the same in all heads" caught_by="tells_apart"
# Your test gives the same gains to all heads, and cannot notice that one head's gains
# are used for all.
def is_right(attend):
    arrays = inputs()
    for gain in arrays[3:]:
        gain[:] = gain[0]
    return np.allclose(attend(*arrays), expected(*arrays), atol=1e-3)


# %% wrong answer="scores of zero" caught_by="tells_apart"
# The scores are zero in your test, or nearly, and whatever is done to them changes
# nothing. Draw queries and keys that are large, with a standard deviation of 2 or more.
def is_right(attend):
    query, *others = inputs()
    arrays = [0 * query, *others]
    return np.allclose(attend(*arrays), expected(*arrays), atol=1e-3)


# %% wrong answer="only causality" caught_by="tells_apart"
# Your test finds out whether a block looks ahead, and nothing else.
def is_right(attend):
    query, key, values, *gains = inputs()
    before = attend(query, key, values, *gains)[..., :-1, :]
    for array in (query, key, values):
        array[..., -1, :] += 1.0
    return np.allclose(attend(query, key, values, *gains)[..., :-1, :], before)


# %% wrong answer="only the sum of a row" caught_by="tells_apart"
# Your test finds out what a row of the map adds up to, alpha + beta - gamma, and
# nothing else: equal values do not show how they are mixed.
def is_right(attend):
    query, key, values, alpha, beta, gamma = inputs()
    output = attend(query, key, np.ones_like(values), alpha, beta, gamma)
    rows = (alpha + beta - gamma)[:, None, None] * np.ones_like(values)
    return np.allclose(output, rows, atol=1e-3)


# %% wrong answer="a single position" caught_by="tells_apart"
# Your test uses sequences of one token. There is nothing to mask, to weigh or to
# average.
def is_right(attend):
    arrays = inputs(shape=(2, 3, 1, 4))
    return np.allclose(attend(*arrays), expected(*arrays), atol=1e-3)


# %% wrong answer="exactly equal" caught_by="tells_apart"
# Your test believes no block at all, not even the right ones. Does it ask for equality
# to the last bit? Right blocks differ by rounding: compare with a tolerance.
def is_right(attend):
    arrays = inputs()
    return np.array_equal(attend(*arrays), expected(*arrays))


# %% driver
import answer
import numpy as np


def seen(query):
    return np.tril(np.ones((query.shape[-2],) * 2, query.dtype))


def centre(query):
    return seen(query) / seen(query).sum(axis=-1, keepdims=True)


def usual(query, key, power=-0.5, hidden=1e9):
    scores = query @ np.swapaxes(key, -1, -2) * query.shape[-1] ** power
    scores = scores + hidden * (seen(query) - 1)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def block(attention=usual, centring=centre, gains=lambda *given: given):
    def attend(query, key, values, *given):
        alpha, beta, gamma = (gain.reshape(-1, 1, 1) for gain in gains(*given))
        mixing = beta * attention(query, key) - gamma * centring(query)
        return (alpha * np.eye(values.shape[-2]) + mixing).astype(values.dtype) @ values

    return attend


def by_sums(query, key, values, alpha, beta, gamma):
    means = np.cumsum(values, axis=-2) / np.arange(1, values.shape[-2] + 1)[:, None]
    parts = zip((alpha, beta, -gamma), (values, usual(query, key) @ values, means))
    return sum(gain[:, None, None] * part for gain, part in parts).astype("float32")


BLOCKS = [
    block(),
    by_sums,
    lambda *arrays: block()(*(a.astype("float64") for a in arrays)).astype("float32"),
    lambda query, key, values, *gains: values,
    block(gains=lambda *given: [np.ones_like(gain) for gain in given]),
    block(gains=lambda *given: [gain[:1] for gain in given]),
    block(gains=lambda alpha, beta, gamma: (alpha, gamma, beta)),
    block(gains=lambda alpha, beta, gamma: (alpha, beta, beta)),
    block(lambda query, key: usual(query, key, power=0)),
    block(lambda query, key: usual(query, key, hidden=0)),
    block(lambda query, key: usual(query[:1], key[:1])),
    block(centring=lambda query: seen(query) / query.shape[-2]),
    block(centring=lambda query: 1 / query.shape[-2]),
    block(centring=lambda query: -centre(query)),
    lambda query, key, values, *gains: np.zeros_like(values),
]


def judged(number):
    return answer.is_right(BLOCKS[number])


# %% checks
from kit.grading.cases import booleans, call, check

RIGHT = {
    0: "a matrix for each head",
    1: "a prefix mean, and no shaped matrix",
    2: "in float64",
}
WRONG = {
    3: "returns its values as they are",
    4: "ignores the gains",
    5: "uses the gains of head 0 in all heads",
    6: "has beta and gamma exchanged",
    7: "uses beta where gamma belongs",
    8: "does not divide the scores by the root of head_dim",
    9: "has no causal mask in its softmax",
    10: "uses the first sequence's map for the whole batch",
    11: "gives every seen position 1 / time in C, whatever its row",
    12: "takes off the mean of all positions, also of later ones",
    13: "adds C instead of taking it off",
}


def shown(number, right):
    about = (
        "is right: " + RIGHT[number] if right else WRONG.get(number, "returns zeros")
    )
    return call(
        number,
        returns=booleans(),
        function="judged",
        expected=right,
        must=right,
        shown="is_right(a block)",
        remark=f"you {'rejected' if right else 'believed'} a block that {about}",
    )


@check
def example(rng):
    """the example: zeros"""
    yield shown(14, False)


@check(partial=True)
def tells_apart(rng):
    """3 right blocks and 11 wrong ones, in random order"""
    for number in rng.permutation(14):
        yield shown(int(number), int(number) in RIGHT)
