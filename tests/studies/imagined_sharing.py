"""Rows of the sharing study that were never run, in worlds of our choice."""

import functools

import numpy as np

from kit.studies.results import Results, Row
from kit.studies.sharing import STUDY
from kit.studies.sharing.base import RULES
from kit.studies.sharing.matrices import upper
from kit.studies.sharing.paper import EFFICIENCY
from kit.studies.sharing.real import checkpoint_arm
from kit.studies.study import Cell
from kit.studies.verdicts import judge

BASE = 4.0
# Loss above the trained model, by what comes after the subject in the name of an arm,
# where all claims hold and where none does.
CLAIMED = {
    "0-continual": 0.0,
    "25-continual": 0.02,
    "25-kd-continual": -0.2,
    "40-continual": 0.1,
    "40-kd-continual": -0.1,
    "75-continual": 0.6,
    "75-kd-continual": 0.1,
    "75-kd": 0.2,
    "40-scratch": 0.3,
    "40-scratch-short": 2.0,
    "0-scratch": 0.29,
    "40-dropped": 0.3,
    "33-kd-continual": 0.01,
    **{f"40-{rule}": 0.1 for rule in ("random", "worst", "ends")},
    **{f"40-{rule}": -0.1 for rule in ("gap", "consecutive", "cheapest", "matched")},
    **{f"40-{name}": 0.1 for name in ("no-hidden", "no-soft", "no-hard")},
    "40-true-labels": 0.1,
    "40-forward": -0.1,
}
REFUTED = {
    "0-continual": -0.3,
    "25-continual": 0.2,
    "25-kd-continual": 0.25,
    "40-continual": 0.1,
    "40-kd-continual": 0.3,
    "75-continual": 0.1,
    "75-kd-continual": 0.2,
    "75-kd": 0.2,
    "40-scratch": 0.2,
    "40-scratch-short": 0.1,
    "0-scratch": 0.0,
    "40-dropped": 0.0,
    "33-kd-continual": 0.4,
    **{f"40-{rule}": 0.2 for rule in (*RULES, "matched")},
    **{f"40-{name}": 0.2 for name in ("no-hidden", "no-soft", "no-hard")},
    "40-true-labels": 0.2,
    "40-forward": 0.0,
}
MEASURES = ("cosine", "rows", "jensen-shannon")


@functools.cache
def cells(budget):
    """Those of a machine that has the checkpoint, whether this one has or not."""
    found = STUDY.cells(budget)
    if budget == "full" and not any(cell.arm.name == "smollm2" for cell in found):
        arm = checkpoint_arm()
        found += [Cell("sharing", found[0].version, arm, s) for s in range(arm.seeds)]
    return found


def maps(blocks, alike):
    """Similarities that fall with the distance, and not so at the ends."""
    grid = np.full((blocks, blocks), alike)
    grid[0], grid[:, 0], grid[-1], grid[:, -1] = (alike / 3,) * 4
    return {
        "value": dict.fromkeys(MEASURES, upper(grid)),
        "null": dict.fromkeys(MEASURES, upper(grid / 4)),
    }


def alike(as_claimed, large=True):
    """Metrics of the maps of a model."""
    found = {}
    for measure in MEASURES:
        level = 0.8 if large == as_claimed else 0.5
        found |= {
            f"{measure}_inner": level,
            f"{measure}_inner_null": 0.3,
            f"{measure}_inner_excess": level - 0.2 if as_claimed else level / 3 - 0.4,
            f"{measure}_above_first": 0.4 if as_claimed else 0.0,
            f"{measure}_above_last": 0.3 if as_claimed else 0.0,
            f"{measure}_above_unrelated": 0.4 if as_claimed else 0.0,
            f"{measure}_start": 0.95 if as_claimed else 0.5,
            f"{measure}_fall": 0.3 if as_claimed else 0.0,
            f"correlation_{measure}": -0.8 if as_claimed else 0.2,
            f"next_correlation_{measure}": -0.8 if as_claimed else 0.2,
            f"next_correlation_{measure}_excess": -0.1,
            f"{measure}_unrelated": 0.4,
        }
    return found


def base(arm, as_claimed):
    blocks = len(arm.spec["base"]["model"]["blocks"])
    seen = {str(step): maps(blocks, 0.8 - step / 200) for step in (20, 40, 60)}
    probes = {"watched": seen, "start": maps(blocks, 0.9), "end": seen["60"]}
    metrics = {"loss": BASE, **alike(as_claimed, not arm.name.startswith("small"))}
    return metrics, probes


def copied(arm, as_claimed):
    name, plan = arm.name, arm.spec["plan"]
    blocks = 30 if name == "smollm2" else 8
    if "base" in arm.spec:
        blocks = len(arm.spec["base"]["model"]["blocks"])
    copying = [
        [block, source, 0.1 * (1 + block - source)]
        for block in range(1, blocks)
        for source in range(max(0, block - plan["reach"]), block)
    ]
    counts = [round(rate * blocks) for rate in plan["rates"]]
    rules = {
        rule: {
            str(count): {
                "copies": {str(1 + n): 0 for n in range(count)},
                "loss": BASE + 0.1 * count * (1 + place),
            }
            for count in counts
        }
        for place, rule in enumerate(RULES)
    }
    probes = {"maps": maps(blocks, 0.7), "copying": copying, "rules": rules}
    probes["dropping"] = [0.2] * blocks
    return {"loss": BASE, **alike(as_claimed)}, probes


def student(arm, as_claimed):
    name = arm.name.partition("-")[2]
    above = (CLAIMED if as_claimed else REFUTED).get(name, 0.05)
    before = BASE + (1.0 if ("matched" in name) == as_claimed else 2.0)
    loss = BASE + above
    metrics = {"loss_before": before, "stage_1_loss": loss + 0.1, "loss": loss}
    metrics["stage_2_gain"] = 0.1 if as_claimed else -0.1
    return metrics | {"copied": 3, "parameters_saved": 0.05}, {"copies": {"2": 1}}


def speed(arm, as_claimed):
    generation, training, parameters = EFFICIENCY[arm.spec["share"]]
    sign = 1 if as_claimed else -1
    return {
        "formula_miss": 0.0 if as_claimed else 8.0,
        "printed_miss": 0.00001 if as_claimed else 0.01,
        "generation_gain": sign * (generation + 0.05),
        "generation_saving": generation,
        "step_gain": sign * 0.3,
        "step_saving": sign * (training + 0.05),
        "forward_gain": 0.1,
        "forward_saving": 0.1,
        "flops_saved": parameters,
        "memory_ratio": 1 - parameters,
    }, {}


KINDS = {
    "base": base,
    "copied": copied,
    "checkpoint": copied,
    "student": student,
    "scratch": student,
    "speed": speed,
}
EXACT = ("formula_miss", "printed_miss", "copied")


def imagined_row(cell, as_claimed, noise):
    metrics, probes = KINDS[cell.arm.spec["kind"]](cell.arm, as_claimed)
    return Row(
        **{name: getattr(cell.arm, name) for name in ("label", "spec")},
        key=cell.key,
        study="sharing",
        budget="imagined",
        arm=cell.arm.name,
        seed=cell.seed,
        status="finished",
        metrics={k: v + noise * (k not in EXACT) for k, v in metrics.items()},
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
