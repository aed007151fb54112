"""The figure that every page begins with: what a model costs, and what that cost it."""

import math
from collections.abc import Mapping
from functools import partial

import matplotlib
from matplotlib.ticker import FuncFormatter

from kit.compression.costs import Costs
from kit.compression.page import Figure
from kit.pictures import BLUE, GREY, SKY, Picture, new_figure


def costs_figure(
    before: Costs, after: Costs, perplexities: Mapping[str, float] | None = None
) -> Figure:
    """The figure of `before_and_after`, with its caption.

    Args:
        before, after: Of both models.
        perplexities: By stage; by default those of both models.

    Example:
        >>> figure = costs_figure(Costs(10, 8, 20, 0.0), Costs(7, 5, 13, 0.5))
        >>> len(figure.draw().axes)
        2
    """
    shares = {
        "parameters": after.parameters / before.parameters,
        "of the blocks": after.block_parameters / before.block_parameters,
        "FLOPs": after.flops / before.flops,
    }
    stages = {"before": before.perplexity, "after": after.perplexity}
    return Figure(
        "What is left of the model, and the perplexity of held-out text.",
        partial(before_and_after, shares, perplexities or stages),
    )


def before_and_after(
    shares: Mapping[str, float], perplexities: Mapping[str, float]
) -> Picture:
    """What is left of each cost, and the perplexity at each stage.

    Args:
        shares: Name of a cost to the share of it that is left.
        perplexities: On held-out text, by the name of the stage.

    Example:
        >>> stages = {"before": 9.5, "after": 14.0}
        >>> len(before_and_after({"parameters": 0.7}, stages).axes)
        2
    """
    widths = [3, len(perplexities)]
    figure, (row,) = new_figure(2.5, 2, 1, width_ratios=widths)
    ax, places = row[0], range(len(shares))
    ax.barh(places, [1.0] * len(shares), height=0.6, fill=False, edgecolor=GREY, lw=0.8)
    ax.barh(places, list(shares.values()), height=0.6, color=SKY)
    ink = matplotlib.rcParams["text.color"]
    for place, share in zip(places, shares.values(), strict=True):
        ax.text(0.03, place, f"{share:.0%}", va="center", color="black", weight="bold")
    ax.set_yticks(places, list(shares))
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0%}"))
    ax.set(xlim=(0, 1.03), title="what is left")
    ax.grid(axis="y", visible=False)
    ax, values = row[1], list(perplexities.values())
    heights = [p if math.isfinite(p) else 0.0 for p in values]
    colors = [GREY, *[BLUE] * len(values[1:])]
    bars = ax.bar(list(perplexities), heights, width=0.6, color=colors)
    words = [f"{p:.4g}" for p in values]
    ax.bar_label(bars, words, color=ink, padding=2)
    ax.tick_params(axis="x", labelsize=10 if len(values) < 4 else 8.5)
    ax.set(title="perplexity", ylim=(0, 1.15 * max(*heights, 1e-9)))
    ax.grid(axis="x", visible=False)
    return figure
