# %% [markdown]
# ## Attention that only mixes
#
# ★★★☆☆ · about 20 minutes · 3 points
# · arXiv 2311.01906, section 4.2, equations 12 and 13
#
# Half of an attention layer's weights are its value and projection matrices, before and
# after the mixing. The paper finds that, without a skip, training does best when both
# are the identity. Then they need not be there at all: no weights, no products. What is
# mixed are the features as they come in. For head h, with Y_h its columns of the input,
#
#     Q = Y W_Q,  K = Y W_K                               all features of Y
#     A_h = softmax(Q_h K_hᵀ / √head_dim), causal
#     output_h = (alpha_h I + beta_h A_h - gamma_h C) Y_h
#
# and the heads' outputs stand side by side again.
#
# Write `shaped_attention(x, query_kernel, key_kernel, alpha, beta, gamma)` for a causal
# mask; there are as many heads as entries in `alpha`. Copy from your earlier answers
# what you need: heads are cut as there, and C Y is a prefix mean.
#
# If the query kernel is zero, so are all scores, and A = C. For two positions with the
# single features 2 and 4 and the gains 1, 1, 0, the output is 2 + 2 and 4 + 3.
#
# Out of scope: the norm in front, and any skip around this.
#
# Check it: `kit check identity_values`. Stuck: `kit hint identity_values`.

# %%
from keras import ops


def shaped_attention(x, query_kernel, key_kernel, alpha, beta, gamma):
    """Causal shaped attention without values and projection.

    Args:
        x: float32 (batch, time, width), normalised.
        query_kernel: float32 (width, width), W_Q of all heads side by side.
        key_kernel: float32 (width, width), W_K of all heads side by side.
        alpha: float32 (heads,), gains of the identity.
        beta: float32 (heads,), gains of the attention map.
        gamma: float32 (heads,), gains of the centring matrix.

    Returns:
        float32 (batch, time, width).
    """
    raise NotImplementedError("shaped_attention is not done yet")


# %% The example
if __name__ == "__main__":
    import numpy as np

    x = np.array([[[2.0], [4.0]]], "float32")  # 1 batch, 2 positions, width 1
    zero, one = np.zeros((1, 1), "float32"), np.ones(1, "float32")
    mixed = shaped_attention(x, zero, np.ones_like(zero), one, one, 0 * one)
    np.testing.assert_allclose(mixed, [[[4], [7]]], rtol=1e-6)
    unchanged = shaped_attention(x, zero, np.ones_like(zero), one, one, one)
    np.testing.assert_allclose(unchanged, x, rtol=1e-6)
    print("The example is right.")
