# /// exercise
# id = "block_warmup"
# title = "A warm-up for each block"
# paper = "2502.19002"
# section = "section 5, and the schedules of its code"
# concepts = ["learning-rate schedules", "warm-up", "cosine decay"]
# prerequisites = ["blockwise_step"]
# difficulty = 3
# minutes = 20
# points = 2
# ///

# %% statement [markdown]
# "Embeddings get ten times the learning rate": at which step? The rate rises in a
# warm-up and falls along a cosine, and the authors' code has two ways to put a ratio r
# into that. In both the peak of the block is r times the common one.
#
# - `"warmup"`: its warm-up is r times as long, too, so that all blocks rise *with the
#   same slope*, and the flat ones just go on rising.
# - `"peak"`: all blocks have the common warm-up.
#
# Then the rate falls from the block's own peak to the *common* minimum, `final` times
# the common peak, and stays there. With W for the length of the block's warm-up, and
# steps counted from 0, which already learns:
#
#     rate = r · peak · (step + 1) / W                      while step < W
#     rate = low + (r · peak - low) · (1 + cos(π s)) / 2    then,
#            s = (step - W) / (steps - W) from 0 to 1, and 1 after the last step
#
# where (step + 1) / W is not more than 1. Write `block_rate(...)`, and
# `ratio_at(...)`, the rate of the block over that of a block with ratio 1 at the same
# step. Think about what the second one is at the first step and at the last, before you
# compute it: how long are embeddings really ten times as fast?
#
# By hand: with peak 1, 100 steps, a warm-up of 10 and final 0.1, a block with ratio 4
# has the rates 0.1 at step 0, 1 at step 9, 4 at step 39 and 0.1 at step 100 if scaling
# is `"warmup"`; with `"peak"` it has 4 at step 9.

# %% stub
import numpy as np


def block_rate(step, ratio, peak, steps, warmup_steps, final, scaling):
    """Learning rate of a block at a step.

    Args:
        step: Whole number, from 0; may be larger than `steps`.
        ratio: Number from 1, of the block.
        peak: Highest rate of a block with ratio 1.
        steps: Steps in all, more than any warm-up.
        warmup_steps: Steps of the warm-up of a block with ratio 1, from 1.
        final: The common minimum as a share of `peak`.
        scaling: "warmup" or "peak".

    Returns:
        A number.
    """
    raise NotImplementedError("block_rate is not done yet")


def ratio_at(step, ratio, peak, steps, warmup_steps, final, scaling):
    """How many times as fast as a block with ratio 1 the block learns at a step.

    Args:
        step, ratio, peak, steps, warmup_steps, final, scaling: As for `block_rate`.

    Returns:
        A number.
    """
    raise NotImplementedError("ratio_at is not done yet")


# %% example
schedule = {"peak": 1.0, "steps": 100, "warmup_steps": 10, "final": 0.1}
rates = [block_rate(step, 4.0, **schedule, scaling="warmup") for step in (0, 9, 39)]
np.testing.assert_allclose(rates, [0.1, 1.0, 4.0])
np.testing.assert_allclose(block_rate(9, 4.0, **schedule, scaling="peak"), 4.0)
np.testing.assert_allclose(ratio_at(100, 4.0, **schedule, scaling="peak"), 1.0)


# %% reference
def rise_and_fall(step, top, low, warmup, steps, shift=1, start=None):
    start = warmup if start is None else start
    if step < warmup:
        return top * min((step + shift) / warmup, 1.0)
    done = min((step - start) / (steps - start), 1.0)
    return low + (top - low) * (1 + np.cos(np.pi * done)) / 2


def block_rate(step, ratio, peak, steps, warmup_steps, final, scaling):
    warmup = warmup_steps * (ratio if scaling == "warmup" else 1)
    return rise_and_fall(step, ratio * peak, final * peak, warmup, steps)


def ratio_at(step, ratio, peak, steps, warmup_steps, final, scaling):
    schedule = peak, steps, warmup_steps, final, scaling
    return block_rate(step, ratio, *schedule) / block_rate(step, 1.0, *schedule)


# %% hint 1 [markdown]
# Which of the four numbers, peak, length of the warm-up, start of the cosine and
# minimum, belong to the block, and which to all?

# %% hint 2 [markdown]
# Work out W first; everything else is written in terms of it. `min` keeps both shares
# from growing beyond 1, `np.cos` wants radians.

# %% hint 3 [markdown]
# A line for W with a condition on `scaling`; one for the warm-up; one for the share s;
# one for the cosine. The second function is a quotient of two calls of the first.


# %% right answer="whole curves"
def block_rate(step, ratio, peak, steps, warmup_steps, final, scaling):
    length = {"warmup": ratio * warmup_steps, "peak": warmup_steps}[scaling]
    share = np.clip((np.float64(step) - length) / (steps - length), 0.0, 1.0)
    fallen = np.sin(np.pi / 2 * share) ** 2 * (ratio - final)
    return peak * np.minimum((step + 1) / length, 1.0) * (ratio - fallen)


def ratio_at(step, ratio, peak, steps, warmup_steps, final, scaling):
    fast, usual = (
        block_rate(step, each, peak, steps, warmup_steps, final, scaling)
        for each in (ratio, 1)
    )
    return fast / usual


# %% wrong answer="the common warm-up" caught_by="longer_warmup"
# All blocks have the common warm-up. With "warmup" a block with ratio r warms up r
# times as long.
def block_rate(step, ratio, peak, steps, warmup_steps, final, scaling):
    return rise_and_fall(step, ratio * peak, final * peak, warmup_steps, steps)


# %% wrong answer="always longer" caught_by="same_warmup"
# The warm-up is longer in both ways. With "peak" it is that of the others, and the
# slope is steeper.
def block_rate(step, ratio, peak, steps, warmup_steps, final, scaling):
    return rise_and_fall(step, ratio * peak, final * peak, ratio * warmup_steps, steps)


# %% wrong answer="a minimum for each block" caught_by="longer_warmup"
# The minimum is multiplied by the ratio, too. It is common to all blocks: at the end of
# training all learn at the same rate.
def block_rate(step, ratio, peak, steps, warmup_steps, final, scaling):
    warmup = warmup_steps * (ratio if scaling == "warmup" else 1)
    return rise_and_fall(step, ratio * peak, final * ratio * peak, warmup, steps)


# %% wrong answer="longer, not higher" caught_by="longer_warmup"
# The ratio makes the warm-up longer and leaves the peak as it is. Such a block learns
# more slowly than the others, not faster.
def block_rate(step, ratio, peak, steps, warmup_steps, final, scaling):
    warmup = warmup_steps * (ratio if scaling == "warmup" else 1)
    return rise_and_fall(step, peak, final * peak, warmup, steps)


# %% wrong answer="a first step of zero" caught_by="longer_warmup"
# The rate is zero at step 0, so that one step is lost. It starts with the first of W
# equal parts.
def block_rate(step, ratio, peak, steps, warmup_steps, final, scaling):
    warmup = warmup_steps * (ratio if scaling == "warmup" else 1)
    return rise_and_fall(step, ratio * peak, final * peak, warmup, steps, shift=0)


# %% wrong answer="a cosine from step 0" caught_by="longer_warmup"
# The cosine is counted from step 0, so that the rate drops when the warm-up ends. Count
# it from there.
def block_rate(step, ratio, peak, steps, warmup_steps, final, scaling):
    warmup = warmup_steps * (ratio if scaling == "warmup" else 1)
    return rise_and_fall(step, ratio * peak, final * peak, warmup, steps, start=0)


# %% wrong answer="a straight line" caught_by="longer_warmup"
# The rate falls in a straight line instead of along a cosine.
def block_rate(step, ratio, peak, steps, warmup_steps, final, scaling):
    warmup = warmup_steps * (ratio if scaling == "warmup" else 1)
    if step < warmup:
        return rise_and_fall(step, ratio * peak, final * peak, warmup, steps)
    left = max(steps - step, 0) / (steps - warmup)
    return final * peak + (ratio - final) * peak * left


# %% wrong answer="the ratio itself" caught_by="ratios"
# The ratio is taken to hold at all times. Divide one rate by the other: as the minimum
# is common, it ends at 1.
def ratio_at(step, ratio, peak, steps, warmup_steps, final, scaling):
    return ratio


# %% wrong answer="up again" caught_by="after_the_end"
# After the last step the cosine comes up again, and the rate with it. It stays at the
# minimum.
def block_rate(step, ratio, peak, steps, warmup_steps, final, scaling):
    warmup = warmup_steps * (ratio if scaling == "warmup" else 1)
    if step < warmup:
        return rise_and_fall(step, ratio * peak, final * peak, warmup, steps)
    wave = np.cos(np.pi * (step - warmup) / (steps - warmup))
    return final * peak + (ratio - final) * peak * (1 + wave) / 2


# %% driver
import answer
import numpy as np


def rates(steps, *schedule):
    return np.array([answer.block_rate(int(s), *schedule) for s in steps], "float32")


def ratios_over_time(steps, *schedule):
    return np.array([answer.ratio_at(int(s), *schedule) for s in steps], "float32")


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats

NAMES = {"rates": "block_rate", "ratios_over_time": "ratio_at"}


def curve(rng, scaling, ratio=None, function="rates", at=None):
    warmup, ratio = int(rng.integers(4, 9)), ratio or float(rng.integers(2, 7))
    steps = 100 + 10 * int(rng.integers(9))
    at = np.arange(0, steps + 1, 3) if at is None else steps + np.array(at)
    schedule = (ratio, 2.0 + round(rng.random(), 2), steps, warmup, 0.1, scaling)
    return call(
        at,
        *schedule,
        returns=floats(len(at)),
        function=function,
        shown=f"{NAMES[function]}(step, {', '.join(map(str, schedule))})\nat the steps "
        f"{at[0]}, {at[1]}, {at[2]} and so on",
    )


@check
def example(rng):
    """the example: a ratio of 4"""
    for scaling, steps in (("warmup", [0, 9, 39, 100]), ("peak", [9])):
        options = {"returns": floats(len(steps)), "function": "rates"}
        yield call(np.array(steps), 4.0, 1.0, 100, 10, 0.1, scaling, **options)


@check
def longer_warmup(rng):
    """a longer warm-up for the block"""
    for _ in range(2):
        yield curve(rng, "warmup")


@check
def same_warmup(rng):
    """the common warm-up"""
    for _ in range(2):
        yield curve(rng, "peak")


@check
def ratios(rng):
    """how many times as fast"""
    for scaling in ("warmup", "peak"):
        yield curve(rng, scaling, function="ratios_over_time")


@check
def after_the_end(rng):
    """after the last step"""
    yield curve(rng, "warmup", at=[0, 1, 5, 40])


@check(hidden=True)
def no_whole_warmup(rng):
    """a warm-up that does not end at a step, and a ratio of 1"""
    for ratio in (2.3, 1.0):
        yield curve(rng, "warmup", ratio)
