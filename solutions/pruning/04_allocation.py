# /// exercise
# id = "allocation"
# title = "How much goes where?"
# paper = "2501.17771"
# section = "equation 5, from the official code"
# concepts = ["sparsity", "allocation", "rounding"]
# prerequisites = ["parameters", "dense_pair"]
# difficulty = 3
# minutes = 25
# points = 3
# ///

# %% statement [markdown]
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

# %% stub
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


# %% example
assert split(0.375, 8, 65_536, 131_072, 8 * 197_120, 512) == (2, 287)


# %% reference
def rule(sparsity, blocks, attention, feed_forward, alpha):
    return round(blocks * sparsity ** (feed_forward / attention / alpha))


def refuse(sparsity, gone, without_neurons, total):
    if not gone <= sparsity * total <= without_neurons:
        raise ValueError(f"{sparsity:.0%} cannot be split")


def split(sparsity, blocks, attention, feed_forward, total, neurons, alpha=1.5):
    count = rule(sparsity, blocks, attention, feed_forward, alpha)
    gone = count * attention
    refuse(sparsity, gone, gone + blocks * feed_forward, total)
    removed = round((round(sparsity * total) - gone) / blocks)
    return count, round(neurons * (1 - removed / feed_forward))


# %% hint 1 [markdown]
# What do you know as soon as you know N? How many parameters then still have to go, and
# from how many feed-forwards?

# %% hint 2 [markdown]
# A power is `**`, and it binds more tightly than a product; what is divided in the
# exponent needs brackets. For the two refusals compare numbers of parameters, before
# anything is rounded to neurons.

# %% hint 3 [markdown]
# First the exponent: two quotients, one inside the other. Then a rounded product, a
# check against too much and one against too little, what is left to remove in each
# block, and the share of the neurons that this leaves.


# %% right answer="in whole neurons"
import math


def split(sparsity, blocks, attention, feed_forward, total, neurons, alpha=1.5):
    exponent = feed_forward / (alpha * attention)
    gone = int(math.exp(exponent * math.log(sparsity)) * blocks + 0.5)
    wanted = int(sparsity * total + 0.5)
    each = (wanted - gone * attention) / blocks
    if each < 0 or each > feed_forward:
        raise ValueError("impossible")
    return gone, neurons - int(int(each + 0.5) * neurons / feed_forward + 0.5)


# %% wrong answer="exponent upside down" caught_by="shapes"
# The exponent is α over the quotient. It is the quotient over α: larger feed-forwards
# make a larger exponent, and a share below one to a larger power is smaller.
def rule(sparsity, blocks, attention, feed_forward, alpha):
    return round(blocks * sparsity ** (alpha * attention / feed_forward))


# %% wrong answer="no alpha" caught_by="gpt"
# α is not used. It is there to be fitted: where the quotient equals it, both kinds of
# parts lose the same share.
def rule(sparsity, blocks, attention, feed_forward, alpha):
    return round(blocks * sparsity ** (feed_forward / attention))


# %% wrong answer="the same share" caught_by="gpt"
# The share s of the attentions goes, whatever the sizes are. That is a rule, too, but
# not the paper's.
def rule(sparsity, blocks, attention, feed_forward, alpha):
    return round(blocks * sparsity)


# %% wrong answer="rounded down" caught_by="gpt"
# The number of attentions is cut off behind the point. It is rounded to the nearest.
def rule(sparsity, blocks, attention, feed_forward, alpha):
    return int(blocks * sparsity ** (feed_forward / attention / alpha))


# %% wrong answer="attentions for free" caught_by="gpt"
# What the attentions hold is not subtracted before the neurons are counted. More goes
# than was asked for, and a comparison with other methods is unfair.
def split(sparsity, blocks, attention, feed_forward, total, neurons, alpha=1.5):
    count = rule(sparsity, blocks, attention, feed_forward, alpha)
    gone = count * attention
    refuse(sparsity, gone, gone + blocks * feed_forward, total)
    removed = round(sparsity * total / blocks)
    return count, round(neurons * (1 - removed / feed_forward))


# %% wrong answer="neurons that go" caught_by="gpt"
# The second number counts the neurons that go. Return those that stay.
def split(sparsity, blocks, attention, feed_forward, total, neurons, alpha=1.5):
    count = rule(sparsity, blocks, attention, feed_forward, alpha)
    gone = count * attention
    refuse(sparsity, gone, gone + blocks * feed_forward, total)
    removed = round((round(sparsity * total) - gone) / blocks)
    return count, round(neurons * removed / feed_forward)


# %% wrong answer="a share of the neurons" caught_by="gpt"
# The share s of the neurons goes, whatever was taken from the attentions. The sparsity
# is one of all parameters together.
def split(sparsity, blocks, attention, feed_forward, total, neurons, alpha=1.5):
    count = rule(sparsity, blocks, attention, feed_forward, alpha)
    gone = count * attention
    refuse(sparsity, gone, gone + blocks * feed_forward, total)
    return count, round(neurons * (1 - sparsity))


# %% wrong answer="norms forgotten" caught_by="with_norms"
# The share is taken of attentions and feed-forwards alone. `total` has more in it.
def split(sparsity, blocks, attention, feed_forward, total, neurons, alpha=1.5):
    count = rule(sparsity, blocks, attention, feed_forward, alpha)
    gone, parts = count * attention, blocks * (attention + feed_forward)
    refuse(sparsity, gone, gone + blocks * feed_forward, total)
    removed = round((round(sparsity * parts) - gone) / blocks)
    return count, round(neurons * (1 - removed / feed_forward))


# %% wrong answer="refuses one kind" caught_by="impossible"
# Only one of the two impossible cases is refused. Too much can be gone after the
# attentions, and too little after everything.
def refuse(sparsity, gone, without_neurons, total):
    if gone > sparsity * total:
        raise ValueError("too much")


# %% wrong answer="never refuses" caught_by="impossible"
# A split that is impossible is returned all the same, with more neurons than there are,
# or fewer than none.
def refuse(sparsity, gone, without_neurons, total):
    pass


# %% driver
import answer


def split_or_refuse(*arguments):
    try:
        return answer.split(*arguments)
    except ValueError:
        return -1, -1


# %% checks
from kit.grading.cases import call, check, integers


def case(sparsity, blocks, width, neurons, extra=4.0, matrices=2, alpha=1.5):
    attention, feed_forward = 4 * width**2, matrices * width * neurons
    total = blocks * (attention + feed_forward + int(extra * width))
    numbers = sparsity, blocks, attention, feed_forward, total, neurons, alpha
    return call(
        *numbers,
        returns=(integers(), integers()),
        function="split_or_refuse",
        shown=f"split{numbers}, with -1 and -1 for a ValueError:\n"
        "arrays are (1) attentions that go, (2) neurons that stay",
    )


@check
def example(rng):
    """the example: a GPT of 8 blocks"""
    yield case(0.375, 8, 128, 512)


@check
def gpt(rng):
    """feed-forwards of four times the width"""
    for sparsity, blocks in ((0.26, 8), (0.5, 6), (0.5, 12), (0.37, 12)):
        yield case(sparsity, blocks, 128, 512)


@check
def shapes(rng):
    """other shapes, and gates"""
    for sparsity, blocks, neurons, matrices in (
        (0.25, 10, 250, 2),
        (0.45, 32, 1000, 2),
        (0.55, 9, 600, 3),
    ):
        yield case(sparsity, blocks, 128, neurons, matrices=matrices)


@check
def with_norms(rng):
    """blocks with many parameters besides"""
    for sparsity in (0.3, 0.42):
        yield case(sparsity, 10, 64, 256, extra=64.0)


@check
def impossible(rng):
    """splits that cannot be"""
    yield case(0.3, 10, 64, 256, alpha=60.0)
    yield case(0.95, 10, 64, 256, extra=100.0)


@check(hidden=True)
def any_model(rng):
    """another alpha"""
    for alpha in (0.75, 3.0):
        yield case(0.41, 11, 96, 384, alpha=alpha)
