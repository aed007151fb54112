"""Figures of the sharpness itself: over time, by type, by part, by layer."""

from collections.abc import Iterable, Sequence

import numpy as np

from kit import plots
from kit.panels import line_panels
from kit.studies.results import Results, Row
from kit.studies.sharpness.arms import ORDER
from kit.studies.sharpness.measures import IN_BLOCKS, agreement, by_layer, grouped
from kit.studies.statistics import mean_interval
from kit.studies.study import Figure

SHARPNESS = "sharpness S(b)"
MODELS = {
    "llama-adamw": "LLaMA type",
    "gpt-adamw": "GPT type",
    "llama-tied-adamw": "LLaMA type, tied head",
    "gpt-untied-adamw": "GPT type, untied head",
    "addition-adamw": "GPT type, addition",
}


def draw_curvature(results: Results) -> list[Figure]:
    """Every figure whose arms were run."""
    made = (_order, _agreement, _parts, _layers, _labels)
    return [figure for make in made for figure in make(results)]


def _watched(results: Results, arms: Iterable[str]) -> list[str]:
    """The arms whose every run was watched to its end."""
    found = {arm: results.of(arm) for arm in arms}
    return [
        arm
        for arm, rows in found.items()
        if rows and all("sharpness" in row.probes for row in rows)
    ]


def _steps(row: Row) -> list[int]:
    return [point["step"] for point in row.probes["sharpness"]["sampled"]]


def _over_time(row: Row, by: str, targets: str = "sampled") -> list[dict[str, float]]:
    """S by type or part, measurement by measurement."""
    return [
        grouped(point["values"], row.probes["blocks"], by)
        for point in row.probes["sharpness"][targets]
    ]


def _lines(rows: Sequence[Row], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Type -> (runs, measurements)."""
    runs = [_over_time(row, "type") for row in rows]
    return {
        name: np.array([[point[name] for point in run] for run in runs])
        for name in names
    }


def _order(results: Results) -> list[Figure]:
    arms = _watched(results, list(MODELS)[:2])
    if not arms:
        return []
    titles = {arm: f"{SHARPNESS}, {MODELS[arm]}" for arm in arms}
    panels = {titles[arm]: _lines(results.of(arm), ORDER) for arm in arms}
    ticks = {titles[arm]: list(map(str, _steps(results.of(arm)[0]))) for arm in arms}
    picture = line_panels(panels, ticks, x_label="step", log=list(panels))
    caption = (
        "Sharpness by type of block while AdamW trains: the trace of the Fisher matrix "
        "over the parameters, in all layers. The legend has the order that the paper "
        "claims, flattest first. Is it there at step 0? And at the end? Emb is the "
        "matrix of token embeddings; other tables and heads are among the parts."
    )
    return [Figure("order", caption, picture)]


def _agreement(results: Results) -> list[Figure]:
    arms = _watched(results, MODELS)
    if not arms:
        return []
    title = "Kendall's tau"
    lines = {
        MODELS[arm]: interval_band(
            [[agreement(p) for p in _over_time(row, "type")] for row in results.of(arm)]
        )
        for arm in arms
    }
    picture = line_panels(
        {title: lines},
        {title: list(map(str, _steps(results.of(arms[0])[0])))},
        x_label="step",
        references={title: {"the paper's order": 1.0}},
        limits={title: (-1.05, 1.05)},
    )
    caption = (
        "How well the order of the five types agrees with the paper's: 1 is the same, "
        "0.8 has two neighbours exchanged. The band is the 95 % interval of the mean "
        "over seeds. On addition nearly every row of the embedding is in a batch."
    )
    return [Figure("agreement", caption, picture)]


def interval_band(runs: Sequence[Sequence[float]]) -> np.ndarray:
    """Ends and middle of the interval of the mean at each point, (3, points).

    `line_panels` draws it as it draws runs: their mean, from the lowest to the highest.

    Example:
        >>> interval_band([[1.0, 0.0], [1.0, 1.0]]).round(2).tolist()
        [[1.0, -5.85], [1.0, 0.5], [1.0, 6.85]]
    """
    points = np.transpose(runs)
    if len(runs) < 2:
        return np.array(runs)
    found = [mean_interval(point) for point in points]
    return np.array([[each.low, each.estimate, each.high] for each in found]).T


def at_end(rows: Sequence[Row], by: str) -> dict[str, float]:
    """log10 of the last S by type or part, the mean over runs."""
    runs = [_over_time(row, by)[-1] for row in rows]
    return {
        name: float(np.mean([np.log10(run[name]) for run in runs])) for name in runs[0]
    }


def _parts(results: Results) -> list[Figure]:
    arms = _watched(results, MODELS)
    if not arms:
        return []
    ends = {arm: at_end(results.of(arm), "part") for arm in arms}
    names = list(dict.fromkeys(name for end in ends.values() for name in end))
    average = {n: np.mean([e[n] for e in ends.values() if n in e]) for n in names}
    names.sort(key=lambda name: float(average[name]))
    grid = [[ends[arm].get(name, np.nan) for name in names] for arm in arms]
    picture = plots.heatmap(
        np.array(grid).T,
        [name.replace("_", " ") for name in names],
        [_narrow(MODELS[arm]) for arm in arms],
        label="log10 S after training",
        form=".1f",
    )
    caption = (
        "Sharpness of every part after training, as a power of ten, flattest first. "
        "Empty: the model has no such part."
    )
    return [Figure("parts", caption, picture)]


def _narrow(words: str) -> str:
    return words.replace(" type", "").replace(", ", "\n").replace(" head", "")


def _layers(results: Results) -> list[Figure]:
    arms = _watched(results, ["llama-adamw"])
    if not arms:
        return []
    grids = [
        by_layer(row.probes["sharpness"]["sampled"][-1]["values"], row.probes["blocks"])
        for row in results.of(arms[0])
    ]
    picture = plots.heatmap(
        np.mean(grids, axis=0).T,
        list(IN_BLOCKS),
        label="log10 S after training",
        row_label="type",
        column_label="block",
        form=".1f",
    )
    caption = (
        "Type or depth? Sharpness of each block of the LLaMA type after training, as a "
        "power of ten. If the type decides, rows differ and columns do not."
    )
    return [Figure("layers", caption, picture)]


def _labels(results: Results) -> list[Figure]:
    """Three ways to measure the same thing."""
    rows = [row for row in results.of("llama-adamw") if "hessian" in row.probes]
    if not rows:
        return []
    lines = {
        "Fisher, labels from the model": [_over_time(r, "type")[-1] for r in rows],
        "Fisher, true labels": [_over_time(r, "type", "true")[-1] for r in rows],
        "Hessian": [
            {
                name: max(each["value"], 0.0)
                for name, each in r.probes["hessian"].items()
            }
            for r in rows
        ],
    }
    grids = {
        name: np.array([[run[role] or np.nan for role in ORDER] for run in runs])
        for name, runs in lines.items()
    }
    picture = line_panels(
        {SHARPNESS: grids}, {SHARPNESS: list(ORDER)}, log=[SHARPNESS], x_label="type"
    )
    caption = (
        "The same models measured in three ways after training (LLaMA type): with "
        "labels drawn from the model, with the true labels, and from the Hessian by "
        "Hutchinson's estimator. A trace that is not above zero has no point."
    )
    return [Figure("labels", caption, picture)]
