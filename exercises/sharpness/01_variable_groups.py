# %% [markdown]
# ## Which block is it?
#
# ★★☆☆☆ · about 20 minutes · 2 points
# · arXiv 2502.19002, section 2, the blocks of a Transformer
#
# The paper sorts all weights of a Transformer by what they do, in whatever layer they
# are. Everything else of this unit is a sum over such a group, so first of all: which
# weight is in which?
#
#     Emb    embedding/embeddings, embedding/reverse_embeddings (the head),
#            positions/table
#     QK     attention/query, attention/key
#     VO     attention/value, attention/output
#     FFN    feed_forward/up, feed_forward/gate, feed_forward/down
#     Norm   whatever is in a layer with norm in its name: norm_0, query_norm
#
# A path such as `gpt/block_3/attention/key` ends in the name of the variable, and
# before it that of the layer that owns it. What comes earlier is no help: in Keras it
# can be another one when a model is loaded again.
#
# Write `block_type(path)`, and `ratio_table(paths, ratios)`, the learning rate of each
# variable as a multiple of the common one. A mistake here makes no noise: a group that
# matches nothing trains at some default, and the experiment "has no effect". So the
# second function must refuse, with a `ValueError` whose message names
#
# - the path of a variable whose type is unknown, or has no ratio;
# - the label of a ratio that no variable uses.
#
# With ratios of 8 for `QK` and 1 for `Norm`, the paths `block_0/attention/key` and
# `block_0/norm_0/gamma` have the table 8, 1.
#
# Check it: `kit check variable_groups`. Stuck: `kit hint variable_groups`.

# %%
def block_type(path):
    """The type of a variable.

    Args:
        path: Its path, parts with a slash between, at least a layer and a variable.

    Returns:
        "Emb", "QK", "VO", "FFN" or "Norm"; None for a variable of any other layer.
    """
    raise NotImplementedError("block_type is not done yet")


def ratio_table(paths, ratios):
    """The ratio of each variable, or a refusal.

    Args:
        paths: List of paths.
        ratios: Dict from types to numbers.

    Returns:
        A list of numbers, one for each path, in the same order.
    """
    raise NotImplementedError("ratio_table is not done yet")


# %% The example
if __name__ == "__main__":
    paths = ["block_0/attention/key", "block_0/norm_0/gamma"]
    assert [block_type(path) for path in paths] == ["QK", "Norm"]
    assert ratio_table(paths, {"QK": 8.0, "Norm": 1.0}) == [8.0, 1.0]
    print("The example is right.")
