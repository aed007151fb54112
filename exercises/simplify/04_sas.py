# %% [markdown]
# ## A block with one skip left
#
# ★★☆☆☆ · about 15 minutes · 2 points
# · arXiv 2311.01906, section 4.2, figure 10
#
# A usual (Pre-LN) block has two branches, and a skip around each:
#
#     x = x + attend(norm_1(x))
#     x = x + feed_forward(norm_2(x))
#
# The simplified block of the paper, SAS, has **no skip around the attention**. What the
# second half gets is the attention's output alone, times a gain, `beta_sa`. Around the
# feed-forward the skip stays; its strength is `alpha_ff`, and `beta_ff` is that of its
# branch. There are two norms, at the same places as above.
#
# The first norm now stands on the main road: when training starts, the attention is the
# identity, and the skip that is left carries the norm of x. No x itself comes through.
#
# Write `sas_block(...)`. Norms, attention and feed-forward are given as functions. (In
# the kit's `BlockConfig` the three gains are called `attention_gain`,
# `feed_forward_skip` and `feed_forward_gain`.)
#
# By hand, with a norm_1 that doubles, an attention that adds 1, a norm_2 that takes a
# tenth, a feed-forward that squares, and the gains 1, 1 and 4: from 2 the attention
# makes 5, and the output is 5 + 4 · 0.5² = 6.
#
# Out of scope: what the functions do inside, and the value matrix of the first block.
#
# Check it: `kit check sas`. Stuck: `kit hint sas`.

# %%
def sas_block(x, norm_1, attend, norm_2, feed_forward, beta_sa, alpha_ff, beta_ff):
    """A simplified block: attention without a skip, then feed-forward with one.

    Args:
        x: float32 (batch, time, width), a tensor of keras.ops.
        norm_1: Norm of the attention, a function that keeps the shape.
        attend: Shaped attention, a function that keeps the shape.
        norm_2: Norm of the feed-forward, a function that keeps the shape.
        feed_forward: Function that keeps the shape.
        beta_sa: Number, gain of the attention.
        alpha_ff: Number, gain of the skip around the feed-forward.
        beta_ff: Number, gain of the feed-forward.

    Returns:
        float32 (batch, time, width).
    """
    raise NotImplementedError("sas_block is not done yet")


# %% The example
if __name__ == "__main__":
    import numpy as np

    result = sas_block(
        np.array([[[2.0]]], "float32"),
        norm_1=lambda x: 2 * x,
        attend=lambda x: x + 1,
        norm_2=lambda x: x / 10,
        feed_forward=lambda x: x**2,
        beta_sa=1.0,
        alpha_ff=1.0,
        beta_ff=4.0,
    )
    np.testing.assert_allclose(result, [[[6.0]]], rtol=1e-6)
    print("The example is right.")
