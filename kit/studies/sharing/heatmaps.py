"""Figures of how alike maps are: over training, by block, in other models."""

from collections.abc import Mapping, Sequence
from statistics import fmean

import numpy as np

from kit.panels import line_panels, matrix_panels
from kit.studies.results import Results, Row
from kit.studies.sharing.matrices import inner_pairs, scores, whole
from kit.studies.study import Figure

MEASURES = {
    "cosine": "flattened cosine",
    "rows": "rows without column 0",
    "jensen-shannon": "1 - Jensen-Shannon",
}
SHORT = {"cosine": "cosine", "rows": "rows", "jensen-shannon": "1 - JS"}
NULL = "null model"
TWO_SEEDS = "two seeds, trained"
MODELS = {
    "text-copied": "text",
    "small-copied": "text, the smaller model",
    "addition-copied": "addition",
    "text-8": "text-8",
    "smollm2": "SmolLM2-135M",
}
Maps = Mapping[str, Mapping[str, Sequence[float]]]


def draw_heatmaps(results: Results) -> list[Figure]:
    """Every figure whose arms were run."""
    made = (_training, _adding, _blocks, _steps, _models, _checkpoint)
    return [figure for make in made for figure in make(results)]


def _rows(results: Results, arm: str, probe: str) -> list[Row]:
    return [row for row in results.of(arm) if probe in row.probes]


def _mean(found: Sequence[Maps], name: str, measure: str) -> np.ndarray:
    """A matrix of similarities, the mean over runs."""
    return np.mean([whole(maps[name][measure]) for maps in found], axis=0)


def _half(row: Row) -> Maps:
    """What was seen nearest to the middle of the training."""
    steps = sorted(map(int, row.probes["watched"]))
    return row.probes["watched"][str(min(steps, key=lambda s: abs(s - steps[-1] / 2)))]


def _sparse(count: int) -> list[str]:
    """Numbers of blocks, as many as can be read."""
    every = 1 + count // 9
    return [str(i) if i % every == 0 else "" for i in range(count)]


def _training(results: Results, subject: str = "text") -> list[Figure]:
    """The paper's Fig. 2, for one model over its training."""
    rows = _rows(results, f"{subject}-base", "watched")
    if not rows:
        return []
    start, end = ([row.probes[when] for row in rows] for when in ("start", "end"))
    half, panels = [_half(row) for row in rows], {}
    for measure, words in SHORT.items():
        for when, found, name in (
            ("start", start, "value"),
            ("middle", half, "value"),
            ("trained", end, "value"),
            ("null", end, "null"),
        ):
            panels[f"{words}: {when}"] = _mean(found, name, measure)
    blocks = len(next(iter(panels.values())))
    picture = matrix_panels(
        panels,
        ticks=_sparse(blocks),
        columns=4,
        label="similarity of the maps of two blocks",
        limits=(0, 1),
        diverging=False,
    )
    caption = (
        "How alike the attention maps of two blocks are, by three measures, while a "
        f"model learns {subject}; the mean over seeds. Flat maps are alike from the "
        "start. The null model keeps the sharpness and the sink of the trained maps, "
        "and forgets who attends to whom: what is above it is likeness in that."
    )
    name = "maps" if subject == "text" else f"maps-{subject}"
    return [Figure(name, caption, picture)]


def _adding(results: Results) -> list[Figure]:
    return _training(results, "addition")


def _blocks(results: Results) -> list[Figure]:
    """The paper's Fig. 1, for one model over its training."""
    rows = _rows(results, "text-base", "watched")
    if not rows:
        return []
    lines = {
        "at the start": [row.probes["start"]["value"] for row in rows],
        "in the middle": [_half(row)["value"] for row in rows],
        "trained": [row.probes["end"]["value"] for row in rows],
        f"{NULL}, trained": [row.probes["end"]["null"] for row in rows],
    }
    panels = {
        words: {
            name: np.array([scores(whole(found[measure])) for found in runs])
            for name, runs in lines.items()
        }
        for measure, words in MEASURES.items()
    }
    count = len(next(iter(panels["flattened cosine"].values()))[0])
    picture = line_panels(
        panels, dict.fromkeys(panels, _sparse(count)), x_label="block"
    )
    caption = (
        "Mean similarity of each block's map with those of the others, as in Fig. 1 of "
        "the paper: mean and range over seeds."
    )
    return [Figure("blocks", caption, picture)]


def _steps(results: Results) -> list[Figure]:
    """Likeness of inner blocks over training steps, beside the null."""
    rows = _rows(results, "text-base", "watched")
    if not rows:
        return []
    steps = sorted(map(int, rows[0].probes["watched"]))
    panels = {}
    for measure, words in MEASURES.items():
        panels[words] = {
            name: np.array(
                [
                    [
                        np.mean(inner_pairs(whole(seen[key][measure])))
                        for seen in _in_order(row)
                    ]
                    for row in rows
                ]
            )
            for name, key in (("inner blocks", "value"), (NULL, "null"))
        }
    ticks = dict.fromkeys(panels, ["0", *map(str, steps)])
    picture = line_panels(
        panels, ticks, x_label="training step", references=_of_two_seeds(results)
    )
    caption = (
        "Likeness of inner blocks over the training of a model, and of its null model, "
        "which has its sharpness and its sink: mean and range over seeds. Dotted: the "
        "inner blocks of two trained models of other seeds, which have seen the same "
        "text and never each other."
    )
    return [Figure("steps", caption, picture)]


def _of_two_seeds(results: Results) -> dict[str, dict[str, float]]:
    """For each measure, how alike inner maps are of two models that never met."""
    found = {}
    for measure, words in MEASURES.items():
        metric = f"{measure}_unrelated"
        known = metric in results.metrics and results.values("text-copied", metric)
        if known:
            found[words] = {TWO_SEEDS: fmean(value or 0.0 for value in known.values())}
    return found


def _in_order(row: Row) -> list[Maps]:
    seen = row.probes["watched"]
    return [row.probes["start"], *(seen[key] for key in sorted(seen, key=int))]


def _models(results: Results) -> list[Figure]:
    panels, ticks = {}, {}
    for arm, words in MODELS.items():
        rows = _rows(results, arm, "maps")
        if not rows:
            continue
        panels[words] = {
            f"{SHORT[measure]}{of}": np.array(
                [scores(whole(row.probes["maps"][key][measure])) for row in rows]
            )
            for measure in ("cosine", "rows")
            for of, key in (("", "value"), (f", {NULL}", "null"))
        }
        count = next(iter(panels[words].values())).shape[1]
        ticks[words] = _sparse(count)
    if not panels:
        return []
    limits = dict.fromkeys(panels, (0.0, 1.05))
    picture = line_panels(panels, ticks, x_label="block", limits=limits)
    caption = (
        "Mean similarity of each block's map with those of the others in several "
        "trained models, each beside its null model: mean and range over seeds, which "
        "for the last two draw what they read."
    )
    return [Figure("models", caption, picture)]


def _checkpoint(results: Results) -> list[Figure]:
    rows = _rows(results, "smollm2", "maps")
    if not rows:
        return []
    found = [row.probes["maps"] for row in rows]
    panels = {
        f"{words}{of}": _mean(found, key, measure)
        for of, key in (("", "value"), (f": {NULL}", "null"))
        for measure, words in SHORT.items()
    }
    picture = matrix_panels(
        panels,
        ticks=_sparse(len(next(iter(panels.values())))),
        columns=3,
        label="similarity of the maps of two blocks",
        limits=(0, 1),
        diverging=False,
    )
    caption = (
        "SmolLM2-135M, 30 blocks, on documentation: similarity of maps above, and of "
        "the null model below."
    )
    return [Figure("smollm2", caption, picture)]
