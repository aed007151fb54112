"""Figures of what was varied within two-stage pruning: split, score, data, training."""

from collections.abc import Sequence

import numpy as np

from kit import plots
from kit.panels import line_panels
from kit.pictures import GREY
from kit.studies.pruning.arms import RECOVERED, SCORES, SIZES, SPLITS
from kit.studies.pruning.base import ALPHAS, METHODS
from kit.studies.pruning.comparisons import losses_by_alpha
from kit.studies.pruning.curves import at
from kit.studies.results import Results, Row
from kit.studies.study import Figure

NATS = "loss, nats per token"
HALF = at("loss", 0.5)
SWEPT = (*((f"llama-split-{100 * s:g}", f"LLaMA type at {s:.1%}") for s in SPLITS),)
SWEPT += (
    ("gpt-split-50", "GPT type at 50.0%"),
    ("addition-split-50", "addition, 50.0%"),
)
CONTROLS = {
    "llama-2ssp": "2SSP",
    "llama-stage-1": "neurons only",
    "llama-depth-first": "attentions first, then neurons",
    "llama-inverted": "columns of the stream, not neurons",
    "llama-shuffled-tokens": "calibrated on shuffled text",
    "llama-random-tokens": "calibrated on random tokens",
}


def draw_sweeps(results: Results) -> list[Figure]:
    """Every figure whose arms were run."""
    made = (_splits, _alphas, _scores, _sizes, _controls, _recovery)
    return [figure for make in made for figure in make(results)]


def _rows(results: Results, arm: str) -> list[Row]:
    return [row for row in results.of(arm) if row.status == "finished" and row.metrics]


def _splits(results: Results) -> list[Figure]:
    """Loss by the number of attentions that go, with the rule's number marked."""
    panels, ticks, marks = {}, {}, {}
    for arm, words in SWEPT:
        rows = _rows(results, arm)
        if not rows:
            continue
        numbers = sorted(map(int, rows[0].probes["losses"]))
        title = f"{words}: {NATS}"
        losses = [[row.probes["losses"][str(n)] for n in numbers] for row in rows]
        panels[title] = {"2SSP with that many": losses}
        ticks[title] = [str(number) for number in numbers]
        marks[title] = numbers.index(rows[0].probes["rule"])
    if not panels:
        return []
    picture = line_panels(panels, ticks, x_label="attentions removed, of all blocks")
    for ax, place in zip(picture.axes, marks.values(), strict=False):
        ax.axvline(place, color=GREY, linestyle=":", linewidth=1.5)
    caption = (
        "Every split of a sparsity between attentions and neurons: mean and range over "
        "seeds. The dotted line is the number that the closed rule gives."
    )
    return [Figure("splits", caption, picture)]


def _alphas(results: Results) -> list[Figure]:
    lines = {}
    for arm, words in SWEPT[: len(SPLITS)]:
        found = [losses_by_alpha(row) for row in _rows(results, arm)]
        if found:
            lines[words] = [[each[str(a)] for a in ALPHAS] for each in found]
    if not lines:
        return []
    picture = line_panels(
        {NATS: lines}, {NATS: [f"{a:g}" for a in ALPHAS]}, x_label="alpha of the rule"
    )
    caption = (
        "What the constant of the rule decides: alpha = 1.5 is the paper's. Read from "
        "the splits, of which each alpha chooses one."
    )
    return [Figure("alpha", caption, picture)]


def _bars(
    results: Results, names: dict[str, str], name: str, caption: str
) -> list[Figure]:
    """Loss at 50 % of some arms, as bars from a little below the lowest."""
    arms = [arm for arm in names if _rows(results, arm)]
    every = [
        v for arm in arms for row in _rows(results, arm) if (v := row.metrics.get(HALF))
    ]
    if len(arms) < 3 or not every:
        return []
    limits = (min(every) - 0.1, max(every) + 0.1)
    picture = plots.bar_with_points(
        results, HALF, arms, label=f"{NATS}, at 50 %", limits=limits, names=names
    )
    return [
        Figure(
            name, f"{caption} A point is a seed; the axis starts above zero.", picture
        )
    ]


def _scores(results: Results) -> list[Figure]:
    names = {"llama-2ssp": "L2 (the paper's)"}
    names |= {f"llama-score-{score}": score for score in SCORES}
    caption = "What a neuron is scored by, in 2SSP at 50 % (LLaMA type)."
    return _bars(results, names, "scores", caption)


def _controls(results: Results) -> list[Figure]:
    caption = "2SSP at 50 % with one thing changed (LLaMA type)."
    return _bars(results, CONTROLS, "controls", caption)


def _sizes(results: Results) -> list[Figure]:
    sizes = [n for n in SIZES if _rows(results, f"llama-sequences-{n}")]
    if len(sizes) < 2:
        return []
    spread = at("spread", 0.5)
    panels = {
        title: {"2SSP": _columns(results, sizes, metric)}
        for title, metric in (
            (NATS, HALF),
            ("standard deviation over calibration sets, nats", spread),
        )
    }
    picture = line_panels(
        panels, dict.fromkeys(panels, list(map(str, sizes))), x_label="sequences"
    )
    caption = (
        "How many calibration sequences of 64 tokens the scores need, at 50 %: means "
        "of several sets of them, and how far these differ. The band is over models."
    )
    return [Figure("sizes", caption, picture)]


def _columns(results: Results, sizes: Sequence[int], metric: str) -> np.ndarray:
    """(seeds, sizes), of the seeds that all sizes have."""
    found = [results.values(f"llama-sequences-{size}", metric) for size in sizes]
    seeds = sorted(set.intersection(*map(set, found)))
    return np.array([[each[seed] for each in found] for seed in seeds], dtype=float)


def _recovery(results: Results) -> list[Figure]:
    names = {"llama-recovered": "dense"}
    names |= {f"llama-{method}-recovered": METHODS[method] for method in RECOVERED}
    lines = {
        words: [[r.metrics["loss_before"], r.metrics["recovered_loss"]] for r in rows]
        for arm, words in names.items()
        if (rows := _rows(results, arm))
    }
    if not lines:
        return []
    picture = line_panels({NATS: lines}, {NATS: ["pruned", "trained further"]})
    caption = (
        "The same short training after pruning by 50 %, which the paper does not have "
        "(LLaMA type): mean and range over seeds."
    )
    return [Figure("recovery", caption, picture)]
