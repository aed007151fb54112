# %% [markdown]
# ## Are all tokens alike?
#
# ★★★☆☆ · about 15 minutes · 3 points
# · arXiv 2311.01906, the argument from signal propagation
#
# Attention is an average, and averages of averages are all the same. Stack enough of it
# without skips and every token becomes the same vector up to its length: the matrix of
# tokens has rank one, nothing can be told apart, and queries and keys, which choose
# among equals, get no gradient. That is **rank collapse**, and it is why skips could
# not simply be left out.
#
# It can be seen before any training. The probe: the cosine of the angle between two
# tokens of the same sequence, on average over all pairs of **different** tokens and
# over all sequences. At 1 all tokens point the same way; tokens drawn at random are
# near 0.
#
# Write `mean_cosines(activations)`, one number per layer.
#
# The tokens (1, 0), (0, 2) and (3, 3) have pairs with the cosines 0, 0.7071 and 0.7071,
# and the mean 0.4714: lengths do not matter.
#
# Out of scope: tokens that are all zeros; there are none.
#
# Check it: `kit check rank_collapse`. Stuck: `kit hint rank_collapse`.

# %%
import numpy as np


def mean_cosines(activations):
    """Mean cosine of two different tokens of a sequence, for each layer.

    Args:
        activations: float32 (layers, batch, time, width), time at least 2.

    Returns:
        float32 (layers,), from -1 to 1.
    """
    raise NotImplementedError("mean_cosines is not done yet")


# %% The example
if __name__ == "__main__":
    tokens = np.array([[1, 0], [0, 2], [3, 3]], "float32")
    activations = np.stack([tokens, np.ones_like(tokens)])[:, None]  # 2 layers, 1 batch
    np.testing.assert_allclose(mean_cosines(activations), [0.4714, 1.0], atol=1e-4)
    print("The example is right.")
