"""Gradients by public means only, on every backend."""

from typing import Any

import keras
import numpy as np

from kit.optimizers.dense import Dense


@keras.saving.register_keras_serializable(package="kit")
class Recorder(Dense):
    """An optimizer that keeps the last gradients and changes nothing.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(Recorder(), "mse")
        >>> x = np.ones((1, 1), "float32")
        >>> _ = model.train_on_batch(x, model(x) - 0.5)
        >>> [round(float(np.sum(g)), 3) for g in model.optimizer.gradients]
        [1.0, 1.0]
    """

    def __init__(self, learning_rate: float = 0.0, **kwargs: Any):
        super().__init__(learning_rate=learning_rate, **kwargs)

    def build(self, variables: Any) -> None:
        if not self.built:
            super().build(variables)
            self.slots = self.add_optimizer_variables(variables, "gradient")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        self.assign(self.slots[self._get_variable_index(variable)], gradient)

    @property
    def gradients(self) -> list[np.ndarray]:
        """One array for each trainable variable of the model, in its order."""
        return [np.asarray(slot) for slot in self.slots]
