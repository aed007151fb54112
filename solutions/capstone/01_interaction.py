# /// exercise
# id = "interaction"
# title = "Do they fight?"
# paper = "all five papers"
# section = "what none of them asks"
# concepts = ["interaction", "paired seeds", "Student's t"]
# prerequisites = ["sas_p", "ablation", "blockwise_step", "shared_block", "allocation"]
# difficulty = 2
# minutes = 20
# points = 2
# ///

# %% statement [markdown]
# Two changes of a model, and what each does to the loss alone. What will both do
# together? If they have nothing to do with each other: the sum of the two. What is left
# over is their *interaction*,
#
#     (both - neither) - [(first - neither) + (second - neither)].
#
# Losses are better when lower, so above zero the two fight: together they are worse
# than their sum. Below zero they help each other.
#
# A single number is an anecdote. Each kind of model was trained with several seeds, and
# runs of the same seed belong together: they start alike and read alike, so much of
# their luck is the same and cancels, if you let it. Write
# `interaction(neither, first, second, both)`, which gives the mean over seeds and the
# ends of its 95 % interval: the mean, plus and minus Student's t quantile for n - 1
# degrees of freedom, times the standard error.
#
# By hand: with two seeds whose interactions are 1 and 3, the mean is 2, the standard
# deviation √2 (divided by n - 1), the standard error √2 / √2 = 1 and the quantile
# 12.706. The interval goes from -10.706 to 14.706.

# %% stub
import numpy as np


def interaction(neither, first, second, both):
    """What two changes do to the loss beyond the sum of what each does alone.

    Args:
        neither: Losses without the two, float32 (seeds,).
        first, second: Losses with one of them, float32 (seeds,), in the same order.
        both: Losses with both, float32 (seeds,).

    Returns:
        Mean, low and high end of the 95 % interval: three numbers.
    """
    raise NotImplementedError("interaction is not done yet")


# %% example
mean, low, high = interaction(
    np.array([4.0, 5.0], "float32"),
    np.array([4.0, 5.0], "float32"),
    np.array([4.0, 5.0], "float32"),
    np.array([5.0, 8.0], "float32"),
)
assert np.allclose([mean, low, high], [2.0, -10.706, 14.706], atol=1e-3)


# %% reference
from scipy import special


def t_quantile(seeds):
    return special.stdtrit(seeds - 1, 0.975)


def combined(neither, first, second, both):
    return both - first - second + neither


def half_width(beyond):
    return t_quantile(len(beyond)) * beyond.std(ddof=1) / len(beyond) ** 0.5


def interaction(neither, first, second, both):
    losses = [np.asarray(x, "float64") for x in (neither, first, second, both)]
    beyond = combined(*losses)
    half = half_width(beyond)
    return beyond.mean(), beyond.mean() - half, beyond.mean() + half


# %% hint 1 [markdown]
# There are four arrays and one number for each seed. Which number? And what is left to
# do with those, if you forget where they come from?

# %% hint 2 [markdown]
# `np.std` divides by n unless it is told otherwise. The quantile is
# `scipy.stats.t.ppf`, or `scipy.special.stdtrit`, which loads faster; a two-sided
# interval of 95 % leaves 2.5 % on each side.

# %% hint 3 [markdown]
# First the four arrays with their signs, two plus and two minus, to one array over the
# seeds. Then its mean, its standard deviation with n - 1, over the root of n, times the
# quantile.


# %% right answer="of two differences"
from scipy import stats


def interaction(neither, first, second, both):
    alone, joined = first - neither, both - second  # the first change, twice
    found = [float(b) - float(a) for a, b in zip(alone, joined)]
    mean = sum(found) / len(found)
    squares = sum((each - mean) ** 2 for each in found)
    error = (squares / (len(found) - 1) / len(found)) ** 0.5
    return (mean, *stats.t.interval(0.95, len(found) - 1, mean, error))


# %% wrong answer="the other way round" caught_by="means"
# The sign is turned: with yours, changes that fight come out below zero. Losses are
# better when lower, so what is worse than the sum is above zero.
def combined(neither, first, second, both):
    return first + second - both - neither


# %% wrong answer="what both do" caught_by="means"
# That is what both changes do together, not what they do beyond the sum of each alone.
def combined(neither, first, second, both):
    return both - neither


# %% wrong answer="without neither" caught_by="means"
# Each change alone is its loss minus that of neither. With two of them, the loss of
# neither is taken away twice and has to come back once.
def combined(neither, first, second, both):
    return both - first - second


# %% wrong answer="not paired" caught_by="intervals"
# You treat the four arrays as if their seeds had nothing in common. Runs of one seed
# share much of their luck; combine them first, and take the spread of that.
def interaction(neither, first, second, both):
    losses = [np.asarray(x, "float64") for x in (neither, first, second, both)]
    mean = combined(*losses).mean()
    seeds = len(neither)
    error = sum(x.var(ddof=1) / seeds for x in losses) ** 0.5
    half = t_quantile(seeds) * error
    return mean, mean - half, mean + half


# %% wrong answer="divided by n" caught_by="intervals"
# Your standard deviation divides by n. With a handful of seeds it has to be n - 1, or
# the interval is too narrow.
def half_width(beyond):
    return t_quantile(len(beyond)) * beyond.std() / len(beyond) ** 0.5


# %% wrong answer="1.96" caught_by="intervals"
# 1.96 is the quantile of the normal distribution, for when the spread is known. With
# three seeds, from which it has to be estimated, it is 4.30.
def t_quantile(seeds):
    return 1.96


# %% wrong answer="1.96, divided by n" caught_by="intervals"
# Your standard deviation divides by n, where with a handful of seeds it has to be
# n - 1; and 1.96 is the quantile for when the spread is known, and not estimated.
def half_width(beyond):
    return 1.96 * beyond.std() / len(beyond) ** 0.5


# %% wrong answer="one side" caught_by="intervals"
# Your quantile leaves 5 % on each side, so the interval is one of 90 %.
def t_quantile(seeds):
    return special.stdtrit(seeds - 1, 0.95)


# %% wrong answer="spread of the seeds" caught_by="intervals"
# Your interval is that of a single run, and stays as wide however many seeds there are.
# The mean of n runs is surer than one of them by the root of n.
def half_width(beyond):
    return t_quantile(len(beyond)) * beyond.std(ddof=1)


# %% driver
import answer
import numpy as np


def interaction(neither, first, second, both):
    return np.asarray(answer.interaction(neither, first, second, both))


def mean_interaction(neither, first, second, both):
    return answer.interaction(neither, first, second, both)[0]


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def drawn(rng, seeds):
    """Losses whose seeds have much in common."""
    luck = rng.normal(4.0, 0.3, seeds)
    effects = rng.uniform(0.1, 0.6, 3) * rng.choice([-1, 1], 3)
    neither, first, second, both = luck + rng.normal(0, 0.1, (4, seeds))
    first, second = first + effects[0], second + effects[1]
    return neither, first, second, both + effects.sum()


@check
def example(rng):
    """the example by hand"""
    same = np.array([4.0, 5.0])
    yield call(same, same, same, np.array([5.0, 8.0]), returns=floats(3))


@check
def means(rng):
    """the interaction, for 3 to 6 seeds"""
    for seeds in (3, 4, 6):
        yield call(*drawn(rng, seeds), returns=floats(), function="mean_interaction")


@check
def intervals(rng):
    """the interval, for 3 to 8 seeds"""
    for seeds in (3, 5, 8):
        yield call(*drawn(rng, seeds), returns=floats(3))
