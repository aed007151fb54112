# /// exercise
# id = "perplexity"
# title = "How unsure is it?"
# paper = "2501.17771"
# section = "official code, evaluation"
# concepts = ["perplexity", "next-token shift", "token-weighted mean"]
# prerequisites = ["token_loss"]
# difficulty = 2
# minutes = 15
# points = 2
# ///

# %% statement [markdown]
# Before anything is cut off a model, agree on how the damage is measured. Papers on
# pruning report the perplexity,
#
#     exp( mean over predicted tokens of  -log p(token | tokens before it) )
#
# which is the number of equally likely tokens that would leave somebody as unsure. It
# comes with three choices, and whoever makes another one gets numbers that cannot be
# compared:
#
# - the logits at a position are about the **next** token: the first token of a
#   sequence is predicted by nothing, and the last logits predict nothing;
# - there is **one** mean over all predicted tokens, in which a long sequence weighs
#   more than a short one;
# - only the first `lengths[i]` tokens of sequence i are real. The rest is padding,
#   which is not predicted.
#
# Write `perplexity(logits, tokens, lengths)`. Logits of real models go into the
# hundreds, where `exp` of a float32 is infinite.
#
# By hand: logits of zero for a vocabulary of two make a perplexity of 2, whatever the
# tokens are.

# %% stub
import numpy as np


def perplexity(logits, tokens, lengths):
    """Perplexity of sequences, each token predicted by what is before it.

    Args:
        logits: float32 (sequences, time, vocabulary).
        tokens: int32 (sequences, time).
        lengths: int32 (sequences,), how many tokens of each are real, at least 2.

    Returns:
        A number from 1.
    """
    raise NotImplementedError("perplexity is not done yet")


# %% example
logits = np.zeros((1, 3, 2), "float32")
tokens, lengths = np.array([[0, 1, 1]]), np.array([3])
np.testing.assert_allclose(perplexity(logits, tokens, lengths), 2.0, rtol=1e-6)


# %% reference
def token_losses(logits, tokens):
    logits = logits.astype("float64")
    logits = logits - logits.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(logits, tokens[..., None], axis=-1)
    return np.log(np.exp(logits).sum(axis=-1)) - chosen[..., 0]


def real(tokens, lengths):
    return np.arange(tokens.shape[1]) < lengths[:, None]


def perplexity(logits, tokens, lengths):
    losses = token_losses(logits[:, :-1], tokens[:, 1:])
    return np.exp(losses[real(tokens, lengths)[:, 1:]].mean())


# %% hint 1 [markdown]
# With three real tokens in a sequence of five, how many predictions are there to judge,
# and at which positions do their logits stand?

# %% hint 2 [markdown]
# `np.take_along_axis` picks one entry of the last axis for each token. Subtracting the
# largest logit from all of them changes no probability. A bool array such as
# `np.arange(time) < lengths[:, None]` picks what counts, and makes it flat.

# %% hint 3 [markdown]
# All logits but the last of a row, all tokens but the first: a loss for each pair, the
# logarithm of a sum of exponentials minus one logit. Of those losses the real ones in
# one flat array, their mean, and `exp` of that.


# %% right answer="sequence by sequence"
def perplexity(logits, tokens, lengths):
    total = 0.0
    for row, ids, length in zip(logits, tokens, lengths):
        before = row[: length - 1].astype("float64")
        likely = before - np.logaddexp.reduce(before, axis=-1, keepdims=True)
        total += likely[range(length - 1), ids[1:length]].sum()
    return np.exp(-total / (sum(lengths) - len(lengths)))


# %% wrong answer="no shift" caught_by="whole"
# The logits of a position are compared with the token at the same position, which the
# model has read. They are about the next one.
def perplexity(logits, tokens, lengths):
    return np.exp(token_losses(logits, tokens)[real(tokens, lengths)].mean())


# %% wrong answer="shifted backwards" caught_by="whole"
# The shift goes the wrong way: these logits are compared with the token before them.
def perplexity(logits, tokens, lengths):
    losses = token_losses(logits[:, 1:], tokens[:, :-1])
    return np.exp(losses[real(tokens, lengths)[:, 1:]].mean())


# %% wrong answer="the loss itself" caught_by="whole"
# This is the mean loss in nats. The perplexity is `exp` of it.
def perplexity(logits, tokens, lengths):
    losses = token_losses(logits[:, :-1], tokens[:, 1:])
    return losses[real(tokens, lengths)[:, 1:]].mean()


# %% wrong answer="nats for bits" caught_by="whole"
# Two is raised to a loss that is in nats. With the natural logarithm belongs e.
def perplexity(logits, tokens, lengths):
    losses = token_losses(logits[:, :-1], tokens[:, 1:])
    return 2 ** losses[real(tokens, lengths)[:, 1:]].mean()


# %% wrong answer="mean of perplexities" caught_by="whole"
# Each sequence gets a perplexity, and those are averaged: one bad sequence then decides
# it all. First one mean of all losses, then `exp`.
def perplexity(logits, tokens, lengths):
    losses, kept = token_losses(logits[:, :-1], tokens[:, 1:]), real(tokens, lengths)
    rows = zip(losses, kept[:, 1:])
    return np.mean([np.exp(row[counts].mean()) for row, counts in rows])


# %% wrong answer="mean probability" caught_by="whole"
# Probabilities are averaged instead of their logarithms. A token that was thought
# impossible then costs next to nothing.
def perplexity(logits, tokens, lengths):
    losses = token_losses(logits[:, :-1], tokens[:, 1:])
    return 1 / np.exp(-losses[real(tokens, lengths)[:, 1:]]).mean()


# %% wrong answer="a mean for each sequence" caught_by="padded"
# Every sequence has the same weight, however short it is. Take one mean over all
# predicted tokens.
def perplexity(logits, tokens, lengths):
    losses, kept = token_losses(logits[:, :-1], tokens[:, 1:]), real(tokens, lengths)
    rows = zip(losses, kept[:, 1:])
    return np.exp(np.mean([row[counts].mean() for row, counts in rows]))


# %% wrong answer="padding too" caught_by="padded"
# Padding is predicted as well. Only the first `lengths[i]` tokens of a row are real.
def perplexity(logits, tokens, lengths):
    return np.exp(token_losses(logits[:, :-1], tokens[:, 1:]).mean())


# %% wrong answer="one token too many" caught_by="padded"
# The first token of the padding is predicted, too: the last real token predicts
# nothing.
def perplexity(logits, tokens, lengths):
    losses = token_losses(logits[:, :-1], tokens[:, 1:])
    return np.exp(losses[real(tokens, lengths)[:, :-1]].mean())


# %% wrong answer="overflow" caught_by="large_logits"
# `exp` of large logits is infinite. Subtract the largest logit of each position before
# anything is exponentiated: the probabilities stay what they are.
def perplexity(logits, tokens, lengths):
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        likely = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        chosen = np.take_along_axis(likely[:, :-1], tokens[:, 1:, None], axis=-1)
        losses = -np.log(chosen[..., 0])
    return np.exp(losses[real(tokens, lengths)[:, 1:]].mean())


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def case(rng, lengths, time, size=1.5, far=0.0):
    count = len(lengths)
    loud = 0.5 + np.arange(count)[:, None, None]  # some sequences are harder
    logits = size * loud * rng.standard_normal((count, time, 6))
    tokens = rng.integers(6, size=(count, time))
    return call(logits + far, tokens, np.array(lengths), returns=floats())


@check
def example(rng):
    """the example: two tokens, equally likely"""
    tokens = np.array([[0, 1, 1]])
    yield call(np.zeros((1, 3, 2)), tokens, np.array([3]), returns=floats())


@check
def whole(rng):
    """sequences without padding"""
    for _ in range(2):
        yield case(rng, [5, 5, 5], 5)


@check
def padded(rng):
    """sequences of several lengths"""
    for _ in range(2):
        yield case(rng, [3, 7, 4], 8)


@check
def large_logits(rng):
    """logits in the hundreds"""
    yield case(rng, [4, 5], 5, far=400.0)


@check(hidden=True)
def short(rng):
    """a single prediction"""
    yield case(rng, [2], 2)
    yield case(rng, [2, 6], 6, far=-300.0)
