"""The report's figures, from stored rows only."""

import numpy as np

from kit import plots
from kit.probes.ceilings import bayes_ceilings
from kit.studies.results import Results
from kit.studies.study import Figure


def draw(results: Results) -> list[Figure]:
    """Every figure whose arms were run."""
    made = (_learning, _loss, _exact_match, _invariance, _slices, _text)
    return [figure for make in made for figure in make(results)]


def _arms(results: Results, *prefixes: str) -> list[str]:
    return [arm for arm in results.arms if arm.startswith(prefixes)]


def _learning(results: Results) -> list[Figure]:
    arms = _arms(results, "A-learned", "B-none", "C-one", "D-", "E-full", "P-")
    if not arms:
        return []
    ceiling = bayes_ceilings(digits=3, reverse=True).exact_match
    picture = plots.learning_curves(
        results,
        "validation_exact_match",
        arms,
        label="exact match on held-out pairs",
        references={f"most that an order-blind model can do ({ceiling:.1%})": ceiling},
    )
    caption = (
        "Who learns 3-digit addition. By theory, no model without positions can pass "
        "the dotted line with a full mask, or with a single causal block."
    )
    return [Figure("learning", caption, picture)]


def _loss(results: Results) -> list[Figure]:
    arms = _arms(results, "B-none", "C-one", "E-full", "P-")
    if not arms:
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
        arms,
        label="loss, nats per answer digit",
        references=floors,
    )
    caption = (
        "The loss against what order-blindness allows (dotted): the floors follow from "
        "enumerating all pairs, with no parameter to fit."
    )
    return [Figure("loss", caption, picture)]


def _exact_match(results: Results) -> list[Figure]:
    arms = _arms(results, "B-none", "F-", "G-", "H-", "I-", "J-", "K-")
    if len(arms) < 2:
        return []
    picture = plots.bar_with_points(
        results, "exact_match", arms, label="exact match", limits=(0, 1.02)
    )
    caption = (
        "Skips removed: in one block (F), in consecutive blocks (G), spread out (H), "
        "with learned positions (I), only around one part (J), and at a lower learning "
        "rate (K). A point is a seed."
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
        "over all seeds, relative to the logits. About -7 is float32 rounding: exactly "
        "invariant."
    )
    return [Figure("invariance", caption, picture)]


def _slices(results: Results) -> list[Figure]:
    arms = _arms(results, "A-learned", "B-none", "G-", "I-")
    found = {arm: _mean_probe(results, arm, "own_token_margin") for arm in arms}
    rows = {arm: row for arm, row in found.items() if row is not None}
    if not rows:
        return []
    depth = max(len(row) for row in rows.values())
    grid = [
        np.pad(r, (0, depth - len(r)), constant_values=np.nan) for r in rows.values()
    ]
    picture = plots.heatmap(
        grid,
        rows=list(rows),
        columns=["input", *(f"block {i}" for i in range(depth - 1))],
        label="own minus other slices",
        limits=(0, 1),
        form=".2f",
    )
    caption = (
        "How well each slice keeps its own token: accuracy of a linear readout of the "
        "token at position k from slice k, minus that from the other slices."
    )
    return [Figure("slices", caption, picture)]


def _mean_probe(results: Results, arm: str, name: str) -> np.ndarray | None:
    found = [row.probes[name] for row in results.of(arm) if name in row.probes]
    return np.mean(found, axis=0) if found else None


def _text(results: Results) -> list[Figure]:
    arms = _arms(results, "T-")
    if not arms:
        return []
    picture = plots.learning_curves(
        results, "validation_loss", arms, label="loss, nats per character"
    )
    caption = "The same kind of model on English text, character by character."
    return [Figure("text", caption, picture)]
