"""Softmax attention, written out so that its map can be seen."""

import math
from typing import Any

import keras
from keras import ops

from kit.layers.heads import (
    for_each_head,
    grouped_matmul,
    products,
    split_heads,
    tokens_from,
)
from kit.layers.masks import softmax
from kit.layers.mixing import Mixing
from kit.layers.taps import is_wanted, tap

MAPS = ("map", "shaped_map")


@keras.saving.register_keras_serializable(package="kit")
class Attention(Mixing):
    """Multi-head and grouped-query attention without biases.

        map = softmax(Q K^T / sqrt(head_dim) + bias);  output = map V W_O

    Vaswani et al., 1706.03762, section 3.2; grouped heads: 2305.13245.

    Args:
        num_heads: Query heads.
        head_dim: Width of a head.
        num_key_value_heads: Key and value heads; `None` means `num_heads`.
        rotary: A `RotaryPositions` layer, or `None`.
        fused: Use `keras.ops.dot_product_attention`. Same output; the map is then
            computed only while it is collected.
        **kwargs: As for `Mixing`. Where its shaping subtracts C, the query matrix
            starts at zero.

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

    PARTS = ("rotary", *Mixing.PARTS)

    def __init__(
        self,
        num_heads: int,
        head_dim: int,
        num_key_value_heads: int | None = None,
        rotary: keras.layers.Layer | None = None,
        fused: bool = False,
        **kwargs: Any,
    ):
        super().__init__(num_heads, head_dim, num_key_value_heads, **kwargs)
        self.rotary = rotary
        self.fused = fused

    def build(self, input_shape: Any) -> None:
        width = input_shape[-1]
        centred = self.shaping is not None and self.shaping.centred
        for name, axis, heads, std in (
            ("query", "heads", self.num_heads, 0.0 if centred else self.std),
            ("key", "key_value_heads", self.num_key_value_heads, self.std),
        ):
            shape, axes = (width, heads * self.head_dim), ("width", axis)
            setattr(self, name, self._matrix(name, shape, "QK", axes, std))
        super().build(input_shape)
        if self.rotary is not None:
            self.rotary.build((None, self.num_heads, input_shape[1], self.head_dim))

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
            end = None if cache is None else cache.length
            query = self.rotary(query, start=start, end=end)
            key = self.rotary(key, start=start, end=end)
        if cache is not None:
            key, value = cache.update(key, value, start)
        bias = self.with_distances(bias, query.shape[2], key.shape[2], start)
        seen = any(is_wanted(f"{self.tap_name}/{name}") for name in MAPS)
        if self.fused and not seen and shared is None:
            mixed = self._mix_fused(query, key, value, bias, start)
        else:
            attention_map = ops.cast(self._map(query, key, bias), value.dtype)
            if shared is not None:
                shared.map = attention_map
            mixed = self.mix(attention_map, value, bias, start, training)
        return self.project(mixed)

    def _read(self, x: Any) -> tuple[Any, Any, Any]:
        """Query, key and value of every token, (batch, heads, time, head_dim)."""
        if isinstance(self.value_matrix, str):
            query, key, value = products(x, self.query, self.key, self.value)
        else:
            query, key = products(x, self.query, self.key)
            value = self.values(x)
        return (
            split_heads(query, self.num_heads),
            split_heads(key, self.num_key_value_heads),
            split_heads(value, self.value_heads),
        )

    def _map(self, query: Any, key: Any, bias: Any) -> Any:
        """softmax(Q K^T / sqrt(head_dim) + bias), in float32."""
        # Were it the query, TensorFlow without XLA would fuse this, the product and the
        # bias into one operation that takes 200 times as long on a CPU.
        key = key * (1.0 / math.sqrt(self.head_dim))
        scores = grouped_matmul(query, ops.swapaxes(key, 2, 3))
        scores = ops.cast(scores, "float32")
        if bias is not None:
            scores = scores + bias
        attention_map = softmax(scores)
        tap(f"{self.tap_name}/map", attention_map)
        return attention_map

    def _mix_fused(
        self, query: Any, key: Any, value: Any, bias: Any, start: Any
    ) -> Any:
        """map V by the backend's kernel, with the map inside it."""
        key, value = (for_each_head(part, self.num_heads) for part in (key, value))
        mixed = _fused(query, key, value, bias)
        if self.shaping is None:
            return mixed
        own = tokens_from(value, start, query.shape[2])
        return self.shaping(own, mixed, value, bias=bias, start=start)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fused": self.fused}


def _fused(query: Any, key: Any, value: Any, bias: Any) -> Any:
    """The backend's kernel wants (batch, time, heads, head_dim)."""
    parts = [ops.swapaxes(part, 1, 2) for part in (query, key, value)]
    if bias is not None:
        every_head = ops.zeros((1, *query.shape[1:3], key.shape[2]), query.dtype)
        bias = ops.cast(bias, query.dtype) + every_head
    return ops.swapaxes(ops.dot_product_attention(*parts, bias=bias), 1, 2)
