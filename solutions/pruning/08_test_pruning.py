# /// exercise
# id = "test_pruning"
# title = "Write the test"
# paper = "2501.17771"
# section = "official code, first stage"
# concepts = ["testing", "equivalence", "symmetry of neurons"]
# prerequisites = ["neuron_score", "dense_pair"]
# difficulty = 4
# minutes = 30
# points = 4
# ///

# %% statement [markdown]
# A pruned model is worse than the whole one. That is expected, and so nobody notices
# when it is worse than it need be: when the wrong neurons went, or the right ones were
# taken out of one matrix and their neighbours out of the other.
#
# Write `is_right(prune)`. It gets a function of text, of the arrays of a layer, and of
# how many neurons should stay, that claims to be the first stage of 2SSP for a
# feed-forward with ReLU,
#
#     h = max(0, x · up + bias)        y = h · down
#
# It should return three smaller arrays, `up`, `bias` and `down` with the `count`
# neurons of the highest scores on x: the Euclidean norm of h over the tokens of a
# sequence, then the mean over the sequences. Return whether you believe it. Call it as
# often as you like, with whatever arrays you like.
#
# Fourteen functions will be shown to you, in random order. Some are right, each in its
# own way: they differ by rounding, and *in the order of the neurons*, which changes
# nothing that the layer says. The others have one mistake each. Calling a right one
# wrong loses all points; for the wrong ones you get points in proportion to those you
# find. Many mistakes choose the same neurons on tame data: make yours wild.
#
# A function that returns the arrays as they were, for instance, is wrong.

# %% stub
import numpy as np


def is_right(prune):
    """Whether a function keeps the right neurons, and all of each.

    Args:
        prune: Function of x, float32 (sequences, time, width), up, float32 (width,
            neurons), bias, float32 (neurons,), down, float32 (neurons, outputs), and
            count, from 1, that returns smaller up, bias and down.

    Returns:
        True or False.
    """
    raise NotImplementedError("is_right is not done yet")


# %% example
assert not is_right(lambda x, up, bias, down, count: (up, bias, down))


# %% reference
def layers(seed=0, sequences=5, neurons=24):
    rng = np.random.default_rng(seed)
    loud = np.exp(1.5 * rng.standard_normal((sequences, 7, 1)))
    x = loud * rng.standard_normal((sequences, 7, 6))
    up = rng.standard_normal((6, neurons)) * np.exp(rng.standard_normal(neurons))
    bias = 2 * rng.standard_normal(neurons)
    down = rng.standard_normal((neurons, 4)) * np.exp(rng.standard_normal((neurons, 1)))
    return [array.astype("float32") for array in (x, up, bias, down)]


def hidden(x, up, bias):
    return np.maximum(0.0, x.astype("float64") @ up + bias)


def kept(x, up, bias, count):
    scores = np.linalg.norm(hidden(x, up, bias), axis=1).mean(axis=0)
    return np.argsort(-scores)[:count]


def agrees(prune, x, up, bias, down, count):
    small = prune(x, up, bias, down, count)
    if [each.shape[-1] for each in small] != [count, count, down.shape[1]]:
        return False
    stay = kept(x, up, bias, count)
    expected = hidden(x, up[:, stay], bias[stay]) @ down[stay]
    found = hidden(x, small[0], small[1]) @ small[2]
    return bool(np.allclose(found, expected, rtol=1e-3, atol=1e-3))


def is_right(prune):
    return all(agrees(prune, *layers(seed), 9) for seed in range(5))


# %% hint 1 [markdown]
# What is the same for two layers whose neurons stand in another order: their arrays, or
# what they say? And what would data have to be like for a mean of norms and a norm of
# everything to choose the same neurons?

# %% hint 2 [markdown]
# You have written the scores already: an oracle needs them, `np.argsort`, and two
# matrix products. Draw sequences that differ much in size, neurons that differ much,
# and biases of both signs, with `np.random.default_rng` and several seeds; compare with
# `np.allclose`, and the shapes before that.

# %% hint 3 [markdown]
# For a handful of seeds: random arrays; what the function returns; are the shapes those
# of `count` neurons; what the small layer says, what it should say with the neurons
# that your own scores keep, and whether the two are close.


# %% right answer="one neuron at a time"
def is_right(prune):
    for seed in (11, 12, 13, 14):
        x, up, bias, down = layers(seed)
        for count in (4, 12):
            new_up, new_bias, new_down = prune(x, up, bias, down, count)
            if (new_up.shape[1], len(new_bias), len(new_down)) != (count,) * 3:
                return False
            # Neurons as rows of one table: what they read, their bias, what they write.
            old = np.vstack([up, bias, down.T]).T
            new = np.vstack([new_up, new_bias, new_down.T]).T
            apart = np.abs(new[:, None] - old).max(axis=2)
            stay = sorted(kept(x, up, bias, count).tolist())
            if sorted(apart.argmin(axis=1).tolist()) != stay:
                return False
            if apart.min(axis=1).max() > 1e-4:
                return False
    return True


# %% wrong answer="believes nobody" caught_by="tells_apart"
# Your test believes no function at all, not even the right ones.
def is_right(prune):
    return False


# %% wrong answer="the order matters" caught_by="tells_apart"
# Your test compares the arrays, in which neurons may stand in any order. Compare what
# the layers say.
def is_right(prune):
    x, up, bias, down = layers()
    stay = np.sort(kept(x, up, bias, 9))
    expected = up[:, stay], bias[stay], down[stay]
    return all(
        a.shape == b.shape and np.allclose(a, b)
        for a, b in zip(prune(x, up, bias, down, 9), expected)
    )


# %% wrong answer="shapes alone" caught_by="tells_apart"
# Your test looks at shapes. Whatever is in the arrays passes it.
def is_right(prune):
    x, up, bias, down = layers()
    shapes = [each.shape for each in prune(x, up, bias, down, 9)]
    return shapes == [(6, 9), (9,), (9, 4)]


# %% wrong answer="any neurons will do" caught_by="tells_apart"
# Your test finds out whether whole neurons of the old layer are left, but not whether
# they are those with the highest scores.
def is_right(prune):
    x, up, bias, down = layers()
    new = prune(x, up, bias, down, 9)
    if len(new[1]) != 9:
        return False
    old = np.vstack([up, bias, down.T]).T
    rows = np.vstack([new[0], new[1], new[2].T]).T
    return bool(np.abs(rows[:, None] - old).max(axis=2).min(axis=1).max() < 1e-4)


# %% wrong answer="only the right neurons" caught_by="tells_apart"
# Your test finds out which columns of the first matrix are left, and does not look at
# the bias and at the second matrix.
def is_right(prune):
    right = True
    for seed in range(5):
        x, up, bias, down = layers(seed)
        found = prune(x, up, bias, down, 9)[0]
        wanted = up[:, kept(x, up, bias, 9)]
        right &= found.shape == wanted.shape
        right = right and np.allclose(np.sort(found), np.sort(wanted))
    return bool(right)


# %% wrong answer="a single sequence" caught_by="tells_apart"
# There is only one sequence in your test. A norm for each and one for all are then the
# same, and nobody can see who looks at the first one alone.
def is_right(prune):
    return all(agrees(prune, *layers(seed, sequences=1), 9) for seed in range(5))


# %% wrong answer="no bias" caught_by="tells_apart"
# All biases are zero in your test, so that it cannot see what becomes of them.
def is_right(prune):
    right = True
    for seed in range(5):
        x, up, bias, down = layers(seed)
        right = right and agrees(prune, x, up, 0 * bias, down, 9)
    return right


# %% wrong answer="two neurons" caught_by="tells_apart"
# With two neurons, one much louder than the other, every score chooses the same one.
# Let there be many, of which some are close.
def is_right(prune):
    x, up, bias, down = layers(neurons=2)
    up[:, 0] *= 50
    return agrees(prune, x, up, bias, down, 1)


# %% driver
import answer
import numpy as np


def norms(h):
    return np.sqrt(np.square(h).sum(axis=1)).mean(axis=0)


def ascending(scores, count):
    return np.sort(np.argsort(-scores, kind="stable")[:count])


def cut(up, bias, down, j):
    return up[:, j], bias[j], down[j]


def pruner(score=norms, before=lambda h: np.maximum(h, 0), choose=ascending, cut=cut):
    def prune(x, up, bias, down, count):
        scores = score(before(x.astype("float64") @ up + bias))
        return cut(up, bias, down, choose(scores, count))

    return prune


def by_rank(x, up, bias, down, count):
    found = [np.linalg.norm(np.maximum(c @ up + bias, 0), axis=0) for c in x]
    return cut(up, bias, down, np.argsort(-np.sum(found, axis=0))[:count])


def backwards(x, up, bias, down, count):
    h = np.clip(np.einsum("ctw,wn->ctn", x, up) + bias, 0, None)
    order = np.argsort(np.sqrt((h * h).sum(axis=1)).mean(axis=0))
    return cut(up, bias, down, order[-count:][::-1].copy())


def by_weights(x, up, bias, down, count):
    sizes = (up**2).sum(axis=0) + (down**2).sum(axis=1)
    return cut(up, bias, down, ascending(sizes, count))


def written(x, up, bias, down, count):
    scores = norms(np.maximum(x @ up + bias, 0)) * np.linalg.norm(down, axis=1)
    return cut(up, bias, down, ascending(scores, count))


def neighbours(up, bias, down, j):
    return up[:, j], bias[j], down[np.roll(j, 1)]


def rescaled(up, bias, down, j):
    return up[:, j], bias[j], down[j] * (len(down) / len(j))


PRUNERS = [
    pruner(),
    by_rank,
    backwards,
    pruner(choose=lambda scores, count: ascending(-scores, count)),
    pruner(before=lambda h: h),
    pruner(score=lambda h: np.square(h).sum(axis=(0, 1))),
    pruner(score=lambda h: h.sum(axis=(0, 1))),
    pruner(score=lambda h: norms(h[:1])),
    by_weights,
    written,
    pruner(choose=lambda scores, count: ascending(scores, count - 1)),
    pruner(cut=lambda up, bias, down, j: (up[:, j], bias[: len(j)], down[j])),
    pruner(cut=neighbours),
    pruner(cut=rescaled),
    lambda x, up, bias, down, count: (up, bias, down),
]


def judged(number):
    return answer.is_right(PRUNERS[number])


# %% checks
from kit.grading.cases import booleans, call, check

RIGHT = {
    0: "neurons in ascending order",
    1: "neurons by rank, in float32",
    2: "neurons by rank, then turned around",
}
WRONG = {
    3: "keeps the neurons with the lowest scores",
    4: "scores what comes before the ReLU",
    5: "takes one norm over the tokens of all sequences",
    6: "adds up h instead of taking a Euclidean norm",
    7: "looks at the first sequence alone",
    8: "scores by the size of the weights, and never looks at x",
    9: "multiplies the scores by the size of the rows of down",
    10: "keeps a neuron too few",
    11: "keeps the first entries of the bias",
    12: "has rows of down that belong to other neurons",
    13: "makes down larger for what is gone",
}


def shown(number, right):
    about = "is right: " + RIGHT[number] if right else WRONG.get(number, "cuts nothing")
    return call(
        number,
        returns=booleans(),
        function="judged",
        expected=right,
        must=right,
        shown="is_right(a function)",
        remark=f"you {'rejected' if right else 'believed'} one that {about}",
    )


@check
def example(rng):
    """the example: nothing is cut"""
    yield shown(14, False)


@check(partial=True)
def tells_apart(rng):
    """3 right functions and 11 wrong ones, in random order"""
    for number in rng.permutation(14):
        yield shown(int(number), int(number) in RIGHT)
