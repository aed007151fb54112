"""Rows of the symmetry study that were never run, in worlds of our choice."""

import functools

import numpy as np

from kit.probes.ceilings import bayes_ceilings
from kit.studies.results import Results, Row
from kit.studies.symmetry import STUDY
from kit.studies.symmetry.base import SCALES
from kit.studies.symmetry.bounds import ceilings_of
from kit.studies.symmetry.order import FEWER_STEPS, INVARIANT, INVARIANT_TRAINED
from kit.studies.verdicts import judge

cells = functools.cache(STUDY.cells)
SOLVES, FAILS = {"exact_match": 0.99}, {"exact_match": 0.01}
FEW = SCALES["full"].steps // 2  # steps of an arm that learns
FLOOR = bayes_ceilings(digits=3, reverse=True).cross_entropy
PREFIX_FLOOR = bayes_ceilings(digits=3, reverse=True, mask="prefix").cross_entropy


def imagined(arm, as_claimed):
    """Metrics of an arm in a world where every claim holds, or none does."""
    if arm.name.startswith("N-"):
        invariant = (arm.name in INVARIANT) == as_claimed
        change = 1e-7 if invariant else 0.5
        return {"random_weights_change": change, "trained_weights_change": change}
    if arm.name.startswith("T-"):
        worse = 1.01 if as_claimed else 1.3
        return {"loss": 2.0 * worse if arm.name == "T-none" else 2.0}
    blind = arm.name.startswith(("C-", "E-", "P-"))
    failing = blind or arm.name.startswith(("G-", "K-", "J-4-attention", "B-highest"))
    found = dict(FAILS if failing == as_claimed else SOLVES)
    if arm.name.startswith("H-"):
        found = {"exact_match": 0.6 if as_claimed else 0.01}
    kept = (not arm.name.startswith("G-")) == as_claimed
    found |= {"own_token_margin": 0.7 if kept else 0.1}
    found |= {"diagonal_dominance": 9.0 if kept else 1.0}
    slower = as_claimed and arm.name.endswith("highest-first")
    found |= {"steps_taken": FEW + 2 * FEWER_STEPS * slower}
    invariant = (arm.name in INVARIANT_TRAINED) == as_claimed
    found |= {"permutation_change": 1e-7 if invariant else 0.5}
    best = ceilings_of(arm.spec["task"]).digit_accuracies
    right = [0.97 * share if blind == as_claimed else 1.0 for share in best]
    found |= {f"digit_{k}_accuracy": share for k, share in enumerate(right)}
    floor = PREFIX_FLOOR if arm.name.startswith("P-") else FLOOR
    return found | {"loss": floor * (1.01 if as_claimed else 2.0)}


def imagined_row(cell, metrics, **others):
    return Row(
        **{name: getattr(cell.arm, name) for name in ("label", "spec")},
        key=cell.key,
        study="symmetry",
        budget="imagined",
        arm=cell.arm.name,
        seed=cell.seed,
        status="finished",
        metrics=metrics,
        **others,
    )


def imagined_rows(budget, as_claimed=True, **arms_of_their_own):
    """Rows of a whole budget, with some metrics of some arms replaced."""
    rng = np.random.default_rng(0)
    rows = []
    for cell in cells(budget):
        metrics = imagined(cell.arm, as_claimed)
        metrics |= arms_of_their_own.get(cell.arm.name.replace("-", "_"), {})
        noisy = {k: v * (1 + 0.002 * rng.normal()) for k, v in metrics.items()}
        rows.append(imagined_row(cell, noisy))
    return rows


def judged(rows):
    verdicts = judge(STUDY.claims, Results(rows, "imagined"))
    return {verdict.claim: verdict for verdict in verdicts}


class Watched(Results):
    """Results that remember which arms somebody asked for."""

    def __init__(self, *args):
        super().__init__(*args)
        self.asked = set()

    def of(self, arm):
        self.asked.add(arm)
        return super().of(arm)
