# %% [markdown]
# ## How unsure is it?
#
# ★★☆☆☆ · about 15 minutes · 2 points
# · arXiv 2501.17771, official code, evaluation
#
# Before anything is cut off a model, agree on how the damage is measured. Papers on
# pruning report the perplexity,
#
#     exp( mean over predicted tokens of  -log p(token | tokens before it) )
#
# which is the number of equally likely tokens that would leave somebody as unsure. It
# comes with three choices, and whoever makes another one gets numbers that cannot be
# compared:
#
# - the logits at a position are about the **next** token: the first token of a
#   sequence is predicted by nothing, and the last logits predict nothing;
# - there is **one** mean over all predicted tokens, in which a long sequence weighs
#   more than a short one;
# - only the first `lengths[i]` tokens of sequence i are real. The rest is padding,
#   which is not predicted.
#
# Write `perplexity(logits, tokens, lengths)`. Logits of real models go into the
# hundreds, where `exp` of a float32 is infinite.
#
# By hand: logits of zero for a vocabulary of two make a perplexity of 2, whatever the
# tokens are.
#
# Check it: `kit check perplexity`. Stuck: `kit hint perplexity`.

# %%
import numpy as np


def perplexity(logits, tokens, lengths):
    """Perplexity of sequences, each token predicted by what is before it.

    Args:
        logits: float32 (sequences, time, vocabulary).
        tokens: int32 (sequences, time).
        lengths: int32 (sequences,), how many tokens of each are real, at least 2.

    Returns:
        A number from 1.
    """
    raise NotImplementedError("perplexity is not done yet")


# %% The example
if __name__ == "__main__":
    logits = np.zeros((1, 3, 2), "float32")
    tokens, lengths = np.array([[0, 1, 1]]), np.array([3])
    np.testing.assert_allclose(perplexity(logits, tokens, lengths), 2.0, rtol=1e-6)
    print("The example is right.")
