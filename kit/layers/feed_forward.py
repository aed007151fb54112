"""The token-wise half of a block."""

from typing import Any

import keras
from keras import ops

from kit.layers.gradients import gelu
from kit.layers.tags import normal, tag
from kit.layers.taps import tap

GATES = {"geglu": gelu, "swiglu": ops.silu}


@keras.saving.register_keras_serializable(package="kit")
class FeedForward(keras.layers.Layer):
    """Two matrices with a ReLU or GELU between, or a gated pair; no biases.

        relu, gelu:  activation(x W_up) W_down
        geglu:       (gelu(x W_gate) * x W_up) W_down          (2002.05202)
        swiglu:      (silu(x W_gate) * x W_up) W_down

    Args:
        dim: Hidden neurons.
        activation: `"relu"`, `"gelu"` (tanh form), `"geglu"` or `"swiglu"`.
        slope: Slope of `"relu"` below 0; above 0 makes it a leaky ReLU.
        std: Standard deviation of the initial input matrices.
        output_std: The same for the output matrix; `None` means `std`.

    Call arguments:
        x: (batch, time, width).

    Returns:
        (batch, time, width). Taps: `hidden` (batch, time, dim) and `output`.

    Example:
        >>> import numpy as np
        >>> tuple(FeedForward(dim=16)(np.ones((1, 3, 8), "float32")).shape)
        (1, 3, 8)
    """

    def __init__(
        self,
        dim: int,
        activation: str = "gelu",
        std: float = 0.02,
        output_std: float | None = None,
        slope: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.dim = dim
        self.activation = activation
        self.std = std
        self.output_std = std if output_std is None else output_std
        self.slope = slope
        self.tap_name = self.name

    def build(self, input_shape: Any) -> None:
        width = input_shape[-1]
        self.up = self._matrix("up", width, self.std)
        if self.activation in GATES:
            self.gate = self._matrix("gate", width, self.std)
        # XLA finds the gradient of this layout faster than that of its transpose.
        self.down = self._matrix("down", width, self.output_std, transposed=True)

    def _matrix(
        self, name: str, width: int, std: float, transposed: bool = False
    ) -> Any:
        shape = (width, self.dim)
        weight = self.add_weight(name=name, shape=shape, initializer=normal(std))
        axes = ("width", "neurons")
        return tag(weight, "FFN", axes, std=std, transposed=transposed)

    def call(self, x: Any) -> Any:
        hidden = ops.matmul(x, self.up)
        if self.activation in GATES:
            hidden = GATES[self.activation](ops.matmul(x, self.gate)) * hidden
        elif self.activation == "gelu":
            hidden = gelu(hidden)
        else:
            leaky = self.slope > 0
            hidden = ops.leaky_relu(hidden, self.slope) if leaky else ops.relu(hidden)
        tap(f"{self.tap_name}/hidden", hidden)
        output = ops.matmul(hidden, ops.transpose(self.down))
        tap(f"{self.tap_name}/output", output)
        return output

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dim": self.dim,
            "activation": self.activation,
            "std": self.std,
            "output_std": self.output_std,
            "slope": self.slope,
        }
