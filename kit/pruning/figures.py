"""What pruning did to a model, as pictures drawn from the record."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from kit.config import ModelConfig
from kit.pictures import BLUE, GREY, SKY, VERMILION, Picture, new_figure
from kit.pruning import Part, Record

MOST_PANELS = 9
LOG_FROM = 10.0  # the highest perplexity, as a multiple of the lowest


def removed_parts(config: ModelConfig, record: Record) -> Picture:
    """The blocks from left to right: what is left of each feed-forward and attention.

    Args:
        config: Of the model before.
        record: What went.

    Example:
        >>> config = ModelConfig.uniform(3, vocabulary_size=14, context_length=12)
        >>> record = Record("2ssp", 0.3, parts=[Part("attention", 1)])
        >>> removed_parts(config, record).axes
        [<Axes: xlabel='block'>]
    """
    figure, axes = new_figure(2.7)
    ax, gone = axes[0, 0], set(record.parts)
    for index, block in enumerate(config.blocks):
        if block.attention is not None:
            _attention(ax, index, Part("attention", index) in gone)
        if block.feed_forward is not None:
            left = 1.0
            if index in record.neurons:
                left = len(record.neurons[index]) / config.feed_forward_dim(block)
            if Part("feed_forward", index) in gone:
                left = 0.0
            outline = {"height": 1, "width": 0.78, "fill": False, "edgecolor": GREY}
            ax.bar(index, linewidth=0.8, **outline)
            ax.bar(index, left, width=0.78, color=SKY)
    ax.set_yticks([0.5, 1.42], ["feed-\nforward", "attention"])
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=15, integer=True))
    ax.set(xlabel="block", ylim=(0, 1.75), xlim=(-0.7, len(config.blocks) - 0.3))
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)
    return figure


def _attention(ax: Any, index: int, gone: bool) -> None:
    look = {"height": 0.5, "width": 0.78, "bottom": 1.17, "linewidth": 0.8}
    if not gone:
        ax.bar(index, color=BLUE, **look)
        return
    ax.bar(index, fill=False, edgecolor=GREY, **look)
    ax.plot(index, 1.42, "x", color=VERMILION, ms=6, mew=1.8)


def perplexity_of_removals(record: Record) -> Picture:
    """The perplexity after each step, above the choices that were not taken.

    Example:
        >>> from kit.pruning.greedy import Removal
        >>> part = Part("attention", 1)
        >>> record = Record("2ssp", 0.3, removals=[Removal(part, 7.0, {part: 7.0})])
        >>> record.perplexity = {"before": 5.0, "narrowed": 6.0, "after": 7.0}
        >>> len(perplexity_of_removals(record).axes)
        1
    """
    names, found = ["before", "neurons"], record.perplexity
    values = [found["before"], found.get("narrowed", math.nan)]
    if "narrowed" not in found:
        del names[1], values[1]
    first = len(values)
    values += [removal.perplexity for removal in record.removals]
    names += [_short(removal.part) for removal in record.removals]
    tried = [
        (first + step, value)
        for step, removal in enumerate(record.removals)
        for value in removal.candidates.values()
    ]
    figure, axes = new_figure(3.3)
    ax = axes[0, 0]
    if tried:
        look = {"color": GREY, "ms": 3.5, "alpha": 0.5}
        ax.plot(*zip(*tried, strict=True), "o", label="all choices", **look)
    ax.plot(range(len(values)), values, "o-", color=BLUE, label="what was done", ms=5)
    finite = [v for v in [*values, *(t for _, t in tried)] if math.isfinite(v)]
    if finite and max(finite) > LOG_FROM * min(finite):
        ax.set_yscale("log")
    ax.set_xticks(range(len(names)), names, rotation=60 if len(names) > 6 else 0)
    ax.set(xlabel="step", ylabel="perplexity, calibration text")
    _plain_numbers(ax)
    figure.legend(loc="outside lower left", ncols=2)
    return figure


def score_histograms(record: Record) -> Picture:
    """How the scores of the neurons lie, block by block, and where the cut is.

    Example:
        >>> record = Record("2ssp", 0.3, neurons=dict.fromkeys(range(4), [1, 2]))
        >>> record.scores = dict.fromkeys(range(4), np.array([0.5, 2.0, 1.0]))
        >>> [bool(ax.get_xlabel()) for ax in score_histograms(record).axes]
        [False, True, True, True, False, False]
    """
    blocks = shown_blocks(record)
    columns = min(3, len(blocks))
    rows = -(-len(blocks) // columns)
    figure, axes = new_figure(0.7 + 1.55 * rows, columns, rows)
    for ax, block in zip(axes.flat, blocks, strict=False):
        scores = np.asarray(record.scores[block], "float64")
        kept = np.zeros(len(scores), bool)
        kept[record.neurons[block]] = True
        edges = _edges(scores)
        shown = np.clip(scores, edges[0], edges[-1])
        parts = [shown[kept], shown[~kept]]
        ax.hist(
            parts, edges, stacked=True, color=[SKY, VERMILION], label=["stay", "go"]
        )
        if (scores > 0).any():
            ax.set_xscale("log")
        ax.xaxis.set_minor_locator(NullLocator())
        cut = min(shown[kept], default=edges[-1])
        ax.axvline(cut, color=GREY, linewidth=1)
        ax.set_xticks([cut], [f"{cut:.2g}"])
        ax.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
        ax.set_title(f"block {block}")
    for ax in axes.flat[len(blocks) :]:
        ax.set_axis_off()
    for ax in axes[:, 0]:
        ax.set_ylabel("neurons")
    for ax in axes.flat[: len(blocks)][-columns:]:  # the lowest one of each column
        ax.set_xlabel("score, and the cut")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2)
    return figure


def shown_blocks(record: Record) -> list[int]:
    """The blocks of `score_histograms`: all, or some at equal distances.

    Example:
        >>> scores = {block: np.ones(2) for block in range(30)}
        >>> shown_blocks(Record("2ssp", 0.3, scores=scores))
        [0, 4, 7, 11, 14, 18, 22, 25, 29]
    """
    blocks = sorted(record.scores)
    count = min(len(blocks), MOST_PANELS)
    places = np.linspace(0, len(blocks) - 1, count).round().astype(int)
    return [blocks[place] for place in places]


def _edges(scores: np.ndarray) -> np.ndarray:
    """Of 24 bins, equal in the logarithm; what is zero falls into the first."""
    positive = scores[scores > 0]
    if not positive.size:
        return np.linspace(-0.5, 0.5, 25)
    low, high = positive.min(), positive.max()
    low = max(low, 1e-6 * high) / 1.01
    return np.geomspace(low, high * 1.01, 25)


def judged_parts(scores: Mapping[str, float], record: Record) -> Picture:
    """What parts or blocks were judged by; the lowest went.

    Args:
        scores: Name to score, of `Record.part_scores`.
        record: What went.

    Example:
        >>> judged_parts({"block 0": 0.5, "block 1": 0.1}, Record("shortgpt", 0.5)).axes
        [<Axes: xlabel='block', ylabel='score'>]
    """
    figure, axes = new_figure(2.6)
    ax, names = axes[0, 0], list(scores)
    gone = {part.block for part in record.parts}
    whole = all(name.startswith("block ") for name in names)
    colors = [VERMILION if whole and i in gone else SKY for i in range(len(names))]
    ax.bar(range(len(names)), list(scores.values()), color=colors, width=0.78)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=15, integer=True))
    ax.set(xlabel="block" if whole else "first block of the window", ylabel="score")
    return figure


def _short(part: Part) -> str:
    return f"{'attn' if part.kind == 'attention' else 'ffn'} {part.block}"


def _plain_numbers(ax: Any) -> None:
    """12 and not 1.2 x 10^1, also on a logarithmic axis."""
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_major_formatter(plain)
    if ax.get_yscale() == "log":
        low, high = ax.get_ylim()
        short = high / low < 30
        ax.yaxis.set_minor_formatter(plain if short else FuncFormatter(lambda *_: ""))
