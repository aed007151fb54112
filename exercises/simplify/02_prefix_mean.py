# %% [markdown]
# ## Centring without a matrix
#
# ★★☆☆☆ · about 15 minutes · 2 points
# · arXiv 2311.01906, equation 5
#
# A fast attention kernel never writes down the map A: it returns `A Y` for values Y,
# and a map of time x time numbers is what it saves. Shaped attention seems to need the
# map. It does not, because a product with a sum is a sum of products:
#
#     (alpha I + beta A - gamma C) Y = alpha Y + beta A Y - gamma C Y
#
# Here `A Y` comes from the kernel, and with a causal mask row i of `C Y` is the mean of
# the rows 0 to i of Y. That needs no matrix either.
#
# Write
#
# - `prefix_mean(values)`, the mean of each position and all before it, in a time that
#   grows like the number of positions: one check has 50,000 of them;
# - `shaped_values(mixed, values, alpha, beta, gamma)`, the formula above, where `mixed`
#   is `A Y` and each head has gains of its own.
#
# Three positions with the values 2, 4 and 9 have the prefix means 2, 3 and 5.
#
# Out of scope: other masks than the causal one.
#
# Check it: `kit check prefix_mean`. Stuck: `kit hint prefix_mean`.

# %%
from keras import ops


def prefix_mean(values):
    """Mean over each position and all before it.

    Args:
        values: float32 (..., time, head_dim).

    Returns:
        float32 (..., time, head_dim).
    """
    raise NotImplementedError("prefix_mean is not done yet")


def shaped_values(mixed, values, alpha, beta, gamma):
    """What shaped attention makes of values, from what plain attention makes of them.

    Args:
        mixed: float32 (batch, heads, time, head_dim), A times values.
        values: float32 (batch, heads, time, head_dim).
        alpha: float32 (heads,), gains of the values themselves.
        beta: float32 (heads,), gains of what is mixed.
        gamma: float32 (heads,), gains of the prefix mean.

    Returns:
        float32 (batch, heads, time, head_dim).
    """
    raise NotImplementedError("shaped_values is not done yet")


# %% The example
if __name__ == "__main__":
    import numpy as np

    values = np.array([[[[2.0], [4.0], [9.0]]]], "float32")  # 1 batch, 1 head, width 1
    np.testing.assert_allclose(prefix_mean(values), [[[[2], [3], [5]]]], rtol=1e-6)
    ones = np.ones(1, "float32")
    shaped = shaped_values(0 * values, values, 3 * ones, ones, ones)
    np.testing.assert_allclose(shaped, [[[[4], [9], [22]]]], rtol=1e-6)
    print("The example is right.")
