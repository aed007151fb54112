"""Attention by the map of an earlier layer, without queries and keys."""

from typing import Any

import keras

from kit.errors import KitError
from kit.layers.heads import split_heads
from kit.layers.mixing import Mixing
from kit.layers.taps import tap


class SharedMap:
    """Takes one attention map from the layer that makes it to those that copy it.

    Attributes:
        map: (batch, heads, queries, keys), before dropout; `None` until it is made.

    Example:
        >>> SharedMap().map is None
        True
    """

    map: Any = None


@keras.saving.register_keras_serializable(package="kit")
class CopyingAttention(Mixing):
    """Attention whose map is that of an earlier layer i.

        output = map V W_O,   map = softmax(Q_i K_i^T / sqrt(head_dim) + bias)

    EchoAtt, 2409.14595. Head h uses map h. There are no query and key matrices, and no
    keys to be remembered; values, projection, dropout and shaping are the layer's own.

    Args: As for `Mixing`.

    Call arguments: As for `Attention`, and
        shared: The `SharedMap` that the other layer was called with before.

    Returns:
        (batch, time, width). Taps as for `Attention`; `map` is the copied one.

    Raises:
        KitError: No layer has left a map to copy.

    Example:
        >>> import numpy as np
        >>> x, shared = np.ones((1, 3, 8), "float32"), SharedMap()
        >>> from kit.layers import Attention
        >>> layer = Attention(num_heads=2, head_dim=4)
        >>> copying = CopyingAttention(num_heads=2, head_dim=4)
        >>> tuple(copying(layer(x, shared=shared), shared=shared).shape)
        (1, 3, 8)
        >>> layer.count_params(), copying.count_params()
        (256, 128)
    """

    def call(
        self,
        x: Any,
        bias: Any = None,
        cache: Any = None,
        start: Any = 0,
        shared: Any = None,
        training: bool = False,
    ) -> Any:
        if shared is None or shared.map is None:
            raise KitError(
                f"{self.name!r} copies an attention map, and none was made before it",
                "Call the layer that owns it first, with the same SharedMap as shared",
            )
        value = split_heads(self.values(x), self.value_heads)
        if cache is not None:
            _, value = cache.update(None, value, start)
        attention_map = shared.map
        tap(f"{self.tap_name}/map", attention_map)
        if self.shaping is not None:
            bias = self.with_distances(bias, x.shape[1], value.shape[2], start)
        return self.project(self.mix(attention_map, value, bias, start, training))
