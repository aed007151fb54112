# %% [markdown]
# ## A warm-up for each block
#
# ★★★☆☆ · about 20 minutes · 2 points
# · arXiv 2502.19002, section 5, and the schedules of its code
#
# "Embeddings get ten times the learning rate": at which step? The rate rises in a
# warm-up and falls along a cosine, and the authors' code has two ways to put a ratio r
# into that. In both the peak of the block is r times the common one.
#
# - `"warmup"`: its warm-up is r times as long, too, so that all blocks rise *with the
#   same slope*, and the flat ones just go on rising.
# - `"peak"`: all blocks have the common warm-up.
#
# Then the rate falls from the block's own peak to the *common* minimum, `final` times
# the common peak, and stays there. With W for the length of the block's warm-up, and
# steps counted from 0, which already learns:
#
#     rate = r · peak · (step + 1) / W                      while step < W
#     rate = low + (r · peak - low) · (1 + cos(π s)) / 2    then,
#            s = (step - W) / (steps - W) from 0 to 1, and 1 after the last step
#
# where (step + 1) / W is not more than 1. Write `block_rate(...)`, and
# `ratio_at(...)`, the rate of the block over that of a block with ratio 1 at the same
# step. Think about what the second one is at the first step and at the last, before you
# compute it: how long are embeddings really ten times as fast?
#
# By hand: with peak 1, 100 steps, a warm-up of 10 and final 0.1, a block with ratio 4
# has the rates 0.1 at step 0, 1 at step 9, 4 at step 39 and 0.1 at step 100 if scaling
# is `"warmup"`; with `"peak"` it has 4 at step 9.
#
# Check it: `kit check block_warmup`. Stuck: `kit hint block_warmup`.

# %%
import numpy as np


def block_rate(step, ratio, peak, steps, warmup_steps, final, scaling):
    """Learning rate of a block at a step.

    Args:
        step: Whole number, from 0; may be larger than `steps`.
        ratio: Number from 1, of the block.
        peak: Highest rate of a block with ratio 1.
        steps: Steps in all, more than any warm-up.
        warmup_steps: Steps of the warm-up of a block with ratio 1, from 1.
        final: The common minimum as a share of `peak`.
        scaling: "warmup" or "peak".

    Returns:
        A number.
    """
    raise NotImplementedError("block_rate is not done yet")


def ratio_at(step, ratio, peak, steps, warmup_steps, final, scaling):
    """How many times as fast as a block with ratio 1 the block learns at a step.

    Args:
        step, ratio, peak, steps, warmup_steps, final, scaling: As for `block_rate`.

    Returns:
        A number.
    """
    raise NotImplementedError("ratio_at is not done yet")


# %% The example
if __name__ == "__main__":
    schedule = {"peak": 1.0, "steps": 100, "warmup_steps": 10, "final": 0.1}
    rates = [block_rate(step, 4.0, **schedule, scaling="warmup") for step in (0, 9, 39)]
    np.testing.assert_allclose(rates, [0.1, 1.0, 4.0])
    np.testing.assert_allclose(block_rate(9, 4.0, **schedule, scaling="peak"), 4.0)
    np.testing.assert_allclose(ratio_at(100, 4.0, **schedule, scaling="peak"), 1.0)
    print("The example is right.")
