# %% [markdown]
# ## Write the test
#
# ★★★★☆ · about 30 minutes · 4 points
# · arXiv 2501.17771, official code, first stage
#
# A pruned model is worse than the whole one. That is expected, and so nobody notices
# when it is worse than it need be: when the wrong neurons went, or the right ones were
# taken out of one matrix and their neighbours out of the other.
#
# Write `is_right(prune)`. It gets a function of text, of the arrays of a layer, and of
# how many neurons should stay, that claims to be the first stage of 2SSP for a
# feed-forward with ReLU,
#
#     h = max(0, x · up + bias)        y = h · down
#
# It should return three smaller arrays, `up`, `bias` and `down` with the `count`
# neurons of the highest scores on x: the Euclidean norm of h over the tokens of a
# sequence, then the mean over the sequences. Return whether you believe it. Call it as
# often as you like, with whatever arrays you like.
#
# Fourteen functions will be shown to you, in random order. Some are right, each in its
# own way: they differ by rounding, and *in the order of the neurons*, which changes
# nothing that the layer says. The others have one mistake each. Calling a right one
# wrong loses all points; for the wrong ones you get points in proportion to those you
# find. Many mistakes choose the same neurons on tame data: make yours wild.
#
# A function that returns the arrays as they were, for instance, is wrong.
#
# Check it: `kit check test_pruning`. Stuck: `kit hint test_pruning`.

# %%
import numpy as np


def is_right(prune):
    """Whether a function keeps the right neurons, and all of each.

    Args:
        prune: Function of x, float32 (sequences, time, width), up, float32 (width,
            neurons), bias, float32 (neurons,), down, float32 (neurons, outputs), and
            count, from 1, that returns smaller up, bias and down.

    Returns:
        True or False.
    """
    raise NotImplementedError("is_right is not done yet")


# %% The example
if __name__ == "__main__":
    assert not is_right(lambda x, up, bias, down, count: (up, bias, down))
    print("The example is right.")
