"""A Keras callback for what is to be done at some steps of the optimizer."""

from typing import Any

import keras


class AtSteps(keras.callbacks.Callback):
    """Calls `at` at every step of the optimizer that `next_step` names.

    Steps are those of the optimizer, so that `steps_per_execution` and gradient
    accumulation change nothing but how exactly a step can be met: `at` is told the one
    that was, and it happens once where several were due.

    Give it to `fit` in a list: Keras on JAX runs a bare callback in another thread,
    where the weights cannot be read.

    Attributes:
        rows: One dict for each time, with its `step`; `at` adds it.

    Example:
        >>> import numpy as np
        >>> class Norm(AtSteps):
        ...     def next_step(self, step):
        ...         return step + step % 2  # every second one
        ...     def at(self, step):
        ...         (kernel,) = self.model.trainable_variables
        ...         self.rows.append({"step": step, "norm": np.linalg.norm(kernel)})
        >>> dense = keras.layers.Dense(2, use_bias=False)
        >>> model = keras.Sequential([keras.Input((3,)), dense])
        >>> model.compile("sgd", "mse")
        >>> x, y = np.ones((8, 3), "float32"), np.ones((8, 2), "float32")
        >>> norm = Norm()
        >>> _ = model.fit(x, y, batch_size=2, verbose=0, callbacks=[norm])
        >>> [row["step"] for row in norm.rows]
        [0, 2, 4]
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []

    def next_step(self, step: int) -> float:
        """The first step from `step` on with something to do; infinity for none."""
        raise NotImplementedError

    def at(self, step: int) -> None:
        """Do it, after so many steps."""
        raise NotImplementedError

    def on_train_begin(self, logs: Any = None) -> None:
        self._at_most = self._before = int(self.model.optimizer.iterations)
        done = bool(self.rows) and self.rows[-1]["step"] == self._at_most
        self._due = self.next_step(self._at_most + done)
        self._look()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._before = self._at_most

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # The optimizer takes a step a batch, or fewer. It is asked only where it may be
        # time, because on JAX to ask is to interrupt training.
        self._at_most = self._before + batch + 1
        if self._at_most >= self._due:
            self._look()

    def _look(self) -> None:
        step = int(self.model.optimizer.iterations)
        self._before += step - self._at_most
        self._at_most = step
        if step >= self._due:
            self.at(step)
            self._due = self.next_step(step + 1)
