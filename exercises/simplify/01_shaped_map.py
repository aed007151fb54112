# %% [markdown]
# ## The shaped attention map
#
# ★★☆☆☆ · about 15 minutes · 2 points
# · arXiv 2311.01906, equation 5
#
# Without the skip around attention, a token has to come through the attention map, and
# a softmax blurs it: after a few blocks all tokens are alike. Shaped attention puts the
# token back into the map. With A the softmax and I the identity, each head has
#
#     S = alpha I + beta A - gamma C
#
# The **centring matrix** C is what A would be if all scores were equal: in each row,
# the positions that the mask allows share 1 equally, and the others get 0. So when
# training starts (scores all zero, the three gains at 1), A and C cancel and S = I: a
# skip that nobody has drawn.
#
# Write
#
# - `centring_matrix(mask)`, for any mask: causal, full, or one with a prefix;
# - `shaped_map(attention_map, mask, alpha, beta, gamma)`. The map A is given, with a
#   head axis, and every head has gains of its own.
#
# With two positions and a causal mask, C has the rows 1, 0 and 1/2, 1/2.
#
# Out of scope: the softmax, and what the map is then multiplied with.
#
# Check it: `kit check shaped_map`. Stuck: `kit hint shaped_map`.

# %%
from keras import ops


def centring_matrix(mask):
    """The attention map of equal scores.

    Args:
        mask: bool (time, time), true where row i may look at column j; no row is empty.

    Returns:
        float32 (time, time); each row adds up to 1.
    """
    raise NotImplementedError("centring_matrix is not done yet")


def shaped_map(attention_map, mask, alpha, beta, gamma):
    """The attention map, with a share of each token and less of the mean.

    Args:
        attention_map: float32 (batch, heads, time, time), the softmax A.
        mask: bool (time, time), as above.
        alpha: float32 (heads,), gains of the identity.
        beta: float32 (heads,), gains of A.
        gamma: float32 (heads,), gains of C.

    Returns:
        float32 (batch, heads, time, time).
    """
    raise NotImplementedError("shaped_map is not done yet")


# %% The example
if __name__ == "__main__":
    import numpy as np

    causal = np.array([[True, False], [True, True]])
    np.testing.assert_allclose(centring_matrix(causal), [[1, 0], [0.5, 0.5]])
    looks_back = np.array([[[[1.0, 0.0], [1.0, 0.0]]]], "float32")  # 1 batch, 1 head
    ones = np.ones(1, "float32")
    np.testing.assert_allclose(
        shaped_map(looks_back, causal, 2 * ones, ones, ones), [[[[2, 0], [0.5, 1.5]]]]
    )
    print("The example is right.")
