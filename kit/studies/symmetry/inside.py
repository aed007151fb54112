"""Figures of what the layers of trained models hold, from stored probes."""

from collections.abc import Sequence

import numpy as np

from kit.panels import line_panels, matrix_panels
from kit.studies.results import Results
from kit.studies.study import Figure
from kit.studies.symmetry.families import largest

PLACES = 6  # digits of the operands: + and = always stand at one place


def draw_inside(results: Results) -> list[Figure]:
    """Every figure of the probes whose arms were run."""
    made = (_positions, _cosines, _dominance, _correlations)
    return [figure for make in made for figure in make(results)]


def probed(results: Results, arm: str, name: str) -> np.ndarray | None:
    """What a probe found in each run of an arm, (runs, ...); None if nowhere."""
    found = [row.probes[name] for row in results.of(arm) if name in row.probes]
    return np.array(found, dtype=float) if found else None


def _lines(results: Results, arms: Sequence[str], name: str) -> dict[str, np.ndarray]:
    """Label -> (runs, layers) of a probe, for those of the arms that were run."""
    found = {arm: probed(results, arm, name) for arm in arms if arm in results.arms}
    return {results.arms[a]: grid for a, grid in found.items() if grid is not None}


def _layers(lines: dict[str, np.ndarray]) -> list[str]:
    depth = max(grid.shape[1] for grid in lines.values())
    return ["input", *(f"block {i}" for i in range(depth - 1))]


def _with_and_without_skips(results: Results) -> list[str]:
    arms = ["A-learned", largest("I-", results), "B-none", largest("G-", results)]
    return [arm for arm in arms if arm in results.arms]


def _positions(results: Results) -> list[Figure]:
    arms = [*_with_and_without_skips(results), "C-one-block", "E-full"]
    lines = _lines(results, arms, "position_probe")
    if not lines:
        return []
    title = "share of positions read right"
    picture = line_panels(
        {title: lines},
        {title: _layers(lines)},
        x_label="output of",
        references={title: {"guessing": 1 / PLACES}},
        limits={title: (0, 1.04)},
    )
    caption = (
        "Can a linear readout tell at which of the six operand digits it looks? "
        "Without positions the input knows nothing of it. Look at block 0: a causal "
        "mask can bring positions in there, a full mask never can. Then compare each "
        "model with the one without skips."
    )
    return [Figure("position", caption, picture)]


def _cosines(results: Results) -> list[Figure]:
    arms = [*_with_and_without_skips(results), "E-full"]
    titles = {"neighbours": "neighbour_cosine", "three or more apart": "distant_cosine"}
    panels = {title: _lines(results, arms, name) for title, name in titles.items()}
    if not all(panels.values()):
        return []
    ticks = {
        title: [name.removeprefix("block ") for name in _layers(lines)]
        for title, lines in panels.items()
    }
    picture = line_panels(
        panels,
        ticks,
        columns=2,
        x_label="output of block",
        limits=dict.fromkeys(panels, (-0.5, 1.04)),
    )
    caption = (
        "How alike two operand digits of one sum become, as the cosine of their "
        "activations. Compare a colour between the panels: where neighbours are more "
        "alike than strangers, likeness tells positions apart (the idea of "
        "2501.00073); a full mask without positions treats all pairs the same."
    )
    return [Figure("cosine", caption, picture)]


def _dominance(results: Results) -> list[Figure]:
    lines = _lines(results, _with_and_without_skips(results), "diagonal_dominance")
    if not lines:
        return []
    title = "diagonal over the rest, neighbouring layers"
    depth = max(grid.shape[1] for grid in lines.values())
    ticks = ["input, 0", *(f"{i}, {i + 1}" for i in range(depth - 1))]
    picture = line_panels({title: lines}, {title: ticks}, x_label="blocks compared")
    caption = (
        "How much more a slice correlates with itself one block further up than with "
        "the other slices (claim C5). Compare each model with the one without skips: "
        "a skip copies the slice upwards, so it raises this number by construction."
    )
    return [Figure("dominance", caption, picture)]


def _correlations(results: Results) -> list[Figure]:
    found = {
        arm: probed(results, arm, "last_correlation")
        for arm in _with_and_without_skips(results)
    }
    matrices = {
        results.arms[arm]: grid.mean(axis=0)
        for arm, grid in found.items()
        if grid is not None
    }
    if not matrices:
        return []
    places = "^aaa+bbb=sss"[: len(next(iter(matrices.values())))]
    picture = matrix_panels(
        matrices,
        ticks=list(places),
        label="correlation, mean over seeds",
        row_label="slice in the input",
        column_label="slice in the last block",
    )
    caption = (
        "What the last block still holds of the input at each place, unrotated: the "
        "start, the digits of a and b, and the sum as far as it is written. A slice "
        "that keeps to its own token shows on the diagonal. A band one place to the "
        "left of it, in the rows of the sum, is the answer itself: there the last "
        "block already holds the digit that comes next. Blank rows are symbols that "
        "never change."
    )
    return [Figure("correlation", caption, picture)]
