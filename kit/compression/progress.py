"""Progress of a command's work: a bar in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kit.studies.progress import duration_left

LINE_EVERY = 15.0  # seconds between two plain lines


@contextmanager
def progress_of(work: str) -> Iterator[Callable[[float], None]]:
    """A function to call with the share done; shows it with the time left.

    It is shown on standard error, so that output can be piped.

    Example:
        >>> with progress_of("reading") as report:
        ...     report(0.5)
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console, start = Console(stderr=True), time.monotonic()
    if not console.is_terminal:
        yield _Lines(work)
        return
    columns = (
        TextColumn("{task.description:8}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(work, total=1.0, left="")

        def report(share: float) -> None:
            bar.update(task, completed=share, left=_left(start, share))

        yield report


class _Lines:
    """One line now and then."""

    def __init__(self, work: str):
        self.work = work
        self.start = self.told = time.monotonic()

    def __call__(self, share: float) -> None:
        now = time.monotonic()
        if now - self.told >= LINE_EVERY and share < 1:
            self.told = now
            words = f"{self.work}: {share:.0%}, {_left(self.start, share)}"
            print(words, file=sys.stderr, flush=True)


def _left(start: float, share: float) -> str:
    if not 0 < share < 1:
        return ""
    return f"{duration_left((time.monotonic() - start) * (1 - share) / share)} left"
