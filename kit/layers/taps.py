"""Named activations: every value that a plot or a probe needs has one stable name.

Layers offer values with `tap`; nobody listens unless a `Collector` is open, so an
ordinary forward pass pays nothing.
"""

from fnmatch import fnmatchcase
from typing import Any

_open: list["Collector"] = []


class Collector:
    """Collects the activations whose names match, while it is open.

    Args:
        patterns: Shell-style patterns such as `"block_*/attention/map"`.

    Example:
        >>> with Collector("block_*/output") as collector:
        ...     tap("block_0/output", 1.0)
        ...     tap("block_0/input", 2.0)
        >>> collector.values
        {'block_0/output': 1.0}
    """

    def __init__(self, *patterns: str):
        self.patterns = patterns
        self.values: dict[str, Any] = {}
        self.offered: list[str] = []

    def wants(self, name: str) -> bool:
        """Whether `name` matches a pattern."""
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)

    def offer(self, name: str, value: Any) -> None:
        """Keep `value` if its name matches."""
        self.offered.append(name)
        if self.wants(name):
            self.values[name] = value

    def __enter__(self) -> "Collector":
        _open.append(self)
        return self

    def __exit__(self, *_: Any) -> None:
        _open.remove(self)


def tap(name: str, value: Any) -> None:
    """Offer an activation to the open collectors."""
    for collector in _open:
        collector.offer(name, value)


def is_wanted(name: str) -> bool:
    """Whether an open collector wants `name`, for values that cost extra."""
    return any(collector.wants(name) for collector in _open)


def is_listening() -> bool:
    """Whether any collector is open: what is compiled would offer it nothing."""
    return bool(_open)
