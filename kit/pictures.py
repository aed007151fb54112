"""How the kit's figures look: colours, sizes, and a style for light and dark pages."""

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

BLUE, VERMILION, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, GREY = "#E69F00", "#56B4E9", "#808080"
PALETTE = (BLUE, VERMILION, GREEN, PINK, ORANGE, SKY)
DASHES = ("-", "--", "-.", ":")
VERDICT_COLORS = {
    "reproduced": BLUE,
    "not reproduced": VERMILION,
    "undecided": GREY,
    "not in this budget": GREY,
}
SIGNS = {
    "reproduced": "✓",
    "not reproduced": "✗",
    "undecided": "?",
    "not in this budget": "–",
}
INCH_WIDTH = 5.6  # narrow: the text stays readable at the width of a phone
INK = {
    "light": ("#1a1a1a", "#ffffff", "#d9d9d9"),
    "dark": ("#e6e6e6", "#16181c", "#3a3d44"),
}


class Picture(Figure):
    """A figure that shows itself in a notebook without any set-up."""

    def png(self) -> bytes:
        """The figure as a PNG file."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=160)
        return buffer.getvalue()

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        # More dots than a notebook's page has, so say how wide: letters of 10 points.
        return self.png(), {"width": round(96 * self.get_figwidth())}


def look(mode: str = "light") -> dict[str, Any]:
    """Matplotlib's settings for a "light" or a "dark" page."""
    ink, paper, lines = INK[mode]
    inked = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color")
    return {
        **dict.fromkeys(inked, ink),
        "axes.edgecolor": lines,
        "grid.color": lines,
        "figure.facecolor": paper,
        "axes.facecolor": paper,
        "savefig.facecolor": paper,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "font.size": 10,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "lines.linewidth": 1.8,
    }


@contextlib.contextmanager
def style(mode: str = "light") -> Iterator[None]:
    """Draw what is inside for a "light" or a "dark" page."""
    settings: Any = look(mode)
    with matplotlib.rc_context(settings):
        yield


def new_figure(
    height: float, columns: int = 1, rows: int = 1, **axes: Any
) -> tuple[Picture, np.ndarray]:
    """An empty figure of the kit's width, and its axes (rows, columns)."""
    layout = ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.06)
    figure = Picture(figsize=(INCH_WIDTH, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False, **axes)


def line_style(index: int) -> dict[str, Any]:
    """Colour and dashes of the line with this index: 24 that differ."""
    return {
        "color": PALETTE[index % len(PALETTE)],
        "linestyle": DASHES[index // len(PALETTE) % len(DASHES)],
    }
