"""A progress bar with the time left, in a terminal and in a notebook."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_reporter(
    progress: bool | Callable[[float], None], total: int
) -> Iterator[Callable[[int], None]]:
    """A function to call with the steps done.

    Args:
        progress: `True` for a bar, `False` for nothing, or a function that gets the
            share done.
        total: Steps in all.
    """
    if not progress:
        yield lambda done: None
    elif callable(progress):
        yield lambda done: progress(done / total)
    else:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns) as bar:
            task = bar.add_task("training", total=total)
            yield lambda done: bar.update(task, completed=done)
