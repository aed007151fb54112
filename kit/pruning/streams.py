"""What models that begin with the same blocks have in common, kept for the next one."""

import math
from collections.abc import Iterable
from typing import Any

from kit.pruning.surgery import Path

PARTS, MOST = 4, 4  # parts of a model; and marks kept, as a multiple of its blocks


class Streams:
    """Streams after the first blocks of models that begin alike.

    In a greedy search, the best model of a step goes on with one part less, say that
    of block b. The next one to be tried without block j as well begins like

    - the best one, as far as j, where b comes before j;
    - the one that was tried without j alone, as far as b, where j comes before b.

    So of the best path so far all streams are kept, and of another one that where it
    differs for the last time from the best one. Tried from the last block to the
    first, a candidate then costs only its blocks after j and b. Should an earlier block
    go next, the streams of two steps ago are wanted: those at a few marks are kept,
    which cut a model into four parts.

    Memory: about 4 streams for each block in a greedy search, at most 7.

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
        self._cuts: dict[Path, None] = {}
        self._best: Path = ()
        self._lowest = math.inf
        self._marks = range(0, blocks, math.ceil(blocks / PARTS) or 1)
        self._blocks = blocks

    def __len__(self) -> int:
        """Streams that are kept."""
        return len(self._found)

    def expect(self, paths: Iterable[Path]) -> None:
        """Forget what none of these paths, which come next, begins with."""
        wanted = {beginning for path in paths for beginning in _beginnings(path)}
        self._keep(wanted)
        self._cuts = {cut: None for cut in self._cuts if cut in wanted}
        self._lowest = math.inf

    def longest(self, path: Path) -> tuple[int, Any]:
        """The longest known beginning of a path: its length, and the stream after it.

        Of what came before, the path's own beginnings are kept, those of the best path,
        where others differ from that for the last time, and the marks.
        """
        marks = [each for each in self._found if len(each) in self._marks]
        marks, cuts = marks[-MOST * self._blocks :], [*self._cuts][-self._blocks :]
        self._keep({*marks, *cuts} | _beginnings(path) | _beginnings(self._best))
        length = max(len(each) for each in self._found if path[: len(each)] == each)
        return length, self._found[path[:length]]

    def add(self, path: Path, stream: Any) -> None:
        """Keep the stream after a path."""
        self._found[path] = stream

    def judge(self, path: Path, loss: float) -> None:
        """Note how good a model is whose path was run to its end."""
        if loss < self._lowest:
            self._best, self._lowest = path, loss
        others = [place for place, block in enumerate(path) if block not in self._best]
        if others:
            self._cuts[path[: others[-1]]] = None

    def _keep(self, wanted: set[Path]) -> None:
        found = self._found.items()
        self._found = {path: x for path, x in found if path in wanted or not path}


def _beginnings(path: Path) -> set[Path]:
    return {path[:length] for length in range(len(path) + 1)}
