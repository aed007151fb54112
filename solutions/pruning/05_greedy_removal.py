# /// exercise
# id = "greedy_removal"
# title = "One by one"
# paper = "2501.17771"
# section = "official code, second stage"
# concepts = ["greedy search", "re-evaluation", "cost of a search"]
# prerequisites = ["perplexity"]
# difficulty = 2
# minutes = 20
# points = 2
# ///

# %% statement [markdown]
# No score tells what an attention is worth, because attentions stand in for each other:
# any one of three may be dispensable, and all three not. So the second stage tries.
# Take each attention out, look at the loss, put it back; remove for good the one whose
# absence hurts least. Then try all that are left **again**, in the model that has
# become smaller, until N are gone.
#
# Write
#
# - `num_candidates(blocks, count)`: how many models without some part are evaluated to
#   remove `count` of `blocks` parts. With 30 parts and 2 removals it is 30 + 29 = 59;
# - `remove_greedily(loss, parts, count)`, which returns the parts in the order in which
#   they go, and the loss after each removal. Of equal losses the part that comes first
#   in `parts` goes. Evaluate each candidate once, and nothing else: on a real model
#   every call costs seconds.
#
# By hand: let parts 4, 7 and 9 cost 1, 2 and 3 when they are missing, and 4 and 7
# *together* 5 more. First 4 goes, with a loss of 1. Then 7 would make 1 + 2 + 5 = 8,
# and 9 only 4, so 9 goes.

# %% stub
def num_candidates(blocks, count):
    """Evaluations that a greedy search needs.

    Args:
        blocks: Parts that may go.
        count: Parts that go, from 0 to all of them.

    Returns:
        An integer.
    """
    raise NotImplementedError("num_candidates is not done yet")


def remove_greedily(loss, parts, count):
    """Remove parts one by one, each time the one that is missed least.

    Args:
        loss: Function of a list of parts that returns the loss without all of them.
        parts: List of different integers: the names of what may go.
        count: Parts that go, from 0 to all of them.

    Returns:
        Two lists of `count` entries: the parts in the order in which they went, and the
        loss after each removal.
    """
    raise NotImplementedError("remove_greedily is not done yet")


# %% example
cost = {(4,): 1.0, (7,): 2.0, (9,): 3.0, (4, 7): 8.0, (4, 9): 4.0, (7, 9): 5.0}
found = remove_greedily(lambda gone: cost[tuple(sorted(gone))], [4, 7, 9], 2)
assert [list(each) for each in found] == [[4, 9], [1.0, 4.0]]
assert num_candidates(30, 2) == 59


# %% reference
def num_candidates(blocks, count):
    return sum(blocks - removed for removed in range(count))


def remove_greedily(loss, parts, count):
    gone, losses = [], []
    for _ in range(count):
        left = [part for part in parts if part not in gone]
        tried = [loss([*gone, part]) for part in left]
        losses.append(min(tried))
        gone.append(left[tried.index(min(tried))])
    return gone, losses


# %% hint 1 [markdown]
# When the second part is chosen, which model do the candidates differ from by one part:
# the whole one, or the one without the first? How many candidates are left?

# %% hint 2 [markdown]
# `[*gone, part]` is a list with one more entry. `min` of several equal numbers says
# nothing about where they stand, but `list.index` finds the first place, and so does
# `min` with a `key`.

# %% hint 3 [markdown]
# A loop of `count` rounds. In each: the parts that are left, in the order of `parts`; a
# list with the loss of each, together with all that is gone; the smallest, its place,
# and one entry more in both results.


# %% right answer="remembering pairs"
def num_candidates(blocks, count):
    return count * (2 * blocks - count + 1) // 2


def remove_greedily(loss, parts, count):
    left, went = list(parts), []
    while len(went) < count:
        names = [name for name, _ in went]
        found = {part: float(loss(names + [part])) for part in left}
        lowest = min(found, key=found.get)
        left.remove(lowest)
        went.append((lowest, found[lowest]))
    return [name for name, _ in went], [value for _, value in went]


# %% wrong answer="judged once" caught_by="together"
# All parts are judged in the whole model, and the best of them go. Parts that stand in
# for each other then go together: judge again after every removal.
def remove_greedily(loss, parts, count):
    alone = {part: loss([part]) for part in parts}
    gone = sorted(parts, key=alone.get)[:count]
    return gone, [loss(gone[: n + 1]) for n in range(count)]


# %% wrong answer="what is gone is back" caught_by="together"
# Each round removes a candidate from the *whole* model. What went before has to be
# missing as well.
def remove_greedily(loss, parts, count):
    gone, losses = [], []
    for _ in range(count):
        left = [part for part in parts if part not in gone]
        tried = [loss([part]) for part in left]
        losses.append(min(tried))
        gone.append(left[tried.index(min(tried))])
    return gone, losses


# %% wrong answer="the highest loss" caught_by="together"
# The part with the *highest* loss goes, which is the one that is missed most.
def remove_greedily(loss, parts, count):
    gone, losses = [], []
    for _ in range(count):
        left = [part for part in parts if part not in gone]
        tried = [loss([*gone, part]) for part in left]
        losses.append(max(tried))
        gone.append(left[tried.index(max(tried))])
    return gone, losses


# %% wrong answer="all combinations" caught_by="together"
# All combinations are tried. Their best is at least as good, but for 15 of 30 parts
# there are 155 million of them. Greedy search goes part by part.
from itertools import combinations


def remove_greedily(loss, parts, count):
    best = min((list(c) for c in combinations(parts, count)), key=loss)
    return best, [loss(best[: n + 1]) for n in range(count)]


# %% wrong answer="stops when it hurts" caught_by="together"
# The search ends as soon as the loss rises. It will rise: `count` parts go anyway.
def remove_greedily(loss, parts, count):
    gone, losses = [], [float("inf")]
    while len(gone) < count:
        left = [part for part in parts if part not in gone]
        tried = [loss([*gone, part]) for part in left]
        if min(tried) > losses[-1]:
            break
        losses.append(min(tried))
        gone.append(left[tried.index(min(tried))])
    return gone, losses[1:]


# %% wrong answer="places for names" caught_by="together"
# Places in the list are returned, where the names of the parts are wanted.
def remove_greedily(loss, parts, count):
    gone, losses = [], []
    for _ in range(count):
        left = [part for part in parts if part not in gone]
        tried = [loss([*gone, part]) for part in left]
        losses.append(min(tried))
        gone.append(left[tried.index(min(tried))])
    return [parts.index(part) for part in gone], losses


# %% wrong answer="the last of equals" caught_by="ties"
# Of equal losses the last one is taken. With `<=` instead of `<` in a loop that happens
# by itself.
def remove_greedily(loss, parts, count):
    gone, losses = [], []
    for _ in range(count):
        lowest, which = float("inf"), None
        for part in parts:
            if part not in gone:
                found = loss([*gone, part])
                if found <= lowest:
                    lowest, which = found, part
        losses.append(lowest)
        gone.append(which)
    return gone, losses


# %% wrong answer="evaluated again" caught_by="cost"
# The winner of each round is evaluated a second time. Keep what was measured.
def remove_greedily(loss, parts, count):
    gone = []
    losses = []
    for _ in range(count):
        left = [part for part in parts if part not in gone]
        gone.append(min(left, key=lambda part: loss([*gone, part])))
        losses.append(loss(gone))
    return gone, losses


# %% wrong answer="the gone are tried" caught_by="cost"
# Parts that are gone are tried again in every round. Nothing can be learned from them.
def remove_greedily(loss, parts, count):
    gone, losses = [], []
    for _ in range(count):
        tried = {part: loss([*gone, part]) for part in parts}
        left = [part for part in parts if part not in gone]
        gone.append(min(left, key=tried.get))
        losses.append(tried[gone[-1]])
    return gone, losses


# %% wrong answer="every round as long" caught_by="counted"
# Each round is counted as long as the first. One part is gone after it, and has no
# candidate any more.
def num_candidates(blocks, count):
    return blocks * count


# %% wrong answer="one round too many" caught_by="counted"
# There is one round too many in the sum: after the last removal nothing is tried.
def num_candidates(blocks, count):
    return sum(blocks - removed for removed in range(count + 1))


# %% driver
import answer
import numpy as np


def searched(parts, alone, together, count):
    names, asked = parts.tolist(), []

    def loss(missing):
        asked.append(1)
        gone = np.isin(parts, list(missing))
        return float(alone[gone].sum() + together[np.ix_(gone, gone)].sum())

    gone, losses = answer.remove_greedily(loss, names, count)
    return np.array(gone, "int32"), np.array(losses, "float32"), np.array(len(asked))


def order(parts, alone, together, count):
    return searched(parts, alone, together, count)[:2]


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats, integers


def search(parts, alone, together, count, function="order"):
    returns = integers(count), floats(count), integers()
    said = "arrays are (1) the parts in their order, (2) the loss after each"
    if function == "searched":
        said += ",\n(3) how often loss was called"
    return call(
        *(np.array(parts), np.array(alone), np.array(together), count),
        returns=returns[: 3 if function == "searched" else 2],
        function=function,
        shown=f"remove_greedily(loss, {list(parts)}, {count}):\n{said}",
    )


def draw(rng, size):
    """Neighbours of a cheap part make it dear: judged once, the wrong ones go."""
    names = rng.choice(np.arange(10, 40), size, replace=False).tolist()
    alone = np.arange(size) + 1.5 * rng.random(size) + 1.0
    together = np.zeros((size, size))
    together[0, 1] = together[1, 2] = 2.0 * size
    together[2, 3] = -1.5
    order = rng.permutation(size)
    return names, alone[order], together[np.ix_(order, order)]


@check
def example(rng):
    """the example: three parts, two of which stand in for each other"""
    yield call(30, 2, returns=integers())
    together = np.zeros((3, 3))
    together[0, 1] = 5.0
    yield search([4, 7, 9], [1.0, 2.0, 3.0], together, 2)


@check
def together(rng):
    """parts that stand in for each other"""
    for size, count in ((5, 3), (6, 4)):
        yield search(*draw(rng, size), count)


@check
def ties(rng):
    """parts that are missed equally"""
    nothing = np.zeros((4, 4))
    yield search([8, 3, 5, 1], [2.0, 1.0, 1.0, 1.0], nothing, 2)


@check
def cost(rng):
    """how often the loss is evaluated"""
    yield search(*draw(rng, 6), 3, function="searched")


@check
def counted(rng):
    """the cost, before it is paid"""
    for blocks, count in ((12, 5), (8, 8), (7, 0)):
        yield call(blocks, count, returns=integers())


@check(hidden=True)
def extremes(rng):
    """nothing goes, or everything"""
    names, alone, pairs = draw(rng, 5)
    yield search(names, alone, pairs, 5, function="searched")
    yield search(names, alone, pairs, 0, function="searched")
