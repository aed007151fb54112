# /// exercise
# id = "recorder"
# title = "The recording optimizer"
# paper = "2502.19002"
# section = "section 3, curvature needs gradients"
# concepts = ["optimizers", "state", "finite differences"]
# prerequisites = ["fisher_estimate", "hutchinson"]
# difficulty = 3
# minutes = 25
# points = 3
# ///

# %% statement [markdown]
# Keras runs on three backends, and has no function that returns a gradient. But on all
# of them it hands gradients to an optimizer. So write an optimizer that keeps what it
# gets and changes nothing: `compile` a model with it, call `train_on_batch`, and read
# the gradients off.
#
# There is a trap. A training step is compiled: your Python runs *once*, on stand-ins
# for arrays, and what is replayed later changes nothing but variables. So gradients
# must be kept in variables of the optimizer, its slots. Write what the class calls:
#
# - `make_slots(optimizer, variables)` makes one slot for each variable, and returns the
#   list of them;
# - `keep(optimizer, slot, gradient)` puts the gradient into its slot.
#
# And a gradient is enough for curvature. A Hessian times a vector is the change of the
# gradient along the vector, so with a small step
#
#     H v ≈ (g(w + step · v) - g(w - step · v)) / (2 · step)
#
# - `hessian_times(gradient, weights, vector, step)` is that central difference.
#
# By hand: the loss w³ has the gradient 3 w² and at w = 1 the curvature 6. The central
# difference with v = 1 and a step of 0.1 finds (3 · 1.21 - 3 · 0.81) / 0.2 = 6 exactly;
# a one-sided one is off by 0.3.

# %% stub
import keras
import numpy as np


class Recorder(keras.optimizers.Optimizer):
    """An optimizer that keeps the last gradients and changes nothing."""

    def __init__(self):
        super().__init__(learning_rate=0.0)

    def build(self, variables):
        super().build(variables)
        self.slots = make_slots(self, variables)

    def update_step(self, gradient, variable, learning_rate):
        keep(self, self.slots[self._get_variable_index(variable)], gradient)

    @property
    def gradients(self):
        """One array for each variable, in their order."""
        return [np.asarray(slot) for slot in self.slots]


def make_slots(optimizer, variables):
    """Variables of the optimizer to keep gradients in.

    Args:
        optimizer: A Keras optimizer that is being built.
        variables: List of Keras variables of any shapes.

    Returns:
        List of Keras variables, one for each, of the same shape.
    """
    raise NotImplementedError("make_slots is not done yet")


def keep(optimizer, slot, gradient):
    """Put a gradient where it will be found.

    Args:
        optimizer: The optimizer.
        slot: What `make_slots` made for the variable.
        gradient: float32, of the shape of the variable.

    Returns:
        Nothing.
    """
    raise NotImplementedError("keep is not done yet")


def hessian_times(gradient, weights, vector, step):
    """The Hessian times a vector, by a central difference.

    Args:
        gradient: Function of a float array (n,) that returns the gradient (n,) there.
        weights: Float array (n,), where.
        vector: Float array (n,), along what.
        step: Small number above 0.

    Returns:
        Float array (n,).
    """
    raise NotImplementedError("hessian_times is not done yet")


# %% example
weight = keras.Variable([1.0, 2.0])
optimizer = Recorder()
optimizer.apply([np.array([3.0, -0.5], "float32")], [weight])
np.testing.assert_allclose(optimizer.gradients[0], [3.0, -0.5])
np.testing.assert_allclose(weight, [1.0, 2.0])
one = np.ones(1)
np.testing.assert_allclose(hessian_times(lambda w: 3 * w**2, one, one, 0.1), [6.0])


# %% reference
def make_slots(optimizer, variables):
    return optimizer.add_optimizer_variables(variables, "gradient")


def keep(optimizer, slot, gradient):
    slot.assign(gradient)


def hessian_times(gradient, weights, vector, step):
    forth, back = gradient(weights + step * vector), gradient(weights - step * vector)
    return (forth - back) / (2 * step)


# %% hint 1 [markdown]
# Adam has to remember two averages for each variable, in compiled code, on every
# backend. Where does it keep them?

# %% hint 2 [markdown]
# `optimizer.add_optimizer_variables` makes a list of slots, and each slot is a Keras
# variable with a method `assign`. Keras' own `SGD` keeps its momentum that way.

# %% hint 3 [markdown]
# One line each for the first two: a list of slots named as you like, and an assignment
# to one of them. For the third, two gradients, a difference, and the length of the way
# between the two places, which is two steps.


# %% right answer="one at a time"
def make_slots(optimizer, variables):
    return [keras.Variable(np.zeros(v.shape, "float32")) for v in variables]


def keep(optimizer, slot, gradient):
    optimizer.assign(slot, gradient)


def hessian_times(gradient, weights, vector, step):
    sides = [sign * gradient(weights + sign * step * vector) for sign in (1.0, -1.0)]
    return np.add(*sides) / step / 2.0


# %% wrong answer="kept in Python" caught_by="compiled"
# The gradient is kept in Python, not in a variable of the optimizer. In a compiled step
# Python runs once, on stand-ins: nothing is there when you look.
class Box:
    def __init__(self, shape):
        self.value = np.zeros(shape, "float32")

    def __array__(self, dtype=None, copy=None):
        return np.array(self.value, dtype)


def make_slots(optimizer, variables):
    return [Box(variable.shape) for variable in variables]


def keep(optimizer, slot, gradient):
    slot.value = np.array(gradient)


# %% wrong answer="added up" caught_by="eager"
# Gradients are added up over the steps. Only the last is wanted.
def keep(optimizer, slot, gradient):
    slot.assign_add(gradient)


# %% wrong answer="an average" caught_by="eager"
# A running average is kept, as in momentum. The last gradient is wanted, alone.
def keep(optimizer, slot, gradient):
    slot.assign(0.9 * slot + 0.1 * gradient)


# %% wrong answer="squared" caught_by="eager"
# The squares of the gradients are kept, which have lost the signs.
def keep(optimizer, slot, gradient):
    slot.assign(gradient**2)


# %% wrong answer="one-sided" caught_by="curvature"
# The difference is one-sided: it sees the curvature half a step away.
def hessian_times(gradient, weights, vector, step):
    return (gradient(weights + step * vector) - gradient(weights)) / step


# %% wrong answer="half the way" caught_by="curvature"
# The difference is divided by one step. Its two places are two steps apart.
def hessian_times(gradient, weights, vector, step):
    forth, back = gradient(weights + step * vector), gradient(weights - step * vector)
    return (forth - back) / step


# %% driver
import answer
import keras
import numpy as np


def record(weights, bias, compiled, *gradients):
    variables = [keras.Variable(weights), keras.Variable(bias)]
    optimizer = answer.Recorder()
    optimizer.build(variables)
    for pair in zip(gradients[::2], gradients[1::2]):
        tensors = [keras.ops.convert_to_tensor(each) for each in pair]
        optimizer.apply(tensors, variables)
    if compiled:  # what a compiled step hands back are variables, and nothing else
        after, optimizer = optimizer, answer.Recorder()
        optimizer.build(variables)
        for new, old in zip(optimizer.variables, after.variables, strict=True):
            new.assign(old)
    return tuple(np.array(each) for each in [*optimizer.gradients, *variables])


def curvature_of(quadratic, cubic, weights, vector, step):
    quadratic, weights, vector = map(np.float64, (quadratic, weights, vector))

    def gradient(w):
        return quadratic @ w + 3 * cubic * w**2

    return np.asarray(answer.hessian_times(gradient, weights, vector, step))


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def recording(rng, steps, compiled):
    weights, bias = rng.standard_normal((3, 2)), rng.standard_normal(4)
    sizes = ((3, 2), 4) * steps
    gradients = [2 * rng.standard_normal(size) for size in sizes]
    shapes = (floats(3, 2), floats(4))
    how = "as in a compiled step" if compiled else "not compiled"
    return call(
        weights,
        bias,
        compiled,
        *gradients,
        returns=(*shapes, *shapes),
        function="record",
        shown=f"a Recorder of two variables, {steps} steps, {how}:\narrays are (1, 2) "
        "its gradients, (3, 4) the variables, which should be what they were",
    )


@check
def example(rng):
    """the example: one step"""
    yield recording(rng, 1, False)


@check
def eager(rng):
    """the last of several gradients"""
    yield recording(rng, 3, False)


@check
def compiled(rng):
    """the same in a compiled step"""
    yield recording(rng, 2, True)


@check
def curvature(rng):
    """the Hessian of a polynomial times a vector"""
    for step in (0.1, 0.02):
        matrix = rng.standard_normal((4, 4))
        vectors = 1 + rng.standard_normal((3, 4))
        yield call(
            matrix + matrix.T,
            *vectors,
            step,
            returns=floats(4),
            function="curvature_of",
            shown=f"hessian_times of a polynomial of degree 3, step {step}",
        )
