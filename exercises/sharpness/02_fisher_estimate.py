# %% [markdown]
# ## Sharpness from one gradient
#
# ★★★☆☆ · about 25 minutes · 3 points
# · arXiv 2502.19002, section 3, the Fisher estimate of sharpness
#
# The sharpness of a block b is its mean curvature, the trace of its part of the Hessian
# over the number of its parameters. Near a fitted model the Hessian is the Fisher
# matrix, and its trace comes almost for free:
#
#     S(b) = N · ‖ gradient of the mean loss with respect to b ‖² / parameters of b
#
# where N is the number of tokens that the loss is the mean over, and b is *all*
# variables of one type, in all layers. One thing is odd about it: the loss is not that
# of the data. Each target is **drawn from the model's own softmax**. Then gradients of
# different tokens are uncorrelated with mean zero, squares of sums are on average sums
# of squares, and the estimate is right on average. With the true targets it is too
# large wherever the model is wrong in a systematic way.
#
# Write
#
# - `drawn_targets(logits, uniforms)`: with a uniform number u for each token, the first
#   class whose probability, *added to those of all classes before it*, is above u;
# - `block_sharpness(gradients, groups, targets)`: S of each group. Targets of -1 are
#   not counted, and the loss is the mean over the others.
#
# By hand: probabilities of 1/4, 1/4 and 1/2 give class 1 for u = 0.3, and class 2 for
# 0.5. A group of two variables with gradients (1, 2) and 3 has, with four tokens,
# S = 4 · (1 + 4 + 9) / 3.
#
# Check it: `kit check fisher_estimate`. Stuck: `kit hint fisher_estimate`.

# %%
import numpy as np


def drawn_targets(logits, uniforms):
    """Targets drawn from a model's own softmax.

    Args:
        logits: float32 (tokens, vocabulary).
        uniforms: float32 (tokens,), from 0 up to 1.

    Returns:
        int32 (tokens,).
    """
    raise NotImplementedError("drawn_targets is not done yet")


def block_sharpness(gradients, groups, targets):
    """S of each group, from the gradient of one batch.

    Args:
        gradients: List of float32 arrays, each of the shape of its variable, of the
            mean loss over all tokens that count.
        groups: List of int, the group of each variable, from 0 without a gap.
        targets: int32 (batch, time), -1 where a token does not count.

    Returns:
        float32 (groups,).
    """
    raise NotImplementedError("block_sharpness is not done yet")


# %% The example
if __name__ == "__main__":
    logits = np.log(np.array([[1, 1, 2], [1, 1, 2]], "float32"))
    uniforms = np.array([0.3, 0.55], "float32")
    np.testing.assert_array_equal(drawn_targets(logits, uniforms), [1, 2])
    gradients = [np.array([1.0, 2.0], "float32"), np.array([3.0], "float32")]
    four = np.array([[5, 7, 5, -1, 1]])
    np.testing.assert_allclose(block_sharpness(gradients, [0, 0], four), [56 / 3])
    print("The example is right.")
