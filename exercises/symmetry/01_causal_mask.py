# %% [markdown]
# ## The causal mask
#
# ★☆☆☆☆ · about 5 minutes · 1 point
# · arXiv 2402.05969, section 1
#
# A language model must not look at what it is asked to predict. The causal mask is
# the table that says so, and in a model without positional encoding it is the only
# thing that can tell the model about order.
#
# Write `causal_mask(time)`. It returns truth values of shape `(time, time)`: row `i`,
# column `j` is true where position `i` may look at position `j`, that is at itself and
# at everything before it.
#
# With `time = 3`, row 0 sees one position, row 1 two, row 2 all three.
#
# Out of scope: batches, heads, and what happens to the scores that are hidden.
#
# Check it: `kit check causal_mask`. Stuck: `kit hint causal_mask`.

# %%
from keras import ops


def causal_mask(time):
    """Which position may look at which.

    Args:
        time: Number of positions, at least 1.

    Returns:
        bool (time, time): row i, column j is true where i may look at j.
    """
    raise NotImplementedError("causal_mask is not done yet")


# %% The example
if __name__ == "__main__":
    import numpy as np

    np.testing.assert_array_equal(
        causal_mask(3),
        [[True, False, False], [True, True, False], [True, True, True]],
    )
    print("The example is right.")
