# /// exercise
# id = "permutation_test"
# title = "Does it know the order?"
# paper = "2402.05969"
# section = "section 1, claim C1"
# concepts = ["equivariance", "invariance", "testing a model"]
# prerequisites = ["attention"]
# difficulty = 3
# minutes = 20
# points = 3
# ///

# %% statement [markdown]
# The theorem of the paper: without positions and with a full mask, what a Transformer
# predicts at the last position does not change when the tokens *before* it trade
# places. You do not have to believe it, because you can measure it on any model.
#
# Write `largest_change(model, tokens)`. Try every order of all tokens but the last,
# which stays where it is, and return the largest absolute change, over all orders and
# all outputs, of what the model returns at the **last position**. Zero (up to rounding)
# means: blind to order.
#
# A model that repeats its first token everywhere shows how it works: for the tokens
# 1, 5, 2, 9 the last position gives 1; the orders of 1, 5, 2 make it 1, 5 or 2; the
# largest change is 4.
#
# There are at most 7 tokens, so trying everything is cheap.
# Out of scope: long sequences, for which one would draw orders at random.

# %% stub
import numpy as np


def largest_change(model, tokens):
    """Largest change of the last position's output when earlier tokens trade places.

    Args:
        model: Function from int32 (batch, time) to float32 (batch, time, outputs).
        tokens: int32 (time,), from 2 to 7 tokens.

    Returns:
        A number, at least 0.
    """
    raise NotImplementedError("largest_change is not done yet")


# %% example
tokens = np.array([1, 5, 2, 9])
repeats_first = lambda batch: np.repeat(batch[:, :1, None], 4, axis=1)
repeats_sum = lambda batch: np.repeat(batch.sum(axis=1)[:, None, None], 4, axis=1)
assert largest_change(repeats_first, tokens) == 4
assert largest_change(repeats_sum, tokens) == 0


# %% reference
from itertools import permutations


def largest_change(model, tokens):
    before = model(tokens[None])[0, -1]
    largest = 0.0
    for order in permutations(range(len(tokens) - 1)):
        shuffled = np.append(tokens[list(order)], tokens[-1])
        after = model(shuffled[None])[0, -1]
        largest = max(largest, np.abs(after - before).max())
    return largest


# %% hint 1 [markdown]
# Which tokens move, which one stays, and at which single position do you look at the
# model's output? What would a full-mask model show you at the other positions?

# %% hint 2 [markdown]
# `itertools.permutations` gives every order of the numbers 0 to n - 2, and an array can
# be indexed with a list of numbers. The model wants a batch: `tokens[None]` makes one.

# %% hint 3 [markdown]
# First the last position's output for the tokens as they are. Then a loop over all
# orders: the reordered tokens with the old last one behind them, the model's output at
# the last position, the largest absolute difference, kept if it is a new record.

# %% right answer="one batch"
from itertools import permutations


def largest_change(model, tokens):
    orders = np.array(list(permutations(range(len(tokens) - 1))))
    last = np.full((len(orders), 1), len(tokens) - 1)
    outputs = np.asarray(model(tokens[np.concatenate([orders, last], axis=1)]))[:, -1]
    return np.max(np.abs(outputs - outputs[0]))  # the first order is the given one


# %% right answer="distinct sequences"
from itertools import permutations


def largest_change(model, tokens):
    *before, last = tokens.tolist()
    batch = np.array([(*p, last) for p in set(permutations(before))], "int32")
    change = np.asarray(model(batch)) - np.asarray(model(tokens[None]))
    return abs(change[:, -1]).max()


# %% wrong answer="moves the last token" caught_by="blind_models"
# The last token moves as well. What is predicted after another token may of course be
# something else, and so every model seems to know the order.
from itertools import permutations


def largest_change(model, tokens):
    orders = np.array(list(permutations(range(len(tokens)))))
    outputs = model(tokens[orders])[:, -1]
    return np.abs(outputs - outputs[0]).max()


# %% wrong answer="looks everywhere" caught_by="blind_models"
# The outputs of all positions are compared. At a position whose token has moved away,
# even a model that is blind to order gives something else. Look at the last one only.
from itertools import permutations


def largest_change(model, tokens):
    orders = np.array(list(permutations(range(len(tokens) - 1))))
    last = np.full((len(orders), 1), len(tokens) - 1)
    outputs = model(tokens[np.concatenate([orders, last], axis=1)])
    return np.abs(outputs - outputs[0]).max()


# %% wrong answer="no absolute value" caught_by="both_signs"
# A change downwards is a change as well: take the absolute value before the maximum.
from itertools import permutations


def largest_change(model, tokens):
    orders = np.array(list(permutations(range(len(tokens) - 1))))
    last = np.full((len(orders), 1), len(tokens) - 1)
    outputs = model(tokens[np.concatenate([orders, last], axis=1)])[:, -1]
    return (outputs - outputs[0]).max()


# %% wrong answer="one swap" caught_by="aware_models"
# Only the first two tokens trade places. A model may ignore that swap and still know
# the order of the others.
def largest_change(model, tokens):
    swapped = tokens.copy()
    swapped[:2] = tokens[1::-1] if len(tokens) > 2 else tokens
    return np.abs(model(swapped[None])[0, -1] - model(tokens[None])[0, -1]).max()


# %% wrong answer="only reversed" caught_by="aware_models"
# Only one other order is tried, the reversed one. Try all of them.
def largest_change(model, tokens):
    turned = np.append(tokens[-2::-1], tokens[-1])
    return np.abs(model(turned[None])[0, -1] - model(tokens[None])[0, -1]).max()


# %% wrong answer="mean change" caught_by="aware_models"
# This is the mean change. Asked for is the largest: one order that matters is enough.
from itertools import permutations


def largest_change(model, tokens):
    orders = np.array(list(permutations(range(len(tokens) - 1))))
    last = np.full((len(orders), 1), len(tokens) - 1)
    outputs = model(tokens[np.concatenate([orders, last], axis=1)])[:, -1]
    return np.abs(outputs - outputs[0]).mean()


# %% wrong answer="neighbours compared" caught_by="aware_models"
# Each order is compared with the one tried before it. Compare all of them with the
# tokens as they were given.
from itertools import permutations


def largest_change(model, tokens):
    orders = np.array(list(permutations(range(len(tokens) - 1))))
    last = np.full((len(orders), 1), len(tokens) - 1)
    outputs = model(tokens[np.concatenate([orders, last], axis=1)])[:, -1]
    return np.abs(np.diff(outputs, axis=0)).max(initial=0.0)


# %% wrong answer="follows the tokens" caught_by="aware_models"
# The output of each token is compared with the same token's output at its old place.
# That tests whether a model is equivariant, at all positions. Asked for is the last
# one.
from itertools import permutations


def largest_change(model, tokens):
    before, largest = model(tokens[None])[0], 0.0
    for order in permutations(range(len(tokens) - 1)):
        order = [*order, len(tokens) - 1]
        after = model(tokens[order][None])[0]
        largest = max(largest, np.abs(after - before[order]).max())
    return largest


# %% wrong answer="always zero" caught_by="aware_models"
# Nothing is measured: the answer is zero for every model.
def largest_change(model, tokens):
    return 0.0


# %% driver
import answer
import numpy as np


def change_of_first_token(tokens):
    def model(batch):
        return np.repeat(batch[:, :1, None], batch.shape[1], 1).astype("float32")

    return answer.largest_change(model, tokens)


def softmax(scores):
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def change_of_transformer(tokens, causal, embedding, positions, blocks, readout):
    def model(batch):
        time = batch.shape[1]
        mask = np.tril(np.ones((time, time), bool)) if causal else True
        x = embedding[batch] + positions[:time]
        for query, key, value, hidden in blocks:
            scores = (x @ query) @ np.swapaxes(x @ key, -1, -2)
            x = x + softmax(np.where(mask, scores, -1e9)) @ (x @ value)
            x = x + np.tanh(x @ hidden)
        return x @ readout

    return answer.largest_change(model, tokens)


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats

WIDTH = 4


def transformer(rng, time, blocks, causal, positions=False, sign=1.0):
    shapes = [(12, WIDTH), (7, WIDTH), (blocks, 4, WIDTH, WIDTH), (WIDTH, 3)]
    embedding, table, weights, readout = map(rng.standard_normal, shapes)
    described = f"{blocks} blocks, {'causal' if causal else 'full'} mask"
    described += ", positions" if positions else ", no positions"
    return call(
        rng.permutation(12)[:time],
        causal,
        embedding,
        table * positions,
        0.6 * weights,
        sign * readout,
        returns=floats(),
        function="change_of_transformer",
        shown=f"largest_change(a model with {described}; {time} tokens)",
    )


@check
def example(rng):
    """the example: a model that repeats its first token"""
    yield call(
        np.array([1, 5, 2, 9]),
        returns=floats(),
        function="change_of_first_token",
        shown="largest_change(first_token, [1, 5, 2, 9])",
    )


@check
def blind_models(rng):
    """models that are blind to order"""
    yield transformer(rng, 5, 2, causal=False)
    yield transformer(rng, 4, 3, causal=False)
    yield transformer(rng, 5, 1, causal=True)  # its last row sees everything


@check
def aware_models(rng):
    """models that know the order"""
    for time in (5, 6, 5):
        yield transformer(rng, time, 2, causal=True)
    yield transformer(rng, 5, 2, causal=False, positions=True)


@check
def both_signs(rng):
    """a model, and the same with all outputs negated"""
    seed = rng.integers(2**31)
    for sign in (1.0, -1.0):
        again = np.random.default_rng(seed)
        yield transformer(again, 5, 2, causal=True, sign=sign)


@check(hidden=True)
def two_tokens(rng):
    """the shortest sequence"""
    yield transformer(rng, 2, 2, causal=True)
