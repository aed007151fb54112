# %% [markdown]
# ## An ablation is an edit
#
# ★★☆☆☆ · about 15 minutes · 2 points
# · arXiv 2402.05969, claim C4, arms G and H
#
# The paper's question about skips (residual connections): without positions, learning
# is said to fail when several *consecutive* blocks lose their skips, while the same
# number of blocks *spread out* does less harm. To compare fairly, both models must be
# the same edit with other numbers.
#
# Here a model is data: it says how positions are encoded, and it has a list of blocks,
# numbered from 0. The base model has learned positions and all skips:
#
#     {"positions": "learned",
#      "blocks": [{"attention_skip": 1.0, "feed_forward_skip": 1.0}, ...]}
#
# A skip's gain is its strength: the block computes
# `attention_skip * x + attention(x)`, then the same with `feed_forward_skip` and the
# feed-forward part. At 0 the skip is gone and only the branch is left.
#
# Write `edits(first, count, step)`, which returns the **changes** as a dictionary: the
# positions become `"none"`, and `count` blocks lose both skips, the first of them
# number `first`, and each next one `step` further on. Under `"blocks"` is a dictionary
# from a block's number to the fields that change. Nothing else is mentioned.
#
#     edits(2, 1, 1)
#     {"positions": "none",
#      "blocks": {2: {"attention_skip": 0.0, "feed_forward_skip": 0.0}}}
#
# The judge builds the edited model and looks at what it computes. With the kit's own
# models, `"blocks"` is what `ModelConfig.with_blocks` takes.
#
# Check it: `kit check ablation`. Stuck: `kit hint ablation`.

# %%
def edits(first, count, step):
    """Changes that remove all positions, and the skips of some blocks.

    Args:
        first: Number of the first block without skips, from 0.
        count: How many blocks lose their skips.
        step: 1 for consecutive blocks, 2 for every second one, and so on.

    Returns:
        A dictionary with "positions" and "blocks".
    """
    raise NotImplementedError("edits is not done yet")


# %% The example
if __name__ == "__main__":
    assert edits(2, 1, 1) == {
        "positions": "none",
        "blocks": {2: {"attention_skip": 0.0, "feed_forward_skip": 0.0}},
    }
    print("The example is right.")
