"""A progress bar with the time left, in a terminal and in a notebook."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

UPDATE_EVERY = 0.25  # seconds


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
    elif in_notebook():
        drawn = NotebookBar(total)
        try:
            yield drawn.update
        finally:
            drawn.finish()
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


def in_notebook() -> bool:
    """Whether this code runs in a notebook's cell."""
    from rich.console import Console

    return Console().is_jupyter


class NotebookBar:
    """A bar below a cell, in plain HTML: one of rich would need ipywidgets.

    Args:
        total: Steps in all.
    """

    def __init__(self, total: int):
        from IPython.display import display

        self.total, self.done = total, 0
        self.start = self.drawn = time.monotonic()
        self.handle = display(self._data(), raw=True, display_id=True)

    def update(self, done: int) -> None:
        """Note the steps done, and draw them if the last drawing is old."""
        self.done = done
        if time.monotonic() - self.drawn >= UPDATE_EVERY:
            self._draw()

    def finish(self) -> None:
        """Draw the last state, which `update` may have skipped."""
        self._draw(finished=True)

    def _draw(self, finished: bool = False) -> None:
        self.drawn = time.monotonic()
        self.handle.update(self._data(finished), raw=True)

    def _data(self, finished: bool = False) -> dict[str, str]:
        seconds = time.monotonic() - self.start
        text = f"training: {self.done} of {self.total} steps, {seconds:.0f} s"
        if self.done and not finished:
            left = seconds * (self.total - self.done) / self.done
            text += f", {left:.0f} s left"
        bar = f'<progress value="{self.done}" max="{self.total}"></progress>'
        return {"text/plain": text, "text/html": f"{bar} {text}"}
