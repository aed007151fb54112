"""What sharing did to a model, as pictures drawn from the record."""

from typing import Any

import matplotlib
import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from kit.errors import KitError
from kit.pictures import BLUE, GREEN, GREY, SKY, VERMILION, Picture, new_figure
from kit.sharing.record import Record
from kit.sharing.similarity import MapSimilarity

STAGES = {"distilled": "distillation", "adjusted": "adjusting"}


def map_heatmaps(record: Record) -> Picture:
    """How alike the maps of each pair of blocks are, beside what chance would give.

    Args:
        record: With the similarity, and who copies from whom.

    Example:
        >>> found = MapSimilarity([0, 1], {"rows": np.eye(2)}, {"rows": np.eye(2)})
        >>> len(map_heatmaps(Record(0.5, "named", "rows", similarity=found)).axes)
        3
    """
    similarity, measure = _similarity(record), record.measure
    panels = {
        "measured": similarity.values[measure],
        "by chance": similarity.null[measure],
    }
    low = min(grid.min() for grid in panels.values())
    figure, (row,) = new_figure(2.9, 2, 1, sharey=True)
    for ax, (title, grid) in zip(row, panels.items(), strict=True):
        image = ax.imshow(grid, cmap="cividis", vmin=low, vmax=1)
        ax.grid(visible=False)
        _name_blocks(ax, similarity.blocks)
        ax.set(title=title, xlabel="block")
        for block, source in record.copies.items():
            for corner in ((block, source), (source, block)):
                _frame(ax, *(similarity.blocks.index(place) for place in corner))
    row[0].set_ylabel("block")
    figure.colorbar(image, ax=list(row), label="similarity", shrink=0.85)
    return figure


def block_similarity(record: Record) -> Picture:
    """Each block's mean similarity with the others, who copies, and the null model.

    Args:
        record: With the choice of each block.

    Example:
        >>> from kit.sharing.record import Choice
        >>> only = Choice(0, similarity=0.5, null=0.4, source=None, why="")
        >>> record = Record(0.5, "named", "rows", choices=[only])
        >>> block_similarity(record).axes
        [<Axes: xlabel='block', ylabel='mean similarity'>]
    """
    figure, axes = new_figure(2.7)
    ax, places = axes[0, 0], np.arange(len(record.choices))
    names = [str(choice.block) for choice in record.choices]
    for copying, color in ((False, SKY), (True, VERMILION)):
        chosen = [i for i, c in enumerate(record.choices) if c.block in record.copies]
        some = chosen if copying else [i for i in places if i not in chosen]
        label = "copies a map" if copying else "keeps its own"
        heights = [record.choices[i].similarity for i in some]
        ax.bar(some, heights, width=0.78, color=color, label=label)
    nulls = [choice.null for choice in record.choices]
    ink = matplotlib.rcParams["text.color"]
    ax.plot(places, nulls, "_", color=ink, ms=13, mew=2.2, label="by chance")
    ax.set_xticks(places, names)
    if len(names) > 15:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=15, integer=True))
    ax.set(xlabel="block", ylabel="mean similarity", ylim=(0, 1))
    ax.grid(axis="x", visible=False)
    figure.legend(loc="outside lower left", ncols=3)
    return figure


def loss_curves(record: Record) -> Picture:
    """The loss on held-out data from the copying on, and what was trained for.

    Args:
        record: With the losses, and the history of the training.

    Example:
        >>> record = Record(0.5, "named", "rows", losses={"before": 2.0, "copied": 3.0})
        >>> record.history["adjusted"] = [
        ...     {"step": 10, "loss": 2.5, "validation_loss": 2.2}
        ... ]
        >>> [ax.get_title() for ax in loss_curves(record).axes]
        ['held out', 'trained for']
    """
    figure, (row,) = new_figure(3.1, 2, 1)
    start, last = 0, record.losses["copied"]
    row[0].axhline(record.losses["before"], color=GREY, ls=":", label="before")
    row[0].plot(0, last, "x", color=VERMILION, ms=7, mew=2, label="after copying")
    looks = {"distilled": (BLUE, "o"), "adjusted": (GREEN, "s")}
    for stage, history in record.history.items():
        color, marker = looks[stage]
        look = {"color": color, "marker": marker, "ms": 4, "label": STAGES[stage]}
        steps = [start + point["step"] for point in history]
        held_out = [point["validation_loss"] for point in history]
        row[0].plot([start, *steps], [last, *held_out], **look)
        row[1].plot(steps, [point["loss"] for point in history], **look)
        start, last = int(steps[-1]), held_out[-1]
    for ax, title in zip(row, ("held out", "trained for"), strict=True):
        ax.set(title=title, xlabel="step", ylabel="loss, nats")
        ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        ax.set_xlim(left=0 - 0.03 * start)
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=4)
    return figure


def _similarity(record: Record) -> MapSimilarity:
    if record.similarity is None:
        raise KitError(
            "the record holds no similarity of maps", "Use one of attend_copy_adjust"
        )
    return record.similarity


def _name_blocks(ax: Any, blocks: list[int]) -> None:
    step = -(-len(blocks) // 10)
    places = range(0, len(blocks), step)
    names = [str(blocks[place]) for place in places]
    ax.set_xticks(places, names)
    ax.set_yticks(places, names)


def _frame(ax: Any, column: int, row: int) -> None:
    look: dict[str, Any] = {"fill": False, "edgecolor": VERMILION, "linewidth": 1.6}
    ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **look))
