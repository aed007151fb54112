"""What models that begin with the same blocks have in common, kept for the next one."""

import math
from collections.abc import Iterable
from typing import Any

from kit.pruning.surgery import Path

PARTS, MOST = 4, 4  # parts of a model; and marks kept, as a multiple of its blocks


class Streams:
    """Streams after the first blocks of models that begin alike.

    In a greedy search, the model without the attentions a and j begins like that
    without j, which was run one step before, as far as a. So two kinds of streams are
    kept: all of the last path, and of other paths those at a few marks, which cut a
    model into four parts. The first step costs half of its passes through all blocks,
    the next ones about two fifths.

    Memory: about 2.5 streams for each block in a greedy search, at most 5.

    Args:
        first: The stream before block 0.
        blocks: Blocks of the model.

    Example:
        >>> from kit.blocks import BlockConfig
        >>> path = tuple((index, BlockConfig()) for index in range(4))
        >>> streams = Streams("embedding", blocks=4)
        >>> for length in (1, 2, 3):
        ...     streams.add(path[:length], f"after {length} blocks")
        >>> streams.longest(path)
        (3, 'after 3 blocks')
        >>> streams.longest(path[:2] + path[3:])
        (2, 'after 2 blocks')
    """

    def __init__(self, first: Any, blocks: int):
        self._found: dict[Path, Any] = {(): first}
        self._path: Path = ()
        self._marks = range(0, blocks, math.ceil(blocks / PARTS) or 1)
        self._most = MOST * blocks

    def __len__(self) -> int:
        """Streams that are kept."""
        return len(self._found)

    def expect(self, paths: Iterable[Path]) -> None:
        """Forget what none of these paths, which come next, begins with."""
        marks = {path[:length] for path in paths for length in self._marks}
        self._keep(marks | _beginnings(self._path))

    def longest(self, path: Path) -> tuple[int, Any]:
        """The longest known beginning of a path: its length, and the stream after it.

        The path is then the last one: what it does not begin with is forgotten, but
        for the marks.
        """
        marks = [each for each in self._found if len(each) in self._marks]
        self._keep({*marks[: self._most]} | _beginnings(path))
        self._path = path
        length = max(len(each) for each in self._found if path[: len(each)] == each)
        return length, self._found[path[:length]]

    def add(self, path: Path, stream: Any) -> None:
        """Keep the stream after a path."""
        self._found[path] = stream

    def _keep(self, wanted: set[Path]) -> None:
        found = self._found.items()
        self._found = {path: x for path, x in found if path in wanted or not path}


def _beginnings(path: Path) -> set[Path]:
    return {path[:length] for length in range(len(path) + 1)}
