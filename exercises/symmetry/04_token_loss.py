# %% [markdown]
# ## The loss of tokens that count
#
# ★★☆☆☆ · about 15 minutes · 2 points
# · arXiv 2402.05969, section 2, the addition task
#
# In `12+34=64` only the answer can be learned; the operands are random. Targets that do
# not count are therefore marked with `-1`, and the loss is the mean over the others.
#
# This is a place where training code goes wrong without a sound: dividing by *all*
# tokens gives a loss that is smaller, looks better and changes with the length of the
# prompt. Keras does exactly that with a `sample_weight` of zeros and ones.
#
# Write `token_loss(logits, targets)`: the cross-entropy in nats, `-log p[target]` with
# `p = softmax(logits)`, averaged over all tokens of the batch whose target is not `-1`.
# At least one counts. Targets are already shifted: `targets[b, t]` is what should be
# predicted at position `t`. Logits may be as large as several hundred.
#
# With two equal logits and one token that counts, the loss is log 2 = 0.693, however
# many other tokens there are.
#
# Check it: `kit check token_loss`. Stuck: `kit hint token_loss`.

# %%
from keras import ops


def token_loss(logits, targets):
    """Mean cross-entropy of the tokens that count.

    Args:
        logits: float32 (batch, time, vocabulary).
        targets: int32 (batch, time), -1 where a token does not count.

    Returns:
        float32, nats per token.
    """
    raise NotImplementedError("token_loss is not done yet")


# %% The example
if __name__ == "__main__":
    import numpy as np

    logits = np.zeros((1, 3, 2), "float32")
    np.testing.assert_allclose(
        token_loss(logits, np.array([[-1, -1, 0]], "int32")), np.log(2), rtol=1e-5
    )
    print("The example is right.")
