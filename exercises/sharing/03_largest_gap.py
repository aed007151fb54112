# %% [markdown]
# ## Who copies from whom?
#
# ★★★☆☆ · about 25 minutes · 3 points
# · arXiv 2409.14595, section 2, selection of layers
#
# EchoAtt says: the first layers, and sometimes the last, attend in their own way; those
# between attend alike, and can share. Where the inside begins is read off the scores.
#
# - `scores(similarity)`: for each layer the mean similarity with the *other* layers.
# - `inner_layers(scores)`: sort the scores and cut at the largest gap between two that
#   follow each other (of equal gaps the lowest). The layers above are the inner ones,
#   if they are neighbours. The paper does not say what is to be done if they are not;
#   we take the longest run of neighbours (of equal runs the first). A single layer has
#   nobody to share with: if the run has fewer than two, raise a `ValueError`.
# - `sources(layers, inner, k)`: the inner layers, in groups of k. The first of a group
#   has a map of its own, and the others copy it. If k does not divide them, the last
#   group is smaller. The result says for each layer whose map it uses: its own number
#   for all that do not copy.
#
# By hand: the scores 0.16, 0.75, 0.77, 0.74, 0.31 have their largest gap below 0.74.
# So 1, 2 and 3 are the inner layers; with k = 2 layer 2 copies from 1, and 3 is left
# over: the sources are 0, 1, 1, 3, 4.
#
# Check it: `kit check largest_gap`. Stuck: `kit hint largest_gap`.

# %%
import numpy as np


def scores(similarity):
    """How alike each layer is to the others.

    Args:
        similarity: float32 (layers, layers), symmetric, two layers or more.

    Returns:
        float32 (layers,).
    """
    raise NotImplementedError("scores is not done yet")


def inner_layers(scores):
    """The layers above the largest gap that are neighbours.

    Args:
        scores: float32 (layers,), two layers or more.

    Returns:
        A list of whole numbers, ascending.

    Raises:
        ValueError: They are fewer than two.
    """
    raise NotImplementedError("inner_layers is not done yet")


def sources(layers, inner, k):
    """Whose map each layer uses.

    Args:
        layers: How many there are.
        inner: List of the inner layers, neighbours, ascending.
        k: Layers in a group, from 1; 1 shares nothing.

    Returns:
        int32 (layers,).
    """
    raise NotImplementedError("sources is not done yet")


# %% The example
if __name__ == "__main__":
    found = inner_layers(np.array([0.16, 0.75, 0.77, 0.74, 0.31], "float32"))
    np.testing.assert_array_equal(found, [1, 2, 3])
    np.testing.assert_array_equal(sources(5, found, 2), [0, 1, 1, 3, 4])
    alike = np.array([[1.0, 0.5, 0.3], [0.5, 1.0, 0.7], [0.3, 0.7, 1.0]])
    np.testing.assert_allclose(scores(alike), [0.4, 0.6, 0.5])
    print("The example is right.")
