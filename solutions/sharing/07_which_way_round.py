# /// exercise
# id = "which_way_round"
# title = "Which way round?"
# paper = "2409.14595"
# section = "section 3, the soft loss"
# concepts = ["Kullback-Leibler divergence", "gradients", "mode seeking"]
# prerequisites = ["three_losses"]
# difficulty = 3
# minutes = 25
# points = 3
# ///

# %% statement [markdown]
# Most distillation minimises KL(T || S), *forward*: the teacher comes first. EchoAtt
# takes KL(S || T), *reverse*. If the student can do all that the teacher can, both end
# at the same place. If it cannot, they end at different ones, and the gradients say
# why.
#
# With probabilities S = softmax(s) and T = softmax(t), and the gradients with respect
# to the student's logits s, which you get by hand on half a page:
#
#     forward   ∂ KL(T || S) / ∂ s_v  =  S_v - T_v
#     reverse   ∂ KL(S || T) / ∂ s_v  =  S_v (log S_v - log T_v - KL(S || T))
#
# In the second one everything is multiplied by S_v: what the student thinks impossible
# it is never told about. What it says, though the teacher would not, costs dearly.
#
# Write `divergence(p, q)`, KL(P || Q) in nats from logits, and `forward_gradient` and
# `reverse_gradient`. Logits may be in the hundreds, which is no reason for NaN.
#
# By hand: S = (½, ½) and T = (0.8, 0.2). KL(S || T) = 0.2231 and KL(T || S) = 0.1927.
# The forward gradient is (-0.3, 0.3), the reverse one ½ (ln 0.625 - 0.2231) = -0.3466
# and 0.3466.

# %% stub
import numpy as np


def divergence(p, q):
    """KL(P || Q) in nats.

    Args:
        p: float32 (..., tokens), logits.
        q: float32 (..., tokens), logits.

    Returns:
        float32 (...).
    """
    raise NotImplementedError("divergence is not done yet")


def forward_gradient(student, teacher):
    """Gradient of KL(T || S) with respect to the student's logits.

    Args:
        student: float32 (..., tokens), logits.
        teacher: float32 (..., tokens), logits.

    Returns:
        float32 (..., tokens).
    """
    raise NotImplementedError("forward_gradient is not done yet")


def reverse_gradient(student, teacher):
    """Gradient of KL(S || T) with respect to the student's logits.

    Args:
        student: float32 (..., tokens), logits.
        teacher: float32 (..., tokens), logits.

    Returns:
        float32 (..., tokens).
    """
    raise NotImplementedError("reverse_gradient is not done yet")


# %% example
s, t = np.log(np.array([[0.5, 0.5], [0.8, 0.2]], "float32"))
np.testing.assert_allclose(divergence(s, t), 0.2231, atol=1e-4)
np.testing.assert_allclose(divergence(t, s), 0.1927, atol=1e-4)
np.testing.assert_allclose(forward_gradient(s, t), [-0.3, 0.3], atol=1e-4)
np.testing.assert_allclose(reverse_gradient(s, t), [-0.3466, 0.3466], atol=1e-4)


# %% reference
def log_probabilities(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def divergence(p, q):
    log_p, log_q = log_probabilities(p), log_probabilities(q)
    return (np.exp(log_p) * (log_p - log_q)).sum(axis=-1)


def forward_gradient(student, teacher):
    return np.exp(log_probabilities(student)) - np.exp(log_probabilities(teacher))


def reverse_gradient(student, teacher):
    log_s, log_t = log_probabilities(student), log_probabilities(teacher)
    above = divergence(student, teacher)[..., None]
    return np.exp(log_s) * (log_s - log_t - above)


# %% hint 1 [markdown]
# Probabilities add up to one, whatever happens to the logits. What does a gradient add
# up to, then, and does yours?

# %% hint 2 [markdown]
# The logarithm of a softmax is worth a helper: take off the largest logit, then the
# logarithm of the sum of `np.exp`. `keepdims=True` and `[..., None]` keep an axis for
# what is one number for all tokens.

# %% hint 3 [markdown]
# The divergence: probabilities of the first, times the difference of both logarithms,
# summed over the last axis. Forward: a difference of two softmaxes. Reverse: the
# student's probabilities times something that is zero in the mean.


# %% right answer="with softmaxes"
def softmax(logits):
    exponentials = np.exp(logits.astype("float64") - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def difference(p, q):
    # Of the logarithms: that of the logits, less what the two sums differ by.
    gap = p.astype("float64") - q
    top = gap.max(axis=-1, keepdims=True)
    return gap - top - np.log((softmax(q) * np.exp(gap - top)).sum(-1, keepdims=True))


def divergence(p, q):
    return np.sum(softmax(p) * difference(p, q), axis=-1)


def forward_gradient(student, teacher):
    return softmax(student) - softmax(teacher)


def reverse_gradient(student, teacher):
    s, ratio = softmax(student), difference(student, teacher)
    jacobian = s[..., None] * (np.eye(s.shape[-1]) - s[..., None, :])
    return np.squeeze(jacobian @ ratio[..., None], axis=-1)


# %% wrong answer="the other way round" caught_by="divergences"
# This is KL(Q || P). The first argument is the one that the mean is taken over.
def divergence(p, q):
    log_p, log_q = log_probabilities(p), log_probabilities(q)
    return (np.exp(log_q) * (log_q - log_p)).sum(axis=-1)


# %% wrong answer="cross-entropy" caught_by="divergences"
# This is the cross-entropy, which is larger than the divergence by the entropy of P,
# and not zero for two that are the same.
def divergence(p, q):
    return -(np.exp(log_probabilities(p)) * log_probabilities(q)).sum(axis=-1)


# %% wrong answer="bits" caught_by="divergences"
# This is the divergence in bits. Nats have the natural logarithm.
def divergence(p, q):
    log_p, log_q = log_probabilities(p), log_probabilities(q)
    return (np.exp(log_p) * (log_p - log_q)).sum(axis=-1) / np.log(2)


# %% wrong answer="uphill" caught_by="forward"
# The sign is wrong: this leads away from the teacher.
def forward_gradient(student, teacher):
    return np.exp(log_probabilities(teacher)) - np.exp(log_probabilities(student))


# %% wrong answer="of the logarithms" caught_by="forward"
# This is the difference of the logarithms. What counts is that of the probabilities:
# rare tokens must not weigh as much as frequent ones.
def forward_gradient(student, teacher):
    return log_probabilities(student) - log_probabilities(teacher)


# %% wrong answer="of the probabilities" caught_by="forward"
# This is the gradient with respect to the probabilities. The logits are behind the
# softmax, whose derivative is missing.
def forward_gradient(student, teacher):
    return -np.exp(log_probabilities(teacher) - log_probabilities(student))


# %% wrong answer="not centred" caught_by="reverse"
# The divergence is not subtracted, so that the entries do not add up to zero. Raising
# one logit lowers all other probabilities.
def reverse_gradient(student, teacher):
    log_s, log_t = log_probabilities(student), log_probabilities(teacher)
    return np.exp(log_s) * (log_s - log_t)


# %% wrong answer="everyone is told" caught_by="reverse"
# The factor S is missing: tokens that the student thinks impossible are told as much as
# any other, which the reverse divergence does not do.
def reverse_gradient(student, teacher):
    log_s, log_t = log_probabilities(student), log_probabilities(teacher)
    return log_s - log_t - divergence(student, teacher)[..., None]


# %% wrong answer="the teacher's weights" caught_by="reverse"
# The factor in front is the teacher's probability. The mean is over the student's, and
# that is the whole difference between the two directions.
def reverse_gradient(student, teacher):
    log_s, log_t = log_probabilities(student), log_probabilities(teacher)
    return np.exp(log_t) * (log_s - log_t - divergence(student, teacher)[..., None])


# %% wrong answer="both the same" caught_by="reverse"
# This is the gradient of the forward divergence. The two are not the same function.
def reverse_gradient(student, teacher):
    return forward_gradient(student, teacher)


# %% wrong answer="log of a softmax" caught_by="large"
# The logarithm of a probability that is too small for float32 is minus infinity, and
# zero times infinity is NaN. Take the logarithm before anything vanishes.
def log_probabilities(logits):
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(exponentials / exponentials.sum(axis=-1, keepdims=True))


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def pair(rng, *shape):
    return 1.5 * rng.standard_normal((2, *shape))


def gradients(name, s, t):
    return call(s, t, returns=floats(*s.shape), function=f"{name}_gradient")


@check
def example(rng):
    """the example: two tokens"""
    s, t = np.log(np.array([[0.5, 0.5], [0.8, 0.2]]))
    yield call(s, t, returns=floats())
    for name in ("forward", "reverse"):
        yield gradients(name, s, t)


@check
def divergences(rng):
    """divergences"""
    for shape in ((5,), (2, 3, 4)):
        yield call(*pair(rng, *shape), returns=floats(*shape[:-1]))


@check
def forward(rng):
    """gradients, teacher first"""
    for shape in ((5,), (2, 3, 4)):
        yield gradients("forward", *pair(rng, *shape))


@check
def reverse(rng):
    """gradients, student first"""
    for shape in ((5,), (2, 3, 4)):
        yield gradients("reverse", *pair(rng, *shape))


# Of numbers in the hundreds float32 keeps the fifth decimal place at best.
@check(hidden=True, tolerance=1e-3)
def large(rng):
    """logits in the hundreds"""
    s, t = 100.0 * rng.integers(-2, 3, size=(2, 4, 5)) + 10.0 * np.arange(5)
    yield call(s, t, returns=floats(4))
    for name in ("forward", "reverse"):
        yield gradients(name, s, t)
