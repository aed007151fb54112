# %% [markdown]
# ## A mask that holds
#
# ★★★★☆ · about 35 minutes · 4 points
# · arXiv 2501.17771, an extra: pruning in training
#
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
#
# Check it: `kit check mask_callback`. Stuck: `kit hint mask_callback`.

# %%
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


# %% The example
if __name__ == "__main__":
    weight = keras.Variable([[1.0, 1.0], [2.0, 2.0]])
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build([weight])
    removed = attach(optimizer, weight)
    removed.assign([1.0, 0.0])
    optimizer.apply([keras.ops.ones((2, 2))], [weight])
    np.testing.assert_allclose(np.asarray(weight), [[0.0, 0.0], [1.5, 1.5]])
    sizes, gone = np.array([3.0, 1.0, 2.0, 9.0]), np.array([0.0, 0.0, 0.0, 1.0])
    np.testing.assert_array_equal(lowest(sizes, gone, 2), [0, 1, 0, 1])
    print("The example is right.")
