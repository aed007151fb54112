"""The kit's figures, drawn from stored rows only.

Every function returns a figure that shows itself in a notebook and that
`figure.savefig` writes to a file; nothing here opens a window. Colours are those of
Okabe and Ito (2008), which people with any kind of colour vision tell apart; lines
also differ in dashes and markers, verdicts also in their sign.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kit.pictures import (
    GREY,
    SIGNS,
    SKY,
    VERDICT_COLORS,
    VERMILION,
    Picture,
    line_style,
    new_figure,
)
from kit.studies.findings import range_of
from kit.studies.results import Results, Row
from kit.studies.statistics import mean_interval
from kit.studies.verdicts import Verdict


def _chosen(results: Results, arms: Sequence[str] | None) -> dict[str, int]:
    """The arms to draw, those asked for that have rows, with their place in the list.

    The place sets the colour, so that an arm keeps it whichever others were run.
    """
    asked = list(arms or results.arms)
    return {arm: place for place, arm in enumerate(asked) if arm in results.arms}


def curves(
    rows: Sequence[Row], metric: str, x: str = "step"
) -> tuple[np.ndarray, np.ndarray]:
    """The histories of some runs on common steps.

    A run that ended early, because it reached its target, keeps its last value; one
    that diverged has none after its end.

    Returns:
        The steps, shape (steps,), and the values, shape (runs, steps), NaN where a
        run has none.
    """
    histories = [
        {point[x]: point[metric] for point in row.history if _known(point, metric)}
        for row in rows
    ]
    steps = sorted(set().union(*histories))
    values = np.full((len(rows), len(steps)), np.nan)
    for i, (row, history) in enumerate(zip(rows, histories, strict=True)):
        if history:
            known = sorted(history)
            right = None if row.status != "diverged" else np.nan
            values[i] = np.interp(
                steps, known, [history[s] for s in known], left=np.nan, right=right
            )
    return np.asarray(steps, dtype=float), values


def _known(point: Mapping[str, Any], metric: str) -> bool:
    return point.get(metric) is not None


def learning_curves(
    results: Results,
    metric: str,
    arms: Sequence[str] | None = None,
    *,
    x: str = "step",
    label: str | None = None,
    log: bool = False,
    references: Mapping[str, float] | None = None,
    names: Mapping[str, str] | None = None,
) -> Picture:
    """One line per arm, the mean over seeds, in a band from lowest to highest seed.

    Args:
        results: Stored rows.
        metric, x: Names in the history rows.
        arms: Names in drawing order; all if None. Arms without rows are left out.
        label: Of the vertical axis.
        log: Logarithmic vertical axis.
        references: Name -> value of horizontal lines, such as a ceiling.
        names: Arm -> what the legend calls it, where its label is too long.
    """
    chosen = _chosen(results, arms)
    called = {**results.arms, **(names or {})}
    figure, axes = new_figure(2.7 + 0.19 * (len(chosen) + len(references or {})))
    ax = axes[0, 0]
    for arm, index in chosen.items():
        rows = results.of(arm)
        steps, values = curves(rows, metric, x)
        shown = np.isfinite(values).any(axis=0)
        if not shown.any():
            continue
        steps, values = steps[shown], values[:, shown]
        look = line_style(index)
        ax.plot(steps, np.nanmean(values, axis=0), label=called[arm], **look)
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        ax.fill_between(steps, low, high, color=look["color"], alpha=0.18, lw=0)
        _mark_divergence(ax, rows, metric, x, look["color"])
    _reference_lines(ax.axhline, references)
    ax.set(xlabel=x, ylabel=label or metric.replace("_", " "))
    if log:
        ax.set_yscale("log")
    _legend_below(figure, ax)
    return figure


def _mark_divergence(
    ax: Axes, rows: Sequence[Row], metric: str, x: str, color: str
) -> None:
    ends = [
        (point[x], point[metric])
        for row in rows
        if row.status == "diverged"
        for point in [p for p in row.history if _known(p, metric)][-1:]
    ]
    if ends:
        ax.scatter(*zip(*ends, strict=True), marker="x", color=color, zorder=3)


def _reference_lines(draw: Any, references: Mapping[str, float] | None) -> None:
    for name, value in (references or {}).items():
        draw(value, color=GREY, linestyle=":", linewidth=1.3, label=name)


def _legend_below(figure: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        columns = 2 if max(map(len, labels)) < 34 else 1
        figure.legend(handles, labels, loc="outside lower left", ncols=columns)


def bar_with_points(
    results: Results,
    metric: str,
    arms: Sequence[str] | None = None,
    *,
    label: str | None = None,
    references: Mapping[str, float] | None = None,
    limits: tuple[float, float] | None = None,
    names: Mapping[str, str] | None = None,
) -> Picture:
    """One bar per arm, its mean, with a point per seed and the 95% interval.

    A run without a finite value is a cross at the left edge, and is not in the mean.

    Args:
        results, metric, arms, label, references, names: As for `learning_curves`, with
            the metric from the final metrics and vertical reference lines.
        limits: Ends of the axis, or further out where an interval is. If it does not
            start at zero, means are strokes, for a bar's length would mean nothing.
    """
    chosen = _chosen(results, arms)
    called = {**results.arms, **(names or {})}
    labels = [textwrap.fill(called[arm], 34) for arm in chosen]
    lines = max((label.count("\n") + 1 for label in labels), default=1)
    spacing = max(0.34, 0.08 + 0.15 * lines)  # inches, so that no label meets another
    figure, axes = new_figure(0.9 + spacing * max(len(chosen), 1))
    ax = axes[0, 0]
    for place, arm in enumerate(chosen):
        values = results.values(arm, metric)
        numbers = [value for value in values.values() if value is not None]
        lost = len(values) - len(numbers)
        if lost:
            edge = ax.get_yaxis_transform()
            ax.plot([0.01] * lost, [place] * lost, "x", color=VERMILION, transform=edge)
        if numbers:
            stroke = bool(limits and limits[0] > 0)
            stroke_or_bar(ax, place, numbers, metric, stroke)
    ax.set_yticks(range(len(chosen)), labels, fontsize=9)
    ax.set_ylim(-0.6, max(len(chosen), 1) - 0.4)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    _reference_lines(ax.axvline, references)
    ax.set_xlabel(label or metric.replace("_", " "))
    if limits:
        (first, last), (left, right) = ax.dataLim.intervalx, limits
        room = 0.02 * (last - first)
        left = left if left <= first else first - room
        ax.set_xlim(left, right if right >= last else last + room)
    if references:
        _legend_below(figure, ax)
    return figure


def stroke_or_bar(
    ax: Axes, place: int, numbers: Sequence[float], metric: str, stroke: bool
) -> None:
    """The mean of the runs of an arm, a point for each, and the 95% interval."""
    mean, low, high, _ = mean_interval(numbers).within(*range_of(metric))
    ink = matplotlib.rcParams["text.color"]
    if stroke:
        ax.vlines(mean, place - 0.31, place + 0.31, color=SKY, linewidth=5, alpha=0.8)
    else:
        ax.barh(place, mean, height=0.62, color=SKY, alpha=0.55)
    if math.isfinite(low):
        ax.plot([low, high], [place, place], color=ink, linewidth=1.4)
    spread = np.linspace(-0.16, 0.16, len(numbers)) if len(numbers) > 1 else [0.0]
    ax.scatter(numbers, place + np.asarray(spread), s=11, color=ink, zorder=3)


def heatmap(
    values: Any,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    *,
    label: str = "",
    row_label: str = "",
    column_label: str = "",
    limits: tuple[float, float] | None = None,
    diverging: bool = False,
    form: str | None = None,
    spreads: Any = None,
    title: str = "",
) -> Picture:
    """A matrix as colours, with its numbers where there is room for them.

    Args:
        values: Shape (rows, columns); None or NaN is left blank.
        rows, columns: Names along the two sides; indices if None.
        label, row_label, column_label, title: What the colour and the sides mean.
        limits: Values of the first and last colour.
        diverging: Colours around zero, for values of both signs.
        form: Format of the numbers in the cells; None writes none.
        spreads: How far each number is sure, of the same shape, written below it as
            ± in the same format; what is not finite is left out.
    """
    grid = np.asarray(values, dtype=float)
    height = 1.1 + 0.34 * max(grid.shape[0], 3)
    figure, axes = new_figure(min(height, 5.4))
    ax = axes[0, 0]
    if diverging and limits is None:
        limits = (-float(np.nanmax(np.abs(grid))), float(np.nanmax(np.abs(grid))))
    low, high = limits or (None, None)
    colors = "RdBu_r" if diverging else "cividis"
    image = ax.imshow(grid, cmap=colors, vmin=low, vmax=high, aspect="auto")
    ax.grid(visible=False)
    for count, names, ticks in (
        (grid.shape[0], rows, ax.set_yticks),
        (grid.shape[1], columns, ax.set_xticks),
    ):
        ticks(
            range(count), names if names is not None else [str(i) for i in range(count)]
        )
    ax.set(xlabel=column_label, ylabel=row_label, title=title)
    figure.colorbar(image, label=label)
    if form:
        around = np.full(grid.shape, np.nan) if spreads is None else np.asarray(spreads)
        _write_numbers(ax, image, grid, around, form)
    return figure


def _write_numbers(
    ax: Axes, image: Any, grid: np.ndarray, around: np.ndarray, form: str
) -> None:
    for (row, column), value in np.ndenumerate(grid):
        if np.isfinite(value):
            red, green, blue, _ = image.cmap(image.norm(value))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
            color = "white" if dark else "black"
            text = f"{value:{form}}"
            if np.isfinite(spread := around[row, column]):
                text += f"\n±{spread:{form.lstrip('+')}}"
            ax.text(
                column, row, text, ha="center", va="center", color=color, fontsize=8
            )


def verdict_strip(verdicts: Sequence[Verdict], title: str = "") -> Picture:
    """One line per claim: its sign, its name, what was claimed and the verdict."""
    figure, axes = new_figure(0.35 + 0.36 * max(len(verdicts), 1))
    ax = axes[0, 0]
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(len(verdicts) - 0.5, -0.5), title=title)
    for place, verdict in enumerate(verdicts):
        color = VERDICT_COLORS[verdict.verdict]
        ax.scatter(0.02, place, s=190, color=color, clip_on=False)
        sign = SIGNS[verdict.verdict]
        ax.text(0.02, place, sign, color="white", ha="center", va="center_baseline")
        ax.text(0.06, place, verdict.claim, va="center", weight="bold")
        ax.text(0.15, place, _shortened(verdict.statement, 62), va="center", fontsize=9)
    return figure


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"
