# %% [markdown]
# ## How much goes where?
#
# ★★★☆☆ · about 25 minutes · 3 points
# · arXiv 2501.17771, equation 5, from the official code
#
# A quarter of a model is to go. How much of that should be neurons, how much should be
# attentions? 2SSP splits by a closed rule, without a look at the model. With B blocks,
# P_a parameters in an attention, P_f in a feed-forward of F neurons and P in all blocks
# together (norms too, but neither embeddings nor head), a share s is taken off P:
#
#     N = round( B · s^((P_f / P_a) / α) )           attentions that go, α = 1.5
#     p = round( (round(s · P) - N · P_a) / B )      parameters off each feed-forward
#     K = round( F · (1 - p / P_f) )                 neurons that STAY in each
#
# The larger the feed-forward is, the fewer attentions go. K is the same in all blocks.
#
# Some splits are impossible. Then say so: raise a `ValueError`
#
# - if the N attentions alone hold more than the share s of P;
# - if even without the N attentions and without *any* neuron, less than s is gone.
#
# Write `split(...)`, which returns N and K. `round` is Python's; what it does with an
# exact half is not tested.
#
# By hand: a GPT of 8 blocks and width 128 has P_a = 65,536, P_f = 131,072 with F = 512,
# and norms of 512 in each block, so that P = 8 · 197,120. For s = 0.375 the exponent is
# 2 / 1.5, and 8 · 0.375^1.333 = 2.16, so N = 2. Of 591,360 parameters 131,072 are then
# gone; the rest is 57,536 for each feed-forward, and K = round(512 · 0.561) = 287.
#
# Check it: `kit check allocation`. Stuck: `kit hint allocation`.

# %%
def split(sparsity, blocks, attention, feed_forward, total, neurons, alpha=1.5):
    """How many attentions go, and how many neurons stay.

    Args:
        sparsity: Share of the parameters of all blocks that goes, above 0, below 1.
        blocks: Blocks.
        attention: Parameters of one attention.
        feed_forward: Parameters of one feed-forward.
        total: Parameters of all blocks.
        neurons: Neurons of one feed-forward.
        alpha: Number above 0.

    Returns:
        Attentions that go, and neurons that stay in each feed-forward: two integers.

    Raises:
        ValueError: The split is impossible.
    """
    raise NotImplementedError("split is not done yet")


# %% The example
if __name__ == "__main__":
    assert split(0.375, 8, 65_536, 131_072, 8 * 197_120, 512) == (2, 287)
    print("The example is right.")
