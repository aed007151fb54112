# %% [markdown]
# ## Do they fight?
#
# ★★☆☆☆ · about 20 minutes · 2 points
# · all five papers, what none of them asks
#
# Two changes of a model, and what each does to the loss alone. What will both do
# together? If they have nothing to do with each other: the sum of the two. What is left
# over is their *interaction*,
#
#     (both - neither) - [(first - neither) + (second - neither)].
#
# Losses are better when lower, so above zero the two fight: together they are worse
# than their sum. Below zero they help each other.
#
# A single number is an anecdote. Each kind of model was trained with several seeds, and
# runs of the same seed belong together: they start alike and read alike, so much of
# their luck is the same and cancels, if you let it. Write
# `interaction(neither, first, second, both)`, which gives the mean over seeds and the
# ends of its 95 % interval: the mean, plus and minus Student's t quantile for n - 1
# degrees of freedom, times the standard error.
#
# By hand: with two seeds whose interactions are 1 and 3, the mean is 2, the standard
# deviation √2 (divided by n - 1), the standard error √2 / √2 = 1 and the quantile
# 12.706. The interval goes from -10.706 to 14.706.
#
# Check it: `kit check interaction`. Stuck: `kit hint interaction`.

# %%
import numpy as np


def interaction(neither, first, second, both):
    """What two changes do to the loss beyond the sum of what each does alone.

    Args:
        neither: Losses without the two, float32 (seeds,).
        first, second: Losses with one of them, float32 (seeds,), in the same order.
        both: Losses with both, float32 (seeds,).

    Returns:
        Mean, low and high end of the 95 % interval: three numbers.
    """
    raise NotImplementedError("interaction is not done yet")


# %% The example
if __name__ == "__main__":
    mean, low, high = interaction(
        np.array([4.0, 5.0], "float32"),
        np.array([4.0, 5.0], "float32"),
        np.array([4.0, 5.0], "float32"),
        np.array([5.0, 8.0], "float32"),
    )
    assert np.allclose([mean, low, high], [2.0, -10.706, 14.706], atol=1e-3)
    print("The example is right.")
