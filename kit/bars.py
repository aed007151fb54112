"""Several metrics of the same arms, panel beside panel, on logarithmic axes."""

import textwrap
from collections.abc import Mapping, Sequence

from kit.pictures import Picture, new_figure
from kit.plots import stroke_or_bar
from kit.studies.results import Results


def log_panels(
    results: Results,
    metrics: Mapping[str, str],
    arms: Sequence[str],
    *,
    names: Mapping[str, str] | None = None,
) -> Picture:
    """One stroke per arm, its mean, with a point per seed and the 95% interval.

    For what differs by orders of magnitude: there the length of a bar means nothing.

    Args:
        results: Stored rows.
        metrics: Name of a metric above zero -> what its panel's axis says.
        arms: Names in drawing order; a run without a number is left out.
        names: Arm -> what it is called, where its label is too long.
    """
    called = {**results.arms, **(names or {})}
    height = 0.9 + 0.34 * max(len(arms), 1)
    figure, axes = new_figure(height, len(metrics), sharey=True)
    for ax, (metric, label) in zip(axes[0], metrics.items(), strict=True):
        for place, arm in enumerate(arms):
            values = results.values(arm, metric).values()
            numbers = [value for value in values if value is not None]
            if numbers:
                stroke_or_bar(ax, place, numbers, metric, stroke=True)
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:,.10g}")
        ax.grid(axis="y", visible=False)
        ax.set_xlabel(textwrap.fill(label, 56 // len(metrics)))
    first = axes[0, 0]
    first.set_yticks(range(len(arms)), [called[arm] for arm in arms], fontsize=9)
    first.set_ylim(-0.6, max(len(arms), 1) - 0.4)
    first.invert_yaxis()
    return figure
