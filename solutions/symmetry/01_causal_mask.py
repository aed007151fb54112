# /// exercise
# id = "causal_mask"
# title = "The causal mask"
# paper = "2402.05969"
# section = "section 1"
# concepts = ["causal mask", "broadcasting"]
# prerequisites = []
# difficulty = 1
# minutes = 5
# points = 1
# ///

# %% statement [markdown]
# A language model must not look at what it is asked to predict. The causal mask is
# the table that says so, and in a model without positional encoding it is the only
# thing that can tell the model about order.
#
# Write `causal_mask(time)`. It returns truth values of shape `(time, time)`: row `i`,
# column `j` is true where position `i` may look at position `j`, that is at itself and
# at everything before it.
#
# With `time = 3`, row 0 sees one position, row 1 two, row 2 all three.
#
# Out of scope: batches, heads, and what happens to the scores that are hidden.

# %% stub
from keras import ops


def causal_mask(time):
    """Which position may look at which.

    Args:
        time: Number of positions, at least 1.

    Returns:
        bool (time, time): row i, column j is true where i may look at j.
    """
    raise NotImplementedError("causal_mask is not done yet")


# %% example
import numpy as np

np.testing.assert_array_equal(
    causal_mask(3),
    [[True, False, False], [True, True, False], [True, True, True]],
)


# %% reference
def causal_mask(time):
    positions = ops.arange(time)
    return positions[:, None] >= positions[None, :]


# %% hint 1 [markdown]
# Number the positions 0, 1, 2 ... Which comparison between the number of the row and
# the number of the column is true exactly where looking is allowed?

# %% hint 2 [markdown]
# `ops.arange` numbers the positions. An array of shape (time, 1) compared with one of
# shape (1, time) gives a table of shape (time, time).

# %% hint 3 [markdown]
# Two lines: the numbers; then the numbers as a column, a comparison sign, the numbers
# as a row. Equality must count as allowed.


# %% right answer="lower triangle"
def causal_mask(time):
    return ops.tril(ops.ones((time, time), dtype="bool"))


# %% right answer="loops"
import numpy as np


def causal_mask(time):
    mask = np.zeros((time, time), bool)
    for i in range(time):
        for j in range(i + 1):
            mask[i, j] = True
    return mask


# %% right answer="cumulative sum"
def causal_mask(time):
    return ops.cumsum(ops.eye(time), axis=1)[:, ::-1][::-1] > 0


# %% wrong answer="transposed" caught_by="any_length"
# Rows and columns have traded places: every position sees itself and the future. The
# row is the position that looks, the column is the one that is looked at.
def causal_mask(time):
    positions = ops.arange(time)
    return positions[:, None] <= positions[None, :]


# %% wrong answer="hides itself" caught_by="any_length"
# A position does not see itself. Row 0 then sees nothing at all, and the softmax of
# nothing is NaN. The position itself is never a secret.
def causal_mask(time):
    positions = ops.arange(time)
    return positions[:, None] > positions[None, :]


# %% wrong answer="one step ahead" caught_by="any_length"
# Position i sees i + 1, which is the very token that it has to predict. Such a model
# reaches a loss of almost zero in training and can generate nothing.
def causal_mask(time):
    positions = ops.arange(time)
    return positions[:, None] + 1 >= positions[None, :]


# %% wrong answer="true means hidden" caught_by="any_length"
# The table is right but upside down: true marks what is hidden. Here true means that
# looking is allowed.
def causal_mask(time):
    positions = ops.arange(time)
    return positions[:, None] < positions[None, :]


# %% wrong answer="full mask" caught_by="any_length"
# Everybody sees everything. That is the full mask: without positional encoding such a
# model cannot know the order of its tokens.
def causal_mask(time):
    return ops.ones((time, time), dtype="bool")


# %% wrong answer="only itself" caught_by="any_length"
# Every position sees only itself, and nothing moves between positions any more.
def causal_mask(time):
    return ops.eye(time, dtype="bool")


# %% wrong answer="added to the scores" caught_by="any_length"
# These are numbers to add to the scores, 0 and minus infinity. Asked for are truth
# values: what to do with them is the next exercise.
def causal_mask(time):
    positions = ops.arange(time)
    return ops.where(positions[:, None] >= positions[None, :], 0.0, -float("inf"))


# %% wrong answer="always three" caught_by="any_length"
# The mask of the example comes back whatever the length is.
def causal_mask(time):
    positions = ops.arange(3)
    return positions[:, None] >= positions[None, :]


# %% checks
import numpy as np

from kit.grading.cases import booleans, call, check


@check
def example(rng):
    """the example: three positions"""
    yield call(3, returns=booleans(3, 3))


@check
def any_length(rng):
    """masks of other lengths"""
    for time in rng.choice(np.arange(4, 12), size=3, replace=False):
        yield call(time, returns=booleans(time, time))


@check(hidden=True)
def smallest(rng):
    """the smallest and a large number of positions"""
    yield call(1, returns=booleans(1, 1))
    time = rng.integers(40, 80)
    yield call(time, returns=booleans(time, time))
