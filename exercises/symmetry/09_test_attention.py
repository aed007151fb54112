# %% [markdown]
# ## Write the test
#
# ★★★★☆ · about 30 minutes · 4 points
# · arXiv 2402.05969, section 1, the equivariance argument
#
# Attention that is wrong still trains. It gives numbers of the right shape, the loss
# goes down, and the paper's claim seems to fail. Only a test can tell; and a test is as
# good as the mistakes that it finds.
#
# Write `is_right(attention)`. It gets a function `attention(query, key, value)` that
# claims to be causal scaled dot-product attention, of float32 arrays
# `(batch, time, head_dim)`, and returns whether you believe it. Call it as often as you
# like, with whatever arrays you like.
#
# Thirteen functions will be shown to you, in random order. Some are right, each written
# in its own way, so they differ by rounding, about one part in a million. The others
# have one mistake each. Calling a right one wrong loses all points; for the wrong ones
# you get points in proportion to those you find.
#
# A function that returns zeros, for instance, is wrong.
#
# Check it: `kit check test_attention`. Stuck: `kit hint test_attention`.

# %%
import numpy as np


def is_right(attention):
    """Whether a function is causal scaled dot-product attention.

    Args:
        attention: Function of query, key and value, each float32
            (batch, time, head_dim), that returns an array of the same shape.

    Returns:
        True or False.
    """
    raise NotImplementedError("is_right is not done yet")


# %% The example
if __name__ == "__main__":
    assert not is_right(lambda query, key, value: np.zeros_like(value))
    print("The example is right.")
