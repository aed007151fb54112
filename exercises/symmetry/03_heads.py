# %% [markdown]
# ## Split into heads, and merge
#
# ★★☆☆☆ · about 10 minutes · 2 points
# · arXiv 2402.05969, section 1, the model
#
# Multi-head attention is attention several times at once. The width is cut into
# `num_heads` pieces of equal length: head 0 gets the first `head_dim` features, head 1
# the next ones, and so on. Heads then become an axis like the batch, so that the
# attention of the last exercise serves them all without a change.
#
# Write both directions:
#
# - `split_heads(x, num_heads)` from `(batch, time, width)` to
#   `(batch, num_heads, time, head_dim)`, with `width = num_heads * head_dim`;
# - `merge_heads(x)` from `(batch, num_heads, time, head_dim)` back to
#   `(batch, time, width)`.
#
# One after the other they change nothing. With one position and the features 1, 2, 3,
# 4, two heads get 1, 2 and 3, 4.
#
# Out of scope: the projection after merging.
#
# Check it: `kit check heads`. Stuck: `kit hint heads`.

# %%
from keras import ops


def split_heads(x, num_heads):
    """Cut the features into heads.

    Args:
        x: float32 (batch, time, width).
        num_heads: A divisor of the width.

    Returns:
        float32 (batch, num_heads, time, head_dim).
    """
    raise NotImplementedError("split_heads is not done yet")


def merge_heads(x):
    """Put the heads' features side by side again.

    Args:
        x: float32 (batch, num_heads, time, head_dim).

    Returns:
        float32 (batch, time, num_heads * head_dim).
    """
    raise NotImplementedError("merge_heads is not done yet")


# %% The example
if __name__ == "__main__":
    import numpy as np

    features = np.array([[[1.0, 2.0, 3.0, 4.0]]], "float32")  # batch 1, time 1, width 4
    heads = split_heads(features, 2)
    np.testing.assert_array_equal(heads, [[[[1.0, 2.0]], [[3.0, 4.0]]]])
    np.testing.assert_array_equal(merge_heads(heads), features)
    print("The example is right.")
