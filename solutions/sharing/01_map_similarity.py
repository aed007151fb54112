# /// exercise
# id = "map_similarity"
# title = "How alike are two layers?"
# paper = "2409.14595"
# section = "section 2, attention similarity"
# concepts = ["attention maps", "cosine similarity", "attention sinks"]
# prerequisites = ["attention"]
# difficulty = 2
# minutes = 20
# points = 2
# ///

# %% statement [markdown]
# An attention map is a table: row i says how token i divides its attention. EchoAtt
# writes all rows of all heads of a layer one after the other, as one long vector a, and
# compares two layers l and m by the cosine of their vectors, mean over the samples:
#
#     S[l, m] = mean over samples of  a_l · a_m / (‖a_l‖ ‖a_m‖)
#
# (It says "attention scores". That these are meant after the softmax is our reading,
# which fits its numbers.)
#
# In a trained model many rows put a good part of their attention into column 0,
# whatever the text says: the first token is where attention goes when there is nothing
# to look at, a *sink*. One large number in the same place makes all vectors alike. So
# there is a second measure, of single rows without column 0:
#
#     R[l, m] = mean over samples, heads and rows of the cosine of two rows
#
# The maps are causal, so row 0 sees nothing beyond column 0, and row 1 one number,
# whose cosine with another one is always 1. Both say nothing and are left out.
#
# Write `flat_similarity(maps)` and `row_similarity(maps)`.
#
# By hand: two maps of three tokens with the same rows (1, 0, 0) and (½, ½, 0), and with
# the last rows (0.3, 0.3, 0.4) and (0.3, 0.4, 0.3). S = 1.83 / 1.84, nearly equal. R is
# the cosine of (0.3, 0.4) and (0.4, 0.3), which is 0.24 / 0.25.

# %% stub
import numpy as np


def flat_similarity(maps):
    """Cosine of the flattened maps of all pairs of layers.

    Args:
        maps: float32 (samples, layers, heads, time, time), causal; rows add up to 1.

    Returns:
        float32 (layers, layers).
    """
    raise NotImplementedError("flat_similarity is not done yet")


def row_similarity(maps):
    """Mean cosine of the rows of all pairs of layers, without column 0.

    Args:
        maps: float32 (samples, layers, heads, time, time), causal, of three or more
            tokens; what a row may see is above zero.

    Returns:
        float32 (layers, layers).
    """
    raise NotImplementedError("row_similarity is not done yet")


# %% example
same = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
last = [[0.3, 0.3, 0.4]], [[0.3, 0.4, 0.3]]
maps = np.array([[[same + row] for row in last]], "float32")  # one sample, one head
np.testing.assert_allclose(flat_similarity(maps)[0, 1], 1.83 / 1.84, rtol=1e-5)
np.testing.assert_allclose(row_similarity(maps)[0, 1], 0.96, rtol=1e-5)


# %% reference
def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def flat_similarity(maps):
    flat = unit(maps.reshape(*maps.shape[:2], -1))
    return (flat @ flat.swapaxes(1, 2)).mean(axis=0)


def row_similarity(maps):
    rows = unit(maps[..., 2:, 1:])
    cosines = np.einsum("slhij,smhij->slmhi", rows, rows)
    return cosines.mean(axis=(0, 3, 4))


# %% hint 1 [markdown]
# What has to become one axis before the first cosine is taken, and what stays an axis
# of its own? For the second: which rows and which columns of a table are left, if two
# rows and a column go?

# %% hint 2 [markdown]
# `maps.reshape(..., -1)` joins the last axes. Divide by `np.linalg.norm` along the last
# axis, `keepdims=True`, and all cosines are products. `np.einsum` can multiply every
# layer with every other one and keep the axes that you name.

# %% hint 3 [markdown]
# First: one vector for each sample and layer, made as long as 1; the matrix product
# with itself, transposed; the mean over the samples. Second: a slice from row 2 and
# from column 1 on; every row made as long as 1; products summed over the columns; the
# mean over all axes but the two of the layers.


# %% right answer="one pair after the other"
def cosine(a, b):
    a, b = a.astype("float64").ravel(), b.astype("float64").ravel()
    return a @ b / np.sqrt((a @ a) * (b @ b))


def flat_similarity(maps):
    samples = [[[cosine(a, b) for b in layers] for a in layers] for layers in maps]
    return np.mean(samples, axis=0)


def row_similarity(maps):
    samples, layers, heads, time, _ = maps.shape
    total = np.zeros((layers, layers))
    for sample in maps:
        for head in range(heads):
            for i in range(2, time):
                rows = sample[:, head, i, 1:].astype("float64")
                total += [[cosine(a, b) for b in rows] for a in rows]
    return total / (samples * heads * (time - 2))


# %% wrong answer="products, no cosines" caught_by="flat"
# These are products of the maps. A cosine also divides by the lengths of both vectors,
# so that sharp maps are no more alike than flat ones.
def flat_similarity(maps):
    flat = maps.reshape(*maps.shape[:2], -1)
    return (flat @ flat.swapaxes(1, 2)).mean(axis=0)


# %% wrong answer="a cosine for each head" caught_by="flat"
# There is a cosine for each head, and then their mean. The paper has one vector for all
# heads of a layer, in which a sharp head counts more.
def flat_similarity(maps):
    flat = unit(maps.reshape(*maps.shape[:3], -1))
    return np.einsum("slhx,smhx->slmh", flat, flat).mean(axis=(0, 3))


# %% wrong answer="a cosine for each row" caught_by="flat"
# There is a cosine for each row, and then their mean. Here all rows of a layer are one
# vector; that of single rows is the other function.
def flat_similarity(maps):
    rows = unit(maps)
    return np.einsum("slhij,smhij->slmhi", rows, rows).mean(axis=(0, 3, 4))


# %% wrong answer="the mean map" caught_by="flat"
# The maps of all samples are averaged, and compared after that. What differs from text
# to text is gone by then; compare the maps of each sample.
def flat_similarity(maps):
    flat = unit(maps.mean(axis=0).reshape(maps.shape[1], -1))
    return flat @ flat.T


# %% wrong answer="one vector for all samples" caught_by="flat"
# The samples are parts of one long vector, so that those with sharp maps count more.
# Take a cosine for each sample, and their mean.
def flat_similarity(maps):
    flat = unit(maps.swapaxes(0, 1).reshape(maps.shape[1], -1))
    return flat @ flat.T


# %% wrong answer="correlation" caught_by="flat"
# The mean is taken off before, which makes this a correlation. The paper's cosine takes
# the maps as they are.
def flat_similarity(maps):
    flat = maps.reshape(*maps.shape[:2], -1)
    flat = unit(flat - flat.mean(axis=-1, keepdims=True))
    return (flat @ flat.swapaxes(1, 2)).mean(axis=0)


# %% wrong answer="the sink counts" caught_by="rows"
# Column 0 takes part. It holds the sink, which makes rows alike that have nothing else
# in common.
def row_similarity(maps):
    rows = unit(maps[..., 2:, :])
    return np.einsum("slhij,smhij->slmhi", rows, rows).mean(axis=(0, 3, 4))


# %% wrong answer="row 1 counts" caught_by="rows"
# Row 1 takes part. Beyond column 0 it is a single number, whose cosine is always 1.
def row_similarity(maps):
    rows = unit(maps[..., 1:, 1:])
    return np.einsum("slhij,smhij->slmhi", rows, rows).mean(axis=(0, 3, 4))


# %% wrong answer="row 0 counts" caught_by="rows"
# Row 0 takes part. Beyond column 0 it is all zeros, and zero divided by zero is NaN.
def row_similarity(maps):
    with np.errstate(invalid="ignore"):
        rows = unit(maps[..., 1:])
    return np.einsum("slhij,smhij->slmhi", rows, rows).mean(axis=(0, 3, 4))


# %% wrong answer="rows in one vector" caught_by="rows"
# All rows are one vector, in which sharp rows count more. There is a cosine for each
# row here, and every row counts the same.
def row_similarity(maps):
    return flat_similarity(maps[..., 2:, 1:])


# %% wrong answer="the mean of the heads" caught_by="rows"
# The heads are averaged before they are compared. Compare head 0 with head 0, head 1
# with head 1, and take the mean of the cosines.
def row_similarity(maps):
    rows = unit(maps[..., 2:, 1:].mean(axis=2))
    return np.einsum("slij,smij->slmi", rows, rows).mean(axis=(0, 3))


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def draw(rng, samples, layers, heads, time, sink=0.0):
    shape = (samples, layers, heads, time, time)
    sharp = np.array([0.3, 3.0])[np.arange(samples) % 2][:, None, None, None, None]
    sharp = sharp * np.array([0.5, 1.5])[np.arange(heads) % 2][:, None, None]
    scores = sharp * rng.standard_normal(shape)
    scores[..., 0] += sink
    weights = np.tril(np.exp(scores))
    return weights / weights.sum(axis=-1, keepdims=True)


def both(maps):
    for function in ("flat_similarity", "row_similarity"):
        returns = floats(maps.shape[1], maps.shape[1])
        yield call(maps, returns=returns, function=function)


@check
def example(rng):
    """the example: two maps of three tokens"""
    same = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    last = [[0.3, 0.3, 0.4]], [[0.3, 0.4, 0.3]]
    yield from both(np.array([[[same + row] for row in last]]))


@check
def flat(rng):
    """flattened maps"""
    maps = draw(rng, 2, 3, 2, 5)
    yield call(maps, returns=floats(3, 3))


@check
def rows(rng):
    """rows, without the sink"""
    maps = draw(rng, 2, 3, 2, 5, sink=1.0)
    yield call(maps, returns=floats(3, 3), function="row_similarity")


@check(hidden=True)
def many(rng):
    """more layers and heads, and a strong sink"""
    yield from both(draw(rng, 3, 5, 4, 8, sink=3.0))
