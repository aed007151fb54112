# /// exercise
# id = "test_attention"
# title = "Write the test"
# paper = "2402.05969"
# section = "section 1, the equivariance argument"
# concepts = ["testing", "tolerance", "causality"]
# prerequisites = ["attention", "permutation_test"]
# difficulty = 4
# minutes = 30
# points = 4
# ///

# %% statement [markdown]
# Attention that is wrong still trains. It gives numbers of the right shape, the loss
# goes down, and the paper's claim seems to fail. Only a test can tell; and a test is as
# good as the mistakes that it finds.
#
# Write `is_right(attention)`. It gets a function `attention(query, key, value)` that
# claims to be causal scaled dot-product attention, of float32 arrays
# `(batch, time, head_dim)`, and returns whether you believe it. Call it as often as you
# like, with whatever arrays you like.
#
# Thirteen functions will be shown to you, in random order. Some are right, each written
# in its own way, so they differ by rounding, about one part in a million. The others
# have one mistake each. Calling a right one wrong loses all points; for the wrong ones
# you get points in proportion to those you find.
#
# A function that returns zeros, for instance, is wrong.

# %% stub
import numpy as np


def is_right(attention):
    """Whether a function is causal scaled dot-product attention.

    Args:
        attention: Function of query, key and value, each float32
            (batch, time, head_dim), that returns an array of the same shape.

    Returns:
        True or False.
    """
    raise NotImplementedError("is_right is not done yet")


# %% example
assert not is_right(lambda query, key, value: np.zeros_like(value))


# %% reference
def is_right(attention):
    rng = np.random.default_rng(0)
    query, key, value = 3 * rng.standard_normal((3, 2, 5, 4)).astype("float32")
    expected = np.zeros_like(value)
    for batch in range(2):
        for i in range(5):
            seen = slice(0, i + 1)
            scores = key[batch, seen] @ query[batch, i] / np.sqrt(4)
            weights = np.exp(scores - scores.max())
            expected[batch, i] = weights @ value[batch, seen] / weights.sum()
    return bool(np.abs(attention(query, key, value) - expected).max() < 1e-3)


# %% hint 1 [markdown]
# You know another way to compute the same thing, slow but beyond doubt. Which inputs
# would make every mistake that you can think of visible in the output?

# %% hint 2 [markdown]
# A loop over batch and positions, with a softmax over what each position may see, is an
# oracle. Draw query, key and value independently, large (standard deviation 3), with at
# least two sequences; compare with a tolerance, never with `==`.

# %% hint 3 [markdown]
# Random arrays from a fixed seed; an array of zeros to be filled; two nested loops that
# fill it row by row; at the end, whether the largest difference is below a thousandth.


# %% right answer="properties"
def is_right(attention):
    rng = np.random.default_rng(1)
    query, key, value = 2 * rng.standard_normal((3, 2, 4, 9)).astype("float32")
    output = attention(query, key, value)
    last = [array.copy() for array in (query, key, value)]
    for array in last:
        array[:, -1] = rng.standard_normal(9)
    causal = np.allclose(attention(*last)[:, :-1], output[:, :-1], atol=1e-4)
    first = np.allclose(output[:, 0], value[:, 0], atol=1e-4)
    # Position 1 sees two keys, and the log-odds of its weights are a scaled difference.
    odds = np.exp(np.sum(query[:, 1] * (key[:, 1] - key[:, 0]), axis=-1) / 3)[:, None]
    second = (value[:, 0] + odds * value[:, 1]) / (1 + odds)
    closed = np.allclose(output[:, 1], second, atol=1e-4)
    return bool(causal and first and closed)


# %% wrong answer="only the shape" caught_by="tells_apart"
# Your test looks at the shape at most: it believes every block. Compare numbers.
def is_right(attention):
    x = np.random.default_rng(0).standard_normal((2, 5, 4)).astype("float32")
    return attention(x, 2 * x, 3 * x).shape == x.shape and bool(
        attention(x, x, x).any()
    )


# %% wrong answer="believes nobody" caught_by="tells_apart"
# Your test believes no block at all, not even the right ones. Try it on your own
# solution of the attention exercise.
def is_right(attention):
    return False


# %% wrong answer="exactly equal" caught_by="tells_apart"
# Your test asks for equality to the last bit. Right blocks differ by rounding; compare
# with a tolerance.
def is_right(attention):
    rng = np.random.default_rng(0)
    query, key, value = 3 * rng.standard_normal((3, 2, 5, 4)).astype("float32")
    scores = query @ np.swapaxes(key, 1, 2) / np.float32(2)
    scores = np.where(np.tril(np.ones((5, 5), bool)), scores, np.float32(-1e9))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    expected = (weights / weights.sum(axis=-1, keepdims=True)) @ value
    return np.array_equal(attention(query, key, value), expected)


# %% wrong answer="weights too small" caught_by="tells_apart"
# Your inputs are so small that all scores are nearly zero, and whatever is done to the
# scores changes nothing. Draw large ones.
def is_right(attention):
    rng = np.random.default_rng(0)
    query, key, value = rng.standard_normal((3, 2, 5, 4)).astype("float32")
    query, key = 0.02 * query, 0.02 * key
    scores = query @ np.swapaxes(key, 1, 2) / 2
    scores = np.where(np.tril(np.ones((5, 5), bool)), scores, -1e9)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    expected = (weights / weights.sum(axis=-1, keepdims=True)) @ value
    return np.allclose(attention(query, key, value), expected, atol=1e-2)


# %% wrong answer="only causality" caught_by="tells_apart"
# Your test finds out whether a block looks ahead, and nothing else.
def is_right(attention):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 2, 5, 4)).astype("float32")
    before = attention(*x)
    x[:, :, -1] = rng.standard_normal((3, 2, 4))
    return np.allclose(attention(*x)[:, :-1], before[:, :-1], atol=1e-4)


# %% wrong answer="only the sum of the weights" caught_by="tells_apart"
# Your test finds out whether the weights add up to one, and nothing else: equal values
# come out as they went in, however they are weighted.
def is_right(attention):
    query, key = 2 * np.random.default_rng(0).standard_normal((2, 2, 5, 4))
    ones = np.ones((2, 5, 4), "float32")
    output = attention(query.astype("float32"), key.astype("float32"), ones)
    return np.allclose(output, 1.0, atol=1e-4)


# %% wrong answer="one position" caught_by="tells_apart"
# Your test uses sequences of one token. There is nothing to mask and nothing to weigh.
def is_right(attention):
    rng = np.random.default_rng(0)
    query, key, value = rng.standard_normal((3, 2, 1, 4)).astype("float32")
    return np.allclose(attention(query, key, value), value, atol=1e-4)


# %% wrong answer="all three the same" caught_by="tells_apart"
# Query, key and value are the same array in your test, so it cannot notice when a block
# takes one for the other.
def is_right(attention):
    x = np.random.default_rng(0).standard_normal((2, 5, 4)).astype("float32")
    scores = np.where(
        np.tril(np.ones((5, 5), bool)), x @ np.swapaxes(x, 1, 2) / 2, -1e9
    )
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    expected = (weights / weights.sum(axis=-1, keepdims=True)) @ x
    return np.allclose(attention(x, x, x), expected, atol=1e-4)


# %% wrong answer="a single sequence" caught_by="tells_apart"
# Your test has only one sequence in its batch and cannot notice when sequences get
# mixed.
def is_right(attention):
    rng = np.random.default_rng(0)
    query, key, value = 3 * rng.standard_normal((3, 1, 5, 4)).astype("float32")
    scores = query @ np.swapaxes(key, 1, 2) / 2
    scores = np.where(np.tril(np.ones((5, 5), bool)), scores, -1e9)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    expected = (weights / weights.sum(axis=-1, keepdims=True)) @ value
    return np.allclose(attention(query, key, value), expected, atol=1e-3)


# %% driver
import answer
import numpy as np


def softmax(scores, axis=-1):
    weights = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


def compare(query, key, power=-0.5):
    return query @ np.swapaxes(key, -1, -2) * np.float32(query.shape[-1] ** power)


def hide(scores, ahead=0, low=-1e9):
    return np.where(np.tril(np.ones(scores.shape[-2:], bool), ahead), scores, low)


def row_by_row(query, key, value):
    output = np.empty_like(value)
    for i in range(query.shape[1]):
        scores = np.einsum("bd,bkd->bk", query[:, i], key[:, : i + 1])
        weights = softmax(scores * query.shape[-1] ** -0.5)
        output[:, i] = np.einsum("bk,bkd->bd", weights, value[:, : i + 1])
    return output


def in_float64(query, key, value):
    scores = hide(compare(query.astype("float64"), key))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (weights @ value / weights.sum(axis=-1, keepdims=True)).astype("float32")


BLOCKS = [
    lambda query, key, value: softmax(hide(compare(query, key))) @ value,
    row_by_row,
    in_float64,
    lambda query, key, value: softmax(hide(compare(query, key, 0))) @ value,
    lambda query, key, value: softmax(compare(query, key)) @ value,
    lambda query, key, value: softmax(hide(compare(query, key), 1)) @ value,
    lambda query, key, value: softmax(hide(compare(query, key)), -2) @ value,
    lambda query, key, value: hide(softmax(compare(query, key)), 0, 0.0) @ value,
    lambda query, key, value: softmax(hide(compare(query, key))) @ key,
    lambda query, key, value: softmax(hide(compare(query, key, -1))) @ value,
    lambda query, key, value: softmax(hide(0 * compare(query, key))) @ value,
    lambda query, key, value: softmax(hide(compare(key, query))) @ value,
    lambda query, key, value: softmax(hide(compare(query, key).mean(axis=0))) @ value,
    lambda query, key, value: np.zeros_like(value),
]


def judged(number):
    return answer.is_right(BLOCKS[number])


# %% checks
from kit.grading.cases import booleans, call, check

RIGHT = {
    0: "a matrix product and a mask",
    1: "one position at a time",
    2: "exponentials by hand, in float64",
}
WRONG = {
    3: "does not divide by the root of head_dim",
    4: "has no mask",
    5: "sees one position ahead",
    6: "has weights that add up to one over the queries",
    7: "masks after the softmax, so the weights no longer add up to one",
    8: "mixes keys instead of values",
    9: "divides by head_dim instead of its root",
    10: "gives every visible position the same weight",
    11: "has taken queries for keys",
    12: "averages the scores over the batch",
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
    yield shown(13, False)


@check(partial=True)
def tells_apart(rng):
    """3 right blocks and 10 wrong ones, in random order"""
    for number in rng.permutation(13):
        yield shown(int(number), int(number) in RIGHT)
