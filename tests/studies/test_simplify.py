"""The arms of the simplify study, and its claims on rows made by hand."""

import functools

import numpy as np
import pytest

from kit.config import ModelConfig
from kit.studies.results import Results, Row
from kit.studies.search import SEARCH
from kit.studies.simplify import STUDY
from kit.studies.simplify.arms import BETAS, DECIDING, EDITS
from kit.studies.simplify.base import RATES
from kit.studies.simplify.cells import update_ratios
from kit.studies.simplify.drawing import draw
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
COST = {True: {"speed_ratio": 1.3, "parameter_ratio": 0.85}}
COST[False] = {"speed_ratio": 1.0, "parameter_ratio": 0.95}


def imagined_row(cell, loss, as_claimed):
    faster = 0.5 if as_claimed and cell.arm.name == "H-no-norm" else 1.0
    metrics = {"median_update_ratio": 0.01 if as_claimed else 0.5}
    return Row(
        **{name: getattr(cell.arm, name) for name in ("label", "spec")},
        key=cell.key,
        study="simplify",
        budget="imagined",
        arm=cell.arm.name,
        seed=cell.seed,
        status="finished",
        metrics=metrics | {"loss": loss} | COST[as_claimed] | MORE_COST,
        history=[
            {"step": step, "seconds": step * faster, "validation_loss": loss + extra}
            for step, extra in ((1, 3.0), (5, 1.0), (10, 0.0))
        ],
        training_seconds=10.0 * faster,
        steps=10,
    )


MORE_COST = {"bound_by_flops": 1.3, "memory_ratio": 0.9}


def imagined_rows(budget, as_claimed):
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


@pytest.mark.parametrize("as_claimed", [True, False])
def test_every_claim_can_be_answered_either_way(as_claimed):
    expected = "reproduced" if as_claimed else "not reproduced"
    verdicts = judged(imagined_rows("full", as_claimed))
    other = {id: v.sentence for id, v in verdicts.items() if v.verdict != expected}
    assert set(other) == {"C11"}, other  # this scale cannot decide it, and says why
    assert "This scale" in other["C11"]


def test_quick_answers_what_its_arms_can():
    verdicts = judged(imagined_rows("quick", as_claimed=True))
    answered = {id for id, v in verdicts.items() if v.verdict == "reproduced"}
    assert answered >= {"C1", "C5a", "C7", "C8a", "C8b"}


def test_every_arm_is_given_the_same_rates_and_the_same_everything_else():
    found, first = {}, STUDY.arms(SEARCH)[0].spec["train"]
    for arm in STUDY.arms(SEARCH):
        name, _, rate = arm.name.partition("@")
        train = dict(arm.spec["train"])
        found.setdefault(name, []).append(train.pop("learning_rate"))
        assert float(rate) == found[name][-1]
        assert train == {k: v for k, v in first.items() if k != "learning_rate"}
    assert {tuple(rates) for rates in found.values()} == {RATES}
    trained = [a.name for a in STUDY.arms("full") if a.spec["kind"] == "training"]
    assert list(found) == trained


def test_an_arm_is_an_edit_of_a_preset_and_nothing_else():
    full = {a.name: a for a in STUDY.arms("full") if a.spec["kind"] == "training"}
    base = ModelConfig.from_dict(full["A-pre-ln"].spec["model"])
    for name, arm in full.items():
        model = ModelConfig.from_dict(arm.spec["model"])
        assert model.width == base.width
        assert model.mask == ("full" if name.endswith("-encoder") else "causal")
        assert len(model.blocks) == len(base.blocks) * (1 + name.endswith("-deep"))
        assert {block.feed_forward for block in model.blocks} == {"relu"}
        assert {block.norm for block in model.blocks} <= {"rms", "none"}
    tasks = [{**arm.spec["task"], "task": ""} for arm in full.values()]
    assert all(task == tasks[0] for task in tasks)


def test_labels_tell_the_arms_apart():
    labels = [arm.label for arm in STUDY.arms("full")]
    assert len(set(labels)) == len(labels)


def test_the_plan_fits_about_two_hours_on_two_cores():
    assert STUDY.seconds("full", workers=2) < 130 * 60
    assert STUDY.seconds("quick", workers=2) < 8 * 60


def test_the_ratio_of_an_update_is_beta_over_alpha():
    found = {
        "gain/block_0/attention/value_alpha": 2.0,
        "gain/block_0/attention/value_beta": -0.5,
        "gain/block_0/attention/projection_alpha": 1.0,
        "gain/block_0/attention/projection_beta": 0.1,
        "gain/block_0/attention/map_alpha": 1.0,
    }
    assert sorted(update_ratios(found)) == [0.1, 0.25]


def test_figures_are_drawn_from_whatever_was_run():
    rows = imagined_rows("full", as_claimed=True)
    names = {figure.name for figure in draw(Results(rows, "imagined"))}
    assert names >= {"losses", "updates", "starts", "depth", "speed"}
    some = [row for row in rows if row.arm in DECIDING[:2]]
    assert {f.name for f in draw(Results(some, "imagined"))} >= {"losses"}
    assert draw(Results([], "imagined")) == []
