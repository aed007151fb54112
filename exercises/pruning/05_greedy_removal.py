# %% [markdown]
# ## One by one
#
# ★★☆☆☆ · about 20 minutes · 2 points
# · arXiv 2501.17771, official code, second stage
#
# No score tells what an attention is worth, because attentions stand in for each other:
# any one of three may be dispensable, and all three not. So the second stage tries.
# Take each attention out, look at the loss, put it back; remove for good the one whose
# absence hurts least. Then try all that are left **again**, in the model that has
# become smaller, until N are gone.
#
# Write
#
# - `num_candidates(blocks, count)`: how many models without some part are evaluated to
#   remove `count` of `blocks` parts. With 30 parts and 2 removals it is 30 + 29 = 59;
# - `remove_greedily(loss, parts, count)`, which returns the parts in the order in which
#   they go, and the loss after each removal. Of equal losses the part that comes first
#   in `parts` goes. Evaluate each candidate once, and nothing else: on a real model
#   every call costs seconds.
#
# By hand: let parts 4, 7 and 9 cost 1, 2 and 3 when they are missing, and 4 and 7
# *together* 5 more. First 4 goes, with a loss of 1. Then 7 would make 1 + 2 + 5 = 8,
# and 9 only 4, so 9 goes.
#
# Check it: `kit check greedy_removal`. Stuck: `kit hint greedy_removal`.

# %%
def num_candidates(blocks, count):
    """Evaluations that a greedy search needs.

    Args:
        blocks: Parts that may go.
        count: Parts that go, from 0 to all of them.

    Returns:
        An integer.
    """
    raise NotImplementedError("num_candidates is not done yet")


def remove_greedily(loss, parts, count):
    """Remove parts one by one, each time the one that is missed least.

    Args:
        loss: Function of a list of parts that returns the loss without all of them.
        parts: List of different integers: the names of what may go.
        count: Parts that go, from 0 to all of them.

    Returns:
        Two lists of `count` entries: the parts in the order in which they went, and the
        loss after each removal.
    """
    raise NotImplementedError("remove_greedily is not done yet")


# %% The example
if __name__ == "__main__":
    cost = {(4,): 1.0, (7,): 2.0, (9,): 3.0, (4, 7): 8.0, (4, 9): 4.0, (7, 9): 5.0}
    found = remove_greedily(lambda gone: cost[tuple(sorted(gone))], [4, 7, 9], 2)
    assert [list(each) for each in found] == [[4, 9], [1.0, 4.0]]
    assert num_candidates(30, 2) == 59
    print("The example is right.")
