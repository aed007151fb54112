# /// exercise
# id = "mask_callback"
# title = "A mask that holds"
# paper = "2501.17771"
# section = "an extra: pruning in training"
# concepts = ["masks", "constraints", "optimizer state"]
# prerequisites = ["prune_schedule", "recorder"]
# difficulty = 4
# minutes = 35
# points = 4
# ///

# %% statement [markdown]
# While a model trains, its layers keep their sizes; what is gone is held at zero. The
# obvious way is a callback that sets weights to zero after each batch. It does not
# hold: Adam still has an average of old gradients for them, and moves them at the next
# step. And with `steps_per_execution=10` Keras takes ten steps before any callback
# hears of it.
#
# The optimizer itself can hold them. After each of its steps, also inside of compiled
# code, it asks the `constraint` of every weight what the weight should be. The mask
# that this needs must be a *variable of the optimizer*: the code was compiled once, and
# sees changes of nothing else. Then it is also saved and restored with the optimizer.
#
# The weight here has a row for each neuron, what the neuron writes with. A mask has a
# number for each row: **1 is gone**, 0 is there. Write what the two classes call:
#
# - `attach(optimizer, weight)` makes a mask of zeros among the optimizer's variables,
#   gives the weight its constraint, and returns the mask;
# - `masked(weight, removed)` is the weight with zeros in the rows that are gone. It
#   runs in compiled code, on stand-ins for arrays, so NumPy cannot be used on them;
# - `lowest(sizes, removed, count)` is the new mask: what is gone stays gone, and of the
#   others those with the smallest sizes go, the first of equals, until `count` are. If
#   more are gone already, nothing changes.
#
# By hand: with sizes (3, 1, 2, 9) and neuron 3 gone, a count of 2 makes the mask
# (0, 1, 0, 1).

# %% stub
import keras
import numpy as np


class Masked(keras.constraints.Constraint):
    """Tells the optimizer what a weight should be after a step."""

    def __init__(self, removed):
        self.removed = removed

    def __call__(self, weight):
        return masked(weight, self.removed)


class Pruning(keras.callbacks.Callback):
    """Removes neurons while a model trains."""

    def __init__(self, weight, share_at):
        super().__init__()
        self.weight, self.share_at = weight, share_at

    def on_train_begin(self, logs=None):
        self.removed = attach(self.model.optimizer, self.weight)

    def on_train_batch_end(self, batch, logs=None):
        sizes = np.linalg.norm(np.asarray(self.weight), axis=1)
        share = self.share_at(int(self.model.optimizer.iterations))
        count = round(share * len(sizes))
        self.removed.assign(lowest(sizes, np.asarray(self.removed), count))
        self.weight.assign(masked(self.weight, self.removed))


def attach(optimizer, weight):
    """A mask that the optimizer keeps, and that holds for a weight.

    Args:
        optimizer: A Keras optimizer that is built.
        weight: Keras variable (neurons, outputs).

    Returns:
        Keras variable (neurons,) of zeros, one of the optimizer's.
    """
    raise NotImplementedError("attach is not done yet")


def masked(weight, removed):
    """A weight without what is gone.

    Args:
        weight: Tensor or variable (neurons, outputs).
        removed: Tensor or variable (neurons,), 1 is gone, 0 is there.

    Returns:
        Tensor (neurons, outputs).
    """
    raise NotImplementedError("masked is not done yet")


def lowest(sizes, removed, count):
    """The mask in which so many are gone.

    Args:
        sizes: float32 (neurons,), not negative.
        removed: float32 (neurons,), 1 is gone already, 0 is there.
        count: How many should be gone.

    Returns:
        float32 (neurons,) of 0 and 1.
    """
    raise NotImplementedError("lowest is not done yet")


# %% example
weight = keras.Variable([[1.0, 1.0], [2.0, 2.0]])
optimizer = keras.optimizers.SGD(0.5)
optimizer.build([weight])
removed = attach(optimizer, weight)
removed.assign([1.0, 0.0])
optimizer.apply([keras.ops.ones((2, 2))], [weight])
np.testing.assert_allclose(np.asarray(weight), [[0.0, 0.0], [1.5, 1.5]])
sizes, gone = np.array([3.0, 1.0, 2.0, 9.0]), np.array([0.0, 0.0, 0.0, 1.0])
np.testing.assert_array_equal(lowest(sizes, gone, 2), [0, 1, 0, 1])


# %% reference
def attach(optimizer, weight):
    removed = optimizer.add_variable((weight.shape[0],), name="removed")
    weight.constraint = Masked(removed)
    return removed


def masked(weight, removed):
    return weight * (1 - removed)[:, None]


def lowest(sizes, removed, count):
    order = np.argsort(np.where(removed > 0, -1.0, sizes), kind="stable")
    new = removed.copy()
    new[order[: max(count, int(removed.sum()))]] = 1.0
    return new


# %% hint 1 [markdown]
# Who changes a weight last in a training step: the callback, the constraint, or the
# update of the optimizer? And what would become of a mask that only your program knows,
# when a run is interrupted and goes on tomorrow?

# %% hint 2 [markdown]
# `optimizer.add_variable(shape, name=...)` makes a variable of zeros that belongs to
# the optimizer, and a Keras variable has an attribute `constraint` that can be set. For
# rows, a vector needs a second axis: `vector[:, None]`.

# %% hint 3 [markdown]
# Three lines for the first function: a variable, an instance of the class above as the
# constraint, the variable again. One product for the second. For the third make those
# that are gone smaller than any size, sort, and put ones at the first places: `count`
# of them, or as many as are gone already if that is more.


# %% right answer="another way in all three"
from keras import ops


def attach(optimizer, weight):
    optimizer.removed_neurons = keras.Variable(
        np.zeros(len(np.asarray(weight)), "float32"), trainable=False
    )
    weight.constraint = lambda w: masked(w, optimizer.removed_neurons)
    return optimizer.removed_neurons


def masked(weight, removed):
    return ops.where(ops.expand_dims(removed, 1) > 0.5, 0.0, weight)


def lowest(sizes, removed, count):
    gone = set(np.flatnonzero(removed))
    there = sorted(set(range(len(sizes))) - gone, key=lambda j: (sizes[j], j))
    gone |= set(there[: max(0, count - len(gone))])
    return np.array([float(j in gone) for j in range(len(sizes))], "float32")


# %% wrong answer="only at the end of a call" caught_by="between"
# The weight has no constraint, so that only the callback sets it to zero. In all steps
# that are taken before the callback comes, the neurons are back.
def attach(optimizer, weight):
    return optimizer.add_variable((weight.shape[0],), name="removed")


# %% wrong answer="a variable of nobody" caught_by="restored"
# The mask is a variable, but none of the optimizer's. It is not saved with the
# optimizer, and on JAX compiled code does not see it change.
def attach(optimizer, weight):
    removed = keras.Variable(np.zeros(weight.shape[0], "float32"), trainable=False)
    weight.constraint = Masked(removed)
    return removed


# %% wrong answer="the complement" caught_by="rows"
# Rows whose mask is 1 are kept, and the others are gone. 1 means gone here.
def masked(weight, removed):
    return weight * removed[:, None]


# %% wrong answer="columns" caught_by="rows"
# Columns are set to zero. A neuron writes with a row of this weight.
def masked(weight, removed):
    return weight * (1 - removed)


# %% wrong answer="in NumPy" caught_by="stand_ins"
# NumPy is used on the weight. Compiled code runs on stand-ins that have a shape, but no
# numbers yet; use operations of Keras, or plain `*` and `-`.
def masked(weight, removed):
    gone = np.asarray(removed)[:, None] > 0
    return keras.ops.convert_to_tensor(np.where(gone, 0.0, np.asarray(weight)))


# %% wrong answer="what is gone comes back" caught_by="chosen"
# The lowest are chosen anew each time, and a neuron that is gone may return if others
# have become smaller. What is gone stays gone.
def lowest(sizes, removed, count):
    new = np.zeros_like(removed)
    new[np.argsort(sizes, kind="stable")[:count]] = 1.0
    return new


# %% wrong answer="so many more" caught_by="chosen"
# So many are removed on top of those that are gone. `count` is how many should be gone
# in all.
def lowest(sizes, removed, count):
    order = np.argsort(np.where(removed > 0, -1.0, sizes), kind="stable")
    new = removed.copy()
    new[order[: count + int(removed.sum())]] = 1.0
    return new


# %% wrong answer="the largest" caught_by="chosen"
# The neurons with the largest sizes go. The smallest should.
def lowest(sizes, removed, count):
    order = np.argsort(np.where(removed > 0, -np.inf, -sizes), kind="stable")
    new = removed.copy()
    new[order[: max(count, int(removed.sum()))]] = 1.0
    return new


# %% wrong answer="some return" caught_by="falling"
# If fewer should be gone than are, some come back. Their weights are lost; leave the
# mask as it is.
def lowest(sizes, removed, count):
    order = np.argsort(np.where(removed > 0, -1.0, sizes), kind="stable")
    new = np.zeros_like(removed)
    new[order[:count]] = 1.0
    return new


# %% driver
import types

import answer
import keras
import numpy as np


def begin(weight, shares):
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build([weight])
    callback = answer.Pruning(weight, lambda step: float(shares[step]))
    callback.set_model(types.SimpleNamespace(optimizer=optimizer))
    callback.on_train_begin()
    return optimizer, callback


def trained(start, gradients, shares, steps_per_call, stop):
    weight = keras.Variable(start)
    optimizer, callback = begin(weight, shares)
    seen = []
    for step, gradient in enumerate(gradients, start=1):
        if step == stop + 1:
            before, weight = optimizer, keras.Variable(np.asarray(weight))
            optimizer, callback = begin(weight, shares)
            for new, old in zip(optimizer.variables, before.variables, strict=True):
                new.assign(old)
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
        if step % steps_per_call == 0:
            callback.on_train_batch_end(step)
        seen.append(np.array(weight))
    return np.array(seen)


def zeros(*arguments):
    return (trained(*arguments) == 0).all(axis=2)


def rows(weight, removed):
    return np.asarray(
        answer.masked(*map(keras.ops.convert_to_tensor, (weight, removed)))
    )


def symbolic(neurons, outputs):
    stand_ins = keras.KerasTensor((neurons, outputs)), keras.KerasTensor((neurons,))
    return np.array(answer.masked(*stand_ins).shape)


# %% checks
import numpy as np

from kit.grading.cases import booleans, call, check, floats, integers


def training(rng, steps_per_call, stop=99):
    neurons, steps = 6, 8
    size = 1 + rng.permutation(neurons)[:, None]
    start = size * (1 + 0.2 * rng.random((neurons, 3)))
    gradients = 0.5 + rng.random((steps, neurons, 3))
    shares = np.minimum(np.arange(steps + 1) / 8, 0.5)
    about = f"{steps} steps of Adam, {steps_per_call} in each call"
    if stop < steps:
        about += f", interrupted after {stop} and restored"
    return call(
        *(start, gradients, shares, steps_per_call, stop),
        returns=booleans(steps, neurons),
        function="zeros",
        shown=f"{about}: which neurons are zero after each step",
    )


def choice(sizes, removed, count):
    arrays = np.array(sizes, "float64"), np.array(removed, "float64")
    returns = floats(len(arrays[0]))
    return call(*arrays, count, returns=returns, function="lowest")


@check
def example(rng):
    """the example: four neurons, one of them gone"""
    yield choice([3, 1, 2, 9], [0, 0, 0, 1], 2)


@check
def rows(rng):
    """a weight with some rows gone"""
    weight = rng.standard_normal((4, 4))
    removed = rng.permutation([0.0, 1.0, 1.0, 0.0])
    returns = floats(4, 4)
    shown = f"masked(weight, {removed})"
    yield call(weight, removed, returns=returns, function="rows", shown=shown)


@check
def stand_ins(rng):
    """on stand-ins, as in compiled code"""
    shown = "the shape of masked(weight, removed), of stand-ins (5, 3) and (5,)"
    yield call(5, 3, returns=integers(2), function="symbolic", shown=shown)


@check
def chosen(rng):
    """which neurons go"""
    sizes = rng.permutation(7) + 1.0
    removed = np.zeros(7)
    removed[np.argsort(sizes)[[2, 5]]] = 1.0
    for count in (3, 5):
        yield choice(sizes, removed, count)
    yield choice([2, 1, 1, 3, 1], [0, 0, 0, 0, 0], 2)


@check
def falling(rng):
    """when fewer should be gone than are"""
    yield choice(rng.permutation(5) + 1.0, [0, 1, 0, 1, 1], 2)


@check
def every_step(rng):
    """training, the callback after each step"""
    yield training(rng, 1)


@check
def between(rng):
    """training, several steps in a call"""
    yield training(rng, 2)


@check
def restored(rng):
    """training that is interrupted and goes on"""
    yield training(rng, 4, stop=5)
