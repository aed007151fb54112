# %% [markdown]
# ## Addition as a language
#
# ★★★☆☆ · about 20 minutes · 3 points
# · arXiv 2402.05969, section 2, the addition task
#
# The paper trains on sums because the place of a digit decides what it is worth: who
# does not know the order cannot add. A sum becomes a sequence of tokens: the digits are
# the tokens 0 to 9, plus is 10, equals is 11. Operands have `digits` digits, filled up
# with zeros on the left; the answer has `digits + 1` and is written **lowest digit
# first**, the order in which one computes it, carry by carry.
#
#     7 + 15, digits = 2      0 7 + 1 5 = 2 2 0
#
# In training, position t sees the tokens up to t and has to predict token t + 1.
# So the inputs are all tokens but the last, the targets all but the first; and since
# operands are random, targets that belong to the prompt (up to and including the equals
# sign) are `-1`.
#
# Write `addition_batch(a, b, digits)`, which returns the two arrays `(inputs,
# targets)`. For 7 + 15 they are
#
#     inputs     0  7 10  1  5 11  2  2
#     targets   -1 -1 -1 -1 -1  2  2  0
#
# Out of scope: which sums are held out for validation.
#
# Check it: `kit check addition_batch`. Stuck: `kit hint addition_batch`.

# %%
import numpy as np

PLUS, EQUALS = 10, 11


def addition_batch(a, b, digits):
    """Sums as tokens, and what is to be predicted.

    Args:
        a: int32 (batch,), from 0 to 10**digits - 1.
        b: int32 (batch,), the same.
        digits: Digits of an operand.

    Returns:
        inputs: int32 (batch, 3 * digits + 2).
        targets: int32 (batch, 3 * digits + 2), -1 on the prompt.
    """
    raise NotImplementedError("addition_batch is not done yet")


# %% The example
if __name__ == "__main__":
    inputs, targets = addition_batch(np.array([7]), np.array([15]), digits=2)
    np.testing.assert_array_equal(inputs, [[0, 7, 10, 1, 5, 11, 2, 2]])
    np.testing.assert_array_equal(targets, [[-1, -1, -1, -1, -1, 2, 2, 0]])
    print("The example is right.")
