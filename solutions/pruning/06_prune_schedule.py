# /// exercise
# id = "prune_schedule"
# title = "Fast first, then slowly"
# paper = "2501.17771"
# section = "an extra: pruning in training"
# concepts = ["gradual pruning", "schedules", "off by one"]
# prerequisites = ["block_warmup"]
# difficulty = 2
# minutes = 20
# points = 2
# ///

# %% statement [markdown]
# 2SSP prunes a model that is trained already, and changes no weight afterwards. Who may
# train can prune on the way, and let what is left learn to do without. Zhu and Gupta
# (arXiv 1710.01878) remove much at first, while there is plenty, and little towards the
# end. From an initial share s_i at step t_0 to a final share s_f at step t_n,
#
#     s_t = s_f + (s_i - s_f) · (1 - (t - t_0) / (t_n - t_0))^power
#
# is gone, with a power of 3 in the paper. Before t_0 nothing is gone, from t_n on it is
# s_f.
#
# Write `share_at(step, ...)`, which is this share, and `next_pruning(step, ...)`: the
# first step **from `step` on** at which something is removed. That is done at t_0 and
# every so many steps after it, and for the last time at t_n in any case, or the final
# share would not be reached. Return `None` if nothing comes any more.
#
# By hand: from 0 to 0.8 between the steps 0 and 100 with a power of 3, at step 50 half
# of the way is left, of which the third power is 1/8: 0.8 - 0.8 / 8 = 0.7 is gone. With
# a pruning every 40 steps they are at 0, 40, 80 and 100.

# %% stub
def share_at(step, initial, final, start, end, power):
    """The share that is gone at a step.

    Args:
        step: Step, from 0.
        initial, final: Shares that are gone at `start` and at `end`.
        start, end: Steps, start < end.
        power: Number above 0; 1 is linear.

    Returns:
        A number from 0 to 1.
    """
    raise NotImplementedError("share_at is not done yet")


def next_pruning(step, start, end, every):
    """When something is removed next.

    Args:
        step: Step, from 0.
        start, end: First and last step at which something is removed.
        every: Steps between two prunings, from 1; the last two may be closer.

    Returns:
        The first step from `step` on at which something is removed, or None.
    """
    raise NotImplementedError("next_pruning is not done yet")


# %% example
assert abs(share_at(50, 0.0, 0.8, 0, 100, 3) - 0.7) < 1e-6
assert [next_pruning(step, 0, 100, 40) for step in (1, 80, 81)] == [40, 80, 100]


# %% reference
def way(step, start, end):
    return (step - start) / (end - start)


def share_at(step, initial, final, start, end, power):
    if step < start:
        return 0.0
    left = 1 - min(1.0, way(step, start, end))
    return final + (initial - final) * left**power


def next_pruning(step, start, end, every):
    if step > end:
        return None
    rounds = max(0, -((start - step) // every))
    return min(start + rounds * every, end)


# %% hint 1 [markdown]
# What is the power of at the first step, at the last one, and far behind it? Which of
# two steps comes next, if the grid has one behind the end?

# %% hint 2 [markdown]
# `min` and `max` keep a number between bounds. Python's `//` rounds down; a quotient
# that is to be rounded up can be negated before and after. Or let `range` make all the
# steps, and look for the first one that is not too early.

# %% hint 3 [markdown]
# Zero before the start. From then on: which share of the way is left, not below zero;
# its power; the final share plus a multiple of that. For the other function: how many
# whole intervals after the start, at least none, and not later than the end.


# %% right answer="all steps in a list"
def share_at(step, initial, final, start, end, power):
    step = min(step, end)
    if step >= start:
        progress = ((end - step) / (end - start)) ** power
        return initial * progress + final * (1 - progress)
    return 0.0


def next_pruning(step, start, end, every):
    steps = [*range(start, end, every), end]
    return next((found for found in steps if found >= step), None)


# %% wrong answer="always a line" caught_by="between"
# The power is not used, and the share rises in a straight line.
def share_at(step, initial, final, start, end, power):
    if step < start:
        return 0.0
    return final + (initial - final) * (1 - min(1.0, way(step, start, end)))


# %% wrong answer="slowly first" caught_by="between"
# The power is taken of the way that is done. That removes little at first and much at
# the end, just when nobody has time to recover.
def share_at(step, initial, final, start, end, power):
    if step < start:
        return 0.0
    return initial + (final - initial) * min(1.0, way(step, start, end)) ** power


# %% wrong answer="starts from nothing" caught_by="between"
# The initial share is not used: at the start there would be nothing gone.
def share_at(step, initial, final, start, end, power):
    if step < start:
        return 0.0
    return final - final * (1 - min(1.0, way(step, start, end))) ** power


# %% wrong answer="counted from zero" caught_by="between"
# The way is counted from step 0. It begins at `start`.
def share_at(step, initial, final, start, end, power):
    if step < start:
        return 0.0
    return final + (initial - final) * (1 - min(1.0, step / end)) ** power


# %% wrong answer="too early" caught_by="before"
# Before the start there is something gone already.
def share_at(step, initial, final, start, end, power):
    left = 1 - min(1.0, max(0.0, way(step, start, end)))
    return final + (initial - final) * left**power


# %% wrong answer="beyond the end" caught_by="after"
# The formula goes on after the end, where what is left of the way is negative.
def share_at(step, initial, final, start, end, power):
    if step < start:
        return 0.0
    return final + (initial - final) * (1 - way(step, start, end)) ** power


# %% wrong answer="strictly later" caught_by="next_one"
# A pruning at this very step is passed over. From `step` on includes it.
def next_pruning(step, start, end, every):
    steps = [*range(start, end, every), end]
    return next((found for found in steps if found > step), None)


# %% wrong answer="multiples" caught_by="next_one"
# The steps are multiples of `every`. They are counted from the start.
def next_pruning(step, start, end, every):
    steps = [s for s in range(0, end, every) if s >= start] + [end]
    return next((found for found in steps if found >= step), None)


# %% wrong answer="the end is forgotten" caught_by="last_one"
# The last pruning is missing, if the end is not a whole number of intervals away. The
# final share is then never reached.
def next_pruning(step, start, end, every):
    steps = range(start, end + 1, every)
    return next((found for found in steps if found >= step), None)


# %% wrong answer="it never ends" caught_by="last_one"
# After the end there is still a next pruning. Return `None` there.
def next_pruning(step, start, end, every):
    rounds = max(0, -((start - step) // every))
    return start + rounds * every


# %% driver
import answer


def next_or_never(step, start, end, every):
    found = answer.next_pruning(step, start, end, every)
    return -1 if found is None else found


# %% checks
from kit.grading.cases import call, check, floats, integers


def shares(rng, where):
    start = int(rng.integers(20, 60))
    end = start + int(rng.integers(50, 150))
    initial, final = 0.1 + 0.1 * rng.random(), 0.6 + 0.3 * rng.random()
    powers = (1.0, 3.0) if where == "after" else (2.0, 3.0)
    for power, at in zip(powers, (0.3, 0.6), strict=True):
        step = {
            "before": int(at * start),
            "between": start + int(at * (end - start)),
            "after": end + int(at * 80),
        }[where]
        yield call(step, initial, final, start, end, power, returns=floats())


def following(*arguments):
    shown = f"next_pruning{arguments}, with -1 for None"
    return call(*arguments, returns=integers(), function="next_or_never", shown=shown)


@check
def example(rng):
    """the example: half of the way"""
    yield call(50, 0.0, 0.8, 0, 100, 3, returns=floats())
    for step in (1, 80, 81):
        yield following(step, 0, 100, 40)


@check
def between(rng):
    """shares on the way"""
    yield from shares(rng, "between")


@check
def before(rng):
    """before the start"""
    yield from shares(rng, "before")


@check
def after(rng):
    """after the end"""
    yield from shares(rng, "after")


@check
def next_one(rng):
    """steps with a pruning ahead"""
    start, every = int(rng.integers(1, 9)), int(rng.integers(10, 30))
    end = start + 4 * every
    for step in (0, start, start + every, start + every + 1):
        yield following(step, start, end, every)


@check
def last_one(rng):
    """near the end"""
    start, every = int(rng.integers(1, 9)), int(rng.integers(10, 30))
    end = start + 3 * every + int(rng.integers(2, 9))
    for step in (end - 1, end, end + 1):
        yield following(step, start, end, every)


@check(hidden=True)
def ends(rng):
    """exactly at the start and the end"""
    for step in (30, 90):
        yield call(step, 0.2, 0.9, 30, 90, 3.0, returns=floats())
    yield following(5, 20, 90, 200)
