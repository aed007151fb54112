"""The report's figures, from stored rows."""

import numpy as np

from kit import plots
from kit.panels import line_panels
from kit.studies.results import Results
from kit.studies.simplify.arms import (
    BETAS,
    DECIDING,
    ENCODERS,
    FEED_FORWARD_GAINS,
    NAMES,
    STARTS,
)
from kit.studies.simplify.comparisons import BASE, sweep
from kit.studies.simplify.inside import draw_inside
from kit.studies.simplify.pace import timed
from kit.studies.simplify.speed import BATCH, CONTEXT, PRESETS, WIDTHS
from kit.studies.study import Figure

NATS = "loss, nats per token"


def draw(results: Results) -> list[Figure]:
    """Every figure whose arms were run."""
    made = (_learning, _losses, _updates, _starts, _depth, draw_inside, _speed)
    return [figure for make in made for figure in make(results)]


def _depths(results: Results, arms: list[str]) -> str:
    """How many blocks the models of some arms have, from their specs."""
    found = {len(row.spec["model"]["blocks"]) for a in arms for row in results.of(a)}
    return " and ".join(map(str, sorted(found)))


def _learning(results: Results) -> list[Figure]:
    found = []
    for name, suffix, family, what in (
        ("learning", "", DECIDING, "Next-token loss"),
        ("encoder", "-encoder", ENCODERS, "Loss on masked tokens of the encoders"),
    ):
        called = {f"{arm}{suffix}": NAMES[arm] for arm in family}
        arms = [arm for arm in called if results.of(arm)]
        if len(arms) < 2:
            continue
        for x, per in (("step", "step"), ("seconds", "second of training")):
            shown = results if x == "step" else timed(results, arms, arms[0])
            if not len(shown):
                continue
            picture = plots.learning_curves(
                shown,
                "validation_loss",
                list(called),
                x=x,
                label=NATS,
                names=called,
            )
            caption = (
                f"{what} on held-out text per {per}, {_depths(results, arms)} blocks, "
                "each at the learning rate that its search found. Lower is better."
            )
            if x == "seconds":
                caption += (
                    " Seconds are steps times those of a step, timed in turns with "
                    "Pre-LN on one core."
                )
            found.append(Figure(f"{name}-{x}", caption, picture))
    return found


def _losses(results: Results) -> list[Figure]:
    arms = [
        arm
        for arm in results.arms
        if not arm.startswith(("S-", "T-", "L-", "E-identity-x", "E-orthogonal-x"))
        and not arm.endswith(("-deep", "-encoder"))
    ]
    if len(arms) < 2:
        return []
    every = [v for a in arms for v in results.values(a, "loss").values() if v]
    picture = plots.bar_with_points(
        results, "loss", arms, label=NATS, limits=(min(every) - 0.1, max(every) + 0.1)
    )
    caption = (
        f"Final held-out loss of {_depths(results, arms)} blocks; the sweeps have "
        "figures of their own. A point is a seed, a line the 95 % interval of their "
        "mean. The axis does not start at zero."
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
    for start in STARTS:
        arms = sweep(start)
        if _have(results, arms):
            lines[start] = _final(results, arms)
    if not lines:
        return []
    references = {}
    if results.of(BASE):
        references[NAMES[BASE]] = float(np.mean(_final(results, [BASE])))
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
        {NATS: {NAMES["G-sas-p"]: _final(results, arms)}},
        {NATS: [f"{gain:g}" for gain in FEED_FORWARD_GAINS]},
        x_label="feed-forward gain at the start",
        references={NATS: references},
    )
    caption = (
        "How much the start of the trained feed-forward gain matters in SAS-P (the "
        "paper's Fig. 14); dotted is the rule of depth."
    )
    return [Figure("starts", caption, picture)]


def _depth(results: Results) -> list[Figure]:
    title, naive = "loss above Pre-LN, nats", "the naive block"
    panels: dict[str, dict[str, np.ndarray]] = {title: {}}
    for arm in DECIDING[1:]:
        pair = [arm, f"{arm}-deep", BASE, f"{BASE}-deep"]
        if _have(results, pair):
            shallow, deep, base, deep_base = _final(results, pair).T
            panel = panels.setdefault(naive if arm == "C-naive" else title, {})
            panel[NAMES[arm]] = np.stack([shallow - base, deep - deep_base], 1)
    if not panels[title]:
        return []
    depths = [_depths(results, [arm]) for arm in (BASE, f"{BASE}-deep")]
    picture = line_panels(
        panels,
        dict.fromkeys(panels, depths),
        columns=len(panels),
        x_label="blocks",
        references=dict.fromkeys(panels, {NAMES[BASE]: 0.0}),
    )
    caption = (
        "What each block costs against Pre-LN at two depths (the paper's Fig. 6). A "
        "line that rises falls behind with depth. The naive block has an axis of its "
        "own."
    )
    return [Figure("depth", caption, picture)]


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
        f"memory that training takes. {BATCH * CONTEXT} tokens a step."
    )
    return [Figure("speed", caption, picture)]
