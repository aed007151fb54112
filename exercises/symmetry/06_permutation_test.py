# %% [markdown]
# ## Does it know the order?
#
# ★★★☆☆ · about 20 minutes · 3 points
# · arXiv 2402.05969, section 1, claim C1
#
# The theorem of the paper: without positions and with a full mask, what a Transformer
# predicts at the last position does not change when the tokens *before* it trade
# places. You do not have to believe it, because you can measure it on any model.
#
# Write `largest_change(model, tokens)`. Try every order of all tokens but the last,
# which stays where it is, and return the largest absolute change, over all orders and
# all outputs, of what the model returns at the **last position**. Zero (up to rounding)
# means: blind to order.
#
# A model that repeats its first token everywhere shows how it works: for the tokens
# 1, 5, 2, 9 the last position gives 1; the orders of 1, 5, 2 make it 1, 5 or 2; the
# largest change is 4.
#
# There are at most 7 tokens, so trying everything is cheap.
# Out of scope: long sequences, for which one would draw orders at random.
#
# Check it: `kit check permutation_test`. Stuck: `kit hint permutation_test`.

# %%
import numpy as np


def largest_change(model, tokens):
    """Largest change of the last position's output when earlier tokens trade places.

    Args:
        model: Function from int32 (batch, time) to float32 (batch, time, outputs).
        tokens: int32 (time,), from 2 to 7 tokens.

    Returns:
        A number, at least 0.
    """
    raise NotImplementedError("largest_change is not done yet")


# %% The example
if __name__ == "__main__":
    tokens = np.array([1, 5, 2, 9])
    repeats_first = lambda batch: np.repeat(batch[:, :1, None], 4, axis=1)
    repeats_sum = lambda batch: np.repeat(batch.sum(axis=1)[:, None, None], 4, axis=1)
    assert largest_change(repeats_first, tokens) == 4
    assert largest_change(repeats_sum, tokens) == 0
    print("The example is right.")
