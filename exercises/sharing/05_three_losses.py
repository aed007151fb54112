# %% [markdown]
# ## Three losses, one mask
#
# ★★★☆☆ · about 30 minutes · 4 points
# · arXiv 2409.14595, section 3, distillation
#
# A model whose layers have lost their maps says nonsense. It is taught by the model
# that it was made from, and learns three things at once, 0.25 L_I + 0.25 L_S + 0.5 L_H:
#
#     L_I   mean squared difference of the streams after each group of layers
#     L_S   KL(S || T) = sum over tokens v of  S_v (log S_v - log T_v)
#     L_H   -log S_w,  where w is the token that the teacher finds likeliest
#
# S and T are the distributions of student and teacher, the softmax of their logits, in
# nats. Mind the direction of L_S, the student comes first; and mind that L_H asks the
# teacher, not the text.
#
# Not every token is worth learning: padding is not, nor is the question if only the
# answer matters. `kept` says which tokens count, and **all three** are means over
# these, each token weighing the same, whichever sequence it is in. L_I is also a mean
# over the width and over the groups. (The paper writes a sum of squares, which is as
# many times larger as the model is wide. Where streams are large, even the mean can be
# more than the other two together.)
#
# Write `hidden_loss`, `soft_loss` and `hard_loss`. Logits may be in the hundreds, which
# is no reason for NaN.
#
# By hand: S = (½, ½) and T = (0.8, 0.2) have KL(S || T) = ½ ln 0.625 + ½ ln 2.5 =
# 0.2231, and L_H = ln 2 = 0.6931. If one group's stream is 3 instead of 1 everywhere,
# and another one's as it should be, L_I = (4 + 0) / 2.
#
# Check it: `kit check three_losses`. Stuck: `kit hint three_losses`.

# %%
from keras import ops


def hidden_loss(student, teacher, kept):
    """L_I, mean squared difference of the streams.

    Args:
        student: float32 (groups, batch, time, width).
        teacher: float32 (groups, batch, time, width).
        kept: bool (batch, time), true for tokens that count; not false everywhere.

    Returns:
        A number.
    """
    raise NotImplementedError("hidden_loss is not done yet")


def soft_loss(student, teacher, kept):
    """L_S, divergence of the student from the teacher, in nats.

    Args:
        student: float32 (batch, time, tokens), logits.
        teacher: float32 (batch, time, tokens), logits.
        kept: bool (batch, time), true for tokens that count; not false everywhere.

    Returns:
        A number.
    """
    raise NotImplementedError("soft_loss is not done yet")


def hard_loss(student, teacher, kept):
    """L_H, cross-entropy with the teacher's likeliest token, in nats.

    Args:
        student: float32 (batch, time, tokens), logits.
        teacher: float32 (batch, time, tokens), logits.
        kept: bool (batch, time), true for tokens that count; not false everywhere.

    Returns:
        A number.
    """
    raise NotImplementedError("hard_loss is not done yet")


# %% The example
if __name__ == "__main__":
    import numpy as np

    even = np.log(np.array([[[0.5, 0.5], [0.9, 0.1]]], "float32"))  # two tokens
    biased = np.log(np.array([[[0.8, 0.2], [0.1, 0.9]]], "float32"))
    first = np.array([[True, False]])  # of which the first counts
    np.testing.assert_allclose(soft_loss(even, biased, first), 0.2231, atol=1e-4)
    np.testing.assert_allclose(hard_loss(even, biased, first), 0.6931, atol=1e-4)
    ones = np.ones((2, 1, 2, 5), "float32")
    off = np.array([3.0, 1.0], "float32").reshape(2, 1, 1, 1) * ones
    np.testing.assert_allclose(hidden_loss(off, ones, first), 2.0)
    print("The example is right.")
