# /// exercise
# id = "three_losses"
# title = "Three losses, one mask"
# paper = "2409.14595"
# section = "section 3, distillation"
# concepts = ["distillation", "Kullback-Leibler divergence", "masked means"]
# prerequisites = ["token_loss", "shared_block"]
# difficulty = 3
# minutes = 30
# points = 4
# ///

# %% statement [markdown]
# A model whose layers have lost their maps says nonsense. It is taught by the model
# that it was made from, and learns three things at once, 0.25 L_I + 0.25 L_S + 0.5 L_H:
#
#     L_I   mean squared difference of the streams after each group of layers
#     L_S   KL(S || T) = sum over tokens v of  S_v (log S_v - log T_v)
#     L_H   -log S_w,  where w is the token that the teacher finds likeliest
#
# S and T are the distributions of student and teacher, the softmax of their logits, in
# nats. Mind the direction of L_S, the student comes first; and mind that L_H asks the
# teacher, not the text.
#
# Not every token is worth learning: padding is not, nor is the question if only the
# answer matters. `kept` says which tokens count, and **all three** are means over
# these, each token weighing the same, whichever sequence it is in. L_I is also a mean
# over the width and over the groups. (The paper writes a sum of squares, which is as
# many times larger as the model is wide. Where streams are large, even the mean can be
# more than the other two together.)
#
# Write `hidden_loss`, `soft_loss` and `hard_loss`. Logits may be in the hundreds, which
# is no reason for NaN.
#
# By hand: S = (½, ½) and T = (0.8, 0.2) have KL(S || T) = ½ ln 0.625 + ½ ln 2.5 =
# 0.2231, and L_H = ln 2 = 0.6931. If one group's stream is 3 instead of 1 everywhere,
# and another one's as it should be, L_I = (4 + 0) / 2.

# %% stub
from keras import ops


def hidden_loss(student, teacher, kept):
    """L_I, mean squared difference of the streams.

    Args:
        student: float32 (groups, batch, time, width).
        teacher: float32 (groups, batch, time, width).
        kept: bool (batch, time), true for tokens that count; not false everywhere.

    Returns:
        A number.
    """
    raise NotImplementedError("hidden_loss is not done yet")


def soft_loss(student, teacher, kept):
    """L_S, divergence of the student from the teacher, in nats.

    Args:
        student: float32 (batch, time, tokens), logits.
        teacher: float32 (batch, time, tokens), logits.
        kept: bool (batch, time), true for tokens that count; not false everywhere.

    Returns:
        A number.
    """
    raise NotImplementedError("soft_loss is not done yet")


def hard_loss(student, teacher, kept):
    """L_H, cross-entropy with the teacher's likeliest token, in nats.

    Args:
        student: float32 (batch, time, tokens), logits.
        teacher: float32 (batch, time, tokens), logits.
        kept: bool (batch, time), true for tokens that count; not false everywhere.

    Returns:
        A number.
    """
    raise NotImplementedError("hard_loss is not done yet")


# %% example
import numpy as np

even = np.log(np.array([[[0.5, 0.5], [0.9, 0.1]]], "float32"))  # two tokens
biased = np.log(np.array([[[0.8, 0.2], [0.1, 0.9]]], "float32"))
first = np.array([[True, False]])  # of which the first counts
np.testing.assert_allclose(soft_loss(even, biased, first), 0.2231, atol=1e-4)
np.testing.assert_allclose(hard_loss(even, biased, first), 0.6931, atol=1e-4)
ones = np.ones((2, 1, 2, 5), "float32")
off = np.array([3.0, 1.0], "float32").reshape(2, 1, 1, 1) * ones
np.testing.assert_allclose(hidden_loss(off, ones, first), 2.0)


# %% reference
def mean_over(values, kept):
    kept = ops.cast(kept, "float32")
    return ops.sum(values * kept) / ops.sum(kept)


def hidden_loss(student, teacher, kept):
    squares = ops.mean(ops.square(student - teacher), axis=(0, 3))
    return mean_over(squares, kept)


def soft_loss(student, teacher, kept):
    log_s = ops.log_softmax(student, axis=-1)
    log_t = ops.log_softmax(teacher, axis=-1)
    return mean_over(ops.sum(ops.exp(log_s) * (log_s - log_t), axis=-1), kept)


def hard_loss(student, teacher, kept):
    likeliest = ops.argmax(teacher, axis=-1)
    log_s = ops.log_softmax(student, axis=-1)
    picked = ops.take_along_axis(log_s, likeliest[:, :, None], axis=-1)
    return -mean_over(picked[:, :, 0], kept)


# %% hint 1 [markdown]
# All three are a number for each token, and then the same kind of mean. Over which axes
# does each have to be summed or averaged until there is one number for each token?

# %% hint 2 [markdown]
# A helper for the masked mean is worth its line. `ops.log_softmax` is safe for large
# logits, and its exponential are the probabilities. `ops.argmax` finds the teacher's
# token, `ops.take_along_axis` or `ops.one_hot` the student's opinion of it.

# %% hint 3 [markdown]
# Masked mean: the sum of what counts, over the number of what counts. Streams: squares
# of the difference, mean over groups and width. Divergence: the student's probabilities
# times the difference of both logarithms, student's first, summed over the tokens. Hard
# labels: minus the student's logarithm at the place where the teacher's logits are
# largest.


# %% right answer="only the tokens that count"
import numpy as np


def rows(array, kept):
    return np.asarray(array, "float64")[np.asarray(kept)]


def log_p(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def hidden_loss(student, teacher, kept):
    pairs = zip(np.asarray(student), np.asarray(teacher))
    return np.mean([((rows(s, kept) - rows(t, kept)) ** 2).mean() for s, t in pairs])


def soft_loss(student, teacher, kept):
    log_s, log_t = log_p(rows(student, kept)), log_p(rows(teacher, kept))
    cross_entropy = -(np.exp(log_s) * log_t).sum(axis=-1)
    entropy = -(np.exp(log_s) * log_s).sum(axis=-1)
    return np.mean(cross_entropy - entropy)


def hard_loss(student, teacher, kept):
    log_s, labels = log_p(rows(student, kept)), rows(teacher, kept).argmax(axis=-1)
    return -np.mean(log_s[np.arange(len(labels)), labels])


# %% wrong answer="everything counts" caught_by="masked"
# The mask has no effect: these are means over all tokens. What the student learns from
# padding is of no use, and keeps it from learning something else.
def mean_over(values, kept):
    return ops.mean(values)


# %% wrong answer="divides by all tokens" caught_by="masked"
# The sum is one over the tokens that count, but it is divided by the number of all. The
# losses then shrink with every token of padding.
def mean_over(values, kept):
    return ops.mean(values * ops.cast(kept, "float32"))


# %% wrong answer="mean of sequence means" caught_by="masked"
# Each sequence is averaged first, and then the sequences, so that tokens of sequences
# with few that count weigh more. All tokens weigh the same.
def mean_over(values, kept):
    kept = ops.cast(kept, "float32")
    each = ops.sum(values * kept, axis=1) / ops.maximum(ops.sum(kept, axis=1), 1.0)
    return ops.mean(each)


# %% wrong answer="a sum over the width" caught_by="hidden"
# The squares are added up over the width, as the paper writes it. With the weights
# 0.25, 0.25 and 0.5 the other losses then hardly count; take the mean.
def hidden_loss(student, teacher, kept):
    squares = ops.mean(ops.sum(ops.square(student - teacher), axis=3), axis=0)
    return mean_over(squares, kept)


# %% wrong answer="a sum over the groups" caught_by="hidden"
# The groups are added up. Take their mean, so that the loss does not depend on how many
# there are.
def hidden_loss(student, teacher, kept):
    squares = ops.sum(ops.mean(ops.square(student - teacher), axis=3), axis=0)
    return mean_over(squares, kept)


# %% wrong answer="distance, not its square" caught_by="hidden"
# This is a mean of sizes. The loss is one of squares, for which a few large differences
# count more.
def hidden_loss(student, teacher, kept):
    return mean_over(ops.mean(ops.abs(student - teacher), axis=(0, 3)), kept)


# %% wrong answer="padding in the streams" caught_by="hidden_masked"
# Streams are compared at all tokens, also at those that do not count.
def hidden_loss(student, teacher, kept):
    return ops.mean(ops.square(student - teacher))


# %% wrong answer="the other way round" caught_by="soft"
# This is KL(T || S), with the teacher first. The paper's is KL(S || T).
def soft_loss(student, teacher, kept):
    log_s = ops.log_softmax(student, axis=-1)
    log_t = ops.log_softmax(teacher, axis=-1)
    return mean_over(ops.sum(ops.exp(log_t) * (log_t - log_s), axis=-1), kept)


# %% wrong answer="no entropy" caught_by="soft"
# This is the cross-entropy of the two. The divergence is smaller by the student's own
# entropy, which matters here: it depends on the student.
def soft_loss(student, teacher, kept):
    p, log_t = ops.softmax(student, axis=-1), ops.log_softmax(teacher, axis=-1)
    return -mean_over(ops.sum(p * log_t, axis=-1), kept)


# %% wrong answer="mean over the vocabulary" caught_by="soft"
# The terms are averaged over the vocabulary. A divergence is their sum.
def soft_loss(student, teacher, kept):
    log_s = ops.log_softmax(student, axis=-1)
    log_t = ops.log_softmax(teacher, axis=-1)
    return mean_over(ops.mean(ops.exp(log_s) * (log_s - log_t), axis=-1), kept)


# %% wrong answer="of the logits" caught_by="soft"
# The difference is one of logits. Logarithms of probabilities are logits that have been
# normalised: without that a constant on all logits changes the loss.
def soft_loss(student, teacher, kept):
    p = ops.softmax(student, axis=-1)
    return mean_over(ops.sum(p * (student - teacher), axis=-1), kept)


# %% wrong answer="log of a softmax" caught_by="large"
# The logarithm of a softmax is minus infinity where the probability is too small for
# float32, and zero times infinity is NaN. `ops.log_softmax` does it in one step.
def soft_loss(student, teacher, kept):
    s, t = ops.softmax(student, axis=-1), ops.softmax(teacher, axis=-1)
    return mean_over(ops.sum(s * (ops.log(s) - ops.log(t)), axis=-1), kept)


# %% wrong answer="the student's own label" caught_by="hard"
# The label is the token that the student finds likeliest, so that it is told to go on
# as it does. Ask the teacher.
def hard_loss(student, teacher, kept):
    return -mean_over(ops.max(ops.log_softmax(student, axis=-1), axis=-1), kept)


# %% wrong answer="soft labels" caught_by="hard"
# This is the cross-entropy with the teacher's whole distribution. The hard loss knows
# one token only, the likeliest.
def hard_loss(student, teacher, kept):
    t, log_s = ops.softmax(teacher, axis=-1), ops.log_softmax(student, axis=-1)
    return -mean_over(ops.sum(t * log_s, axis=-1), kept)


# %% wrong answer="no minus" caught_by="hard"
# The sign is missing: minimising this makes the teacher's token unlikely.
def hard_loss(student, teacher, kept):
    one_hot = ops.one_hot(ops.argmax(teacher, axis=-1), student.shape[-1])
    log_s = ops.log_softmax(student, axis=-1)
    return mean_over(ops.sum(one_hot * log_s, axis=-1), kept)


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def logits(rng, batch, time, tokens, scale=2.0):
    far = scale * rng.standard_normal((2, batch, time, tokens))
    return far + 3.0 * rng.random((2, batch, time, 1))


def streams(rng, groups, batch, time, width):
    return 1.5 * rng.standard_normal((2, groups, batch, time, width))


def of(name, student, teacher, kept):
    return call(student, teacher, kept, returns=floats(), function=name)


def some(rng, batch, time):
    kept = np.arange(time) < np.arange(1, batch + 1)[:, None]
    return kept[rng.permutation(batch)]


@check
def example(rng):
    """the example: two tokens, of which one counts"""
    even = np.log(np.array([[[0.5, 0.5], [0.9, 0.1]]]))
    biased = np.log(np.array([[[0.8, 0.2], [0.1, 0.9]]]))
    first = np.array([[True, False]])
    for name in ("soft_loss", "hard_loss"):
        yield of(name, even, biased, first)
    ones = np.ones((2, 1, 2, 5))
    off = np.array([3.0, 1.0]).reshape(2, 1, 1, 1) * ones
    yield of("hidden_loss", off, ones, first)


@check
def hidden(rng):
    """streams, all tokens count"""
    yield of("hidden_loss", *streams(rng, 3, 2, 4, 5), np.ones((2, 4), bool))


@check
def soft(rng):
    """distributions, all tokens count"""
    yield of("soft_loss", *logits(rng, 2, 4, 6), np.ones((2, 4), bool))


@check
def hard(rng):
    """the likeliest token, all tokens count"""
    yield of("hard_loss", *logits(rng, 2, 4, 6), np.ones((2, 4), bool))


@check
def hidden_masked(rng):
    """streams, some tokens count"""
    yield of("hidden_loss", *streams(rng, 2, 3, 6, 4), some(rng, 3, 6))


@check
def masked(rng):
    """the other two, some tokens count"""
    for name in ("soft_loss", "hard_loss"):
        yield of(name, *logits(rng, 3, 6, 5), some(rng, 3, 6))


@check(hidden=True)
def large(rng):
    """logits in the hundreds"""
    far = 150.0 * rng.integers(-2, 3, size=(2, 2, 3, 5))
    kept = np.array([[True, True, False], [False, True, True]])
    for name in ("soft_loss", "hard_loss"):
        # Ties at the top would leave open which token is the likeliest.
        apart = far + 10.0 * np.arange(5)
        yield of(name, *apart, kept)
