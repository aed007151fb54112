"""Which cell a free worker takes next.

Longest arm first, all seeds of an arm on the worker that has compiled its step, and
near the end a free worker takes over single seeds of another's arm where that pays
for compiling the step a second time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kit.studies.study import Cell


@dataclass(frozen=True)
class Busy:
    """What another worker does: its arm, and the seconds left of its current seed."""

    arm: str
    seconds_left: float


class Schedule:
    """Pending cells by arm.

    Args:
        cells: What is to be run; cells with equal keys are run once.
        prepare_seconds: Estimated cost of preparing an arm; kept up to date by the
            runner from what it measures.
    """

    def __init__(self, cells: Iterable[Cell], prepare_seconds: float = 8.0):
        self.prepare_seconds = prepare_seconds
        self.pending: dict[str, list[Cell]] = {}
        for cell in {cell.key: cell for cell in cells}.values():
            self.pending.setdefault(cell.arm.name, []).append(cell)

    def __len__(self) -> int:
        return sum(map(len, self.pending.values()))

    def seconds(self, arm: str) -> float:
        """Estimated seconds of the pending seeds of an arm."""
        return sum(cell.arm.cost for cell in self.pending.get(arm, ()))

    def take(self, held: str | None, others: Mapping[int, Busy]) -> Cell | None:
        """The next cell for a worker, or None if it had better stay idle.

        Args:
            held: The arm that the worker has prepared, if any.
            others: What each of the other workers is doing.
        """
        arm = held if held in self.pending else self._choose(others)
        if arm is None:
            return None
        cells = self.pending[arm]
        cell = cells.pop(0)
        if not cells:
            del self.pending[arm]
        return cell

    def _choose(self, others: Mapping[int, Busy]) -> str | None:
        owned = {busy.arm for busy in others.values()}
        free = [arm for arm in self.pending if arm not in owned]
        if free:
            return max(free, key=self.seconds)
        pays = {arm: self._gain(arm, others) for arm in self.pending}
        best = max(pays, key=pays.__getitem__, default=None)
        return best if best is not None and pays[best] > 0 else None

    def _gain(self, arm: str, others: Mapping[int, Busy]) -> float:
        """Seconds by which the arm ends earlier if one more worker helps."""
        owners = [busy for busy in others.values() if busy.arm == arm]
        alone = min(busy.seconds_left for busy in owners) + self.seconds(arm) / len(
            owners
        )
        return alone - self.prepare_seconds - self.pending[arm][-1].arm.cost

    def drop(self, arm: str) -> list[Cell]:
        """Take all pending cells of an arm out, because it cannot be prepared."""
        return self.pending.pop(arm, [])
