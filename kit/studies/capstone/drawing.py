"""The report's figures, from stored rows."""

import numpy as np

from kit import plots
from kit.panels import point_panels
from kit.studies.capstone.arms import HALF, HALF_WORDS
from kit.studies.capstone.base import INGREDIENTS, name_of, pairs, without
from kit.studies.capstone.claims import ALL, PLAIN
from kit.studies.capstone.sentences import interactions, weighted
from kit.studies.results import Results
from kit.studies.study import Figure

NATS = "loss, nats per token"
SHORT = {
    "simplified": "SAS-P",
    "no-positions": "no positions",
    "block-rates": "rates",
    "shared": "shared",
    "pruned": "pruned",
}
PLANES = {"parameters": "parameters", "flops_per_token": "operations a token"}


def draw(results: Results) -> list[Figure]:
    """Every figure whose arms were run."""
    made = (_interactions, _planes, _losses)
    return [figure for make in made for figure in make(results)]


def _interactions(results: Results) -> list[Figure]:
    """Effects alone on the diagonal, and what pairs add to their sum below it."""
    names = list(INGREDIENTS)
    grid, spreads = np.full((2, len(names), len(names)), np.nan)
    cells = {
        (names.index(second), names.index(first)): found
        for (first, second), found in interactions(results).items()
    }
    if not cells:
        return []
    for place, name in enumerate(names):
        if effect := weighted(results, {name: 1, PLAIN: -1}):
            cells[place, place] = effect
    for cell, found in cells.items():
        grid[cell], spreads[cell] = found.estimate, found.high - found.estimate
    picture = plots.heatmap(
        grid,
        list(SHORT.values()),
        list(SHORT.values()),
        label="nats per token",
        diverging=True,
        form="+z.3f",
        spreads=spreads,
    )
    caption = (
        "On the diagonal, what each ingredient alone changes the loss by. Below it, "
        "what two change beyond the sum of their effects alone: red pairs fight, blue "
        "ones help each other. Means over seeds, and how far the 95 % interval goes to "
        "both sides; those of pairs hold for all pairs at once. Where ± is the larger "
        "number, chance alone may have made the other. Blank: not run, or a run "
        "diverged."
    )
    return [Figure("interactions", caption, picture)]


def _planes(results: Results) -> list[Figure]:
    groups = {
        "the plain model": [PLAIN],
        **{words: [name] for name, words in INGREDIENTS.items()},
        "two of them": [name_of(pair) for pair in pairs()],
        "all but one": [name_of(without(name)) for name in INGREDIENTS],
        "all five": [ALL],
        HALF_WORDS: [HALF],
    }
    panels = {}
    for metric, title in PLANES.items():
        panel = {
            words: points
            for words, arms in groups.items()
            if (points := _points(results, arms, metric))
        }
        panels[title] = panel
    if not all(len(panel) > 1 for panel in panels.values()):
        return []
    picture = point_panels(panels, x_label="thousands", y_label=NATS)
    caption = (
        "What a model costs, and what it is worth: each point is an arm, the mean over "
        "its seeds. Down and left is better. Every arm was trained on as many tokens. "
        "An arm of which a run diverged has no point."
    )
    return [Figure("plane", caption, picture)]


def _points(
    results: Results, arms: list[str], metric: str
) -> list[tuple[float, float]]:
    points = []
    for arm in arms:
        size, loss = (weighted(results, {arm: 1}, m) for m in (metric, "loss"))
        if size and loss:
            points.append((size.estimate / 1000, loss.estimate))
    return points


def _losses(results: Results) -> list[Figure]:
    values = [v for arm in results.arms for v in results.values(arm, "loss").values()]
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return []
    room = 0.05 * (max(known) - min(known)) + 1e-6
    limits = (max(0.0, min(known) - room), max(known) + room)
    names = {arm: arm.replace("+", " + ") for arm in results.arms}
    picture = plots.bar_with_points(
        results, "loss", label=NATS, limits=limits, names=names
    )
    caption = (
        "Final held-out loss of every arm: a point is a seed, a line the 95 % interval "
        "of the mean, a cross at the left edge a run that diverged and is in no mean. "
        "The axis does not start at zero."
    )
    return [Figure("losses", caption, picture)]
