"""The report's figures, from stored rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kit import plots
from kit.panels import line_panels, point_panels
from kit.studies.results import Results, Row
from kit.studies.sharing.arms import ABLATED, LOSS_CHANGES, MAIN
from kit.studies.sharing.base import RATES, REGIMES, RULES
from kit.studies.sharing.comparisons import allowed, named_with_number, untrained
from kit.studies.sharing.heatmaps import MODELS, SHORT, draw_heatmaps
from kit.studies.sharing.matrices import whole
from kit.studies.sharing.paper import LISTS, published
from kit.studies.study import Figure

NATS = "loss, nats per token"
ROOM = 0.25  # nats above the worst trained model that a panel shows
REAL = ("text-copied", "text-8", "smollm2")
SELECTED = {
    MAIN: RULES["list"],
    **{f"text-{ABLATED}-{rule}": words for rule, words in RULES.items()},
    f"text-{ABLATED}-matched": "the most similar, heads matched",
    f"text-{ABLATED}-continual": "the most similar, not distilled",
    f"text-{ABLATED}-dropped": "those attentions left out, not distilled",
}
LOSSES = {
    MAIN: "all three losses",
    **{f"text-{ABLATED}-{name}": words for name, (words, _) in LOSS_CHANGES.items()},
    f"text-{ABLATED}-continual": "no teacher",
}
ORIGINS = {
    "text-base": "unshared, as trained",
    "text-0-continual": "unshared, trained further",
    "text-0-scratch": "unshared, from scratch",
    MAIN: "shared, distilled and trained further",
    f"text-{ABLATED}-scratch": "shared, from scratch",
    f"text-{ABLATED}-scratch-short": "shared, from scratch, second training alone",
}
SMALL = {
    "small-base": "unshared, as trained",
    "small-0-continual": "unshared, trained further",
    "small-33-kd-continual": "4 of 12 shared, distilled and trained further",
}
ADDITION = {
    "addition-base": "unshared, as trained",
    "addition-0-continual": "unshared, trained further",
    "addition-40-continual": "2/5 shared, trained further",
    "addition-40-kd-continual": "2/5 shared, distilled and trained further",
}


def draw(results: Results) -> list[Figure]:
    """Every figure whose arms were run."""
    made = (draw_heatmaps, _single, _costs, _untrained, _main, _bars, _speed)
    return [figure for make in made for figure in make(results)]


def _rows(results: Results, arm: str, probe: str) -> list[Row]:
    return [row for row in results.of(arm) if probe in row.probes]


def _single(results: Results) -> list[Figure]:
    """What it costs to copy, or to leave out, one block at a time."""
    panels, ticks = {}, {}
    for arm in MODELS:
        rows = _rows(results, arm, "copying")
        if not rows:
            continue
        title = f"{MODELS[arm]}: growth of the loss, nats"
        near = [_from_the_one_before(row) for row in rows]
        left = np.array([row.probes["dropping"] for row in rows])
        panels[title] = {"copies the map of the one before": near, "left out": left}
        every = 1 + left.shape[1] // 9
        ticks[title] = [str(i) if i % every == 0 else "" for i in range(left.shape[1])]
    if not panels:
        return []
    picture = line_panels(panels, ticks, x_label="block", log=list(panels))
    caption = (
        "What the loss grows by when a single block copies the map of the one before, "
        "or loses its attention, and nothing is trained. The first block has nobody to "
        "copy from; where the loss falls there is no point."
    )
    return [Figure("single", caption, picture)]


def _from_the_one_before(row: Row) -> list[float]:
    costs = {b: cost for b, source, cost in row.probes["copying"] if source == b - 1}
    return [costs.get(b, np.nan) for b in range(len(row.probes["dropping"]))]


def _costs(results: Results) -> list[Figure]:
    """Does likeness tell what copying costs?"""
    panels: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for measure in ("cosine", "rows"):
        panel = {
            MODELS[arm]: [
                (alike[int(block), int(source)], cost)
                for row in rows
                for alike in [whole(row.probes["maps"]["value"][measure])]
                for block, source, cost in row.probes["copying"]
            ]
            for arm in REAL
            if (rows := _rows(results, arm, "copying"))
        }
        panels[SHORT[measure]] = panel
    if not panels["cosine"]:
        return []
    picture = point_panels(
        panels, x_label="similarity of two maps", y_label="growth of the loss, nats"
    )
    caption = (
        "Each point is a pair of blocks, of which the later copies the map of the "
        "earlier, untrained (SmolLM2: neighbours only). If likeness told what copying "
        "costs, points would fall from left to right."
    )
    return [Figure("costs", caption, picture)]


def _untrained(results: Results) -> list[Figure]:
    """Loss by rule and rate, without training."""
    panels, ticks = {}, {}
    for arm in REAL:
        rows = _rows(results, arm, "rules")
        if not rows:
            continue
        found = [row.probes["rules"] for row in rows]
        counts = sorted(map(int, found[0]["list"]))
        title = f"{MODELS[arm]}: {NATS}"
        panels[title] = {
            words: np.array(
                [
                    [row.metrics["loss"], *(_copying(each[rule], c) for c in counts)]
                    for row, each in zip(rows, found, strict=True)
                ]
            )
            for rule, words in RULES.items()
        }
        ticks[title] = ["0", *map(str, counts)]
    if not panels:
        return []
    picture = line_panels(panels, ticks, x_label="blocks that copy")
    caption = (
        "Copying alone, by how the blocks are chosen: held-out loss without any "
        "training, mean and range over seeds. Below is better. A rule that finds fewer "
        "blocks that may copy, as the largest gap can, has no point there."
    )
    return [Figure("untrained", caption, picture)]


def _copying(by_count: Mapping[str, Any], count: int) -> float:
    """The loss, if as many blocks copy as were asked for."""
    found = by_count[str(count)]
    return found["loss"] if len(found["copies"]) == count else np.nan


def _main(results: Results) -> list[Figure]:
    """The main table as lines: rates, and ways to train."""
    lines = {"copied only": _copied_only(results)}
    for regime, words in REGIMES.items():
        arms = [f"text-{rate}-{regime}" for rate in RATES]
        lines[words] = _columns(results, arms, "loss")
    known = {name: grid for name, grid in lines.items() if np.isfinite(grid).any()}
    trained = [grid for name, grid in known.items() if name != "copied only"]
    if not trained:
        return []
    every = np.concatenate([grid.ravel() for grid in trained])
    limits = (np.nanmin(every) - 0.05, np.nanmax(every) + ROOM)
    picture = line_panels(
        {NATS: known},
        {NATS: ["0", "1/4", "2/5", "3/4"]},
        x_label="share of the blocks that copies",
        limits={NATS: limits},
    )
    caption = (
        "Held-out loss after sharing, for as many tokens in every arm: mean and range "
        "over seeds. At 0 nothing is shared: the control that the paper leaves without "
        "the task that its headline rests on. Above what is trained the panel is cut."
    )
    return [Figure("main", caption, picture)]


def _copied_only(results: Results) -> np.ndarray:
    rows = _rows(results, "text-copied", "rules")
    grid = [[untrained(row, rate)["loss"] for rate in RATES.values()] for row in rows]
    return np.array(grid, dtype=float).reshape(-1, len(RATES))


def _columns(results: Results, arms: list[str], metric: str) -> np.ndarray:
    """(seeds, arms); NaN where there is no such run, or it left no number."""
    found = [
        results.values(arm, metric) if metric in results.metrics else {} for arm in arms
    ]
    seeds = sorted(set().union(*found))
    grid = [[each.get(seed) for each in found] for seed in seeds]
    return np.array(grid, dtype=float).reshape(-1, len(arms))


def _bars(results: Results) -> list[Figure]:
    """Final losses of what is compared, a figure for each question."""
    rules = {a: named_with_number(results, a, words) for a, words in SELECTED.items()}
    asked: dict[str, tuple[Mapping[str, str], str]] = {
        "selection": (rules, "Which blocks copy, at 2/5"),
        "losses": (LOSSES, "What the student learns from, at 2/5"),
        "scratch": (ORIGINS, "Is the trained model needed? At 2/5 shared"),
        "small": (SMALL, "The smaller model, with the paper's blocks"),
        "addition": (ADDITION, "Addition, on the digits of the answer"),
    }
    found = []
    for name, (arms, words) in asked.items():
        there = [arm for arm in arms if results.of(arm)]
        values = [v for a in there for v in results.values(a, "loss").values() if v]
        if len(there) < 3 or not values:
            continue
        room = 0.1 * (max(values) - min(values)) + 1e-6
        limits = (max(0.0, min(values) - room), max(values) + room)
        picture = plots.bar_with_points(
            results, "loss", there, label=NATS, limits=limits, names=arms
        )
        caption = (
            f"{words}: final held-out loss. A point is a seed. The axis does not start "
            "at zero."
        )
        found.append(Figure(name, caption, picture))
    return found


def _speed(results: Results) -> list[Figure]:
    arms = [f"speed-{share}" for share in LISTS]
    if not all(results.of(arm) for arm in arms):
        return []
    told = {
        "generation, growth of speed": "generation_gain",
        "training step, time saved": "step_saving",
        "forward pass, time saved": "forward_saving",
    }
    panels = {
        title: {"here, one core": _columns(results, arms, metric)}
        for title, metric in told.items()
    }
    references: dict[str, dict[str, Sequence[float | None]]] = {}
    for title, metric in told.items():
        bounds = [allowed(results, arm, metric) for arm in arms]
        references[title] = {"operations saved": bounds}
        if paper := published(metric):
            references[title]["the paper, on GPUs"] = paper
    picture = line_panels(
        panels,
        dict.fromkeys(panels, [f"{share} %" for share in LISTS]),
        x_label="blocks that copy, of 22",
        references=references,
    )
    caption = (
        "What sharing saves in a narrow model of the paper's depth, beside the same "
        "model unshared: mean and range over seeds. The operations saved are those of "
        "products; the softmax and the mask of a copy go too and are not counted, and "
        "norms and the optimizer stay."
    )
    return [Figure("speed", caption, picture)]
