# /// exercise
# id = "addition_batch"
# title = "Addition as a language"
# paper = "2402.05969"
# section = "section 2, the addition task"
# concepts = ["tokens", "teacher forcing", "targets"]
# prerequisites = ["token_loss"]
# difficulty = 3
# minutes = 20
# points = 3
# ///

# %% statement [markdown]
# The paper trains on sums because the place of a digit decides what it is worth: who
# does not know the order cannot add. A sum becomes a sequence of tokens: the digits are
# the tokens 0 to 9, plus is 10, equals is 11. Operands have `digits` digits, filled up
# with zeros on the left; the answer has `digits + 1` and is written **lowest digit
# first**, the order in which one computes it, carry by carry.
#
#     7 + 15, digits = 2      0 7 + 1 5 = 2 2 0
#
# In training, position t sees the tokens up to t and has to predict token t + 1.
# So the inputs are all tokens but the last, the targets all but the first; and since
# operands are random, targets that belong to the prompt (up to and including the equals
# sign) are `-1`.
#
# Write `addition_batch(a, b, digits)`, which returns the two arrays `(inputs,
# targets)`. For 7 + 15 they are
#
#     inputs     0  7 10  1  5 11  2  2
#     targets   -1 -1 -1 -1 -1  2  2  0
#
# Out of scope: which sums are held out for validation.

# %% stub
import numpy as np

PLUS, EQUALS = 10, 11


def addition_batch(a, b, digits):
    """Sums as tokens, and what is to be predicted.

    Args:
        a: int32 (batch,), from 0 to 10**digits - 1.
        b: int32 (batch,), the same.
        digits: Digits of an operand.

    Returns:
        inputs: int32 (batch, 3 * digits + 2).
        targets: int32 (batch, 3 * digits + 2), -1 on the prompt.
    """
    raise NotImplementedError("addition_batch is not done yet")


# %% example
inputs, targets = addition_batch(np.array([7]), np.array([15]), digits=2)
np.testing.assert_array_equal(inputs, [[0, 7, 10, 1, 5, 11, 2, 2]])
np.testing.assert_array_equal(targets, [[-1, -1, -1, -1, -1, 2, 2, 0]])


# %% reference
def addition_batch(a, b, digits):
    powers = 10 ** np.arange(digits + 1)  # 1, 10, 100 ...: lowest digit first
    plus, equals = np.full((2, len(a), 1), [[[PLUS]], [[EQUALS]]])
    first = (a[:, None] // powers % 10)[:, -2::-1]  # without the leading zero
    second = (b[:, None] // powers % 10)[:, -2::-1]
    answer = (a + b)[:, None] // powers % 10
    tokens = np.concatenate([first, plus, second, equals, answer], axis=1)
    inputs, targets = tokens[:, :-1], tokens[:, 1:].copy()
    targets[:, : 2 * digits + 1] = -1
    return inputs, targets


# %% hint 1 [markdown]
# Write down the nine tokens of 7 + 15 and, below each but the first, whether it can be
# known from what stands before it. Which is the first target that counts, and at which
# position of the inputs is it predicted?

# %% hint 2 [markdown]
# Whole-number division and remainder give one digit: the tens of n are `n // 10 % 10`.
# With a column of numbers and a row of powers of ten you get all digits at once.
# `np.concatenate` with `axis=1` lines the five parts up.

# %% hint 3 [markdown]
# Digits of a and b, highest first; a column full of PLUS, one full of EQUALS; digits of
# the sum, lowest first. Join them. Inputs: drop the last column. Targets: drop the
# first, then put -1 into the first 2 * digits + 1 columns.


# %% right answer="through text"
def addition_batch(a, b, digits):
    tokens = []
    for x, y in zip(a, b):
        answer = f"{x + y:0{digits + 1}d}"[::-1]
        text = f"{x:0{digits}d}+{y:0{digits}d}={answer}"
        tokens.append(["0123456789+=".index(symbol) for symbol in text])
    tokens = np.array(tokens)
    positions = np.arange(3 * digits + 2)
    return tokens[:, :-1], np.where(positions > 2 * digits, tokens[:, 1:], -1)


# %% right answer="digit by digit"
def addition_batch(a, b, digits):
    tokens = np.zeros((len(a), 3 * digits + 3), int)
    for place in range(digits):
        tokens[:, digits - 1 - place] = a // 10**place % 10
        tokens[:, 2 * digits - place] = b // 10**place % 10
    tokens[:, digits], tokens[:, 2 * digits + 1] = PLUS, EQUALS
    for place in range(digits + 1):
        tokens[:, 2 * digits + 2 + place] = (a + b) // 10**place % 10
    targets = np.roll(tokens, -1, axis=1)[:, :-1]
    targets[:, : 2 * digits + 1] = -1
    return tokens[:, :-1], targets


# %% wrong answer="highest digit first" caught_by="sums"
# The answer is written highest digit first. Then the first digit already depends on
# every carry; lowest first, each digit needs only what has been computed before.
def addition_batch(a, b, digits):
    tokens = np.array(
        [
            [*map(int, f"{x:0{digits}d}"), PLUS, *map(int, f"{y:0{digits}d}"), EQUALS]
            + [*map(int, f"{x + y:0{digits + 1}d}")]
            for x, y in zip(a, b)
        ]
    )
    positions = np.arange(3 * digits + 2)
    return tokens[:, :-1], np.where(positions > 2 * digits, tokens[:, 1:], -1)


# %% wrong answer="operands reversed too" caught_by="sums"
# The operands are written lowest digit first as well. Only the answer is turned round.
def addition_batch(a, b, digits):
    tokens = []
    for x, y in zip(a, b):
        text = f"{x:0{digits}d}"[::-1] + "+" + f"{y:0{digits}d}"[::-1] + "="
        text += f"{x + y:0{digits + 1}d}"[::-1]
        tokens.append(["0123456789+=".index(symbol) for symbol in text])
    tokens = np.array(tokens)
    positions = np.arange(3 * digits + 2)
    return tokens[:, :-1], np.where(positions > 2 * digits, tokens[:, 1:], -1)


# %% wrong answer="targets not shifted" caught_by="sums"
# The target of a position is the token at that very position, which the model sees. It
# has to predict the next one: inputs lack the last token, targets the first.
def addition_batch(a, b, digits):
    tokens = []
    for x, y in zip(a, b):
        text = f"{x:0{digits}d}+{y:0{digits}d}=" + f"{x + y:0{digits + 1}d}"[::-1]
        tokens.append(["0123456789+=".index(symbol) for symbol in text])
    tokens = np.array(tokens)
    positions = np.arange(3 * digits + 2)
    return tokens[:, :-1], np.where(positions > 2 * digits + 1, tokens[:, :-1], -1)


# %% wrong answer="equals sign masked" caught_by="sums"
# One -1 too many: at the equals sign the model has to predict the first answer digit,
# and that one counts.
def addition_batch(a, b, digits):
    tokens = []
    for x, y in zip(a, b):
        text = f"{x:0{digits}d}+{y:0{digits}d}=" + f"{x + y:0{digits + 1}d}"[::-1]
        tokens.append(["0123456789+=".index(symbol) for symbol in text])
    tokens = np.array(tokens)
    positions = np.arange(3 * digits + 2)
    return tokens[:, :-1], np.where(positions > 2 * digits + 1, tokens[:, 1:], -1)


# %% wrong answer="equals sign counts" caught_by="sums"
# One -1 too few: the equals sign is part of the prompt and need not be predicted.
def addition_batch(a, b, digits):
    tokens = []
    for x, y in zip(a, b):
        text = f"{x:0{digits}d}+{y:0{digits}d}=" + f"{x + y:0{digits + 1}d}"[::-1]
        tokens.append(["0123456789+=".index(symbol) for symbol in text])
    tokens = np.array(tokens)
    positions = np.arange(3 * digits + 2)
    return tokens[:, :-1], np.where(positions > 2 * digits - 1, tokens[:, 1:], -1)


# %% wrong answer="prompt counts" caught_by="sums"
# No target is -1: the model would be asked to predict random operands.
def addition_batch(a, b, digits):
    tokens = []
    for x, y in zip(a, b):
        text = f"{x:0{digits}d}+{y:0{digits}d}=" + f"{x + y:0{digits + 1}d}"[::-1]
        tokens.append(["0123456789+=".index(symbol) for symbol in text])
    tokens = np.array(tokens)
    return tokens[:, :-1], tokens[:, 1:]


# %% wrong answer="last carry lost" caught_by="carries"
# The highest digit of the answer is always 0: the last carry is lost. The sum of two
# numbers of n digits may have n + 1.
def addition_batch(a, b, digits):
    tokens = []
    for x, y in zip(a, b):
        answer = f"{(x + y) % 10**digits:0{digits + 1}d}"
        text = f"{x:0{digits}d}+{y:0{digits}d}=" + answer[::-1]
        tokens.append(["0123456789+=".index(symbol) for symbol in text])
    tokens = np.array(tokens)
    positions = np.arange(3 * digits + 2)
    return tokens[:, :-1], np.where(positions > 2 * digits, tokens[:, 1:], -1)


# %% wrong answer="whole sequence" caught_by="sums"
# The last answer digit is still part of the inputs. Nothing follows it, so nothing is
# to be predicted there: inputs are one token shorter than the sequence.
def addition_batch(a, b, digits):
    tokens = []
    for x, y in zip(a, b):
        text = f"{x:0{digits}d}+{y:0{digits}d}=" + f"{x + y:0{digits + 1}d}"[::-1]
        tokens.append(["0123456789+=".index(symbol) for symbol in text])
    tokens = np.array(tokens)
    targets = np.where(np.arange(3 * digits + 3) > 2 * digits + 1, tokens, -1)
    return tokens, targets


# %% checks
import numpy as np

from kit.grading.cases import call, check, integers


def batch(a, b, digits):
    promise = integers(len(a), 3 * digits + 2)
    return call(a, b, digits, returns=(promise, promise))


@check
def example(rng):
    """the example: 7 + 15"""
    yield batch(np.array([7]), np.array([15]), 2)


@check
def sums(rng):
    """random sums of 2, 3 and 4 digits"""
    for digits in (2, 3, 4):
        yield batch(*rng.integers(10**digits, size=(2, 6)), digits)


@check
def carries(rng):
    """sums with a carry at every place"""
    digits = int(rng.integers(2, 5))
    a = rng.integers(1, 10**digits, size=5)
    yield batch(a, 10**digits - a, digits)


@check(hidden=True)
def extremes(rng):
    """the smallest and the largest operands"""
    yield batch(np.array([0, 9, 0, 9]), np.array([0, 0, 9, 9]), 1)
    yield batch(np.array([0, 999]), np.array([0, 999]), 3)
