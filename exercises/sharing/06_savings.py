# %% [markdown]
# ## What copying saves
#
# ★★☆☆☆ · about 25 minutes · 3 points
# · arXiv 2409.14595, section 4, table 3
#
# The model that shares most in the paper does so in 77 % of its layers, and loses 7 %
# of its parameters. How do these go together? Count, for layers with grouped heads:
# `heads` query heads, but only `key_heads` heads of keys and as many of values, all of
# width `head_dim`.
#
# - A layer that copies has no query and no key matrix. Everything else stays.
# - To generate text a model remembers keys and values of all earlier tokens, the cache.
#   A layer that copies has no keys to remember. Its values it needs.
# - A layer's matrices take 2 operations for each of their numbers and token. A token
#   that looks at `time` keys takes 2 · time · heads · head_dim for the scores, and as
#   many again to mix the values. A layer that copies has neither the two matrices nor
#   the scores; it mixes.
#
# Write
#
# - `saved_parameters(copying, ...)`, what all copying layers together save;
# - `cached_numbers(layers, copying, ...)`, what is remembered for each token;
# - `speed_bound(layers, copying, ...)`: the operations of all layers for one token
#   before, over those after. No program that computes the same can be faster than that
#   by saving operations. Count the four matrices of the attention, the feed-forward,
#   the scores and the mixing; embedding and head are not among the layers.
#
# By hand: width 4, two heads of 2 and one key head, time 3, a feed-forward of 32
# parameters. Query and output have 16 parameters, key and value 8: a layer takes 2 ·
# (48 + 32) + 24 + 24 = 208 operations, and 2 · 24 + 24 = 72 less if it copies. Two
# layers, of which one copies: 416 / 344. It saves 24 parameters, and of 8 numbers in
# the cache 6 are left.
#
# Check it: `kit check savings`. Stuck: `kit hint savings`.

# %%
def saved_parameters(copying, width, heads, key_heads, head_dim):
    """Parameters that copying layers do not have.

    Args:
        copying: How many layers copy.
        width: Width of the stream.
        heads: Query heads.
        key_heads: Key heads, and value heads.
        head_dim: Width of a head.

    Returns:
        A whole number.
    """
    raise NotImplementedError("saved_parameters is not done yet")


def cached_numbers(layers, copying, key_heads, head_dim):
    """Numbers that generation has to remember for each token.

    Args:
        layers: How many layers there are.
        copying: How many of them copy.
        key_heads: Key heads, and value heads.
        head_dim: Width of a head.

    Returns:
        A whole number.
    """
    raise NotImplementedError("cached_numbers is not done yet")


def speed_bound(layers, copying, width, heads, key_heads, head_dim, feed_forward, time):
    """How many times fewer operations a token takes.

    Args:
        layers: How many layers there are.
        copying: How many of them copy.
        width: Width of the stream.
        heads: Query heads.
        key_heads: Key heads, and value heads.
        head_dim: Width of a head.
        feed_forward: Parameters of one feed-forward.
        time: Keys that the token looks at.

    Returns:
        A number from 1.
    """
    raise NotImplementedError("speed_bound is not done yet")


# %% The example
if __name__ == "__main__":
    assert saved_parameters(1, 4, 2, 1, 2) == 24
    assert cached_numbers(2, 1, 1, 2) == 6
    bound = speed_bound(2, 1, 4, 2, 1, 2, feed_forward=32, time=3)
    assert abs(bound - 416 / 344) < 1e-9
    print("The example is right.")
