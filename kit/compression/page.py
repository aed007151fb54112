"""A page about a smaller model: one HTML file that needs nothing else."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from kit import pages
from kit.pictures import Picture, style

TEMPLATE = Path(__file__).with_name("page.html.jinja")
MODES = ("light", "dark")


class Table(NamedTuple):
    """A table of the page, which the terminal shows as well.

    Args:
        header: Name of each column.
        rows: Their cells, as text.
        words: Which columns hold words, and no numbers; the first one does.

    Example:
        >>> Table(("", "before"), [("parameters", "100")]).is_number(1)
        True
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: Sequence[int] = (0,)

    def is_number(self, column: int) -> bool:
        """Whether a column holds numbers, which are set to the right."""
        return column not in self.words


class Figure(NamedTuple):
    """A figure of the page.

    Args:
        caption: What is to be seen.
        draw: Draws it, once for a light and once for a dark page.

    Example:
        >>> from kit.pictures import new_figure
        >>> len(Figure("nothing", lambda: new_figure(1.0)[0]).draw().axes)
        1
    """

    caption: str
    draw: Callable[[], Picture]


def render_page(
    title: str,
    sentences: Sequence[str],
    tables: Sequence[Table],
    figures: Sequence[Figure],
    notes: Sequence[str],
    command: str,
) -> str:
    """The page as HTML, with every figure inside it.

    Args:
        title: What was done, to which model.
        sentences: What came of it.
        tables: The numbers.
        figures: From the most telling on.
        notes: On what was measured how.
        command: What does it again.

    Example:
        >>> page = render_page("gpt < smaller", ["Done."], [], [], [], "kit prune gpt")
        >>> "<h1>gpt &lt; smaller</h1>" in page
        True
    """
    return pages.render(
        TEMPLATE,
        filters={"look": _look},
        title=title,
        sentences=sentences,
        tables=tables,
        figures=[
            {"caption": figure.caption, **{m: _drawn(figure, m) for m in MODES}}
            for figure in figures
        ],
        notes=notes,
        command=command,
    )


def _look(table: Table, column: int) -> str:
    return "n" if table.is_number(column) else ""


def _drawn(figure: Figure, mode: str) -> str:
    with style(mode):
        return pages.inline(figure.draw().png())
