"""Figures of several small panels that share one legend or one scale of colours."""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from kit.pictures import GREY, INCH_WIDTH, Picture, line_style, new_figure


def line_panels(
    panels: Mapping[str, Mapping[str, Any]],
    ticks: Mapping[str, Sequence[str]],
    *,
    columns: int = 1,
    x_label: str = "",
    references: Mapping[str, Mapping[str, Any]] | None = None,
    limits: Mapping[str, tuple[float | None, float | None]] | None = None,
    log: Collection[str] = (),
) -> Picture:
    """Mean lines with a band from lowest to highest run, panel by panel.

    A name has the same colour in all panels, and is once in the legend.

    Args:
        panels: Title -> name -> values, shape (runs, points).
        ticks: Title -> names of the points, as many as the longest line has.
        columns: Panels in a row.
        x_label: Of the lowest panels.
        references: Title -> name -> a number, or one for each point; drawn dotted.
        limits: Title -> ends of the vertical axis; None for as the data has it.
        log: Titles of the panels whose vertical axis is logarithmic.
    """
    references, limits = references or {}, limits or {}
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    dotted = {name for panel in references.values() for name in panel}
    rows = -(-len(panels) // columns)
    height = 0.5 + 2.1 * rows + 0.21 * (len(names) + len(dotted))
    figure, axes = new_figure(height, columns, rows)
    for ax, (title, panel) in zip(axes.flat, panels.items(), strict=False):
        for name, values in panel.items():
            grid, look = np.asarray(values, dtype=float), line_style(names.index(name))
            points = np.arange(grid.shape[1])
            ax.plot(points, grid.mean(axis=0), label=name, marker="o", ms=3.5, **look)
            low, high = grid.min(axis=0), grid.max(axis=0)
            ax.fill_between(points, low, high, color=look["color"], alpha=0.18, lw=0)
        for name, value in references.get(title, {}).items():
            _dotted(ax, name, value, sorted(dotted).index(name))
        ax.set_xticks(range(len(ticks[title])), ticks[title])
        ax.set_title(title)
        if title in log:  # before the limits, which would else be those of a line
            ax.set_yscale("log")
        ax.set_ylim(*limits.get(title, (None, None)))
    for ax in axes[-1]:
        ax.set_xlabel(x_label)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    _one_legend(figure, axes.flat)
    return figure


SIGNAL = {
    "cosine": "mean cosine of two tokens",
    "norm": "root mean square of the stream",
    "gradient": "norm of the gradient in a block's weights",
}


def signal_panels(probes: Mapping[str, Sequence[Mapping[str, float]]]) -> Picture:
    """What gets through the layers of some models, with one panel a measure.

    Args:
        probes: Name of a model -> what `kit.probes.signal.SignalProbe` found, once
            for each run. A measure that is in none has no panel. Models of one depth.
    """
    found = {key for runs in probes.values() for run in runs for key in run}
    layers = sum(key.startswith("norm_") for key in found)
    panels = {
        title: {
            name: [[run.get(f"{m}_{i}", np.nan) for i in range(layers)] for run in runs]
            for name, runs in probes.items()
        }
        for m, title in SIGNAL.items()
        if any(key.startswith(m) for key in found)
    }
    figure = line_panels(
        panels,
        dict.fromkeys(panels, ["in", *map(str, range(1, layers))]),
        x_label="after block",
        limits={SIGNAL["cosine"]: (None, 1.03)},
        log=[SIGNAL["norm"], SIGNAL["gradient"]],
    )
    for ax in figure.axes:
        ax.set_xlim(-0.5, layers - 0.5)
    return figure


def point_panels(
    panels: Mapping[str, Mapping[str, Any]], *, x_label: str = "", y_label: str = ""
) -> Picture:
    """Points, panel beside panel; a name has the same colour and mark in all of them.

    Args:
        panels: Title -> name -> points, shape (points, 2).
        x_label, y_label: What the two numbers are.
    """
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    figure, axes = new_figure(3.1 + 0.21 * len(names), len(panels))
    for ax, (title, panel) in zip(axes[0], panels.items(), strict=True):
        for name, points in panel.items():
            index = names.index(name)
            color, mark = line_style(index)["color"], "os^Dv<>P"[index % 8]
            x, y = np.asarray(points, dtype=float).T
            ax.scatter(x, y, s=14, color=color, marker=mark, alpha=0.7, label=name)
        ax.set_title(textwrap.fill(title, 72 // len(panels) - 4))
        ax.set_xlabel(x_label)
    axes[0, 0].set_ylabel(y_label)
    _one_legend(figure, axes.flat)
    return figure


def _dotted(ax: Any, name: str, value: Any, index: int) -> None:
    look = {"color": GREY, "linestyle": (":", "--")[index % 2], "linewidth": 1.5}
    if np.ndim(value):
        ax.plot(range(len(value)), value, label=name, marker="_", ms=12, **look)
    else:
        ax.axhline(value, label=name, **look)


def _one_legend(figure: Picture, axes: Any) -> None:
    handles: dict[str, Any] = {}
    for ax in axes:
        found, labels = ax.get_legend_handles_labels()
        handles |= dict(zip(labels, found, strict=True))
    columns = 2 if max(map(len, handles), default=0) < 34 else 1
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower left", ncols=columns
    )


def matrix_panels(
    matrices: Mapping[str, Any],
    *,
    ticks: Sequence[str],
    columns: int = 2,
    label: str = "",
    row_label: str = "",
    column_label: str = "",
    limits: tuple[float, float] = (-1, 1),
    diverging: bool = True,
) -> Picture:
    """Square matrices beside each other, on one scale of colours.

    Args:
        matrices: Title -> values, shape (points, points); None or NaN is left blank.
        ticks: Names of the points along both sides.
        columns: Matrices in a row.
        label, row_label, column_label: What the colour and the sides mean.
        limits: Values of the first and last colour.
        diverging: Colours around the middle, for values of both signs.
    """
    colors = "RdBu_r" if diverging else "cividis"
    rows = -(-len(matrices) // columns)
    side = INCH_WIDTH / columns
    figure, axes = new_figure(0.4 + rows * (side + 0.2), columns, rows)
    for ax, (title, values) in zip(axes.flat, matrices.items(), strict=False):
        low, high = limits
        grid = np.asarray(values, dtype=float)
        image = ax.imshow(grid, cmap=colors, vmin=low, vmax=high)
        ax.grid(visible=False)
        ax.set_xticks(range(len(ticks)), ticks, fontsize=8)
        ax.set_yticks(range(len(ticks)), ticks, fontsize=8)
        ax.set_title(textwrap.fill(title, 72 // columns - 4), fontsize=9)
    for ax in axes.flat[len(matrices) :]:
        ax.set_axis_off()
    for ax in axes[-1]:
        ax.set_xlabel(column_label)
    for ax in axes[:, 0]:
        ax.set_ylabel(row_label)
    figure.colorbar(image, ax=axes, label=label, shrink=0.7, location="bottom")
    return figure
