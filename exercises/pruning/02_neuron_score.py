# %% [markdown]
# ## What is a neuron worth?
#
# ★★☆☆☆ · about 20 minutes · 2 points
# · arXiv 2501.17771, official code, first stage
#
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
#
# Check it: `kit check neuron_score`. Stuck: `kit hint neuron_score`.

# %%
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


# %% The example
if __name__ == "__main__":
    hidden = np.array([[[3.0, 1.0], [4.0, 0.0]]], "float32")
    scores = neuron_scores(hidden, np.ones((1, 2), bool))
    np.testing.assert_allclose(scores, [5.0, 1.0])
    np.testing.assert_array_equal(neurons_to_keep(scores, 1), [0])
    print("The example is right.")
