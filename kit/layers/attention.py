"""Softmax attention, written out so that its map can be seen."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from kit.layers.gains import UpdatedMatrix, deserialized
from kit.layers.gradients import matmul
from kit.layers.masks import softmax
from kit.layers.positions import alibi_bias
from kit.layers.tags import normal, tag
from kit.layers.taps import is_wanted, tap

MAPS = ("map", "shaped_map")
PARTS = ("rotary", "value_matrix", "output_matrix", "shaping")


@keras.saving.register_keras_serializable(package="kit")
class Attention(keras.layers.Layer):
    """Multi-head and grouped-query attention without biases.

        map = softmax(Q K^T / sqrt(head_dim) + bias);  output = map V W_O

    Vaswani et al., 1706.03762, section 3.2; grouped heads: 2305.13245; other values,
    projections and maps: 2311.01906.

    Args:
        num_heads: Query heads.
        head_dim: Width of a head.
        num_key_value_heads: Key and value heads; `None` means `num_heads`.
        rotary: A `RotaryPositions` layer, or `None`.
        slopes: ALiBi slopes, one per query head, or `None`.
        dropout: Rate on the map.
        fused: Use `keras.ops.dot_product_attention`. Same output; the map is then
            computed only while it is collected.
        std: Standard deviation of the initial query, key and value matrices.
        output_std: The same for the output matrix; `None` means `std`.
        value_matrix: `"learned"`, `"orthogonal"` (learnt from an orthogonal start), an
            `UpdatedMatrix`, or `None` for the identity, which is no weight and no
            work. Where it is or starts as the identity, each query head has its own
            values: its columns of x.
        output_matrix: The same for W_O.
        shaping: A `Shaping` of the map, or `None`. Where it subtracts C, the query
            matrix starts at zero.

    Call arguments:
        x: (batch, time, width).
        bias: Added to the scores, broadcast to (batch, heads, time, keys).
        cache: A `KeyValueCache`, or `None`.
        start: Position of the first token.
        shared: A `SharedMap` that takes the map to the layers that copy it, or `None`.

    Returns:
        (batch, time, width). Taps: `map`, the softmax (batch, heads, time, keys),
        `output`, and with a shaping `shaped_map`, alpha I + beta map - gamma C.

    Example:
        >>> import numpy as np
        >>> layer = Attention(num_heads=2, head_dim=4)
        >>> tuple(layer(np.ones((1, 3, 8), "float32")).shape)
        (1, 3, 8)
    """

    def __init__(
        self,
        num_heads: int,
        head_dim: int,
        num_key_value_heads: int | None = None,
        rotary: keras.layers.Layer | None = None,
        slopes: Any = None,
        dropout: float = 0.0,
        fused: bool = False,
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
        self.rotary = rotary
        self.slopes = None if slopes is None else np.asarray(slopes, "float32")
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.fused = fused
        self.std = std
        self.output_std = std if output_std is None else output_std
        self.value_matrix = value_matrix
        self.output_matrix = output_matrix
        self.shaping = shaping
        self.tap_name = self.name

    has_own_map = True

    @property
    def value_heads(self) -> int:
        """Heads of the values."""
        matrix = self.value_matrix
        if matrix is None or getattr(matrix, "start", None) == "identity":
            return self.num_heads
        return self.num_key_value_heads

    def build(self, input_shape: Any) -> None:
        width = input_shape[-1]
        query = (width, self.num_heads * self.head_dim)
        key = (width, self.num_key_value_heads * self.head_dim)
        shaped = self.shaping is not None and self.shaping.centred
        if self.has_own_map:
            query_std = 0.0 if shaped else self.std
            self.query = self._matrix("query", query, "QK", query_std)
            self.key = self._matrix("key", key, "QK", std=self.std)
        if isinstance(self.value_matrix, str):
            self.value = self._matrix("value", key, "VO", std=self.std)
        if isinstance(self.output_matrix, str):
            output = query[::-1]
            self.output_kernel = self._matrix("output", output, "VO", self.output_std)
        for part, shape in (
            (self.value_matrix, input_shape),
            (self.output_matrix, (*input_shape[:-1], query[1])),
            (self.shaping, None),
        ):
            if isinstance(part, keras.layers.Layer) and not part.built:
                part.build(shape)
        if self.rotary is not None:
            self.rotary.build((None, self.num_heads, input_shape[1], self.head_dim))

    def _matrix(self, name: str, shape: Any, role: str, std: float) -> Any:
        grouped = name in ("key", "value")
        axes = ("width", "key_value_heads" if grouped else "heads")
        if name == "output":
            axes = axes[::-1]
        form = {"value": self.value_matrix, "output": self.output_matrix}.get(name)
        orthogonal = form == "orthogonal"
        initializer = keras.initializers.Orthogonal() if orthogonal else normal(std)
        weight = self.add_weight(name=name, shape=shape, initializer=initializer)
        return tag(weight, role, axes, std=std or None, orthogonal=orthogonal)

    def call(
        self,
        x: Any,
        bias: Any = None,
        cache: Any = None,
        start: Any = 0,
        shared: Any = None,
        training: bool = False,
    ) -> Any:
        query, key, value = self._read(x)
        if self.rotary is not None:
            query, key = self.rotary(query, start=start), self.rotary(key, start=start)
        if cache is not None:
            key, value = cache.update(key, value, start)
        key, value = self._for_each_head(key), self._for_each_head(value)
        bias = self._with_distances(bias, query.shape[2], key.shape[2], start)
        seen = any(is_wanted(f"{self.tap_name}/{name}") for name in MAPS)
        if self.fused and not seen and shared is None:
            mixed = self._mix_fused(query, key, value, bias, start)
        else:
            attention_map = ops.cast(self._map(query, key, bias), value.dtype)
            if shared is not None:
                shared.map = attention_map
            mixed = self._mix(attention_map, value, bias, start, training)
        return self._output(mixed)

    def _with_distances(self, bias: Any, queries: int, keys: int, start: Any) -> Any:
        """The bias in float32, and with that of ALiBi."""
        if bias is not None:
            bias = ops.cast(bias, "float32")  # a mixed policy cast it
        if self.slopes is None:
            return bias
        distance = alibi_bias(self.slopes, queries, keys, start)
        return distance if bias is None else bias + distance

    def _read(self, x: Any) -> tuple[Any, Any, Any]:
        """Query, key and value of every token, (batch, heads, time, head_dim)."""
        if isinstance(self.value_matrix, str):
            query, key, value = _products(x, self.query, self.key, self.value)
        else:
            query, key = _products(x, self.query, self.key)
            value = self._value(x)
        return (
            self._split(query, self.num_heads),
            self._split(key, self.num_key_value_heads),
            self._split(value, self.value_heads),
        )

    def _value(self, x: Any) -> Any:
        """(batch, time, value_heads * head_dim)."""
        if isinstance(self.value_matrix, str):
            return ops.matmul(x, self.value)
        return x if self.value_matrix is None else self.value_matrix(x)

    def _output(self, mixed: Any) -> Any:
        """(batch, heads, time, head_dim) of mixed values to (batch, time, width)."""
        output = self._project(self._merge(mixed))
        tap(f"{self.tap_name}/output", output)
        return output

    def _project(self, mixed: Any) -> Any:
        if self.output_matrix is None:
            return mixed
        if isinstance(self.output_matrix, UpdatedMatrix):
            return self.output_matrix(mixed)
        return ops.matmul(mixed, self.output_kernel)

    def _map(self, query: Any, key: Any, bias: Any) -> Any:
        """softmax(Q K^T / sqrt(head_dim) + bias), in float32."""
        # Were it the query, TensorFlow without XLA would fuse this, the product and the
        # bias into one operation that takes 200 times as long on a CPU.
        key = key * (1.0 / math.sqrt(self.head_dim))
        scores = ops.cast(matmul(query, ops.swapaxes(key, 2, 3)), "float32")
        if bias is not None:
            scores = scores + bias
        attention_map = softmax(scores)
        tap(f"{self.tap_name}/map", attention_map)
        return attention_map

    def _mix(
        self, attention_map: Any, value: Any, bias: Any, start: Any, training: bool
    ) -> Any:
        if self.dropout.rate:
            attention_map = self.dropout(attention_map, training=training)
        if self.shaping is not None:
            attention_map = self.shaping.map(attention_map, bias, start)
            tap(f"{self.tap_name}/shaped_map", attention_map)
        return matmul(attention_map, value)

    def _mix_fused(
        self, query: Any, key: Any, value: Any, bias: Any, start: Any
    ) -> Any:
        mixed = _fused(query, key, value, bias)
        if self.shaping is None:
            return mixed
        own = value[:, :, start : start + query.shape[2]]
        return self.shaping(own, mixed, value, bias=bias, start=start)

    def _for_each_head(self, x: Any) -> Any:
        """Key or value heads, repeated until every query head has one."""
        groups = self.num_heads // x.shape[1]
        return ops.repeat(x, groups, axis=1) if groups > 1 else x

    def _split(self, x: Any, heads: int) -> Any:
        """(batch, time, heads * head_dim) to (batch, heads, time, head_dim)."""
        return ops.swapaxes(
            ops.reshape(x, (*_batch_time(x), heads, self.head_dim)), 1, 2
        )

    def _merge(self, x: Any) -> Any:
        """(batch, heads, time, head_dim) to (batch, time, heads * head_dim)."""
        x = ops.swapaxes(x, 1, 2)
        return ops.reshape(x, (*_batch_time(x), self.num_heads * self.head_dim))

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
            "fused": self.fused,
            "std": self.std,
            "output_std": self.output_std,
            **{name: serialize(getattr(self, name)) for name in PARTS},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**deserialized(config, *PARTS))


def _products(x: Any, *matrices: Any) -> list[Any]:
    """x times each matrix, as one product: its gradient is one product too."""
    ends = np.cumsum([matrix.shape[1] for matrix in matrices])[:-1]
    return ops.split(ops.matmul(x, ops.concatenate(matrices, axis=1)), ends, axis=-1)


def _batch_time(x: Any) -> Any:
    """Batch and time of a shape, with -1 for a batch that is not known yet."""
    return (-1 if x.shape[0] is None else x.shape[0], x.shape[1])


def _fused(query: Any, key: Any, value: Any, bias: Any) -> Any:
    """The backend's kernel wants (batch, time, heads, head_dim)."""
    parts = [ops.swapaxes(part, 1, 2) for part in (query, key, value)]
    if bias is not None:
        every_head = ops.zeros((1, *query.shape[1:3], key.shape[2]), query.dtype)
        bias = ops.cast(bias, query.dtype) + every_head
    return ops.swapaxes(ops.dot_product_attention(*parts, bias=bias), 1, 2)
