# %% [markdown]
# ## A block without any skip
#
# ★★☆☆☆ · about 10 minutes · 2 points
# · arXiv 2311.01906, section 4.3, figure 11
#
# Without its last skip the SAS block trains badly, as long as its two halves come one
# after the other. Side by side they can do without: in a SAS-P block, attention and
# feed-forward both read the **same norm** of x, each has a gain, and the output is
# their sum. There is no skip at all.
#
# When training starts, the attention is the identity, and then it stands in for the
# skip around the feed-forward: SAS and SAS-P compute the same function, for a norm that
# changes nothing the second time. One check compares the two.
#
# Write `sas_p_block(...)`, with the gains `beta_sa` and `beta_ff` of the last exercise.
# The norm may be `None`: the paper also removes it.
#
# By hand, with a norm that doubles, an attention that adds 1, a feed-forward that
# squares, and the gains 3 and 10: from x = 0.5 come 3 · 2 and 10 · 1, together 16.
# Without the norm, 3 · 1.5 and 10 · 0.25 make 7.
#
# Out of scope: what the functions do inside, and the value matrix of the first block.
#
# Check it: `kit check sas_p`. Stuck: `kit hint sas_p`.

# %%
def sas_p_block(x, norm, attend, feed_forward, beta_sa, beta_ff):
    """A simplified block with attention and feed-forward side by side.

    Args:
        x: float32 (batch, time, width), a tensor of keras.ops.
        norm: Norm of both branches, a function that keeps the shape; or None.
        attend: Shaped attention, a function that keeps the shape.
        feed_forward: Function that keeps the shape.
        beta_sa: Number, gain of the attention.
        beta_ff: Number, gain of the feed-forward.

    Returns:
        float32 (batch, time, width).
    """
    raise NotImplementedError("sas_p_block is not done yet")


# %% The example
if __name__ == "__main__":
    import numpy as np

    half = np.array([[[0.5]]], "float32")
    parts = {"attend": lambda x: x + 1, "feed_forward": lambda x: x**2}
    result = sas_p_block(half, norm=lambda x: 2 * x, **parts, beta_sa=3.0, beta_ff=10.0)
    np.testing.assert_allclose(result, [[[16.0]]], rtol=1e-6)
    result = sas_p_block(half, norm=None, **parts, beta_sa=3.0, beta_ff=10.0)
    np.testing.assert_allclose(result, [[[7.0]]], rtol=1e-6)
    print("The example is right.")
