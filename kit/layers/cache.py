"""What attention remembers while a sequence is generated token by token."""

from typing import Any

from keras import ops


class KeyValueCache:
    """Keys and values of the tokens seen so far, for one attention layer.

    A layer that copies its attention map has no keys, and gets no room for them.

    Args:
        length: Number of positions to make room for.

    Example:
        >>> cache, token = KeyValueCache(length=4), ops.ones((1, 2, 1, 8))
        >>> key, value = cache.update(token, token, start=3)
        >>> tuple(key.shape)
        (1, 2, 4, 8)
    """

    def __init__(self, length: int):
        self.length = length
        self.key = self.value = None

    def update(self, key: Any, value: Any, start: Any) -> Any:
        """Write (batch, heads, time, head_dim) at `start`; return all positions.

        Without keys, `key` is `None`, and so is what is returned for them.
        """
        if key is not None:
            self.key = self._written(self.key, key, start)
        self.value = self._written(self.value, value, start)
        return self.key, self.value

    def _written(self, room: Any, x: Any, start: Any) -> Any:
        if room is None:
            room = ops.zeros((*x.shape[:2], self.length, x.shape[3]), x.dtype)
        return ops.slice_update(room, (0, 0, start, 0), x)
