# %% [markdown]
# ## Write the test
#
# ★★★★☆ · about 30 minutes · 4 points
# · arXiv 2502.19002, section 5, block-wise learning rates
#
# An optimizer that ignores your ratios trains just fine. So does one that multiplies
# gradients, or clips each block for itself: the loss goes down, the curve looks like
# the baseline's, and the paper "does not reproduce". Nothing but a test can tell.
#
# Write `is_right(train)`. It gets a function `train(weights, gradients, ratios)` that
# claims to be block-wise Adam, as in the exercise before, without weight decay: a rate
# of 0.1 times the ratio of the block, β₁ = 0.9, β₂ = 0.999, ε = 1e-7, and *one* norm of
# all gradients, which is clipped at 1. It takes a step for each of the gradients, which
# do not depend on the weights, and returns the last weights. Return whether you believe
# it. Call it as often as you like, with whatever arrays you like.
#
# Fourteen functions will be shown to you, in random order. Some are right, each in its
# own way, and differ by rounding, about one part in a million. The others have one
# mistake each. Calling a right one wrong loses all points; for the wrong ones you get
# points in proportion to those you find. Adam forgives a lot: choose arrays with which
# a mistake *can* be seen.
#
# A function that returns its weights unchanged, for instance, is wrong.
#
# Check it: `kit check test_blockwise`. Stuck: `kit hint test_blockwise`.

# %%
import numpy as np


def is_right(train):
    """Whether a function is block-wise Adam with one norm for clipping.

    Args:
        train: Function of weights, float32 (blocks, n), gradients, float32
            (steps, blocks, n), and ratios, float32 (blocks,), that returns the last
            weights, float32 (blocks, n).

    Returns:
        True or False.
    """
    raise NotImplementedError("is_right is not done yet")


# %% The example
if __name__ == "__main__":
    assert not is_right(lambda weights, gradients, ratios: weights)
    print("The example is right.")
