# %% [markdown]
# ## Scaled dot-product attention
#
# ★★☆☆☆ · about 15 minutes · 2 points
# · arXiv 2402.05969, section 1, the equivariance argument
#
# The equation that the whole paper argues about: with queries Q, keys K, values V and
# heads of width d,
#
#     attention(Q, K, V) = softmax(Q Kᵀ / √d, hidden where the mask is false) V
#
# Each row of the softmax is a set of weights that add up to one. What the mask hides
# gets weight zero, and the rest still adds up to one.
#
# Write `attention(query, key, value, mask)`. There may be any number of leading axes
# (batch, heads), and keys need not be as many as queries. Every row of the mask allows
# at least one key. Scores may be large: hundreds are no reason for NaN.
#
# If query and key are all zero, every allowed key has the same weight, so the result is
# the mean of the allowed values: with values 2 and 4 and a causal mask, 2 and 3.
#
# Out of scope: heads (next exercise), dropout, and the projections that make Q, K, V.
#
# Check it: `kit check attention`. Stuck: `kit hint attention`.

# %%
from keras import ops


def attention(query, key, value, mask):
    """Mix the values of the allowed keys, each by how well its key fits the query.

    Args:
        query: float32 (..., queries, head_dim).
        key: float32 (..., keys, head_dim).
        value: float32 (..., keys, head_dim).
        mask: bool (queries, keys), true where a query may look at a key.

    Returns:
        float32 (..., queries, head_dim).
    """
    raise NotImplementedError("attention is not done yet")


# %% The example
if __name__ == "__main__":
    import numpy as np

    nothing = np.zeros((2, 1), "float32")
    causal = np.array([[True, False], [True, True]])
    values = np.array([[2.0], [4.0]], "float32")
    result = attention(nothing, nothing, values, causal)
    np.testing.assert_allclose(result, [[2.0], [3.0]])
    print("The example is right.")
