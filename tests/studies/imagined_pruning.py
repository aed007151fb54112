"""Rows of the pruning study that were never run, in worlds of our choice."""

import functools

import numpy as np

from kit.studies.pruning import STUDY
from kit.studies.pruning.base import ALPHAS, METHODS
from kit.studies.pruning.curves import at
from kit.studies.pruning.real import TEXTS, checkpoint_arms
from kit.studies.results import Results, Row
from kit.studies.study import Cell
from kit.studies.verdicts import judge

DENSE = 4.0
# Loss above the dense model without half of its blocks, by what comes after the
# subject in the name of an arm, where all claims hold and where none does.
CLAIMED = {
    **{method: 2.0 for method in METHODS},
    "2ssp": 1.0,
    "stage-1": 1.3,
    "magnitude": 2.5,
    "random": 3.0,
    "depth-first": 1.2,
    "inverted": 2.0,
    "random-tokens": 1.5,
    "shuffled-tokens": 1.1,
    "all-tokens": 1.4,
    "score-random": 2.0,
    "score-magnitude": 1.5,
    "score-worst": 3.0,
}
REFUTED = {
    **{method: 0.7 for method in METHODS},
    "2ssp": 1.0,
    "score-l1": 0.8,
    "sequences-1": 1.4,
    "sequences-4": 1.3,
    "sequences-16": 1.2,
    "sequences-32": 1.1,
}
ELSEWHERE = {True: 1.0, False: 0.8}  # arms that are not named above


@functools.cache
def cells(budget):
    """Those of a machine that has the checkpoint, whether this one has or not."""
    found = STUDY.cells(budget)
    if budget == "full" and not any(c.arm.spec["kind"] == "checkpoint" for c in found):
        more = [(arm, seed) for arm in checkpoint_arms() for seed in range(arm.seeds)]
        found += [Cell("pruning", found[0].version, arm, seed) for arm, seed in more]
    return found


def above(arm, as_claimed):
    name = arm.name.partition("-")[2].removesuffix("-recovered")
    return (CLAIMED if as_claimed else REFUTED).get(name, ELSEWHERE[as_claimed])


def curve(arm, as_claimed):
    """Loss grows with the square of the sparsity, as far as the method reaches."""
    plan, most = arm.spec["plan"], 4 * above(arm, as_claimed)
    reach = 0.3 if plan["method"] == "attention" else 1.0
    metrics = {
        "weight_change": 0.0 if as_claimed else 1e-3,
        "largest_miss": 0.001 if as_claimed else 0.1,
    }
    for sparsity in plan["sparsities"]:
        if sparsity > reach:
            continue
        metrics[at("loss", sparsity)] = DENSE + most * sparsity**2
        metrics[at("exact_match", sparsity)] = 1 - sparsity
        searched = plan["method"] == "evopress" and as_claimed
        metrics[at("evaluations", sparsity)] = 1e5 if searched else 1e3
        metrics[at("seconds", sparsity)] = 60.0 if searched else 3.0
        if plan.get("draws", 1) > 1:
            metrics[at("spread", sparsity)] = 0.1 / plan["sequences"] ** 0.5
    return metrics, {}


def split(arm, as_claimed):
    """Best with 2 attentions; the rule says so, or says 5."""
    rule = 2 if as_claimed else 5
    losses = {str(n): DENSE + 1 + 0.1 * (n - 2) ** 2 for n in range(8)}
    metrics = {
        "regret": 0.1 * (rule - 2) ** 2,
        "attentions_by_the_rule": rule,
        "attentions_at_best": 2,
    }
    alphas = {str(alpha): rule if alpha == 1.5 else 3 for alpha in ALPHAS}
    sparsity = arm.spec["plan"]["sparsity"]
    probes = {"losses": losses, "alphas": alphas, "rule": rule, "sparsity": sparsity}
    return metrics, probes


def recovered(arm, as_claimed):
    if arm.spec["plan"]["method"] is None:
        return {"loss_before": DENSE, "recovered_loss": DENSE - 0.05}, {}
    loss = DENSE + above(arm, as_claimed)
    return {"loss_before": loss, "recovered_loss": DENSE + (loss - DENSE) / 4}, {}


def dense(arm, as_claimed):
    return {"loss": DENSE, "exact_match": 1.0}, {}


def checkpoint(arm, as_claimed):
    """As on our models, and whole blocks reach more than was asked for."""
    method, asked = arm.spec["method"], arm.spec["sparsity"]
    table = CLAIMED if as_claimed else REFUTED
    over = 0.02 if method in ("shortgpt", "window") else 0.0
    more = 4 * table.get(method, 0.0) * (asked + over) ** 2
    losses = {f"{text}_loss": 3 + more for text in TEXTS}
    return {
        **losses,
        "last_word_accuracy": 0.5 - 0.1 * more,
        "reached": asked + over,
    }, {}


KINDS = {f.__name__: f for f in (dense, curve, split, recovered, checkpoint)}


def imagined_row(cell, as_claimed, noise):
    metrics, probes = KINDS[cell.arm.spec["kind"]](cell.arm, as_claimed)
    exact = ("weight_change", "reached", "largest_miss")
    return Row(
        **{name: getattr(cell.arm, name) for name in ("label", "spec")},
        key=cell.key,
        study="pruning",
        budget="imagined",
        arm=cell.arm.name,
        seed=cell.seed,
        status="finished",
        metrics={k: v + noise * (k not in exact) for k, v in metrics.items()},
        probes=probes,
    )


def imagined_rows(budget, as_claimed=True):
    rng = np.random.default_rng(0)
    return [
        imagined_row(cell, as_claimed, 1e-4 * rng.normal()) for cell in cells(budget)
    ]


def judged(rows, budget="imagined"):
    verdicts = judge(STUDY.claims, Results(rows, budget))
    return {verdict.claim: verdict for verdict in verdicts}
