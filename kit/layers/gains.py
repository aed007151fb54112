"""Trained numbers, and matrices that are a start plus a trained update."""

from typing import Any

import keras
from keras import ops

from kit.layers.gradients import scaled
from kit.layers.tags import tag


@keras.saving.register_keras_serializable(package="kit")
class TrainedGain(keras.layers.Layer):
    """Multiplies by a weight: x -> gain x.

    Args:
        start: Initial value.
        num_heads: One gain for each head of (batch, heads, time, head_dim); `None`
            for one gain in all.

    Call arguments:
        x: Any shape, or with `num_heads` (batch, heads, time, head_dim).

    Example:
        >>> import numpy as np
        >>> np.asarray(TrainedGain(0.5)(np.ones(2, "float32"))).tolist()
        [0.5, 0.5]
    """

    def __init__(self, start: float = 1.0, num_heads: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.start = start
        self.num_heads = num_heads

    def build(self, _: Any = None) -> None:
        shared = self.num_heads is None
        # Named like the layer, so that the gains of one block have different names.
        self.gain = self.add_weight(
            name=self.name,
            shape=() if shared else (self.num_heads,),
            initializer=keras.initializers.Constant(self.start),
        )
        axes = () if shared else ("each_head",)
        tag(self.gain, "other", axes, constant=self.start)

    @property
    def for_maps(self) -> Any:
        """The weight as it multiplies maps: a scalar, or (heads, 1, 1)."""
        shape = () if self.num_heads is None else (self.num_heads, 1, 1)
        return ops.reshape(self.gain, shape)

    def call(self, x: Any) -> Any:
        return scaled(x, self.for_maps)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_build_config(self) -> None:
        """Nothing: the weights do not depend on a shape."""

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "start": self.start,
            "num_heads": self.num_heads,
        }


Gain = float | TrainedGain


def times(gain: Gain, x: Any) -> Any:
    """gain x, by a number or a `TrainedGain`; a gain of 1 costs nothing."""
    if isinstance(gain, TrainedGain):
        return gain(x)
    return x if gain == 1 else gain * x


def build_gains(*gains: Gain) -> None:
    """Make the weights of those that are trained."""
    for gain in gains:
        if isinstance(gain, TrainedGain) and not gain.built:
            gain.build()


@keras.saving.register_keras_serializable(package="kit")
class UpdatedMatrix(keras.layers.Layer):
    """Multiplies by a frozen start plus a trained update (2311.01906, equation 6).

        x -> x (alpha W_start + beta dW)

    dW starts at zero. The start is not a weight if it is the identity.

    Args:
        units: Width of the output.
        start: `"identity"` or `"orthogonal"` (random).
        alpha, beta: A number or a `TrainedGain`.
        axes: What the two axes of the matrix are; see `kit.layers.tags.Tag`.

    Call arguments:
        x: (batch, time, width); width is `units` where the identity is the start.

    Returns:
        (batch, time, units).

    Example:
        >>> import numpy as np
        >>> np.asarray(UpdatedMatrix(2, alpha=0.5)(np.ones((1, 1, 2), "float32")))
        array([[[0.5, 0.5]]], dtype=float32)
    """

    def __init__(
        self,
        units: int,
        start: str = "identity",
        alpha: Gain = 1.0,
        beta: Gain = 1.0,
        axes: tuple[str, str] = ("width", "heads"),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.start = start
        self.alpha = alpha
        self.beta = beta
        self.axes = tuple(axes)

    def build(self, input_shape: Any) -> None:
        shape = (input_shape[-1], self.units)
        self.update = self.add_weight(
            name=f"{self.name}_update", shape=shape, initializer="zeros"
        )
        tag(self.update, "VO", self.axes)
        if self.start == "orthogonal":
            self.frozen = self.add_weight(
                name=f"{self.name}_start",
                shape=shape,
                initializer="orthogonal",
                trainable=False,
            )
            tag(self.frozen, "VO", self.axes, orthogonal=True)
        build_gains(self.alpha, self.beta)

    @property
    def matrix(self) -> Any:
        """alpha W_start + beta dW, (width, units)."""
        dtype = self.compute_dtype
        identity = self.start == "identity"
        start = ops.eye(self.units, dtype=dtype) if identity else self.frozen
        update = ops.cast(self.update, dtype)
        return times(self.alpha, ops.cast(start, dtype)) + times(self.beta, update)

    def call(self, x: Any) -> Any:
        return ops.matmul(x, self.matrix)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "units": self.units,
            "start": self.start,
            "alpha": serialize(self.alpha),
            "beta": serialize(self.beta),
            "axes": list(self.axes),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**deserialized(config, "alpha", "beta"))


def deserialized(config: dict[str, Any], *names: str) -> dict[str, Any]:
    """A layer's config in which some entries are layers again, if they were."""
    deserialize = keras.saving.deserialize_keras_object
    return config | {name: deserialize(config[name]) for name in names}
