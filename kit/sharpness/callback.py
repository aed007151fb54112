"""Sharpness while any Keras model trains."""

import time
from collections.abc import Iterable
from math import inf
from typing import Any

from kit.at_steps import AtSteps
from kit.checks import whole
from kit.sharpness.fisher import FisherSharpness
from kit.sharpness.operators import tensors


class SharpnessCallback(AtSteps):
    """Records the Fisher estimate of sharpness by block at some optimizer steps.

    Give it to `fit` in a list. Steps are those of the optimizer, see
    `kit.at_steps.AtSteps`; the row says at which one it was measured.

    Args:
        batches: What to measure on: a few (inputs, targets) pairs of one shape.
        by: `"type"` and so on for kit models; for any other, labels as `blockwise`
            takes them: label -> layers, or a function of a variable. See
            `kit.sharpness.labels`.
        steps: A number n for every n-th step, from 0 on; or the steps themselves.
        **options: `targets`, `loss` and `seed` of `FisherSharpness`.

    Attributes:
        rows: One dict for each measurement: `step`, and `sharpness_...` by label.
        seconds: Wall time of all measurements. The first compiles, which takes longest.

    Example:
        >>> import keras
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> model.compile("sgd", loss)
        >>> x, y = np.ones((8, 3), "float32"), np.zeros(8, "int32")
        >>> watch = SharpnessCallback([(x, y)], by=lambda v: v.name, steps=2)
        >>> _ = model.fit(x, y, batch_size=2, verbose=0, callbacks=[watch])
        >>> [row["step"] for row in watch.rows], list(watch.rows[0])[1:]
        ([0, 2, 4], ['sharpness_kernel', 'sharpness_bias'])
    """

    def __init__(
        self,
        batches: Iterable[tuple[Any, Any]],
        by: Any = "type",
        steps: int | Iterable[int] = 200,
        **options: Any,
    ):
        super().__init__()
        self.measure = FisherSharpness(batches, by, **options)
        self.seconds = 0.0
        if isinstance(steps, Iterable):
            self.every, self.steps = 0, sorted(whole("steps", s, 0) for s in steps)
        else:
            self.every, self.steps = whole("steps", steps), []

    def on_train_begin(self, logs: Any = None) -> None:
        if not self.model.built:  # subclassed, which `fit` builds at its first batch
            inputs, _ = self.measure.batches[0]
            self.model(tensors(inputs))
        super().on_train_begin(logs)

    def at(self, step: int) -> None:
        """Measure."""
        started = time.perf_counter()
        self.rows.append({"step": step, **self.measure(self.model)})
        self.seconds += time.perf_counter() - started

    def next_step(self, step: int) -> float:
        """The first step from `step` on at which to measure."""
        if self.every:
            return -(-step // self.every) * self.every
        return next((each for each in self.steps if each >= step), inf)
