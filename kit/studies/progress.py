"""Progress of a run: bars in a terminal, plain lines elsewhere, with time left."""

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn

from kit.studies.process import Process
from kit.studies.results import Row
from kit.studies.schedule import Schedule

if TYPE_CHECKING:
    from kit.studies.summary import Failure, Summary

LINE_EVERY = 30.0  # seconds between two plain lines


class Estimate:
    """Time left, from the arms' estimated costs and the speed seen so far."""

    def __init__(self) -> None:
        self.spent = 0.0
        self.expected = 0.0

    def learn(self, cost: float, seconds: float) -> None:
        """A cell of an estimated cost has taken so many seconds."""
        self.expected += cost
        self.spent += seconds

    def seconds(self, schedule: Schedule, pool: Mapping[int, Process]) -> float:
        """Estimated seconds until all is done."""
        busy = [process for process in pool.values() if process.cell]
        slowdown = self.spent / self.expected if self.expected else 1.0
        running = [process.seconds_left for process in busy]
        held = {process.held for process in busy}
        arms = [arm for arm in schedule.pending if arm not in held]
        work = sum(running) + sum(map(schedule.seconds, schedule.pending))
        overhead = schedule.prepare_seconds * len(arms)
        workers = max(len(pool), 1)
        spread = (slowdown * work + overhead) / workers
        return max(spread, slowdown * max(running, default=0.0))


class Display:
    """Shows nothing; the base of the two displays below."""

    def __enter__(self) -> "Display":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(
        self, summary: "Summary", schedule: Schedule, pool: Mapping[int, Process]
    ) -> None:
        """Called after every event, and twice a second without any."""

    def finished(self, cell: Any, row: Row) -> None:
        """A cell is finished and stored."""

    def failed(self, failure: "Failure") -> None:
        """A cell has failed."""


class _Timed(Display):
    def __init__(self) -> None:
        self.estimate = Estimate()

    def finished(self, cell: Any, row: Row) -> None:
        self.estimate.learn(cell.arm.cost, row.seconds)


class PlainLines(_Timed):
    """One line now and then, for logs, pipes and notebooks."""

    def __init__(self) -> None:
        super().__init__()
        self.last = (0.0, -1)

    def show(
        self, summary: "Summary", schedule: Schedule, pool: Mapping[int, Process]
    ) -> None:
        done = summary.reused + summary.finished + len(summary.failures)
        now, tenth = time.monotonic(), 10 * done // max(summary.cells, 1)
        if tenth == self.last[1] and now - self.last[0] < LINE_EVERY:
            return
        self.last = (now, tenth)
        left = duration_left(self.estimate.seconds(schedule, pool))
        running = ", ".join(str(p.cell) for p in pool.values() if p.cell)
        note = f", {left} left; now {running}" if running else ""
        print(f"{done} of {summary.cells} cells{note}", flush=True)

    def failed(self, failure: "Failure") -> None:
        print(f"failed: {failure}", file=sys.stderr, flush=True)


class Bars(_Timed):
    """One bar for all cells and one for each worker."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self.live = Live(self.progress, console=console, refresh_per_second=4)
        self.total = self.progress.add_task("all", total=None, note="starting")
        self.tasks: dict[int, Any] = {}

    def __enter__(self) -> "Bars":
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def show(
        self, summary: "Summary", schedule: Schedule, pool: Mapping[int, Process]
    ) -> None:
        done = summary.reused + summary.finished + len(summary.failures)
        left = duration_left(self.estimate.seconds(schedule, pool))
        note = f"{done} of {summary.cells} cells, {left} left"
        partial = sum(p.fraction for p in pool.values() if p.cell)
        self.progress.update(
            self.total, total=summary.cells, completed=done + partial, note=note
        )
        for number, process in pool.items():
            if number not in self.tasks:
                name = f"worker {number}"
                self.tasks[number] = self.progress.add_task(name, total=1.0, note="")
            self.progress.update(
                self.tasks[number],
                completed=process.fraction if process.cell else 0.0,
                note=_doing(process),
            )

    def failed(self, failure: "Failure") -> None:
        self.progress.console.print(f"failed: {failure}", markup=False, style="red")


def _doing(process: Process) -> str:
    if not process.ready:
        return "starting"
    if not process.cell:
        return "idle"
    compiling = process.held != process.cell.arm.name
    return f"{process.cell}{' (building and compiling)' if compiling else ''}"


def duration_left(seconds: float) -> str:
    """Time left, rounded as it deserves.

    Example:
        >>> duration_left(0), duration_left(7.2), duration_left(100)
        ('0 s', '10 s', '2 min')
        >>> duration_left(4000)
        '1 h 07 min'
    """
    if seconds <= 0:
        return "0 s"
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5 + 0.5)):.0f} s"
    minutes = max(1, round(seconds / 60))
    return (
        f"{minutes} min"
        if minutes < 60
        else f"{minutes // 60} h {minutes % 60:02d} min"
    )


def display() -> Display:
    """Bars in a terminal, lines anywhere else."""
    console = Console(stderr=True)
    return Bars(console) if console.is_terminal else PlainLines()
