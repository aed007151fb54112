"""The report's figures, from stored rows."""

from collections.abc import Mapping, Sequence

import numpy as np

from kit.bars import log_panels
from kit.panels import line_panels
from kit.studies.pruning.base import METHODS, SPARSITIES
from kit.studies.pruning.comparisons import checkpoint_values
from kit.studies.pruning.curves import TOLD, at
from kit.studies.pruning.real import (
    CHECKPOINT,
    CHECKPOINT_METHODS,
    CHECKPOINT_SPARSITIES,
    TEXTS,
)
from kit.studies.pruning.sweeps import draw_sweeps
from kit.studies.results import Results
from kit.studies.study import Figure
from kit.studies.text import CONTEXT

NATS = "loss, nats per token"
FAMILIES = {"llama": "LLaMA type", "gpt": "GPT type"}
ROOM = 2.5  # nats above the dense model that a panel shows
ACCURACY = "whole sums right"


def draw(results: Results) -> list[Figure]:
    """Every figure whose arms were run."""
    made = (_curves, _addition, _checkpoint, draw_sweeps, _cost)
    return [figure for make in made for figure in make(results)]


def curve_of(results: Results, subject: str, method: str, name: str) -> np.ndarray:
    """A metric of each seed (seeds, sparsities); NaN where a method does not reach."""
    places = _places(results, subject)
    rows = [row for row in results.of(f"{subject}-{method}") if row.metrics]
    dense = {row.seed: row.metrics.get(name) for row in results.of(subject)}
    return np.array(
        [
            [dense.get(row.seed), *(row.metrics.get(at(name, s)) for s in places)]
            for row in rows
        ],
        dtype=float,
    )


def _places(results: Results, subject: str) -> list[float]:
    """The sparsities that were run."""
    found = {
        name
        for row in results.of(f"{subject}-2ssp")
        for name in row.metrics
        if name.startswith("loss_at")
    }
    return [sparsity for sparsity in SPARSITIES if at("loss", sparsity) in found]


def _lines(results: Results, subject: str, name: str) -> dict[str, np.ndarray]:
    """The curve of every method that was run; of failed runs there is nothing."""
    if not _places(results, subject):
        return {}
    return {
        words: curve_of(results, subject, method, name)
        for method, words in METHODS.items()
        if any(row.metrics for row in results.of(f"{subject}-{method}"))
    }


def _ticks(sparsities: Sequence[float]) -> list[str]:
    return ["0", *(f"{100 * sparsity:g} %" for sparsity in sparsities)]


def _curves(results: Results) -> list[Figure]:
    panels, ticks, limits = {}, {}, {}
    for subject, words in FAMILIES.items():
        lines = _lines(results, subject, "loss")
        if len(lines) < 2:
            continue
        blocks = len(results.of(f"{subject}-2ssp")[0].spec["model"]["blocks"])
        title = f"{words}, {blocks} blocks: {NATS}"
        dense = min(float(line[:, 0].min()) for line in lines.values())
        panels[title], limits[title] = lines, (dense - 0.1, dense + ROOM)
        ticks[title] = _ticks(_places(results, subject))
    if not panels:
        return []
    picture = line_panels(
        panels, ticks, x_label="parameters of the blocks that are gone", limits=limits
    )
    caption = (
        "Held-out loss over sparsity, without any training after pruning: mean and "
        f"range over seeds. Below is better; what is more than {ROOM:g} nats above "
        "the dense model is not shown. Attentions alone do not reach further."
    )
    return [Figure("curves", caption, picture)]


def _addition(results: Results) -> list[Figure]:
    panels = {
        title: lines
        for name, title in (("loss", NATS), ("exact_match", ACCURACY))
        if len(lines := _lines(results, "addition", name)) > 1
    }
    if not panels:
        return []
    picture = line_panels(
        panels,
        dict.fromkeys(panels, _ticks(_places(results, "addition"))),
        x_label="parameters of the blocks that are gone",
    )
    caption = (
        "Addition, the stress test: loss on the digits of the answer, and the share of "
        "sums with every digit right. Mean and range over seeds."
    )
    return [Figure("addition", caption, picture)]


def _checkpoint(results: Results) -> list[Figure]:
    names = {f"{text}_loss": f"{text}: {NATS}" for text in TEXTS}
    names["last_word_accuracy"] = "last words right"
    panels = {
        title: lines
        for metric, title in names.items()
        if (lines := _checkpoint_lines(results, metric))
    }
    if not panels:
        return []
    picture = line_panels(
        panels,
        dict.fromkeys(panels, _ticks(CHECKPOINT_SPARSITIES)),
        x_label="parameters of the blocks that are gone",
    )
    caption = (
        "SmolLM2-135M, calibrated on documentation: loss on two other texts, and the "
        "share of last words of held-out sentences that it completes. A seed draws "
        "calibration data and passages."
    )
    return [Figure("checkpoint", caption, picture)]


def _checkpoint_lines(results: Results, metric: str) -> dict[str, np.ndarray]:
    lines = {}
    for method in CHECKPOINT_METHODS:
        points: list[Mapping[int, float]] = [
            checkpoint_values(results, method, metric, sparsity)
            for sparsity in (0.0, *CHECKPOINT_SPARSITIES)
        ]
        seeds = set.intersection(*map(set, points))
        if seeds and results.of(CHECKPOINT):
            lines[METHODS[method]] = np.array(
                [[point[seed] for point in points] for seed in sorted(seeds)]
            )
    return lines


def _cost(results: Results) -> list[Figure]:
    panels = {
        at("evaluations", TOLD): "blocks evaluated, times sequences",
        at("seconds", TOLD): "seconds on one core, compiling included",
    }
    arms = [f"llama-{method}" for method in METHODS if results.of(f"llama-{method}")]
    arms = [
        arm
        for arm in arms
        if any(panels.keys() <= r.metrics.keys() for r in results.of(arm))
    ]
    if len(arms) < 3:
        return []
    names = {f"llama-{method}": words for method, words in METHODS.items()}
    picture = log_panels(results, panels, arms, names=names)
    caption = (
        f"What it costs to prune the LLaMA type by {100 * TOLD:g} %: blocks that are "
        f"evaluated, each times the sequences of {CONTEXT} tokens, and the time from "
        "the dense model to the smaller one. All get the same calibration data. In so "
        "small a model much of the time goes into building and compiling, which no "
        "method is spared."
    )
    return [Figure("cost", caption, picture)]
