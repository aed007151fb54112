"""Rows of the simplify study that were never run, in worlds of our choice."""

import functools

import numpy as np

from kit.studies.results import Results, Row
from kit.studies.simplify import STUDY
from kit.studies.simplify.arms import BETAS, EDITS
from kit.studies.verdicts import judge

cells = functools.cache(STUDY.cells)

BASE = 3.5
# Loss above Pre-LN, where all claims hold and where none does.
CLAIMED = {
    "C-naive": 1.0,
    "D-v-skip-init": 0.2,
    "D-v-skip-init-deep": 0.4,
    "H-no-norm": 0.1,
    "I-pre-ln-identity": 0.05,
    "K-skip-init-map": 0.05,
    "E-identity-gains": 0.05,
    **{f"E-identity-x{beta:g}": 0.1 * beta for beta in BETAS},
    **{f"E-orthogonal-x{beta:g}": 0.1 + 0.1 * beta for beta in BETAS},
    **{name: 0.8 for name in EDITS if name.startswith("J-")},
    **{name: 0.1 for name in EDITS if name.startswith("L-")},
}
REFUTED = {
    **{name: 0.2 for name in EDITS if name[0] in "FGJKMN"},
    **{f"{name}-encoder": 0.2 for name in ("F-sas", "G-sas-p")},
    **{f"{name}-deep": 0.6 for name in ("F-sas", "G-sas-p")},
    "H-no-norm": 0.1,
    **{f"E-identity-x{beta:g}": 0.3 - 0.1 * beta for beta in BETAS},
    **{f"E-orthogonal-x{beta:g}": 0.2 - 0.1 * beta for beta in BETAS},
}
COST = {
    True: {"speed_ratio": 1.3, "parameter_ratio": 0.85},
    False: {"speed_ratio": 1.0, "parameter_ratio": 0.95},
}
MORE_COST = {"bound_by_flops": 1.3, "memory_ratio": 0.9}
STEPS = range(80, 961, 80)


def imagined_metrics(arm, loss, as_claimed):
    if arm.name.startswith("T-"):
        twice = as_claimed and arm.name == "T-H-no-norm"
        return {"speed_ratio": 2.0 if twice else 1.0, "base_step_seconds": 0.04}
    shrinks = as_claimed != arm.name.startswith("E-pre-ln")
    metrics = {"median_update_ratio": 0.01 if shrinks else 0.5}
    return metrics | {"loss": loss} | COST[as_claimed] | MORE_COST


def imagined_gains(arm, share):
    """Gains by name after a share of the run, of arms that train some."""
    shapes = ("map_alpha", "map_beta", "map_gamma")
    at = dict.fromkeys([f"attention/{name}" for name in shapes], 1 - 0.3 * share)
    at |= {"feed_forward_gain": 0.17 + 0.1 * share, "attention_gain": 1 + share}
    at |= {"feed_forward_skip": 1 - 0.1 * share}
    for matrix in ("value", "projection"):
        at |= {f"attention/{matrix}_alpha": 1.0}
        at |= {f"attention/{matrix}_beta": -0.2 * (1 - share)}
    blocks = range(len(arm.spec.get("model", {"blocks": ()})["blocks"]))
    return {
        f"gain/block_{block}/{name}": value + 0.02 * block
        for block in blocks
        for name, value in at.items()
    }


def imagined_probes(arm):
    """A signal with as many layers as the arm has; the naive one collapses."""
    blocks = len(arm.spec["model"]["blocks"])
    end = 1.0 if arm.name.startswith("C-") else 0.1
    found = {
        "cosine": np.linspace(0.02, end, blocks + 1).tolist(),
        "norm": np.geomspace(0.02, 3, blocks + 1).tolist(),
        "gradient": np.geomspace(0.5, 0.1 * (1.01 - end), blocks).tolist(),
    }
    return {"signal": {"at_start": found, "trained": found}}


def imagined_row(cell, loss, as_claimed):
    return Row(
        **{name: getattr(cell.arm, name) for name in ("label", "spec")},
        key=cell.key,
        study="simplify",
        budget="imagined",
        arm=cell.arm.name,
        seed=cell.seed,
        status="finished",
        metrics=imagined_metrics(cell.arm, loss, as_claimed),
        history=[
            {
                "step": step,
                "seconds": 40 * step / STEPS[-1],
                "validation_loss": loss + 4 * (1 - step / STEPS[-1]) ** 2,
            }
            | imagined_gains(cell.arm, step / STEPS[-1])
            for step in STEPS
        ],
        probes=imagined_probes(cell.arm) if "model" in cell.arm.spec else {},
        training_seconds=40.0,
        steps=STEPS[-1],
    )


def imagined_rows(budget, as_claimed=True):
    """Rows of a whole budget in which every claim holds, or none does."""
    rng = np.random.default_rng(0)
    above = CLAIMED if as_claimed else REFUTED
    return [
        imagined_row(
            cell,
            BASE + above.get(cell.arm.name, 0.0) + 2e-4 * rng.normal(),
            as_claimed,
        )
        for cell in cells(budget)
    ]


def judged(rows):
    verdicts = judge(STUDY.claims, Results(rows, "imagined"))
    return {verdict.claim: verdict for verdict in verdicts}
