# /// exercise
# id = "token_loss"
# title = "The loss of tokens that count"
# paper = "2402.05969"
# section = "section 2, the addition task"
# concepts = ["cross-entropy", "masking", "averages"]
# prerequisites = []
# difficulty = 2
# minutes = 15
# points = 2
# ///

# %% statement [markdown]
# In `12+34=64` only the answer can be learned; the operands are random. Targets that do
# not count are therefore marked with `-1`, and the loss is the mean over the others.
#
# This is a place where training code goes wrong without a sound: dividing by *all*
# tokens gives a loss that is smaller, looks better and changes with the length of the
# prompt. Keras does exactly that with a `sample_weight` of zeros and ones.
#
# Write `token_loss(logits, targets)`: the cross-entropy in nats, `-log p[target]` with
# `p = softmax(logits)`, averaged over all tokens of the batch whose target is not `-1`.
# At least one counts. Targets are already shifted: `targets[b, t]` is what should be
# predicted at position `t`. Logits may be as large as several hundred.
#
# With two equal logits and one token that counts, the loss is log 2 = 0.693, however
# many other tokens there are.

# %% stub
from keras import ops


def token_loss(logits, targets):
    """Mean cross-entropy of the tokens that count.

    Args:
        logits: float32 (batch, time, vocabulary).
        targets: int32 (batch, time), -1 where a token does not count.

    Returns:
        float32, nats per token.
    """
    raise NotImplementedError("token_loss is not done yet")


# %% example
import numpy as np

logits = np.zeros((1, 3, 2), "float32")
np.testing.assert_allclose(
    token_loss(logits, np.array([[-1, -1, 0]], "int32")), np.log(2), rtol=1e-5
)


# %% reference
def token_loss(logits, targets):
    counts = targets != -1
    classes = ops.where(counts, targets, 0)  # any class will do where nothing counts
    log_p = ops.log_softmax(logits, axis=-1)
    log_p = ops.take_along_axis(log_p, classes[:, :, None], axis=-1)[:, :, 0]
    kept = ops.where(counts, log_p, 0.0)
    return -ops.sum(kept) / ops.sum(ops.cast(counts, "float32"))


# %% hint 1 [markdown]
# A mean is a sum over a number. Over which tokens goes the sum, and how many are there?

# %% hint 2 [markdown]
# `ops.log_softmax` is safe for large logits, where the logarithm of `ops.softmax` is
# not. `ops.take_along_axis` or `ops.one_hot` picks the target's entry; mind that index
# -1 means the last class to one of them.

# %% hint 3 [markdown]
# A table of truth values: which targets count. The log-probabilities of the targets,
# zero where nothing counts. Minus their sum, over the number of true entries.


# %% right answer="one-hot"
def token_loss(logits, targets):
    one_hot = ops.one_hot(targets, logits.shape[-1])  # a row of zeros for -1
    total = ops.sum(one_hot * ops.log_softmax(logits, axis=-1))
    return -total / ops.sum(one_hot)


# %% right answer="only the rows that count"
import numpy as np


def token_loss(logits, targets):
    logits, targets = np.asarray(logits), np.asarray(targets)
    rows, classes = logits[targets >= 0], targets[targets >= 0]
    top = rows.max(axis=-1)
    log_sum = top + np.log(np.exp(rows - top[:, None]).sum(axis=-1))
    return np.mean(log_sum - rows[np.arange(len(rows)), classes])


# %% wrong answer="divides by all tokens" caught_by="some_count"
# The sum is right, but it is divided by all tokens instead of by those that count. The
# loss then shrinks whenever the prompt gets longer.
def token_loss(logits, targets):
    one_hot = ops.one_hot(targets, logits.shape[-1])
    return -ops.mean(ops.sum(one_hot * ops.log_softmax(logits, axis=-1), axis=-1))


# %% wrong answer="mean of sequence means" caught_by="some_count"
# Each sequence is averaged first, and then the sequences. A token of a sequence with
# few tokens that count then weighs more than others. All tokens weigh the same.
def token_loss(logits, targets):
    one_hot = ops.one_hot(targets, logits.shape[-1])
    total = ops.sum(one_hot * ops.log_softmax(logits, axis=-1), axis=(1, 2))
    return -ops.mean(total / ops.maximum(ops.sum(one_hot, axis=(1, 2)), 1.0))


# %% wrong answer="everything counts" caught_by="some_count"
# Tokens with target -1 are not left out: as an index, -1 is the last class, and so the
# model is told to predict it in the whole prompt.
def token_loss(logits, targets):
    log_p = ops.log_softmax(logits, axis=-1)
    classes = ops.where(targets < 0, logits.shape[-1] - 1, targets)
    return -ops.mean(ops.take_along_axis(log_p, classes[:, :, None], axis=-1))


# %% wrong answer="sum" caught_by="some_count"
# This is the sum over the tokens, not their mean. It grows with the batch.
def token_loss(logits, targets):
    one_hot = ops.one_hot(targets, logits.shape[-1])
    return -ops.sum(one_hot * ops.log_softmax(logits, axis=-1))


# %% wrong answer="no minus" caught_by="some_count"
# The sign is missing: this is the mean log-probability, and minimising it makes the
# right tokens unlikely.
def token_loss(logits, targets):
    one_hot = ops.one_hot(targets, logits.shape[-1])
    return ops.sum(one_hot * ops.log_softmax(logits, axis=-1)) / ops.sum(one_hot)


# %% wrong answer="bits" caught_by="some_count"
# This is the loss in bits, with the logarithm to base 2. Nats have the natural one.
def token_loss(logits, targets):
    one_hot = ops.one_hot(targets, logits.shape[-1])
    total = ops.sum(one_hot * ops.log_softmax(logits, axis=-1))
    return -total / ops.sum(one_hot) / ops.log(2.0)


# %% wrong answer="shifts again" caught_by="some_count"
# The targets are shifted once more, so that each position has to predict the token
# after the next. They come already shifted.
def token_loss(logits, targets):
    one_hot = ops.one_hot(targets[:, 1:], logits.shape[-1])
    total = ops.sum(one_hot * ops.log_softmax(logits[:, :-1], axis=-1))
    return -total / ops.sum(one_hot)


# %% wrong answer="softmax twice" caught_by="some_count"
# The logits are turned into probabilities and then normalised again as if they were
# logits. The loss can then never get near zero.
def token_loss(logits, targets):
    one_hot = ops.one_hot(targets, logits.shape[-1])
    p = ops.softmax(logits, axis=-1)
    return -ops.sum(one_hot * ops.log_softmax(p, axis=-1)) / ops.sum(one_hot)


# %% wrong answer="logarithm of zero" caught_by="large_logits"
# The softmax of a very unlikely token is exactly 0 in float32, and its logarithm is
# minus infinity. Take the logarithm and the softmax in one step.
def token_loss(logits, targets):
    counts = ops.one_hot(ops.maximum(targets, 0), logits.shape[-1])
    p = ops.sum(counts * ops.softmax(logits, axis=-1), axis=-1)
    log_p = ops.where(targets >= 0, ops.log(p), 0.0)
    return -ops.sum(log_p) / ops.sum(ops.cast(targets >= 0, "float32"))


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def draw(rng, scale, shape=(3, 7), vocabulary=5):
    logits = scale * rng.standard_normal((*shape, vocabulary))
    targets = rng.integers(vocabulary, size=shape)
    starts = rng.permutation(shape[1] - 1)[: shape[0]] + 1  # uneven prompts
    targets[np.arange(shape[1]) < starts[:, None]] = -1
    return logits, targets


@check
def example(rng):
    """the example: two equal logits"""
    yield call(np.zeros((1, 3, 2)), np.array([[-1, -1, 0]]), returns=floats())


@check
def some_count(rng):
    """prompts of different lengths"""
    for _ in range(3):
        yield call(*draw(rng, 2.0), returns=floats())


@check
def all_count(rng):
    """no prompt: every token counts"""
    yield call(
        2.0 * rng.standard_normal((2, 4, 6)),
        rng.integers(6, size=(2, 4)),
        returns=floats(),
    )


@check(hidden=True)
def large_logits(rng):
    """logits of several hundred"""
    yield call(*draw(rng, 300.0, shape=(4, 8)), returns=floats())
