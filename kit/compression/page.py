"""A page about a smaller model: one HTML file that needs nothing else."""

import base64
import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2

from kit.compression.costs import Line
from kit.pictures import Picture, style

TEMPLATE = Path(__file__).with_name("page.html.jinja")


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
    lines: Sequence[Line],
    figures: Sequence[Figure],
    notes: Sequence[str],
    command: str,
) -> str:
    """The page as HTML, with every figure inside it.

    Args:
        title: What was done, to which model.
        sentences: What came of it.
        lines: Of `kit.compression.costs.compared`.
        figures: From the most telling on.
        notes: On what was measured how.
        command: What does it again.

    Example:
        >>> page = render_page("gpt < smaller", ["Done."], [], [], [], "kit prune gpt")
        >>> "<h1>gpt &lt; smaller</h1>" in page
        True
    """
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        title=title,
        sentences=sentences,
        lines=lines,
        figures=[
            {"caption": figure.caption, **{m: _inline(figure, m) for m in MODES}}
            for figure in figures
        ],
        notes=notes,
        command=command,
        date=datetime.date.today().isoformat(),
    )


MODES = ("light", "dark")


def _inline(figure: Figure, mode: str) -> str:
    with style(mode):
        png = figure.draw().png()
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
