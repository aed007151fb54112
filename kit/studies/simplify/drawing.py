"""The report's figures, from stored rows."""

import numpy as np

from kit import plots
from kit.panels import line_panels
from kit.studies.results import Results, Row
from kit.studies.simplify.arms import BETAS, DECIDING, FEED_FORWARD_GAINS
from kit.studies.simplify.speed import BATCH, CONTEXT, PRESETS, WIDTHS
from kit.studies.study import Figure

NATS = "loss, nats per token"


def draw(results: Results) -> list[Figure]:
    """Every figure whose arms were run."""
    made = (_learning, _losses, _updates, _starts, _gains, _depth, _signal, _speed)
    return [figure for make in made for figure in make(results)]


def _learning(results: Results) -> list[Figure]:
    found = []
    for name, suffix, what in (
        ("learning", "", "Next-token loss"),
        ("encoder", "-encoder", "Loss on masked tokens of the encoders"),
    ):
        arms = [arm for arm in (f"{a}{suffix}" for a in DECIDING) if results.of(arm)]
        if len(arms) < 2:
            continue
        for x, per in (("step", "step"), ("seconds", "second of training")):
            picture = plots.learning_curves(
                results, "validation_loss", arms, x=x, label=NATS
            )
            caption = (
                f"{what} on held-out text per {per}, each arm at the learning rate "
                "that its search found. Below is better."
            )
            if x == "seconds":
                caption += (
                    " All ran on one core each of a machine that did other work too."
                )
            found.append(Figure(f"{name}-{x}", caption, picture))
    return found


def _losses(results: Results) -> list[Figure]:
    arms = [
        arm
        for arm in results.arms
        if not arm.startswith(("S-", "L-", "E-identity-x", "E-orthogonal-x"))
        and not arm.endswith(("-deep", "-encoder"))
    ]
    if len(arms) < 2:
        return []
    every = [v for a in arms for v in results.values(a, "loss").values() if v]
    picture = plots.bar_with_points(
        results, "loss", arms, label=NATS, limits=(min(every) - 0.1, max(every) + 0.1)
    )
    caption = (
        "Final held-out loss at six blocks; the sweeps have figures of their own. A "
        "point is a seed. The axis does not start at zero."
    )
    return [Figure("losses", caption, picture)]


def _final(results: Results, arms: list[str], metric: str = "loss") -> np.ndarray:
    """(seeds, arms) of a metric, of the seeds that all arms have."""
    values = [results.values(arm, metric) for arm in arms]
    seeds = sorted(set.intersection(*map(set, values)))
    grid = [[column[seed] for column in values] for seed in seeds]
    return np.array(grid, dtype=float)


def _have(results: Results, arms: list[str]) -> bool:
    return all(results.of(arm) for arm in arms)


def _updates(results: Results) -> list[Figure]:
    """Fig. 3: the size of the updates of values and projections."""
    lines = {}
    for start in ("identity", "orthogonal"):
        arms = [f"E-{start}-x{beta:g}" for beta in BETAS]
        if _have(results, arms):
            lines[start] = _final(results, arms)
    if not lines:
        return []
    references = {
        name: float(np.mean(_final(results, [arm])))
        for name, arm in (
            ("Pre-LN", "A-pre-ln"),
            ("identity, no update", "M-no-first-value"),
        )
        if results.of(arm)
    }
    picture = line_panels(
        {NATS: lines},
        {NATS: [f"{beta:g}" for beta in BETAS]},
        x_label="gain beta of the updates",
        references={NATS: references},
    )
    caption = (
        "Without the attention skip: values and projections as alpha W + beta dW, with "
        "W the identity or a random orthogonal matrix (the paper's Fig. 3). Look from "
        "right to left: smaller updates should win back what the missing skip costs."
    )
    return [Figure("updates", caption, picture)]


def _starts(results: Results) -> list[Figure]:
    """Fig. 14: where the gain of the feed-forward starts."""
    arms = [f"L-gain-{gain:g}" for gain in FEED_FORWARD_GAINS]
    if not _have(results, arms):
        return []
    references = (
        {"0.42 / sqrt(blocks)": float(np.mean(_final(results, ["G-sas-p"])))}
        if results.of("G-sas-p")
        else {}
    )
    picture = line_panels(
        {NATS: {"sas-p": _final(results, arms)}},
        {NATS: [f"{gain:g}" for gain in FEED_FORWARD_GAINS]},
        x_label="feed-forward gain at the start",
        references={NATS: references},
    )
    caption = (
        "How much the start of the trained feed-forward gain matters in SAS-P (the "
        "paper's Fig. 14); dotted is the rule of depth."
    )
    return [Figure("starts", caption, picture)]


def _gains(results: Results) -> list[Figure]:
    rows = results.of("F-sas")
    kinds = ("map_alpha", "map_beta", "map_gamma", "feed_forward_gain")
    if not rows or not rows[0].history:
        return []
    panels, ticks = {}, {}
    for kind in kinds:
        names = [n for n in rows[0].history[0] if _is_gain(n, kind)]
        if not names:
            continue
        title = kind.replace("_", " ")
        panels[title] = {_block_of(name): _trajectory(rows, name) for name in names}
        points = [point["step"] for point in rows[0].history]
        ticks[title] = [
            str(step) if i % 3 == 2 else "" for i, step in enumerate(points)
        ]
    if not panels:
        return []
    picture = line_panels(panels, ticks, columns=2, x_label="step")
    caption = (
        "The trained gains of SAS over training, block by block, each the mean over "
        "heads (the paper's Fig. 17 to 20). Do any go to zero?"
    )
    return [Figure("gains", caption, picture)]


def _is_gain(name: str, kind: str) -> bool:
    return name.startswith("gain/") and name.endswith(kind)


def _block_of(name: str) -> str:
    return name.split("/")[1].replace("_", " ")


def _trajectory(rows: list[Row], name: str) -> np.ndarray:
    return np.array([[point[name] for point in row.history] for row in rows])


def _depth(results: Results) -> list[Figure]:
    lines = {}
    for arm in DECIDING[1:]:
        pair = [arm, f"{arm}-deep", "A-pre-ln", "A-pre-ln-deep"]
        if _have(results, pair):
            shallow, deep, base, deep_base = _final(results, pair).T
            lines[results.arms[arm]] = np.stack([shallow - base, deep - deep_base], 1)
    if not lines:
        return []
    title = "loss minus that of Pre-LN, nats"
    picture = line_panels(
        {title: lines},
        {title: ["6", "12"]},
        x_label="blocks",
        references={title: {"Pre-LN": 0.0}},
    )
    caption = (
        "What each block costs against Pre-LN at two depths (the paper's Fig. 6). A "
        "line that rises falls behind with depth."
    )
    return [Figure("depth", caption, picture)]


def _signal(results: Results) -> list[Figure]:
    """Rank collapse: how alike the tokens of a sequence become."""
    panels: dict[str, dict[str, np.ndarray]] = {}
    for title, when in (("at the start", "at_start"), ("trained", "trained")):
        for arm in DECIDING:
            found = [
                row.probes["signal"][when]["cosine"]
                for row in results.of(arm)
                if "signal" in row.probes
            ]
            if found:
                panels.setdefault(title, {})[results.arms[arm]] = np.array(found)
    if not panels:
        return []
    depth = max(len(line[0]) for panel in panels.values() for line in panel.values())
    ticks = dict.fromkeys(panels, ["input", *map(str, range(depth - 1))])
    picture = line_panels(
        panels,
        ticks,
        columns=2,
        x_label="output of block",
        limits=dict.fromkeys(panels, (-0.05, 1.05)),
    )
    caption = (
        "Mean cosine between the tokens of a sequence, block by block. At 1 all tokens "
        "look alike and nothing can be told apart: rank collapse. Compare the naive "
        "block, whose only change is the missing skip, with SAS."
    )
    return [Figure("signal", caption, picture)]


def _speed(results: Results) -> list[Figure]:
    panels: dict[str, dict[str, np.ndarray]] = {}
    for title, metric in (
        ("steps a second", "speed_ratio"),
        ("bound by operations", "bound_by_flops"),
        ("parameters", "parameter_ratio"),
        ("peak memory", "memory_ratio"),
    ):
        for preset in PRESETS:
            arms = [f"S-{preset}-{width}" for width in WIDTHS]
            if _have(results, arms):
                panels.setdefault(title, {})[preset] = _final(results, arms, metric)
    if not panels:
        return []
    picture = line_panels(
        panels,
        dict.fromkeys(panels, list(map(str, WIDTHS))),
        columns=2,
        x_label="width",
        references=dict.fromkeys(panels, {"Pre-LN": 1.0}),
        limits=dict.fromkeys(panels, (None, None)),
    )
    caption = (
        "What the blocks cost relative to Pre-LN on one core, in turns in one process: "
        "steps a second, the bound that the operations allow, parameters, and the peak "
        f"memory of a process that trains. {BATCH * CONTEXT} tokens a step."
    )
    return [Figure("speed", caption, picture)]
