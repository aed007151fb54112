# %% [markdown]
# ## Alike by chance
#
# ★★★☆☆ · about 25 minutes · 3 points
# · arXiv 2409.14595, section 2, attention similarity
#
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
#
# Check it: `kit check null_model`. Stuck: `kit hint null_model`.

# %%
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


# %% The example
if __name__ == "__main__":
    same = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    last = [[0.3, 0.3, 0.4]], [[0.3, 0.4, 0.3]]
    maps = np.array([[[same + row] for row in last]], "float32")
    null = null_similarity(maps)
    np.testing.assert_allclose(null[0], [1.0, 1.835 / 1.84], rtol=1e-5)
    cosines = np.array([[1.0, 1.83 / 1.84], [1.83 / 1.84, 1.0]], "float32")
    np.testing.assert_allclose(excess(cosines, null), [[0, -1], [-1, 0]], atol=1e-3)
    print("The example is right.")
