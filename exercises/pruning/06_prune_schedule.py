# %% [markdown]
# ## Fast first, then slowly
#
# ★★☆☆☆ · about 20 minutes · 2 points
# · arXiv 2501.17771, an extra: pruning in training
#
# 2SSP prunes a model that is trained already, and changes no weight afterwards. Who may
# train can prune on the way, and let what is left learn to do without. Zhu and Gupta
# (arXiv 1710.01878) remove much at first, while there is plenty, and little towards the
# end. From an initial share s_i at step t_0 to a final share s_f at step t_n,
#
#     s_t = s_f + (s_i - s_f) · (1 - (t - t_0) / (t_n - t_0))^power
#
# is gone, with a power of 3 in the paper. Before t_0 nothing is gone, from t_n on it is
# s_f.
#
# Write `share_at(step, ...)`, which is this share, and `next_pruning(step, ...)`: the
# first step **from `step` on** at which something is removed. That is done at t_0 and
# every so many steps after it, and for the last time at t_n in any case, or the final
# share would not be reached. Return `None` if nothing comes any more.
#
# By hand: from 0 to 0.8 between the steps 0 and 100 with a power of 3, at step 50 half
# of the way is left, of which the third power is 1/8: 0.8 - 0.8 / 8 = 0.7 is gone. With
# a pruning every 40 steps they are at 0, 40, 80 and 100.
#
# Check it: `kit check prune_schedule`. Stuck: `kit hint prune_schedule`.

# %%
def share_at(step, initial, final, start, end, power):
    """The share that is gone at a step.

    Args:
        step: Step, from 0.
        initial, final: Shares that are gone at `start` and at `end`.
        start, end: Steps, start < end.
        power: Number above 0; 1 is linear.

    Returns:
        A number from 0 to 1.
    """
    raise NotImplementedError("share_at is not done yet")


def next_pruning(step, start, end, every):
    """When something is removed next.

    Args:
        step: Step, from 0.
        start, end: First and last step at which something is removed.
        every: Steps between two prunings, from 1; the last two may be closer.

    Returns:
        The first step from `step` on at which something is removed, or None.
    """
    raise NotImplementedError("next_pruning is not done yet")


# %% The example
if __name__ == "__main__":
    assert abs(share_at(50, 0.0, 0.8, 0, 100, 3) - 0.7) < 1e-6
    assert [next_pruning(step, 0, 100, 40) for step in (1, 80, 81)] == [40, 80, 100]
    print("The example is right.")
