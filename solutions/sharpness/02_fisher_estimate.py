# /// exercise
# id = "fisher_estimate"
# title = "Sharpness from one gradient"
# paper = "2502.19002"
# section = "section 3, the Fisher estimate of sharpness"
# concepts = ["Fisher matrix", "sharpness", "sampling"]
# prerequisites = ["variable_groups", "token_loss"]
# difficulty = 3
# minutes = 25
# points = 3
# ///

# %% statement [markdown]
# The sharpness of a block b is its mean curvature, the trace of its part of the Hessian
# over the number of its parameters. Near a fitted model the Hessian is the Fisher
# matrix, and its trace comes almost for free:
#
#     S(b) = N · ‖ gradient of the mean loss with respect to b ‖² / parameters of b
#
# where N is the number of tokens that the loss is the mean over, and b is *all*
# variables of one type, in all layers. One thing is odd about it: the loss is not that
# of the data. Each target is **drawn from the model's own softmax**. Then gradients of
# different tokens are uncorrelated with mean zero, squares of sums are on average sums
# of squares, and the estimate is right on average. With the true targets it is too
# large wherever the model is wrong in a systematic way.
#
# Write
#
# - `drawn_targets(logits, uniforms)`: with a uniform number u for each token, the first
#   class whose probability, *added to those of all classes before it*, is above u;
# - `block_sharpness(gradients, groups, targets)`: S of each group. Targets of -1 are
#   not counted, and the loss is the mean over the others.
#
# By hand: probabilities of 1/4, 1/4 and 1/2 give class 1 for u = 0.3, and class 2 for
# 0.5. A group of two variables with gradients (1, 2) and 3 has, with four tokens,
# S = 4 · (1 + 4 + 9) / 3.

# %% stub
import numpy as np


def drawn_targets(logits, uniforms):
    """Targets drawn from a model's own softmax.

    Args:
        logits: float32 (tokens, vocabulary).
        uniforms: float32 (tokens,), from 0 up to 1.

    Returns:
        int32 (tokens,).
    """
    raise NotImplementedError("drawn_targets is not done yet")


def block_sharpness(gradients, groups, targets):
    """S of each group, from the gradient of one batch.

    Args:
        gradients: List of float32 arrays, each of the shape of its variable, of the
            mean loss over all tokens that count.
        groups: List of int, the group of each variable, from 0 without a gap.
        targets: int32 (batch, time), -1 where a token does not count.

    Returns:
        float32 (groups,).
    """
    raise NotImplementedError("block_sharpness is not done yet")


# %% example
logits = np.log(np.array([[1, 1, 2], [1, 1, 2]], "float32"))
uniforms = np.array([0.3, 0.55], "float32")
np.testing.assert_array_equal(drawn_targets(logits, uniforms), [1, 2])
gradients = [np.array([1.0, 2.0], "float32"), np.array([3.0], "float32")]
four = np.array([[5, 7, 5, -1, 1]])
np.testing.assert_allclose(block_sharpness(gradients, [0, 0], four), [56 / 3])


# %% reference
def by_group(gradients, groups):
    squares, sizes = np.zeros((2, max(groups) + 1))
    for gradient, group in zip(gradients, groups):
        squares[group] += np.sum(np.square(gradient, dtype="float64"))
        sizes[group] += gradient.size
    return squares, sizes


def drawn_targets(logits, uniforms):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    sums = np.cumsum(weights / weights.sum(axis=-1, keepdims=True), axis=-1)
    return np.sum(sums <= uniforms[:, None], axis=-1).clip(max=logits.shape[-1] - 1)


def block_sharpness(gradients, groups, targets):
    squares, sizes = by_group(gradients, groups)
    return np.sum(targets != -1) * squares / sizes


# %% hint 1 [markdown]
# Two variables of one group have 10 and 1000 parameters. Is the mean over the group the
# mean of their two means? And which N makes up for the division inside of a mean loss?

# %% hint 2 [markdown]
# `np.cumsum` gives the steps of a staircase from 0 to 1; the class is the number of
# steps at or below u. For the groups, keep two running arrays, one for sums of squares
# and one for counts (`gradient.size`), and divide once at the end.

# %% hint 3 [markdown]
# Softmax, running sums, how many of them do not exceed u. Then a loop over variables
# that adds to the two arrays at the place of the group; the kept tokens times the
# quotient of the two.


# %% right answer="one token, one group at a time"
def drawn_targets(logits, uniforms):
    drawn = []
    for row, u in zip(np.asarray(logits, "float64"), uniforms):
        weights, number = np.exp(row - row.max()), 0
        while weights[: number + 1].sum() <= u * weights.sum():
            number += 1
        drawn.append(number)
    return np.array(drawn, "int32")


def block_sharpness(gradients, groups, targets):
    found = []
    for wanted in range(max(groups) + 1):
        own = [g.ravel() for g, group in zip(gradients, groups) if group == wanted]
        found.append(np.mean(np.concatenate(own) ** 2) * (targets >= 0).sum())
    return np.array(found)


# %% wrong answer="the likeliest class" caught_by="targets"
# Every target is the likeliest class, as if the model were never in doubt.
def drawn_targets(logits, uniforms):
    return np.argmax(logits, axis=-1)


# %% wrong answer="the last class below" caught_by="targets"
# The class is one too low: the last one that lies wholly below u, not the first whose
# running sum is above.
def drawn_targets(logits, uniforms):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    sums = np.cumsum(weights / weights.sum(axis=-1, keepdims=True), axis=-1)
    return np.maximum(np.sum(sums <= uniforms[:, None], axis=-1) - 1, 0)


# %% wrong answer="without the tokens" caught_by="one_group"
# The number of tokens is missing. The gradient of a mean over N tokens that pull in
# random directions is short, and the more of them there are, the shorter.
def block_sharpness(gradients, groups, targets):
    squares, sizes = by_group(gradients, groups)
    return squares / sizes


# %% wrong answer="counts sequences" caught_by="one_group"
# N counts sequences here. Each *token* has a target that is drawn for itself.
def block_sharpness(gradients, groups, targets):
    squares, sizes = by_group(gradients, groups)
    return len(targets) * squares / sizes


# %% wrong answer="counts what does not count" caught_by="one_group"
# N counts all tokens, also those whose target is -1.
def block_sharpness(gradients, groups, targets):
    squares, sizes = by_group(gradients, groups)
    return targets.size * squares / sizes


# %% wrong answer="trace, not mean" caught_by="one_group"
# This is the trace, a sum over parameters. Large blocks would look sharp because they
# are large: divide by the number of parameters of the block.
def block_sharpness(gradients, groups, targets):
    return np.sum(targets != -1) * by_group(gradients, groups)[0]


# %% wrong answer="over all parameters" caught_by="many_groups"
# Every group is divided by the parameters of the whole model, not by its own.
def block_sharpness(gradients, groups, targets):
    squares, sizes = by_group(gradients, groups)
    return np.sum(targets != -1) * squares / sizes.sum()


# %% wrong answer="mean of means" caught_by="many_groups"
# Each variable is averaged first, and then the variables of a group. A small variable
# then counts as much as a large one; all *parameters* of a group should.
def block_sharpness(gradients, groups, targets):
    means = [np.mean(g**2.0) for g in gradients]
    kept = np.sum(targets != -1)
    return kept * np.bincount(groups, means) / np.bincount(groups)


# %% driver
import itertools

import answer
import numpy as np


def of_arrays(groups, targets, *gradients):
    return answer.block_sharpness(list(gradients), groups, targets)


def on_average(inputs, logits):
    tokens, classes = logits.shape
    chances = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    total = 0.0
    for targets in itertools.product(range(classes), repeat=tokens):
        pull = (chances - np.eye(classes)[list(targets)]) / tokens
        gradients = [(inputs.T @ pull).astype("float32"), pull.sum(axis=0)]
        weight = np.prod(chances[np.arange(tokens), list(targets)])
        found = answer.block_sharpness(gradients, [0, 1], np.array([targets]))
        total = total + weight * np.asarray(found)
    return total.astype("float32")


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats, integers


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def targets_case(logits, uniforms):
    # None so near to a step of the staircase that rounding decides.
    sums = np.cumsum(softmax(logits), axis=-1)[:, :-1]
    clear = np.abs(sums - uniforms[:, None]).min(axis=-1) > 1e-3
    logits, uniforms = logits[clear], uniforms[clear]
    return call(logits, uniforms, returns=integers(len(uniforms)))


def sharpness_case(rng, groups, shapes):
    targets = rng.integers(9, size=(3, 5))
    targets[:, :2] = -1
    gradients = [rng.standard_normal(shape) * (1 + i) for i, shape in enumerate(shapes)]
    return call(
        groups,
        targets,
        *gradients,
        returns=floats(max(groups) + 1),
        function="of_arrays",
        shown=f"block_sharpness of variables of the shapes {shapes}\nin the groups "
        f"{groups}, where 9 of 15 tokens count",
    )


@check
def example(rng):
    """the example: two draws, and two variables"""
    logits = np.log([[1.0, 1.0, 2.0], [1.0, 1.0, 2.0]])
    yield targets_case(logits, np.array([0.3, 0.55]))


@check
def targets(rng):
    """targets drawn from the softmax"""
    for size in (3, 6):
        logits = 1.5 * rng.standard_normal((20, size))
        yield targets_case(logits, rng.random(20))


@check
def one_group(rng):
    """one variable"""
    yield sharpness_case(rng, [0], [(4, 3)])


@check
def many_groups(rng):
    """groups of several variables, of many sizes"""
    shapes = [(7, 3), (2,), (3, 5), (4,), (6, 2)]
    yield sharpness_case(rng, [1, 0, 1, 2, 0], shapes)
    yield sharpness_case(rng, [0, 0, 0, 1, 0], shapes)


@check
def fisher_trace(rng):
    """the mean over all possible targets is the trace of the Fisher matrix"""
    inputs, logits = rng.standard_normal((3, 4)), rng.standard_normal((3, 3))
    doubt = 1 - np.square(softmax(logits)).sum(axis=-1)
    weights = np.mean(np.square(inputs).sum(axis=-1) * doubt) / (4 * 3)
    yield call(
        inputs,
        logits,
        returns=floats(2),
        function="on_average",
        expected=np.array([weights, doubt.mean() / 3]),
        shown="block_sharpness of a linear layer and its bias, 3 tokens of 3 classes,"
        "\nits mean over all 27 targets that the model can draw",
    )


@check(hidden=True)
def large_logits(rng):
    """logits of several hundred"""
    yield targets_case(300.0 * rng.standard_normal((9, 5)), rng.random(9))
