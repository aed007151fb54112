# /// exercise
# id = "ceiling"
# title = "The ceiling without order"
# paper = "2402.05969"
# section = "section 1, claim C2"
# concepts = ["Bayes ceiling", "enumeration", "invariance"]
# prerequisites = ["permutation_test", "addition_batch"]
# difficulty = 4
# minutes = 30
# points = 4
# ///

# %% statement [markdown]
# A model that is blind to order reads the prompt `12+34=` as a bag of tokens: the
# digits 1, 2, 3, 4 and nothing about who stands where. The same bag may be 13+24 or
# 41+23. The best that such a model can do is to know, for each bag, which sum is the
# most frequent one, and to answer that. How often is it then right?
#
# This number is a ceiling without any parameters. Whoever beats it has found a leak,
# and the study of this paper tests every trained model against it.
#
# Write `ceiling(digits, base)`: the ceiling for all pairs of operands from 0 to
# `base**digits - 1`, written with exactly `digits` digits in that base (zeros are
# filled up), all pairs equally likely. Return the share of pairs answered right, and
# the number of different bags.
#
# With one digit there is nothing to mix up: `ceiling(1, 10)` is `(1.0, 55)`. With three
# digits in base ten it is 5.32 % and 5005 bags.
#
# Out of scope: digit by digit ceilings, and the answer's own tokens.

# %% stub
def ceiling(digits, base):
    """Best exact-match accuracy of a predictor that sees only the bag of digits.

    Args:
        digits: Digits of each operand, from 1.
        base: Number of different digits, from 2.

    Returns:
        The share of all pairs that the best rule answers right, from 0 to 1.
        The number of different bags.
    """
    raise NotImplementedError("ceiling is not done yet")


# %% example
share, bags = ceiling(1, 10)
assert abs(share - 1.0) < 1e-6
assert bags == 55

# %% reference
from collections import Counter, defaultdict


def ceiling(digits, base):
    sums = defaultdict(Counter)  # bag -> how often each sum occurs
    for a in range(base**digits):
        for b in range(base**digits):
            places = [base**place for place in range(digits)]
            bag = sorted(n // place % base for n in (a, b) for place in places)
            sums[tuple(bag)][a + b] += 1
    right = sum(max(counts.values()) for counts in sums.values())
    return right / base ** (2 * digits), len(sums)


# %% hint 1 [markdown]
# Which pairs look the same to a model that is blind to order? If it can give only one
# answer to all of them, which answer should that be, and for how many is it right?

# %% hint 2 [markdown]
# Sorting the digits makes the same key of all pairs that look the same. A dictionary
# from such keys to a `collections.Counter` of sums holds everything you need.

# %% hint 3 [markdown]
# Two loops over all operands. Inside: the digits of both as one sorted tuple; count the
# sum under that key. Afterwards: add up the largest count of each key, divide by the
# number of pairs.

# %% right answer="with arrays"
import numpy as np


def ceiling(digits, base):
    numbers = np.arange(base**digits)
    written = numbers[:, None] // base ** np.arange(digits) % base
    a, b = (grid.ravel() for grid in np.meshgrid(numbers, numbers))
    bags = np.sort(np.hstack([written[a], written[b]])) @ base ** np.arange(2 * digits)
    groups, counts = np.unique(np.stack([bags, a + b]), axis=1, return_counts=True)
    _, start = np.unique(groups[0], return_index=True)
    return np.maximum.reduceat(counts, start).sum() / len(bags), len(start)


# %% right answer="counting each digit"
from collections import Counter, defaultdict
from itertools import product


def ceiling(digits, base):
    tables = defaultdict(Counter)
    for prompt in product(range(base), repeat=2 * digits):
        bag = tuple(prompt.count(digit) for digit in range(base))
        places = [base**place for place in range(digits)] * 2
        tables[bag][sum(d * p for d, p in zip(prompt, places))] += 1
    right = sum(table.most_common(1)[0][1] for table in tables.values())
    return right / base ** (2 * digits), len(tables)


# %% wrong answer="knows the order" caught_by="two_digits"
# The digits are not sorted, so that each prompt is a bag of its own and the sum is
# always known. This model is not blind.
def ceiling(digits, base):
    return 1.0, base ** (2 * digits)


# %% wrong answer="forgets how many" caught_by="two_digits"
# Each digit is kept once, as in a set. A model that is blind to order still sees how
# often a digit occurs.
from collections import Counter, defaultdict


def ceiling(digits, base):
    sums = defaultdict(Counter)
    for a in range(base**digits):
        for b in range(base**digits):
            places = [base**place for place in range(digits)]
            bag = {n // place % base for n in (a, b) for place in places}
            sums[frozenset(bag)][a + b] += 1
    right = sum(max(counts.values()) for counts in sums.values())
    return right / base ** (2 * digits), len(sums)


# %% wrong answer="operands kept apart" caught_by="two_digits"
# The digits are sorted within each operand, so the model would still know which digits
# belong together. All digits of the prompt are in one bag.
from collections import Counter, defaultdict


def ceiling(digits, base):
    sums = defaultdict(Counter)
    for a in range(base**digits):
        for b in range(base**digits):
            places = [base**place for place in range(digits)]
            bags = [sorted(n // place % base for place in places) for n in (a, b)]
            sums[tuple(map(tuple, bags))][a + b] += 1
    right = sum(max(counts.values()) for counts in sums.values())
    return right / base ** (2 * digits), len(sums)


# %% wrong answer="guesses at random" caught_by="two_digits"
# Each sum that is possible for a bag is taken as equally likely. Some are more
# frequent, and the best rule answers the most frequent one.
from collections import Counter, defaultdict


def ceiling(digits, base):
    sums = defaultdict(Counter)
    for a in range(base**digits):
        for b in range(base**digits):
            places = [base**place for place in range(digits)]
            bag = sorted(n // place % base for n in (a, b) for place in places)
            sums[tuple(bag)][a + b] += 1
    right = sum(sum(counts.values()) / len(counts) for counts in sums.values())
    return right / base ** (2 * digits), len(sums)


# %% wrong answer="bags weighted equally" caught_by="two_digits"
# This is the mean over bags. Pairs are equally likely, bags are not: four different
# digits can be many prompts, four equal ones only one.
from collections import Counter, defaultdict


def ceiling(digits, base):
    sums = defaultdict(Counter)
    for a in range(base**digits):
        for b in range(base**digits):
            places = [base**place for place in range(digits)]
            bag = sorted(n // place % base for n in (a, b) for place in places)
            sums[tuple(bag)][a + b] += 1
    shares = [max(counts.values()) / sum(counts.values()) for counts in sums.values()]
    return sum(shares) / len(shares), len(sums)


# %% wrong answer="no filling up" caught_by="two_digits"
# Leading zeros are left out, so that the length of the prompt gives something away.
# Operands are written with all their digits.
from collections import Counter, defaultdict


def ceiling(digits, base):
    def written(n):
        return [n % base] + (written(n // base) if n >= base else [])

    sums = defaultdict(Counter)
    for a in range(base**digits):
        for b in range(base**digits):
            sums[tuple(sorted(written(a) + written(b)))][a + b] += 1
    right = sum(max(counts.values()) for counts in sums.values())
    return right / base ** (2 * digits), len(sums)


# %% wrong answer="each pair once" caught_by="two_digits"
# 12+34 and 34+12 are counted as one pair. They are two prompts, and both occur.
from collections import Counter, defaultdict


def ceiling(digits, base):
    sums, total = defaultdict(Counter), 0
    for a in range(base**digits):
        for b in range(a + 1):
            places = [base**place for place in range(digits)]
            bag = sorted(n // place % base for n in (a, b) for place in places)
            sums[tuple(bag)][a + b] += 1
            total += 1
    return sum(max(c.values()) for c in sums.values()) / total, len(sums)


# %% wrong answer="one answer for all" caught_by="two_digits"
# The best single answer to all prompts is something else: the model does see the bag.
from collections import Counter


def ceiling(digits, base):
    sums, bags = Counter(), set()
    for a in range(base**digits):
        for b in range(base**digits):
            places = [base**place for place in range(digits)]
            bag = sorted(n // place % base for n in (a, b) for place in places)
            bags.add(tuple(bag))
            sums[a + b] += 1
    return max(sums.values()) / base ** (2 * digits), len(bags)


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats, integers

ANSWER = (floats(), integers())


@check
def example(rng):
    """the example: one digit"""
    yield call(1, 10, returns=ANSWER)


@check
def two_digits(rng):
    """two digits, in several bases"""
    for base in rng.choice(np.arange(4, 8), size=2, replace=False):
        yield call(2, base, returns=ANSWER)


@check
def base_ten(rng):
    """two digits in base ten"""
    yield call(2, 10, returns=ANSWER)


@check(hidden=True)
def more_digits(rng):
    """more digits in a small base"""
    yield call(3, 3, returns=ANSWER)
    yield call(int(rng.integers(4, 6)), 2, returns=ANSWER)
