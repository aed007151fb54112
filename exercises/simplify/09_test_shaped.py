# %% [markdown]
# ## Write the test: shaped
#
# ★★★★☆ · about 30 minutes · 4 points
# · arXiv 2311.01906, equation 5
#
# Shaped attention has a test that everybody writes first: with a zero query and the
# gains at 1, values come out as they went in. Right blocks pass it. So does a block
# that returns its values and does nothing else, and so do many mistakes that only show
# once training has moved the gains.
#
# Write `is_right(attend)`. It gets a function
# `attend(query, key, values, alpha, beta, gamma)` that claims to compute, in each head,
#
#     (alpha I + beta A - gamma C) values
#
# with A the causal softmax of scaled dot products, and C the causal centring matrix.
# Return whether you believe it. Call it as often as you like, with whatever arrays you
# like: float32, (batch, heads, time, head_dim) the first three, (heads,) the gains.
#
# Fourteen functions will be shown to you, in random order. Some are right, each written
# in its own way, so they differ by rounding, about one part in a million. The others
# have one mistake each. Calling a right one wrong loses all points; for the wrong ones
# you get points in proportion to those you find.
#
# A function that returns zeros, for instance, is wrong.
#
# Check it: `kit check test_shaped`. Stuck: `kit hint test_shaped`.

# %%
import numpy as np


def is_right(attend):
    """Whether a function is causal shaped attention.

    Args:
        attend: Function of query, key and values, each float32 (batch, heads, time,
            head_dim), and of alpha, beta and gamma, each float32 (heads,), that
            returns an array of the shape of the values.

    Returns:
        True or False.
    """
    raise NotImplementedError("is_right is not done yet")


# %% The example
if __name__ == "__main__":
    assert not is_right(lambda query, key, values, *gains: np.zeros_like(values))
    print("The example is right.")
