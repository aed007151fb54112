# /// exercise
# id = "heads"
# title = "Split into heads, and merge"
# paper = "2402.05969"
# section = "section 1, the model"
# concepts = ["multi-head attention", "reshape and transpose"]
# prerequisites = ["attention"]
# difficulty = 2
# minutes = 10
# points = 2
# ///

# %% statement [markdown]
# Multi-head attention is attention several times at once. The width is cut into
# `num_heads` pieces of equal length: head 0 gets the first `head_dim` features, head 1
# the next ones, and so on. Heads then become an axis like the batch, so that the
# attention of the last exercise serves them all without a change.
#
# Write both directions:
#
# - `split_heads(x, num_heads)` from `(batch, time, width)` to
#   `(batch, num_heads, time, head_dim)`, with `width = num_heads * head_dim`;
# - `merge_heads(x)` from `(batch, num_heads, time, head_dim)` back to
#   `(batch, time, width)`.
#
# One after the other they change nothing. With one position and the features 1, 2, 3,
# 4, two heads get 1, 2 and 3, 4.
#
# Out of scope: the projection after merging.

# %% stub
from keras import ops


def split_heads(x, num_heads):
    """Cut the features into heads.

    Args:
        x: float32 (batch, time, width).
        num_heads: A divisor of the width.

    Returns:
        float32 (batch, num_heads, time, head_dim).
    """
    raise NotImplementedError("split_heads is not done yet")


def merge_heads(x):
    """Put the heads' features side by side again.

    Args:
        x: float32 (batch, num_heads, time, head_dim).

    Returns:
        float32 (batch, time, num_heads * head_dim).
    """
    raise NotImplementedError("merge_heads is not done yet")


# %% example
import numpy as np

features = np.array([[[1.0, 2.0, 3.0, 4.0]]], "float32")  # batch 1, time 1, width 4
heads = split_heads(features, 2)
np.testing.assert_array_equal(heads, [[[[1.0, 2.0]], [[3.0, 4.0]]]])
np.testing.assert_array_equal(merge_heads(heads), features)


# %% reference
def split_heads(x, num_heads):
    batch, time, width = x.shape
    x = ops.reshape(x, (batch, time, num_heads, width // num_heads))
    return ops.transpose(x, (0, 2, 1, 3))


def merge_heads(x):
    batch, num_heads, time, head_dim = x.shape
    x = ops.transpose(x, (0, 2, 1, 3))
    return ops.reshape(x, (batch, time, num_heads * head_dim))


# %% hint 1 [markdown]
# Take one position. Its features lie in memory one after the other. Which pairs of
# neighbouring axes can a reshape produce from them without moving a single number?

# %% hint 2 [markdown]
# `ops.reshape` only ever cuts or joins neighbouring axes; `ops.transpose` is what moves
# an axis. You need one of each, in one order to split and in the other to merge.

# %% hint 3 [markdown]
# Split: reshape the last axis into two, heads first; then exchange axes 1 and 2. Merge:
# exchange axes 1 and 2; then reshape the last two into one.


# %% right answer="named axes"
def split_heads(x, num_heads):
    return ops.rearrange(x, "b t (h d) -> b h t d", h=num_heads)


def merge_heads(x):
    return ops.rearrange(x, "b h t d -> b t (h d)")


# %% right answer="slices"
def split_heads(x, num_heads):
    size = x.shape[-1] // num_heads
    pieces = [x[:, :, i * size : (i + 1) * size] for i in range(num_heads)]
    return ops.stack(pieces, axis=1)


def merge_heads(x):
    return ops.concatenate([x[:, i] for i in range(x.shape[1])], axis=-1)


# %% wrong answer="splits without transpose" caught_by="split"
# The numbers are reshaped straight into (batch, heads, time, head_dim). That has the
# right shape and mixes positions with features: head 0 gets the first positions whole.
def split_heads(x, num_heads):
    batch, time, width = x.shape
    return ops.reshape(x, (batch, num_heads, time, width // num_heads))


# %% wrong answer="deals features out" caught_by="split"
# Features are dealt out like cards: head 0 gets features 0, h, 2h ... Cut the width
# into heads first and head_dim second, so that each head gets neighbouring features.
def split_heads(x, num_heads):
    batch, time, width = x.shape
    x = ops.reshape(x, (batch, time, width // num_heads, num_heads))
    return ops.transpose(x, (0, 3, 1, 2))


# %% wrong answer="head_dim before time" caught_by="split"
# The last two axes have traded places: time comes before head_dim.
def split_heads(x, num_heads):
    batch, time, width = x.shape
    x = ops.reshape(x, (batch, time, num_heads, width // num_heads))
    return ops.transpose(x, (0, 2, 3, 1))


# %% wrong answer="heads stay behind time" caught_by="split"
# The heads are cut but not moved: the shape is (batch, time, heads, head_dim).
# Attention works on the last two axes, and these must be time and head_dim.
def split_heads(x, num_heads):
    batch, time, width = x.shape
    return ops.reshape(x, (batch, time, num_heads, width // num_heads))


# %% wrong answer="heads in reverse" caught_by="split"
# The heads come in reverse order: head 0 must get the first features.
def split_heads(x, num_heads):
    batch, time, width = x.shape
    x = ops.reshape(x, (batch, time, num_heads, width // num_heads))
    return ops.transpose(x, (0, 2, 1, 3))[:, ::-1]


# %% wrong answer="merges without transpose" caught_by="merge"
# The heads are joined by a reshape alone, which glues positions of one head together.
# Bring the heads next to their features first.
def merge_heads(x):
    batch, num_heads, time, head_dim = x.shape
    return ops.reshape(x, (batch, time, num_heads * head_dim))


# %% wrong answer="interleaves heads" caught_by="merge"
# The features of the heads are interleaved. Each head's features belong side by side.
def merge_heads(x):
    batch, num_heads, time, head_dim = x.shape
    x = ops.transpose(x, (0, 2, 3, 1))
    return ops.reshape(x, (batch, time, num_heads * head_dim))


# %% wrong answer="adds the heads" caught_by="merge"
# The heads are added up. Merging only puts them side by side; mixing them is the work
# of the projection that comes next.
def merge_heads(x):
    return ops.sum(x, axis=1)


# %% driver
import answer


def round_trip(x, num_heads):
    return answer.merge_heads(answer.split_heads(x, num_heads))


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


@check
def example(rng):
    """the example: four features, two heads"""
    x = np.arange(1.0, 5.0).reshape(1, 1, 4)
    yield call(x, 2, returns=floats(1, 2, 1, 2))


@check
def split(rng):
    """split_heads"""
    for batch, time, heads, head_dim in [(2, 5, 3, 4), (1, 3, 3, 3), (3, 2, 4, 2)]:
        x = rng.standard_normal((batch, time, heads * head_dim))
        yield call(x, heads, returns=floats(batch, heads, time, head_dim))


@check
def merge(rng):
    """merge_heads"""
    for batch, heads, time, head_dim in [(2, 3, 5, 4), (1, 3, 3, 3), (3, 4, 2, 2)]:
        x = rng.standard_normal((batch, heads, time, head_dim))
        returns = floats(batch, time, heads * head_dim)
        yield call(x, returns=returns, function="merge_heads")


@check
def there_and_back(rng):
    """split, then merge: nothing has changed"""
    x = rng.standard_normal((2, 4, 6))
    for heads in (1, 2, 6):
        yield call(
            x,
            heads,
            returns=floats(2, 4, 6),
            function="round_trip",
            shown=f"merge_heads(split_heads(x, {heads}))",
        )
