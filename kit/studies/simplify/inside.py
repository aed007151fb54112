"""Figures of the gains and the signal inside the models, from stored rows."""

from typing import Any

import numpy as np

from kit.panels import SIGNAL, line_panels
from kit.studies.results import Results
from kit.studies.simplify.arms import DECIDING, NAMES, START_RATIO
from kit.studies.study import Figure

SHOWN = {
    "map_alpha": "alpha, of the identity",
    "map_beta": "beta, of the softmax map",
    "map_gamma": "gamma, of the mean map",
    "attention_gain": "gain of the attention",
    "feed_forward_gain": "gain of the feed-forward",
    "feed_forward_skip": "skip of the feed-forward",
}
RATIOS = {"E-identity-gains": "no skip", "E-pre-ln-gains": "Pre-LN"}
LABELS = 5  # steps that are written below a panel


def draw_inside(results: Results) -> list[Figure]:
    """Every figure whose arms were run."""
    return [figure for make in (_gains, _ratios, _signal) for figure in make(results)]


def _trajectories(results: Results, arm: str, kind: str) -> dict[str, np.ndarray]:
    """Block -> (runs, evaluations) of a gain, of the runs that came to their end."""
    histories = [r.history for r in results.of(arm) if r.status == "finished"]
    first: Any = histories[0][0] if histories and histories[0] else {}
    names = [name for name in first if name.startswith("gain/") and name.endswith(kind)]
    return {
        name.split("/")[1].replace("_", " "): np.array(
            [[point[name] for point in history] for history in histories]
        )
        for name in names
    }


def _steps(results: Results, arm: str) -> list[str]:
    """The steps of the evaluations; blank but for some, among them the last."""
    steps = [point["step"] for point in results.of(arm)[0].history]
    every = -(-len(steps) // LABELS)
    return [
        str(step) if (len(steps) - i) % every == 1 % every else ""
        for i, step in enumerate(steps)
    ]


def _gains(results: Results) -> list[Figure]:
    """Fig. 17 to 20: the gains of SAS."""
    arm = "F-sas"
    panels = {title: _trajectories(results, arm, kind) for kind, title in SHOWN.items()}
    panels = {title: lines for title, lines in panels.items() if lines}
    if not panels:
        return []
    ticks = dict.fromkeys(panels, _steps(results, arm))
    picture = line_panels(panels, ticks, columns=2, x_label="step")
    caption = (
        "The trained gains of SAS over training, block by block, each the mean over "
        "heads (the paper's Fig. 17 to 20). Do any go to zero? A norm hides the gain "
        "of the attention from the feed-forward, so that only its product with the "
        "skip of the feed-forward counts, and the two move alike."
    )
    return [Figure("gains", caption, picture)]


def _ratios(results: Results) -> list[Figure]:
    """Fig. 4 and 22: the updates of values and projections beside their starts."""
    panels, ticks = {}, {}
    for matrix in ("value", "projection"):
        for arm, where in RATIOS.items():
            alpha, beta = (
                _trajectories(results, arm, f"{matrix}_{gain}")
                for gain in ("alpha", "beta")
            )
            if alpha:
                title = f"{matrix}s, {where}"
                panels[title] = {b: np.abs(beta[b] / alpha[b]) for b in alpha}
                ticks[title] = _steps(results, arm)
    if not panels:
        return []
    picture = line_panels(
        panels,
        ticks,
        columns=2 if len(panels) > 2 else 1,
        x_label="step",
        references=dict.fromkeys(panels, {f"start: {START_RATIO:g}": START_RATIO}),
        limits=dict.fromkeys(panels, (0.0, None)),
    )
    caption = (
        "|beta / alpha|, the gain of the update beside that of the start, for values "
        "and projections of each block: without the attention skip and from the "
        "identity (the paper's Fig. 4), and in Pre-LN from orthogonal matrices (Fig. "
        "22). At 0 a matrix stays what it was at the start."
    )
    return [Figure("ratios", caption, picture)]


def _signal(results: Results) -> list[Figure]:
    """Rank collapse, and what becomes of the size of the signal and its gradient."""
    panels: dict[str, dict[str, np.ndarray]] = {}
    for measure in SIGNAL:
        for title, when in (("at the start", "at_start"), ("trained", "trained")):
            for arm in DECIDING:
                found = [
                    row.probes["signal"][when][measure]
                    for row in results.of(arm)
                    if "signal" in row.probes
                ]
                if found:
                    lines = panels.setdefault(f"{measure}, {title}", {})
                    lines[NAMES[arm]] = np.array(found, dtype=float)
    if not panels:
        return []
    depth = max(line.shape[1] for panel in panels.values() for line in panel.values())
    for lines in panels.values():  # the embedding has no weights of a block
        for name, line in lines.items():
            missing = np.full((len(line), depth - line.shape[1]), np.nan)
            lines[name] = np.concatenate([missing, line], axis=1)
    picture = line_panels(
        panels,
        dict.fromkeys(panels, ["input", *map(str, range(depth - 1))]),
        columns=2,
        x_label="output of block",
        limits={title: (-0.05, 1.05) for title in panels if "cosine" in title},
        log=[title for title in panels if "cosine" not in title],
    )
    caption = (
        "What gets through the blocks. Cosine: how alike the tokens of a sequence are "
        "on average; at 1 nothing can be told apart, which is rank collapse. Norm: the "
        "root mean square of the stream. Gradient: its norm in the weights of a block. "
        "Compare the naive block, whose only change is the missing skip, with SAS."
    )
    return [Figure("signal", caption, picture)]
