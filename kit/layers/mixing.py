"""What attention does with a map, whoever made it: output = map V W_O."""

from typing import Any

import keras
import numpy as np
from keras import ops

from kit.layers.gains import UpdatedMatrix, deserialized
from kit.layers.heads import grouped_matmul, merge_heads
from kit.layers.positions import alibi_bias
from kit.layers.tags import normal, tag
from kit.layers.taps import tap


class Mixing(keras.layers.Layer):
    """Values, dropout and shaping of the map, and projection, without biases.

    The base of `Attention`, which makes its map, and of `CopyingAttention`, which gets
    one. Other values, projections and maps: 2311.01906.

    Args:
        num_heads: Query heads.
        head_dim: Width of a head.
        num_key_value_heads: Key and value heads; `None` means `num_heads`.
        slopes: ALiBi slopes, one per query head, or `None`.
        dropout: Rate on the map.
        std: Standard deviation of the initial matrices.
        output_std: The same for the output matrix; `None` means `std`.
        value_matrix: `"learned"`, `"orthogonal"` (learnt from an orthogonal start), an
            `UpdatedMatrix`, or `None` for the identity, which is no weight and no
            work. Where it is or starts as the identity, each query head has its own
            values: its columns of x.
        output_matrix: The same for W_O.
        shaping: A `Shaping` of the map, or `None`.

    Example:
        >>> Mixing(num_heads=6, head_dim=4, num_key_value_heads=2).value_heads
        2
        >>> Mixing(6, 4, num_key_value_heads=2, value_matrix=None).value_heads
        6
    """

    PARTS: tuple[str, ...] = ("value_matrix", "output_matrix", "shaping")

    def __init__(
        self,
        num_heads: int,
        head_dim: int,
        num_key_value_heads: int | None = None,
        slopes: Any = None,
        dropout: float = 0.0,
        std: float = 0.02,
        output_std: float | None = None,
        value_matrix: Any = "learned",
        output_matrix: Any = "learned",
        shaping: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.head_dim = head_dim
        self.num_key_value_heads = num_key_value_heads or num_heads
        self.slopes = None if slopes is None else np.asarray(slopes, "float32")
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.std = std
        self.output_std = std if output_std is None else output_std
        self.value_matrix = value_matrix
        self.output_matrix = output_matrix
        self.shaping = shaping
        self.tap_name = self.name

    @property
    def value_heads(self) -> int:
        """Heads of the values."""
        matrix = self.value_matrix
        if matrix is None or getattr(matrix, "start", None) == "identity":
            return self.num_heads
        return self.num_key_value_heads

    def build(self, input_shape: Any) -> None:
        width, columns = input_shape[-1], self.num_heads * self.head_dim
        if isinstance(self.value_matrix, str):
            value = (width, self.num_key_value_heads * self.head_dim)
            axes = ("width", "key_value_heads")
            self.value = self._matrix("value", value, "VO", axes, self.std)
        if isinstance(self.output_matrix, str):
            output, axes = (columns, width), ("heads", "width")
            self.output_kernel = self._matrix(
                "output", output, "VO", axes, self.output_std
            )
        for part, shape in (
            (self.value_matrix, input_shape),
            (self.output_matrix, (*input_shape[:-1], columns)),
            (self.shaping, None),
        ):
            if isinstance(part, keras.layers.Layer) and not part.built:
                part.build(shape)

    def _matrix(self, name: str, shape: Any, role: str, axes: Any, std: float) -> Any:
        form = {"value": self.value_matrix, "output": self.output_matrix}.get(name)
        orthogonal = form == "orthogonal"
        initializer = keras.initializers.Orthogonal() if orthogonal else normal(std)
        weight = self.add_weight(name=name, shape=shape, initializer=initializer)
        return tag(weight, role, axes, std=std or None, orthogonal=orthogonal)

    def values(self, x: Any) -> Any:
        """(batch, time, value_heads * head_dim) of a stream (batch, time, width)."""
        if isinstance(self.value_matrix, str):
            return ops.matmul(x, self.value)
        return x if self.value_matrix is None else self.value_matrix(x)

    def with_distances(self, bias: Any, queries: int, keys: int, start: Any) -> Any:
        """The bias in float32, and with that of ALiBi."""
        if bias is not None:
            bias = ops.cast(bias, "float32")  # a mixed policy cast it
        if self.slopes is None:
            return bias
        distance = alibi_bias(self.slopes, queries, keys, start)
        return distance if bias is None else bias + distance

    def mix(
        self, attention_map: Any, value: Any, bias: Any, start: Any, training: bool
    ) -> Any:
        """map V, (batch, heads, queries, head_dim).

        Args:
            attention_map: (batch, heads, queries, keys).
            value: (batch, value_heads, keys, head_dim).
            bias: Of `with_distances`.
            start: Position of the first query.
            training: Whether the map is dropped from.
        """
        if self.dropout.rate:
            attention_map = self.dropout(attention_map, training=training)
        if self.shaping is not None:
            attention_map = self.shaping.map(attention_map, bias, start)
            tap(f"{self.tap_name}/shaped_map", attention_map)
        return grouped_matmul(attention_map, value)

    def project(self, mixed: Any) -> Any:
        """(batch, heads, time, head_dim) of mixed values to (batch, time, width)."""
        output = merge_heads(mixed)
        if isinstance(self.output_matrix, UpdatedMatrix):
            output = self.output_matrix(output)
        elif self.output_matrix is not None:
            output = ops.matmul(output, self.output_kernel)
        tap(f"{self.tap_name}/output", output)
        return output

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "head_dim": self.head_dim,
            "num_key_value_heads": self.num_key_value_heads,
            "slopes": None if self.slopes is None else self.slopes.tolist(),
            "dropout": self.dropout.rate,
            "std": self.std,
            "output_std": self.output_std,
            **{name: serialize(getattr(self, name)) for name in self.PARTS},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**deserialized(config, *cls.PARTS))
