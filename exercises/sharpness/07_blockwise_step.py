# %% [markdown]
# ## A rate for each block
#
# ★★★☆☆ · about 25 minutes · 3 points
# · arXiv 2502.19002, section 5, block-wise learning rates
#
# The learning rate has to be multiplied where it is used, after Adam has divided by the
# size of the gradients. So write one step of AdamW in which each block has a rate of
# its own, η_b = ratio of b · η, with β₁ = 0.9, β₂ = 0.999, ε = 1e-7:
#
#     g ← g · min(1, clip / ‖g‖)                 ‖g‖ over all blocks together
#     w ← w - η_b λ w                            decay with the rate of the block
#     m ← β₁ m + (1 - β₁) g     v ← β₂ v + (1 - β₂) g²
#     w ← w - η_b · m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε)
#
# Three things are easily done in another way, and are then another experiment. Clipping
# knows nothing of blocks: there is *one* norm. The averages know nothing of ratios. And
# decay does: in PyTorch, where the paper was made, it is multiplied by the rate of the
# group.
#
# Write `blockwise_step(...)`, which returns the new weights and both averages. Each row
# of the arrays is a block.
#
# By hand: a single weight of 1 with gradient 2, averages of zero, t = 1, η = 0.1, ratio
# 4, no decay and a clip of 10 becomes 1 - 0.4 = 0.6, with averages of 0.2 and 0.004.
#
# Check it: `kit check blockwise_step`. Stuck: `kit hint blockwise_step`.

# %%
import numpy as np

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


def blockwise_step(
    weights, gradients, first, second, t, learning_rate, ratios, weight_decay, clip_norm
):
    """One step of AdamW with a learning rate for each block.

    Args:
        weights: float32 (blocks, n).
        gradients: float32 (blocks, n), not all zero.
        first, second: float32 (blocks, n), Adam's averages before the step.
        t: Number of the step, from 1.
        learning_rate: Number, the rate of ratio 1.
        ratios: float32 (blocks,).
        weight_decay: Number from 0, λ.
        clip_norm: Number above 0, the largest norm of all gradients together.

    Returns:
        Three float32 arrays (blocks, n): weights, first and second after the step.
    """
    raise NotImplementedError("blockwise_step is not done yet")


# %% The example
if __name__ == "__main__":
    one, zero = np.ones((1, 1), "float32"), np.zeros((1, 1), "float32")
    four = np.array([4.0], "float32")
    found = blockwise_step(one, 2 * one, zero, zero, 1, 0.1, four, 0.0, 10.0)
    np.testing.assert_allclose(found, [[[0.6]], [[0.2]], [[0.004]]], rtol=1e-5)
    print("The example is right.")
