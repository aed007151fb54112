# %% [markdown]
# ## The ceiling without order
#
# ★★★★☆ · about 30 minutes · 4 points
# · arXiv 2402.05969, section 1, claim C2
#
# A model that is blind to order reads the prompt `12+34=` as a bag of tokens: the
# digits 1, 2, 3, 4 and nothing about who stands where. The same bag may be 13+24 or
# 41+23. The best that such a model can do is to know, for each bag, which sum is the
# most frequent one, and to answer that. How often is it then right?
#
# This number is a ceiling without any parameters. Whoever beats it has found a leak,
# and the study of this paper tests every trained model against it.
#
# Write `ceiling(digits, base)`: the ceiling for all pairs of operands from 0 to
# `base**digits - 1`, written with exactly `digits` digits in that base (zeros are
# filled up), all pairs equally likely. Return the share of pairs answered right, and
# the number of different bags.
#
# With one digit there is nothing to mix up: `ceiling(1, 10)` is `(1.0, 55)`. With three
# digits in base ten it is 5.32 % and 5005 bags.
#
# Out of scope: digit by digit ceilings, and the answer's own tokens.
#
# Check it: `kit check ceiling`. Stuck: `kit hint ceiling`.

# %%
def ceiling(digits, base):
    """Best exact-match accuracy of a predictor that sees only the bag of digits.

    Args:
        digits: Digits of each operand, from 1.
        base: Number of different digits, from 2.

    Returns:
        The share of all pairs that the best rule answers right, from 0 to 1.
        The number of different bags.
    """
    raise NotImplementedError("ceiling is not done yet")


# %% The example
if __name__ == "__main__":
    share, bags = ceiling(1, 10)
    assert abs(share - 1.0) < 1e-6
    assert bags == 55
    print("The example is right.")
