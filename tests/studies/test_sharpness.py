"""The sharpness study: arms, measures, and claims on rows made by hand."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from kit.models import build
from kit.studies.results import Results, Row
from kit.studies.search import SEARCH
from kit.studies.sharpness import STUDY
from kit.studies.sharpness.arms import FIVE_SEEDS, ORDER, UNIFORM, all_variants
from kit.studies.sharpness.base import RATES, SCALES, gpt
from kit.studies.sharpness.drawing import draw
from kit.studies.sharpness.measures import (
    agreement,
    blocks_of,
    grouped,
    shares,
    summary,
)
from kit.studies.verdicts import judge, judge_study

cells = functools.cache(STUDY.cells)

BASE = 4.0
# Loss above AdamW of the LLaMA type, where all claims hold and where none does.
CLAIMED = {
    **{f"{family}-blockwise": -0.05 for family in ("llama", "gpt", "narrow")},
    **{f"llama-{name}-blockwise": -0.05 for name in ("lion", "wsd")},
    "llama-paper-rate": -0.05,
    "llama-adamw-2x": -0.06,
    "llama-reversed": 0.05,
    "llama-emb": -0.02,
    "llama-emb-ffn": -0.035,
}
REFUTED = {
    **{f"{family}-blockwise": 0.05 for family in ("llama", "gpt")},
    **{f"llama-{name}-blockwise": 0.05 for name in ("lion", "wsd")},
    "narrow-blockwise": -0.05,
    "llama-paper-rate": 0.05,
    "llama-adamw-2x": -0.1,
    "llama-emb": 0.02,
    "llama-emb-ffn": 0.035,
    "llama-norm": -0.05,
}
SHARP = dict(zip(ORDER, 10.0 ** -np.arange(7, 2, -1), strict=True))  # as the paper has
BLOCKS = {
    f"{layer}/{role}": {"layer": layer, "type": role, "part": role, "size": 4}
    for layer in ("block_0", "block_1")
    for role in ORDER
}


def measured(steps, in_order=True):
    """Sharpness by label at some steps, in the paper's order or in the other."""
    values = list(SHARP.values()) if in_order else list(SHARP.values())[::-1]
    by_type = dict(zip(ORDER, values, strict=True))
    return [
        {"step": step, "values": {k: by_type[b["type"]] for k, b in BLOCKS.items()}}
        for step in steps
    ]


def imagined_row(cell, above, as_claimed, noise):
    looks = cell.arm.spec.get("looks", {"steps": [0, 960]})
    in_order = as_claimed != cell.arm.name.startswith("addition")
    metrics = summary(measured(looks["steps"], in_order), BLOCKS)
    metrics["tau_start"] = 0.2 if as_claimed else 1.0
    metrics["type_share"] = 0.9 if as_claimed else 0.2
    late = 0.1 * (1 if as_claimed else -1) * ("blockwise" in cell.arm.name)
    metrics["loss"] = BASE + above + noise
    probes = {
        "blocks": BLOCKS,
        "sharpness": {
            targets: measured(looks["steps"]) for targets in ("sampled", "true")
        },
        "hessian": {
            role: {"value": v, "standard_error": 0} for role, v in SHARP.items()
        },
    }
    return Row(
        **{name: getattr(cell.arm, name) for name in ("label", "spec")},
        key=cell.key,
        study="sharpness",
        budget="full",
        arm=cell.arm.name,
        seed=cell.seed,
        status="finished",
        metrics={name: value + noise for name, value in metrics.items()},
        history=[
            {"step": step, "validation_loss": metrics["loss"] + extra}
            for step, extra in ((1, 3 + late), (5, 1 + late), (10, 0.0))
        ],
        probes=probes if "looks" in cell.arm.spec else {},
        training_seconds=10.0,
        steps=10,
    )


def imagined_rows(budget, as_claimed):
    rng = np.random.default_rng(0)
    above = CLAIMED if as_claimed else REFUTED
    return [
        imagined_row(cell, above.get(cell.arm.name, 0.0), as_claimed, noise)
        for cell in cells(budget)
        for noise in [1e-4 * rng.normal()]
    ]


def judged(rows):
    verdicts = judge(STUDY.claims, Results(rows, "full"))
    return {verdict.claim: verdict for verdict in verdicts}


@pytest.mark.slow
@pytest.mark.parametrize("as_claimed", [True, False])
def test_every_claim_can_be_answered_either_way(as_claimed):
    expected = "reproduced" if as_claimed else "not reproduced"
    verdicts = judged(imagined_rows("full", as_claimed))
    other = {id: v.sentence for id, v in verdicts.items() if v.verdict != expected}
    assert set(other) == {"C6c", "C8"}, other  # no arm can decide them, and they say so


def test_quick_answers_what_its_arms_can():
    rows = Results(imagined_rows("quick", as_claimed=True), "quick")
    verdicts = {v.claim: v.verdict for v in judge_study(STUDY, rows)}
    answered = {id for id, verdict in verdicts.items() if verdict == "reproduced"}
    assert answered == {"C1a", "C1b", "C2a", "C2b", "C3", "C4a", "C4b", "C4e", "C9"}
    # What cannot be told at all is not promised of the full budget.
    assert verdicts["C8"] == "undecided"
    assert verdicts["C5a"] == "not in this budget"


def test_a_larger_single_rate_that_is_as_good_refutes_the_ratios():
    rows = imagined_rows("full", as_claimed=True)
    for row in rows:
        if row.arm == "llama-uniform-x2":
            row.metrics["loss"] = BASE - 0.06
    verdicts = judged(rows)
    assert verdicts["C4a"].verdict == "reproduced"
    assert verdicts["C4e"].verdict == "not reproduced"


def test_without_a_gain_nothing_lasts_and_no_steps_are_saved():
    """Although the arms that are compared are then alike."""
    rows = imagined_rows("full", as_claimed=True)
    for row in rows:
        if row.arm in ("llama-blockwise", "narrow-blockwise"):
            row.metrics["loss"] += 0.05
        if row.arm == "llama-adamw-2x":
            row.metrics["loss"] += 0.06
    verdicts = judged(rows)
    assert verdicts["C4d"].verdict == verdicts["C7"].verdict == "not reproduced"


def test_every_arm_is_given_the_same_search():
    found = {}
    for arm in STUDY.arms(SEARCH):
        name, _, rate = arm.name.partition("@")
        assert arm.spec["train"]["learning_rate"] == pytest.approx(float(rate))
        assert "looks" not in arm.spec
        tenth = 10 if "lion" in name else 1
        found.setdefault(name, []).append(tenth * arm.spec["train"]["learning_rate"])
    for rates in found.values():
        np.testing.assert_allclose(rates, RATES)
    borrowed = {n for n, v in all_variants(SCALES["full"]).items() if v.like}
    assert {a.name for a in STUDY.arms("full")} - borrowed == set(found)


def test_borrowed_rates_are_multiples_of_those_of_adamw():
    rates = {a.name: a.spec["train"]["learning_rate"] for a in STUDY.arms("full")}
    for factor in UNIFORM:
        found = rates[f"llama-uniform-x{factor}"]
        assert found == pytest.approx(factor * rates["llama-adamw"])
    for name in ("llama-paper-rate", "llama-adamw-2x"):
        assert rates[name] == rates["llama-adamw"]


def test_arms_differ_in_training_alone_within_a_family():
    models = {}
    for name, variant in all_variants(SCALES["full"]).items():
        models.setdefault(variant.family, []).append((name, variant.model))
    for family in models.values():
        assert all(model == family[0][1] for _, model in family)


def test_labels_tell_the_arms_apart():
    arms = STUDY.arms("full")
    assert len({arm.label for arm in arms}) == len(arms)
    assert set(FIVE_SEEDS) <= {arm.name for arm in arms}


def test_the_plan_fits_about_two_hours_on_two_cores():
    assert STUDY.seconds("full", workers=2) < 125 * 60
    assert STUDY.seconds("quick", workers=2) < 8 * 60


def test_a_group_is_the_mean_over_its_parameters():
    """The trace of a union is the sum of the traces."""
    rng = np.random.default_rng(0)
    blocks = {
        f"{layer}/{part}": {
            "layer": layer,
            "type": part[0],
            "part": part,
            "size": int(rng.integers(1, 9)),
        }
        for layer in "abc"
        for part in ("xx", "xy", "z")
    }
    values = {label: rng.uniform() for label in blocks}
    trace = sum(blocks[label]["size"] * value for label, value in values.items())
    for by in ("layer", "type", "part"):
        sizes = {}
        for block in blocks.values():
            sizes[block[by]] = sizes.get(block[by], 0) + block["size"]
        groups = grouped(values, blocks, by)
        assert sum(sizes[name] * groups[name] for name in groups) == pytest.approx(
            trace
        )


@pytest.mark.parametrize("tied", [True, False])
def test_the_embedding_is_measured_without_a_head_of_its_own(tied):
    config = replace(gpt(SCALES["smoke"], tied), vocabulary_size=9)
    blocks = blocks_of(build(config))
    sizes = {}
    for block in blocks.values():
        sizes[block["type"]] = sizes.get(block["type"], 0) + block["size"]
    assert sizes["Emb"] == 9 * config.width
    assert sizes["positions"] == config.context_length * config.width
    assert sizes.get("head", 0) == (0 if tied else sizes["Emb"])
    assert set(ORDER) <= set(sizes)


def test_agreement_counts_the_pairs_in_order():
    assert agreement(SHARP) == pytest.approx(1.0)
    assert agreement({k: -v for k, v in SHARP.items()}) == pytest.approx(-1.0)
    swapped = {**SHARP, "QK": SHARP["FFN"], "FFN": SHARP["QK"]}
    assert agreement(swapped) == pytest.approx(0.8)


def test_shares_of_rows_and_columns_add_up_in_a_table_without_interaction():
    rows, columns = np.random.default_rng(0).normal(size=(2, 4))
    by_column, by_row = shares(rows[:, None] + columns)
    assert by_column + by_row == pytest.approx(1.0)
    assert by_column == pytest.approx(columns.var() / (columns.var() + rows.var()))


def test_a_summary_does_not_depend_on_the_unit():
    """A common factor of all sharpness, such as tokens for sequences, changes none."""
    steps = (0, 10, 100, 960)
    points = [*measured(steps[:2], in_order=False), *measured(steps[2:])]
    scaled = [
        {**p, "values": {k: 64 * v for k, v in p["values"].items()}} for p in points
    ]
    found = summary(points, BLOCKS)
    assert summary(scaled, BLOCKS) == pytest.approx(found)
    assert found["tau_start"] == pytest.approx(-1)
    assert found["tau_early"] == found["tau_lowest"] == pytest.approx(1)


@pytest.mark.slow
def test_figures_are_drawn_from_whatever_was_run():
    rows = imagined_rows("full", as_claimed=True)
    names = [figure.name for figure in draw(Results(rows, "imagined"))]
    assert names[0] == "order"
    assert set(names) >= {"agreement", "parts", "layers", "labels", "gap", "controls"}
    some = [row for row in rows if row.arm in ("gpt-adamw", "gpt-blockwise")]
    assert [f.name for f in draw(Results(some, "imagined"))][0] == "order"
    empty = [f.name for f in draw(Results([], "imagined"))]
    assert set(empty) <= {"search"}


@pytest.mark.slow
def test_the_sentences_for_a_newcomer_follow_the_rows():
    def told(rows):
        results = Results(rows, "full")
        return STUDY.in_short(results, judge(STUDY.claims, results))

    rows = imagined_rows("full", as_claimed=True)
    llama, gpt, gains, single, sooner, twice, still_open = told(rows)
    assert "flat to sharp, Emb, QK, FFN, VO, Norm" in llama and "GPT type" in gpt
    assert "from +0.20 at the start to +1.00" in llama and "10,000 times" in llama
    assert "-0.050 (LLaMA type) and -0.050 (GPT type)" in gains
    assert single.endswith("it is -0.050.")
    assert "after 98% of the steps" in sooner
    assert "after 2.0 times the steps" in twice
    assert still_open.endswith(": C6c, C8.")
    rows = imagined_rows("full", as_claimed=False)
    assert "+0.050 (LLaMA type)" in told(rows)[2]
    assert told(rows)[4].startswith("Rates by block do not reach AdamW's final loss")
    for row in rows:
        row.metrics["loss"] -= 0.5 * (row.arm == "llama-blockwise")
    assert "AdamW does not reach the loss of rates by block" in told(rows)[5]
    assert told([row for row in rows if row.arm == "gpt-adamw"])[0].startswith("After")
