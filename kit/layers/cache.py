"""What attention remembers while a sequence is generated token by token."""

from typing import Any

from keras import ops


class KeyValueCache:
    """Keys and values of the tokens seen so far, for one attention layer.

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
        """Write (batch, heads, time, head_dim) at `start`; return all positions."""
        if self.key is None:
            self.key, self.value = (
                ops.zeros((*each.shape[:2], self.length, each.shape[3]), each.dtype)
                for each in (key, value)
            )
        self.key = ops.slice_update(self.key, (0, 0, start, 0), key)
        self.value = ops.slice_update(self.value, (0, 0, start, 0), value)
        return self.key, self.value
