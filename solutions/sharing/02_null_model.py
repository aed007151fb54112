# /// exercise
# id = "null_model"
# title = "Alike by chance"
# paper = "2409.14595"
# section = "section 2, attention similarity"
# concepts = ["null models", "expected values", "baselines"]
# prerequisites = ["map_similarity"]
# difficulty = 3
# minutes = 25
# points = 3
# ///

# %% statement [markdown]
# Two maps have a cosine of 0.8. Is that much? It depends on what maps would have that
# have *nothing* to do with each other. Flat maps are all alike, for instance, and so
# are maps with the same sink. A number without such a comparison says nothing.
#
# The null model: keep every row as it is, but put what it has beyond column 0 into a
# random order, drawn for each layer apart. The sink stays, sharp rows stay sharp; who
# attends to whom is forgotten. There is no need to draw anything. Row i sees i keys
# beyond column 0, and the product of two rows a and b in random orders is, in the mean,
#
#     E[a · b] = a_0 b_0 + (a_1 + ... + a_i) (b_1 + ... + b_i) / i
#
# (for row 0, a_0 b_0 alone). Add that up over all rows and heads, divide by the lengths
# of the two flattened maps, which no order changes, and take the mean over the samples.
# A layer is always like itself: the diagonal is 1.
#
# Write `null_similarity(maps)`, and `excess(similarity, null)`: the part of what chance
# leaves open, (similarity - null) / (1 - null), and 0 where the null model is 1 and
# leaves nothing open.
#
# By hand: the two maps of the last exercise have a cosine of 1.83 / 1.84. Here the last
# rows have 0.3 · 0.3 + 0.7 · 0.7 / 2 = 0.335 in common and the others 1.5, as before,
# which makes 1.835 / 1.84: they are *less* alike than by chance, with an excess of -1.

# %% stub
import numpy as np


def null_similarity(maps):
    """Mean cosine of flattened maps under the null model.

    Args:
        maps: float32 (samples, layers, heads, time, time), causal; rows add up to 1.

    Returns:
        float32 (layers, layers), 1 on the diagonal.
    """
    raise NotImplementedError("null_similarity is not done yet")


def excess(similarity, null):
    """How much more alike than by chance, as a part of what chance leaves open.

    Args:
        similarity: float32 (layers, layers).
        null: float32 (layers, layers), at most 1.

    Returns:
        float32 (layers, layers), 0 where the null model is 1.
    """
    raise NotImplementedError("excess is not done yet")


# %% example
same = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
last = [[0.3, 0.3, 0.4]], [[0.3, 0.4, 0.3]]
maps = np.array([[[same + row] for row in last]], "float32")
null = null_similarity(maps)
np.testing.assert_allclose(null[0], [1.0, 1.835 / 1.84], rtol=1e-5)
cosines = np.array([[1.0, 1.83 / 1.84], [1.83 / 1.84, 1.0]], "float32")
np.testing.assert_allclose(excess(cosines, null), [[0, -1], [-1, 0]], atol=1e-3)


# %% reference
def chance_products(maps):
    first, mass = maps[..., 0], maps[..., 1:].sum(axis=-1)
    keys = np.maximum(np.arange(maps.shape[-1]), 1)
    return np.einsum("slhi,smhi->slm", first, first) + np.einsum(
        "slhi,smhi->slm", mass / keys, mass
    )


def null_similarity(maps):
    lengths = np.sqrt(np.square(maps).sum(axis=(2, 3, 4)))
    cosines = chance_products(maps) / (lengths[:, :, None] * lengths[:, None])
    null = cosines.mean(axis=0)
    np.fill_diagonal(null, 1.0)
    return null


def excess(similarity, null):
    left = 1 - null
    return np.where(left > 0, (similarity - null) / np.where(left > 0, left, 1), 0)


# %% hint 1 [markdown]
# The formula needs two numbers of each row only. Which? And how many keys beyond column
# 0 does row 5 see, how many does row 0 see?

# %% hint 2 [markdown]
# `maps[..., 0]` is the sink; a slice from column 1 on and `.sum` give the rest of a
# row. `np.einsum` multiplies layers with layers. `np.maximum` keeps a divisor away from
# zero, `np.fill_diagonal` does what its name says, and `np.where` computes both of its
# sides, so neither may divide by zero.

# %% hint 3 [markdown]
# Two sums over heads and rows, added: sink times sink, and rest times rest over the
# number of keys. Their quotient with the product of the lengths, one for each sample
# and pair; the mean over samples; ones on the diagonal.


# %% right answer="rows of means"
def null_similarity(maps):
    samples, layers, _, time, _ = maps.shape
    total = np.zeros((layers, layers))
    for sample in maps.astype("float64"):
        # In random orders every entry is, in the mean, the mean of its row.
        flat = sample.copy()
        for i in range(1, time):
            flat[..., i, 1 : i + 1] = sample[..., i, 1 : i + 1].mean(-1, keepdims=True)
        for first in range(layers):
            for second in range(layers):
                lengths = np.linalg.norm(sample[first]) * np.linalg.norm(sample[second])
                chance = (flat[first] * flat[second]).sum() / lengths
                total[first, second] += 1.0 if first == second else chance
    return total / samples


def excess(similarity, null):
    result = np.zeros(null.shape)
    some = null < 1
    result[some] = (similarity[some] - null[some]) / (1 - null[some])
    return result


# %% wrong answer="one order for both" caught_by="null"
# This is the similarity of the maps themselves. If both layers get the same random
# order nothing changes; each layer has its own.
def chance_products(maps):
    flat = maps.reshape(*maps.shape[:2], -1)
    return flat @ flat.swapaxes(1, 2)


# %% wrong answer="the sink moves too" caught_by="null"
# Column 0 is put into the random order, so that the sink is forgotten, too. It has to
# stay: that sinks alone make maps alike is what the null model should show.
def chance_products(maps):
    mass, keys = maps.sum(axis=-1), 1 + np.arange(maps.shape[-1])
    return np.einsum("slhi,smhi->slm", mass / keys, mass)


# %% wrong answer="hidden keys take part" caught_by="null"
# Every row is divided by the number of all keys. Row i sees only i of them beyond
# column 0, and the order may not move anything to a key that is hidden.
def chance_products(maps):
    first, mass = maps[..., 0], maps[..., 1:].sum(axis=-1)
    keys = maps.shape[-1] - 1
    return np.einsum("slhi,smhi->slm", first, first) + np.einsum(
        "slhi,smhi->slm", mass / keys, mass
    )


# %% wrong answer="one key too many" caught_by="null"
# Row i is divided by i + 1, the number of keys that it sees. Without column 0 it is i.
def chance_products(maps):
    first, mass = maps[..., 0], maps[..., 1:].sum(axis=-1)
    keys = 1 + np.arange(maps.shape[-1])
    return np.einsum("slhi,smhi->slm", first, first) + np.einsum(
        "slhi,smhi->slm", mass / keys, mass
    )


# %% wrong answer="no sink" caught_by="null"
# The products of column 0 are missing. The sink stays where it is, and counts.
def chance_products(maps):
    mass, keys = maps[..., 1:].sum(axis=-1), np.maximum(np.arange(maps.shape[-1]), 1)
    return np.einsum("slhi,smhi->slm", mass / keys, mass)


# %% wrong answer="lengths of the means" caught_by="null"
# This divides by the lengths of averaged rows, which are shorter. A row in another
# order is as long as before: use the lengths of the maps.
def null_similarity(maps):
    products = chance_products(maps)
    lengths = np.sqrt(np.diagonal(products, axis1=1, axis2=2))
    null = (products / (lengths[:, :, None] * lengths[:, None])).mean(axis=0)
    np.fill_diagonal(null, 1.0)
    return null


# %% wrong answer="unlike itself" caught_by="null"
# The diagonal compares a layer with a random order of itself. A layer is like itself,
# by any account: the diagonal is 1.
def null_similarity(maps):
    lengths = np.sqrt(np.square(maps).sum(axis=(2, 3, 4)))
    cosines = chance_products(maps) / (lengths[:, :, None] * lengths[:, None])
    return cosines.mean(axis=0)


# %% wrong answer="samples first" caught_by="null"
# The products of all samples are added up before they are divided. Divide for each
# sample, and take the mean of the cosines.
def null_similarity(maps):
    lengths = np.sqrt(np.square(maps).sum(axis=(0, 2, 3, 4)))
    null = chance_products(maps).sum(axis=0) / (lengths[:, None] * lengths)
    np.fill_diagonal(null, 1.0)
    return null


# %% wrong answer="a difference" caught_by="beyond_chance"
# This is how much the two differ. 0.05 is little above a null model of 0.5, and half of
# everything that is possible above one of 0.9.
def excess(similarity, null):
    return similarity - null


# %% wrong answer="how many times" caught_by="beyond_chance"
# This divides by the null model. What counts is the part of what it leaves open, the
# way from there to 1.
def excess(similarity, null):
    return similarity / null - 1


# %% wrong answer="zero over zero" caught_by="beyond_chance"
# Where the null model is 1, zero is divided by zero. Nothing is left open there, and
# the excess is 0.
def excess(similarity, null):
    with np.errstate(invalid="ignore"):
        return (similarity - null) / (1 - null)


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def draw(rng, samples, layers, heads, time, sink=0.0):
    sharp = np.array([0.5, 3.0])[np.arange(samples) % 2][:, None, None, None, None]
    scores = sharp * rng.standard_normal((samples, layers, heads, time, time))
    scores[..., 0] += sink * rng.random((samples, layers, heads, 1))
    weights = np.tril(np.exp(scores))
    return weights / weights.sum(axis=-1, keepdims=True)


@check
def example(rng):
    """the example: two maps of three tokens"""
    same = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    last = [[0.3, 0.3, 0.4]], [[0.3, 0.4, 0.3]]
    maps = np.array([[[same + row] for row in last]])
    yield call(maps, returns=floats(2, 2))


@check
def null(rng):
    """maps with and without a sink"""
    for sink in (0.0, 2.0):
        yield call(draw(rng, 2, 3, 2, 5, sink), returns=floats(3, 3))


@check
def beyond_chance(rng):
    """what is beyond chance"""
    null = 0.3 + 0.5 * rng.random((4, 4))
    similarity = 0.2 + 0.7 * rng.random((4, 4))
    for matrix in (null, similarity):
        np.fill_diagonal(matrix, 1.0)
    yield call(similarity, null, returns=floats(4, 4), function="excess")


@check(hidden=True)
def many(rng):
    """more of everything"""
    yield call(draw(rng, 3, 6, 3, 9, sink=4.0), returns=floats(6, 6))
