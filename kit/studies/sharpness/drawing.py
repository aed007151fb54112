"""The report's figures, from stored rows."""

from collections.abc import Mapping

import numpy as np

from kit import plots
from kit.panels import line_panels
from kit.pictures import Picture
from kit.studies.results import Results, Row, committed_path, read_rows
from kit.studies.search import SEARCH
from kit.studies.sharpness.arms import UNIFORM
from kit.studies.sharpness.curvature import draw_curvature
from kit.studies.study import Figure, Platform

NATS = "loss, nats per token"
PAIRS = {
    "llama-blockwise": ("llama-adamw", "LLaMA type"),
    "gpt-blockwise": ("gpt-adamw", "GPT type"),
    "narrow-blockwise": ("narrow-adamw", "LLaMA type, half as wide"),
    "llama-wsd-blockwise": ("llama-wsd", "LLaMA type, WSD"),
    "llama-lion-blockwise": ("llama-lion", "LLaMA type, Lion"),
}
CURVES = {
    "llama-adamw": "AdamW",
    "llama-adamw-2x": "AdamW, twice the steps",
    "llama-blockwise": "rates by block",
    "llama-paper-rate": "rates by block, AdamW's learning rate",
}
ABLATION = {
    "llama-adamw": "one rate",
    "llama-emb": "Emb",
    "llama-emb-ffn": "Emb and FFN",
    "llama-blockwise": "Emb, FFN, QK and VO",
    "llama-all-norm": "all and Norm x2",
    "llama-norm": "Norm x2 alone",
}
CONTROLS = {
    "llama-adamw": "AdamW",
    "llama-blockwise": "rates by block",
    "llama-paper-rate": "the same at AdamW's learning rate",
    **{f"llama-uniform-x{x}": f"AdamW, {x} times its rate" for x in UNIFORM},
    "llama-head-base": "the head at the rate of the norms",
    "llama-reversed": "ratios reversed",
    "llama-square-root": "square roots of the ratios",
    "llama-common-warmup": "common warm-up",
    "llama-own-minimum": "common warm-up, a minimum for each block",
    "llama-common-decay": "common weight decay",
    "llama-long-warmup": "AdamW, long warm-up",
    "llama-adamw-matrices": "AdamW, decay on matrices only",
    "llama-blockwise-matrices": "rates by block, decay on matrices only",
}


def draw(results: Results) -> list[Figure]:
    """Every figure whose arms were run."""
    made = (draw_curvature, _learning, _gap, _ablation, _controls, _search)
    return [figure for make in made for figure in make(results)]


def _learning(results: Results) -> list[Figure]:
    arms = [arm for arm in CURVES if results.of(arm)]
    if len(arms) < 2:
        return []
    picture = plots.learning_curves(
        results, "validation_loss", arms, label=NATS, names=CURVES
    )
    caption = (
        "Loss on held-out text (LLaMA type), each arm at the learning rate that its "
        "search found. Below is better."
    )
    return [Figure("learning", caption, picture)]


def _gap(results: Results) -> list[Figure]:
    """What rates by block gain or lose, evaluation by evaluation."""
    lines, steps = {}, []
    for arm, (base, name) in PAIRS.items():
        rivals = {row.seed: row for row in results.of(base)}
        pairs = [(r, rivals[r.seed]) for r in results.of(arm) if r.seed in rivals]
        pairs = [p for p in pairs if all(row.status == "finished" for row in p)]
        if pairs:
            lines[name] = np.array([_difference(*pair) for pair in pairs])
            steps = [point["step"] for point in pairs[0][0].history]
    if not lines:
        return []
    title = "loss minus that of one rate, nats"
    picture = line_panels(
        {title: lines},
        {title: [str(s) if i % 3 == 2 else "" for i, s in enumerate(steps)]},
        x_label="step",
        references={title: {"one rate": 0.0}},
    )
    caption = (
        "Rates by block against the same optimizer with one rate, seed by seed. The "
        "paper has them behind at first, and ahead in the second half."
    )
    return [Figure("gap", caption, picture)]


def _difference(row: Row, base: Row) -> list[float]:
    return [
        point["validation_loss"] - other["validation_loss"]
        for point, other in zip(row.history, base.history, strict=True)
    ]


def _bars(results: Results, names: Mapping[str, str]) -> Picture | None:
    arms = [arm for arm in names if results.of(arm)]
    every = [v for a in arms for v in results.values(a, "loss").values() if v]
    if len(arms) < 3 or not every:
        return None
    limits = (min(every) - 0.05, max(every) + 0.05)
    return plots.bar_with_points(
        results, "loss", arms, label=NATS, limits=limits, names=names
    )


def _ablation(results: Results) -> list[Figure]:
    if not results.of("llama-emb") or not (picture := _bars(results, ABLATION)):
        return []
    caption = (
        "Which types have a larger rate (LLaMA type): final held-out loss. A point is "
        "a seed. The axis does not start at zero."
    )
    return [Figure("ablation", caption, picture)]


def _controls(results: Results) -> list[Figure]:
    if not (picture := _bars(results, CONTROLS)):
        return []
    caption = (
        "Controls (LLaMA type): is it the ratios, or only larger rates? Final held-out "
        "loss; a point is a seed. The axis does not start at zero."
    )
    return [Figure("controls", caption, picture)]


def _search(results: Results) -> list[Figure]:
    """The search that gave each arm its rate, from the rows kept with the kit."""
    path = committed_path("sharpness", SEARCH, Platform())
    if not path.exists():
        return []
    found: dict[str, dict[float, float]] = {}
    for row in read_rows(path):
        arm, rate = row.arm.partition("@")[0], row.spec["train"]["learning_rate"]
        if arm in ("llama-adamw", "llama-blockwise", "gpt-adamw", "gpt-blockwise"):
            loss = row.metrics.get("loss")
            found.setdefault(arm, {})[rate] = np.nan if loss is None else loss
    if not found:
        return []
    rates = sorted({rate for line in found.values() for rate in line})
    lines = {
        arm.replace("-", ", "): [[line.get(rate, np.nan) for rate in rates]]
        for arm, line in found.items()
    }
    picture = line_panels(
        {NATS: lines},
        {NATS: [f"{rate:g}" for rate in rates]},
        x_label="learning rate of the norms",
    )
    caption = (
        "The search for learning rates: one seed, a quarter of the steps, the same "
        "grid for every arm. The best should not lie at an end."
    )
    return [Figure("search", caption, picture)]
