# %% [markdown]
# ## Which way round?
#
# ★★★☆☆ · about 25 minutes · 3 points
# · arXiv 2409.14595, section 3, the soft loss
#
# Most distillation minimises KL(T || S), *forward*: the teacher comes first. EchoAtt
# takes KL(S || T), *reverse*. If the student can do all that the teacher can, both end
# at the same place. If it cannot, they end at different ones, and the gradients say
# why.
#
# With probabilities S = softmax(s) and T = softmax(t), and the gradients with respect
# to the student's logits s, which you get by hand on half a page:
#
#     forward   ∂ KL(T || S) / ∂ s_v  =  S_v - T_v
#     reverse   ∂ KL(S || T) / ∂ s_v  =  S_v (log S_v - log T_v - KL(S || T))
#
# In the second one everything is multiplied by S_v: what the student thinks impossible
# it is never told about. What it says, though the teacher would not, costs dearly.
#
# Write `divergence(p, q)`, KL(P || Q) in nats from logits, and `forward_gradient` and
# `reverse_gradient`. Logits may be in the hundreds, which is no reason for NaN.
#
# By hand: S = (½, ½) and T = (0.8, 0.2). KL(S || T) = 0.2231 and KL(T || S) = 0.1927.
# The forward gradient is (-0.3, 0.3), the reverse one ½ (ln 0.625 - 0.2231) = -0.3466
# and 0.3466.
#
# Check it: `kit check which_way_round`. Stuck: `kit hint which_way_round`.

# %%
import numpy as np


def divergence(p, q):
    """KL(P || Q) in nats.

    Args:
        p: float32 (..., tokens), logits.
        q: float32 (..., tokens), logits.

    Returns:
        float32 (...).
    """
    raise NotImplementedError("divergence is not done yet")


def forward_gradient(student, teacher):
    """Gradient of KL(T || S) with respect to the student's logits.

    Args:
        student: float32 (..., tokens), logits.
        teacher: float32 (..., tokens), logits.

    Returns:
        float32 (..., tokens).
    """
    raise NotImplementedError("forward_gradient is not done yet")


def reverse_gradient(student, teacher):
    """Gradient of KL(S || T) with respect to the student's logits.

    Args:
        student: float32 (..., tokens), logits.
        teacher: float32 (..., tokens), logits.

    Returns:
        float32 (..., tokens).
    """
    raise NotImplementedError("reverse_gradient is not done yet")


# %% The example
if __name__ == "__main__":
    s, t = np.log(np.array([[0.5, 0.5], [0.8, 0.2]], "float32"))
    np.testing.assert_allclose(divergence(s, t), 0.2231, atol=1e-4)
    np.testing.assert_allclose(divergence(t, s), 0.1927, atol=1e-4)
    np.testing.assert_allclose(forward_gradient(s, t), [-0.3, 0.3], atol=1e-4)
    np.testing.assert_allclose(reverse_gradient(s, t), [-0.3466, 0.3466], atol=1e-4)
    print("The example is right.")
