# %% [markdown]
# ## The recording optimizer
#
# ★★★☆☆ · about 25 minutes · 3 points
# · arXiv 2502.19002, section 3, curvature needs gradients
#
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
#
# Check it: `kit check recorder`. Stuck: `kit hint recorder`.

# %%
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


# %% The example
if __name__ == "__main__":
    weight = keras.Variable([1.0, 2.0])
    optimizer = Recorder()
    optimizer.apply([np.array([3.0, -0.5], "float32")], [weight])
    np.testing.assert_allclose(optimizer.gradients[0], [3.0, -0.5])
    np.testing.assert_allclose(weight, [1.0, 2.0])
    one = np.ones(1)
    np.testing.assert_allclose(hessian_times(lambda w: 3 * w**2, one, one, 0.1), [6.0])
    print("The example is right.")
