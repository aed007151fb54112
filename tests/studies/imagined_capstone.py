"""Rows of the capstone study that were never run, in worlds of our choice."""

import functools

import numpy as np

from kit.studies.capstone import STUDY
from kit.studies.capstone.arms import HALF, grid
from kit.studies.capstone.base import (
    INGREDIENTS,
    POSITIONS,
    PRUNED,
    RATES,
    SHARED,
    SIMPLIFIED,
    name_of,
    together,
    without,
)
from kit.studies.results import Results, Row
from kit.studies.verdicts import judge

cells = functools.cache(STUDY.cells)
BASE = 4.0
EFFECTS = {SIMPLIFIED: 0.02, POSITIONS: 0.1, RATES: -0.1, SHARED: 0.02, PRUNED: 0.1}
FIGHTS = dict.fromkeys(
    [
        (SIMPLIFIED, POSITIONS),
        (SIMPLIFIED, SHARED),
        (SIMPLIFIED, PRUNED),
        (SHARED, PRUNED),
    ],
    0.08,
)
REFUTED = {SIMPLIFIED: 0.2, POSITIONS: 0.0, RATES: 0.0, SHARED: 0.2, PRUNED: 0.0}
REFUTED_FIGHTS = {
    **{(name, RATES): 0.2 for name in (SIMPLIFIED, POSITIONS)},
    **{(RATES, name): 0.2 for name in (SHARED, PRUNED)},
    (POSITIONS, SHARED): 0.2,
    (POSITIONS, PRUNED): 0.2,
}
COMBINATIONS = {name_of(each): each for each in grid("full")}


def added_up(combination, effects, fights):
    """A loss to which each ingredient adds, and each pair."""
    pairs = [fight for pair, fight in fights.items() if {*pair} <= {*combination}]
    return BASE + sum(effects[name] for name in combination) + sum(pairs)


def loss(arm, as_claimed=True):
    if as_claimed:
        combination = together() if arm == HALF else COMBINATIONS[arm]
        return added_up(combination, EFFECTS, FIGHTS) + 0.2 * (arm == HALF)
    if arm == HALF:
        return BASE
    combination = COMBINATIONS[arm]
    if len(combination) < len(INGREDIENTS) - 1:
        return added_up(combination, REFUTED, REFUTED_FIGHTS)
    worse = combination == without(SIMPLIFIED)
    return added_up(together(), REFUTED, {}) + 0.1 * worse


def size(arm):
    """Thousands of parameters, of a plain model of half a million."""
    combination = () if arm == HALF else COMBINATIONS[arm]
    taken = {SIMPLIFIED: 60, POSITIONS: 4, RATES: 0, SHARED: 20, PRUNED: 100}
    return 500 - sum(taken[name] for name in combination) - 160 * (arm == HALF)


def imagined_row(cell, as_claimed, noise):
    name = cell.arm.name
    metrics = {"loss": loss(name, as_claimed) + noise, "first_loss": 4.2}
    metrics |= {"parameters": 1e3 * size(name), "flops_per_token": 2e3 * size(name)}
    return Row(
        **{field: getattr(cell.arm, field) for field in ("label", "spec")},
        key=cell.key,
        study="capstone",
        budget="imagined",
        arm=name,
        seed=cell.seed,
        status="finished",
        metrics=metrics | {"tokens_per_second": 1e5},
    )


def imagined_rows(budget, as_claimed=True):
    rng = np.random.default_rng(0)
    return [
        imagined_row(cell, as_claimed, 1e-4 * rng.normal()) for cell in cells(budget)
    ]


def judged(rows, budget="imagined"):
    verdicts = judge(STUDY.claims, Results(rows, budget))
    return {verdict.claim: verdict for verdict in verdicts}
