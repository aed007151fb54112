"""The report's figures, from stored rows only."""

import textwrap

import numpy as np

from kit import plots
from kit.panels import line_panels
from kit.probes.ceilings import bayes_ceilings
from kit.studies.results import Results
from kit.studies.study import Figure
from kit.studies.symmetry.families import largest
from kit.studies.symmetry.inside import draw_inside, probed

# The arms of the learning curves, in words.
CURVES = {
    "A-learned": "learned positions",
    "B-none": "no positions",
    "D-learned-full": "learned positions, full mask",
    "C-one-block": "no positions, one block",
    "E-full": "no positions, full mask",
    "P-prefix": "no positions, full mask over the prompt",
}

# The arms of the figure of digits, by what their order of digits does not change.
DIGITS = {
    "B-none": "causal mask, no positions",
    "C-one-block": "one causal block, no positions",
    "E-full": "full mask, no positions",
    "P-prefix": "prefix mask, no positions",
    "G-3-consecutive": "causal mask, no positions, three blocks without skips",
    "B-highest-first": "causal mask, no positions",
    "E-highest-first": "full mask, no positions",
}


def draw(results: Results) -> list[Figure]:
    """Every figure whose arms were run."""
    made = (_learning, _loss, _digits, _exact_match, _invariance, _slices)
    every = (*made, draw_inside, _text)
    return [figure for make in every for figure in make(results)]


def _arms(results: Results, *prefixes: str) -> list[str]:
    return [arm for arm in results.arms if arm.startswith(prefixes)]


def _curves(results: Results) -> dict[str, str]:
    """Arm -> its name in words, for those that were run; without any skip last."""
    bare = largest("G-", results)
    named = CURVES | ({bare: "no positions, no skips"} if bare else {})
    return {arm: name for arm, name in named.items() if arm in results.arms}


def _learning(results: Results) -> list[Figure]:
    names = _curves(results)
    if not names:
        return []
    ceiling = bayes_ceilings(digits=3, reverse=True).exact_match
    picture = plots.learning_curves(
        results,
        "validation_exact_match",
        list(names),
        names=names,
        label="exact match on held-out pairs",
        references={f"most that an order-blind model can do ({ceiling:.1%})": ceiling},
    )
    caption = (
        "Who learns 3-digit addition. By theory, no model without positions can pass "
        "the dotted line with a full mask, or with a single causal block. Without "
        "skips nothing forbids it."
    )
    return [Figure("learning", caption, picture)]


def _loss(results: Results) -> list[Figure]:
    names = {
        arm: name
        for arm, name in _curves(results).items()
        if name.startswith("no positions")
    }
    if not names:
        return []
    floors = {
        f"{mask} mask, no positions: {ceilings.cross_entropy:.3f}": (
            ceilings.cross_entropy
        )
        for mask in ("full", "prefix")
        for ceilings in [bayes_ceilings(digits=3, reverse=True, mask=mask)]
    }
    picture = plots.learning_curves(
        results,
        "validation_loss",
        list(names),
        names=names,
        label="loss, nats per answer digit",
        references=floors,
    )
    caption = (
        "The loss against what order-blindness allows (dotted): the floors follow from "
        "enumerating all pairs, with no parameter to fit."
    )
    return [Figure("loss", caption, picture)]


def _digits(results: Results) -> list[Figure]:
    """Accuracy and loss of each digit, for each order in which they were written."""
    panels, ticks, references, limits = {}, {}, {}, {}
    for order, reverse in (("lowest first", True), ("highest first", False)):
        arms = {arm: blind for arm, blind in DIGITS.items() if results.of(arm)}
        arms = {a: name for a, name in arms.items() if _reversed(results, a) == reverse}
        if not arms:
            continue
        for kind, metric in (("accuracy", "accuracy"), ("loss, nats", "loss")):
            title = f"{kind}, {order}"
            panels[title] = {
                name: grid
                for arm, name in arms.items()
                for grid in [_by_digit(results, arm, metric)]
            }
            names = ("units", "10s", "100s", "1000s")
            ticks[title] = names if reverse else names[::-1]
            references[title] = {
                f"best that counting allows, {mask} mask": (
                    best.digit_accuracies
                    if metric == "accuracy"
                    else best.digit_cross_entropies
                )
                for mask in ("full", "prefix")
                for best in [bayes_ceilings(digits=3, reverse=reverse, mask=mask)]
            }
            limits[title] = (0, 1.04) if metric == "accuracy" else (0, np.log(10))
    if not panels:
        return []
    picture = line_panels(
        panels, ticks, columns=2, references=references, limits=limits
    )
    caption = (
        "Each digit of the answer, predicted with the true digits before it, against "
        "what counting allows a model that reads its prompt as a bag (grey; dashed "
        "where it knows the order of the answer so far). An order-blind model stays "
        "below the grey line in accuracy and above it in loss; look for the digits "
        "where a model crosses it."
    )
    return [Figure("digits", caption, picture)]


def _reversed(results: Results, arm: str) -> bool:
    return bool(results.of(arm)[0].spec["task"]["reverse_answer"])


def _by_digit(results: Results, arm: str, metric: str) -> np.ndarray:
    """Metric of each answer digit in each run that has one, (runs, digits)."""
    names = [f"digit_{k}_{metric}" for k in range(4)]
    found = [[row.metrics.get(name) for name in names] for row in results.of(arm)]
    return np.array(found, dtype=float)


def _exact_match(results: Results) -> list[Figure]:
    arms = _arms(results, "B-none", "F-", "G-", "H-", "I-", "J-", "K-")
    if len(arms) < 2:
        return []
    picture = plots.bar_with_points(
        results, "exact_match", arms, label="exact match", limits=(0, 1.02)
    )
    caption = (
        "Skips removed: in one block, in consecutive blocks, in blocks spread out, "
        "with learned positions as the control, only around one part, and at lower "
        "learning rates. A point is a seed. Compare each line without positions with "
        "the same skips removed beside learned positions: where both fail, positions "
        "are not the reason."
    )
    return [Figure("skips", caption, picture)]


def _invariance(results: Results) -> list[Figure]:
    arms = _arms(results, "N-")
    if not arms:
        return []
    metrics = ("random_weights_change", "trained_weights_change")
    grid = [
        [
            max((v for v in values if v is not None), default=np.nan)
            for metric in metrics
            for values in [results.values(arm, metric).values()]
        ]
        for arm in arms
    ]
    picture = plots.heatmap(
        np.log10(np.maximum(grid, 1e-9)),
        rows=[results.arms[arm] for arm in arms],
        columns=["random", "trained"],
        column_label="weights",
        label="log10 of the relative change",
        limits=(-8, 0),
        form=".1f",
    )
    caption = (
        "Largest change of the next-token logits when earlier tokens trade places, "
        "over all seeds, relative to the logits. About -6 is float32 rounding: exactly "
        "invariant."
    )
    return [Figure("invariance", caption, picture)]


def _slices(results: Results) -> list[Figure]:
    arms = _arms(results, "A-learned", "B-none", "G-", "I-")
    found = {arm: probed(results, arm, "own_token_margin") for arm in arms}
    rows = {arm: grid.mean(axis=0) for arm, grid in found.items() if grid is not None}
    if not rows:
        return []
    depth = max(len(row) for row in rows.values())
    grid = [
        np.pad(r, (0, depth - len(r)), constant_values=np.nan) for r in rows.values()
    ]
    picture = plots.heatmap(
        grid,
        rows=[textwrap.fill(results.arms[arm], 30) for arm in rows],
        columns=["input", *map(str, range(depth - 1))],
        column_label="output of block",
        label="own minus other slices",
        limits=(0, 1),
        form=".2f",
    )
    caption = (
        "How well each slice keeps its own token (claim C3): accuracy of a linear "
        "readout of the token at position k from slice k, minus that from the other "
        "slices. Read along a row; then compare models with and without skips."
    )
    return [Figure("slices", caption, picture)]


def _text(results: Results) -> list[Figure]:
    arms = _arms(results, "T-")
    if not arms:
        return []
    picture = plots.learning_curves(
        results, "validation_loss", arms, label="loss, nats per character"
    )
    caption = "The same kind of model on English text, character by character."
    return [Figure("text", caption, picture)]
