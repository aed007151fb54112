"""AdamW that takes the same step on every backend."""

from typing import Any

import keras
from keras import ops


def dense(gradients: Any, variables: Any) -> list[Any]:
    """The same gradients with an entry for each entry of the variable."""
    return [
        gradient if gradient is None else gradient + ops.zeros(v.shape, v.dtype)
        for gradient, v in zip(gradients, variables, strict=True)
    ]


@keras.saving.register_keras_serializable(package="kit")
class AdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` with dense gradients.

    On TensorFlow the gradient of an embedding lookup has one row per occurrence of
    a token, and Adam squares the rows before it adds them: the second moment is
    sum g_i^2 instead of (sum g_i)^2, and the global norm is wrong too. Adding zeros
    of the variable's shape makes the gradient dense first, as it is elsewhere.

    Args:
        *args, **kwargs: As for `keras.optimizers.AdamW` (1711.05101).

    Example:
        >>> weight = keras.Variable([1.0, 1.0])
        >>> optimizer = AdamW(learning_rate=0.5, weight_decay=0.0)
        >>> optimizer.apply([ops.convert_to_tensor([3.0, -0.5])], [weight])
        >>> ops.convert_to_numpy(weight).round(3).tolist()  # both moved by the rate
        [0.5, 1.5]
    """

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        variables = trainable_variables or self._trainable_variables
        return super().apply(dense(grads, variables), trainable_variables)


@keras.saving.register_keras_serializable(package="kit")
class WarmUpSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then cosine, linear or no decay.

    Args:
        peak: Highest learning rate.
        steps: Steps in all.
        warmup_steps: Steps of the warm-up; step 0 already learns.
        decay: `"cosine"`, `"linear"` or `"constant"`.
        final: Learning rate at the end, as a share of the peak.

    Example:
        >>> schedule = WarmUpSchedule(1.0, steps=100, warmup_steps=10, decay="linear")
        >>> [round(float(schedule(step)), 2) for step in (0, 9, 55, 100)]
        [0.1, 1.0, 0.55, 0.1]
    """

    def __init__(
        self,
        peak: float,
        steps: int,
        warmup_steps: int = 0,
        decay: str = "cosine",
        final: float = 0.1,
    ):
        self.peak = peak
        self.steps = steps
        self.warmup_steps = warmup_steps
        self.decay = decay
        self.final = final

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        warm = ops.minimum((step + 1) / max(self.warmup_steps, 1), 1.0)
        length = max(self.steps - self.warmup_steps, 1)
        done = ops.clip((step - self.warmup_steps) / length, 0.0, 1.0)
        if self.decay == "cosine":
            left = 0.5 * (1 + ops.cos(3.141592653589793 * done))
        else:
            left = 1 - done if self.decay == "linear" else 1.0
        return self.peak * warm * (self.final + (1 - self.final) * left)

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
            "decay": self.decay,
            "final": self.final,
        }
