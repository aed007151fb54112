# /// exercise
# id = "neuron_score"
# title = "What is a neuron worth?"
# paper = "2501.17771"
# section = "official code, first stage"
# concepts = ["feed-forward neurons", "importance scores", "calibration data"]
# prerequisites = ["token_loss"]
# difficulty = 2
# minutes = 20
# points = 2
# ///

# %% statement [markdown]
# A feed-forward is a list of neurons. Neuron j reads the stream with a column of the
# first matrix, passes the nonlinearity (and the gate, if there is one), and writes its
# number h_j times row j of the second matrix back. Without it the block says the same
# but for that product. So 2SSP calls a neuron important whose h_j is large on some
# text, the calibration data C:
#
#     score_j = 1/|C| · sum over sequences c of ‖h_c[:, j]‖₂
#
# the Euclidean norm over the tokens of a sequence, and the mean of the norms. The
# number of sequences is that of those with a real token: what is padding has no say,
# and neither has a sequence of nothing else.
#
# Write `neuron_scores(hidden, real)`, and `neurons_to_keep(scores, count)`: the indices
# of the `count` highest scores, in ascending order. Of equal scores the one that comes
# first is kept, and `count` may be zero. Mind that they **stay**: papers and programs
# that count what goes, and those that count what stays, are confused all the time.
#
# By hand: the tokens (3, 1) and (4, 0) of one sequence make scores of 5 and 1, of which
# neuron 0 is kept first.

# %% stub
import numpy as np


def neuron_scores(hidden, real):
    """How large each neuron is on some sequences.

    Args:
        hidden: float32 (sequences, time, neurons), what the second matrix reads.
        real: bool (sequences, time), False for padding; not False everywhere.

    Returns:
        float32 (neurons,).
    """
    raise NotImplementedError("neuron_scores is not done yet")


def neurons_to_keep(scores, count):
    """The neurons with the highest scores.

    Args:
        scores: float32 (neurons,).
        count: How many stay, from 0 to all of them.

    Returns:
        int32 (count,), their indices, ascending.
    """
    raise NotImplementedError("neurons_to_keep is not done yet")


# %% example
hidden = np.array([[[3.0, 1.0], [4.0, 0.0]]], "float32")
scores = neuron_scores(hidden, np.ones((1, 2), bool))
np.testing.assert_allclose(scores, [5.0, 1.0])
np.testing.assert_array_equal(neurons_to_keep(scores, 1), [0])


# %% reference
def cleaned(hidden, real):
    return np.where(real[..., None], hidden, 0.0)


def sequences_in(real):
    return real.any(axis=1).sum()


def neuron_scores(hidden, real):
    norms = np.linalg.norm(cleaned(hidden, real), axis=1)
    return norms.sum(axis=0) / sequences_in(real)


def neurons_to_keep(scores, count):
    order = np.argsort(-scores, kind="stable")
    return np.sort(order[:count])


# %% hint 1 [markdown]
# The array has three axes. Over which one does the norm go, over which one the mean,
# and which one is left? What has to become of padding before the norm is taken?

# %% hint 2 [markdown]
# `np.linalg.norm(..., axis=1)` is a norm along one axis, `np.where` puts zeros where
# something is not real, and `real.any(axis=1)` tells which sequences count.
# `np.argsort` sorts upwards, and with `kind="stable"` it leaves equal ones in order.

# %% hint 3 [markdown]
# Zeros for padding; norms of shape (sequences, neurons); their sum over the number of
# sequences with a real token. For the other function: sort what is negated, take the
# first `count` from the front (a slice from the back goes wrong for zero), and sort the
# indices themselves.


# %% right answer="one sequence after the other"
def neuron_scores(hidden, real):
    found = [
        np.sqrt(np.square(h[r].astype("float64")).sum(axis=0))
        for h, r in zip(hidden, real)
        if r.any()
    ]
    return np.mean(found, axis=0)


def neurons_to_keep(scores, count):
    ranked = sorted(range(len(scores)), key=lambda j: (-scores[j], j))
    return np.array(sorted(ranked[:count]), "int32")


# %% wrong answer="one norm for all" caught_by="scores"
# There is one norm over the tokens of all sequences together. A neuron that is loud in
# a single sequence gets more that way; take a norm for each, and their mean.
def neuron_scores(hidden, real):
    squares = np.square(cleaned(hidden, real))
    return np.sqrt(squares.sum(axis=(0, 1))) / sequences_in(real)


# %% wrong answer="the sum of the norms" caught_by="scores"
# The norms are added up, but not divided by the number of sequences. The order of the
# neurons is right; the scores depend on how much text there is.
def neuron_scores(hidden, real):
    return np.linalg.norm(cleaned(hidden, real), axis=1).sum(axis=0)


# %% wrong answer="signs cancel" caught_by="scores"
# The numbers are added up with their signs, so that a neuron that says +5 and -5 seems
# to say nothing.
def neuron_scores(hidden, real):
    return cleaned(hidden, real).sum(axis=1).sum(axis=0) / sequences_in(real)


# %% wrong answer="sizes, not squares" caught_by="scores"
# This is the sum of the sizes, the L1 norm. The paper takes the Euclidean one, for
# which a few large numbers count more.
def neuron_scores(hidden, real):
    return np.abs(cleaned(hidden, real)).sum(axis=1).sum(axis=0) / sequences_in(real)


# %% wrong answer="no root" caught_by="scores"
# The root is missing: these are means of squared norms, in which a long sequence
# weighs more.
def neuron_scores(hidden, real):
    return np.square(cleaned(hidden, real)).sum(axis=(0, 1)) / sequences_in(real)


# %% wrong answer="norm over the neurons" caught_by="scores"
# The norm goes over the neurons, and a number for each token comes out. It goes over
# the tokens, so that there is one for each neuron.
def neuron_scores(hidden, real):
    return np.linalg.norm(cleaned(hidden, real), axis=2).mean(axis=0)


# %% wrong answer="padding counts" caught_by="padded"
# Padding is scored like text. What the layer computes there is of no use to anybody.
def neuron_scores(hidden, real):
    return np.linalg.norm(hidden, axis=1).sum(axis=0) / sequences_in(real)


# %% wrong answer="empty sequences count" caught_by="empty"
# Sequences of nothing but padding are counted in the mean, and make it smaller.
def neuron_scores(hidden, real):
    return np.linalg.norm(cleaned(hidden, real), axis=1).mean(axis=0)


# %% wrong answer="the lowest stay" caught_by="kept"
# The neurons with the *lowest* scores are kept. They are the ones to remove.
def neurons_to_keep(scores, count):
    return np.sort(np.argsort(scores, kind="stable")[:count])


# %% wrong answer="by rank" caught_by="kept"
# The right neurons, but in the order of their scores. Ascending indices leave those
# that stay in the order in which they were.
def neurons_to_keep(scores, count):
    return np.argsort(-scores, kind="stable")[:count]


# %% wrong answer="the last of equals" caught_by="ties"
# Of neurons with the same score the last ones are kept. A result that others can
# repeat needs a rule: here it is the first.
def neurons_to_keep(scores, count):
    order = np.argsort(scores, kind="stable")
    return np.sort(order[len(order) - count :])


# %% wrong answer="minus zero" caught_by="none"
# `order[-count:]` is everything if count is zero, since there is no minus zero. Take
# from the front of what is sorted downwards.
def neurons_to_keep(scores, count):
    order = np.argsort(-scores, kind="stable")[::-1]
    return np.sort(order[-count:])


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats, integers


def hidden_states(rng, sequences, time, neurons):
    loud = np.exp(rng.standard_normal((sequences, 1, neurons)))
    return loud * (0.3 + rng.standard_normal((sequences, time, neurons)))


def kept_case(scores, count):
    count = int(count)
    returns = integers(count)
    return call(scores, count, returns=returns, function="neurons_to_keep")


@check
def example(rng):
    """the example: two tokens, two neurons"""
    hidden = np.array([[[3.0, 1.0], [4.0, 0.0]]])
    yield call(hidden, np.ones((1, 2), bool), returns=floats(2))
    yield kept_case(np.array([5.0, 1.0]), 1)


@check
def scores(rng):
    """scores of text without padding"""
    for sequences in (2, 3):
        hidden = hidden_states(rng, sequences, 5, 4)
        yield call(hidden, np.ones((sequences, 5), bool), returns=floats(4))


@check
def padded(rng):
    """with padding at the end"""
    real = np.arange(6) < np.array([[2], [6], [4]])
    yield call(hidden_states(rng, 3, 6, 4), real, returns=floats(4))


@check
def empty(rng):
    """a sequence of padding alone"""
    real = np.arange(4) < np.array([[3], [0], [4]])
    yield call(hidden_states(rng, 3, 4, 3), real, returns=floats(3))


@check
def kept(rng):
    """which neurons stay"""
    for count in (3, 6):
        yield kept_case(rng.permutation(7) + 0.5, count)


@check
def ties(rng):
    """neurons with the same score"""
    yield kept_case(np.array([1.0, 2.0, 1.0, 2.0, 1.0, 0.5]), 3)


@check
def none(rng):
    """no neuron stays"""
    yield kept_case(rng.random(4), 0)


@check(hidden=True)
def many(rng):
    """more neurons and sequences"""
    real = rng.random((7, 9)) < 0.7
    yield call(hidden_states(rng, 7, 9, 30), real, returns=floats(30))
    yield kept_case(rng.integers(5, size=30) + 0.0, 11)
