"""A tiny exercise for tests of the judge."""

from kit.grading.exercises import parse

HEAD = "import numpy as np\n"
SOURCE = '''\
# /// exercise
# id = "double"
# title = "Double"
# paper = "2402.05969"
# section = "1"
# concepts = ["two"]
# prerequisites = []
# difficulty = 1
# minutes = 5
# points = 4
# ///

# %% statement [markdown]
# Double it.

# %% stub
import numpy as np


def double(x):
    """Twice x."""
    raise NotImplementedError("double is not done yet")


# %% example
assert double(np.array([2.0])) == 4


# %% reference
def double(x):
    return 2 * x


# %% hint 1 [markdown]
# What?

# %% hint 2 [markdown]
# `*`

# %% hint 3 [markdown]
# A product.

# %% right answer="sum"
def double(x):
    return x + x


# %% wrong answer="unchanged" caught_by="values"
# It comes back as it went in.
def double(x):
    return x


# %% wrong answer="squared" caught_by="values"
# This is the square.
def double(x):
    return x * x


# %% wrong answer="total" caught_by="values"
# This is the double of the sum.
def double(x):
    return 2 * x.sum()


# %% wrong answer="raises" caught_by="values"
# It takes a list for an array.
def double(x):
    return x.append(x)


# %% wrong answer="no number" caught_by="values"
# It divides zero by zero.
def double(x):
    return 2 * x * (x - x) / (x - x)


# %% driver
import answer


def doubled_twice(x):
    """A comment that no submission should read."""
    return answer.double(answer.double(x))  # SECRET COMMENT


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats

SECRET = 12345.678


@check(seconds={seconds})
def example(rng):
    """the example"""
    yield call(np.array([2.0]), returns=floats(1))


@check(seconds={seconds})
def values(rng):
    """random values"""
    for size in (3, 1, 2):
        yield call(rng.normal(size=size), returns=floats(size))


@check(seconds={seconds})
def through_the_driver(rng):
    """twice"""
    yield call(rng.normal(size=2), returns=floats(2), function="doubled_twice")


@check(seconds={seconds}, hidden=True)
def secret(rng):
    """a hidden value"""
    x = np.array([SECRET])
    yield call(x, returns=floats(1), expected=2 * x)
'''


def toy(folder, seconds=20.0):
    """The exercise, parsed from a file in this folder."""
    path = folder / "01_double.py"
    path.write_text(SOURCE.replace("{seconds}", str(seconds)), "utf-8")
    return parse(path)
