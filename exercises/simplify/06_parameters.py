# %% [markdown]
# ## Where the weights have gone
#
# ★★☆☆☆ · about 15 minutes · 2 points
# · arXiv 2311.01906, claim C5, model sizes
#
# The paper's models have 13 % fewer parameters: 146 million instead of 167, with 18
# blocks of width 768, 50,000 tokens and 1024 positions. No GPU is needed to check that.
#
# Count all **matrices** (gains, norms and biases are small change, and not counted):
#
# - the embedding, one row per token; a head with as many numbers again, unless it is
#   **tied**, that is the embedding itself;
# - a table of positions, one row each, if the model learns positions;
# - in each block the feed-forward, from the width to `feed_forward_dim` and back;
# - in each block the attention, whose matrices are all width x width. `"pre-ln"` and
#   `"parallel"` have four: query, key, value, projection. `"sas"` and `"sas-p"` have no
#   value and no projection, with one exception: **the first block keeps its value
#   matrix**, the only one that helps, and a little.
#
# Write `num_parameters(...)`, which returns a whole number.
#
# By hand: one `"pre-ln"` block of width 2 with a feed-forward of 3 has 4 · 4 + 2 · 6 =
# 28, and with 5 tokens, tied, 38. As `"sas"` it has 2 · 4 + 4 + 2 · 6 + 10 = 34.
#
# Out of scope: grouped queries, gated feed-forwards.
#
# Check it: `kit check parameters`. Stuck: `kit hint parameters`.

# %%
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    """Weights in all matrices of a language model.

    Args:
        block: "pre-ln", "parallel", "sas" or "sas-p".
        num_blocks: Number of blocks, from 1.
        width: Width of the stream.
        feed_forward_dim: Hidden neurons of each feed-forward.
        vocabulary_size: Number of tokens.
        positions: Rows of the table of positions; 0 if there is none.
        tied: Whether the head is the embedding.

    Returns:
        A whole number.
    """
    raise NotImplementedError("num_parameters is not done yet")


# %% The example
if __name__ == "__main__":
    assert num_parameters("pre-ln", 1, 2, 3, 5, positions=0, tied=True) == 38
    assert num_parameters("sas", 1, 2, 3, 5, positions=0, tied=True) == 34
    print("The example is right.")
