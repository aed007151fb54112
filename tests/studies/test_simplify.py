"""The arms of the simplify study, and its claims on rows made by hand."""

import pytest
from imagined_simplify import imagined_rows, judged

from kit.config import ModelConfig
from kit.studies.results import Results
from kit.studies.search import SEARCH
from kit.studies.simplify import STUDY
from kit.studies.simplify.base import RATES
from kit.studies.simplify.cells import update_ratios
from kit.studies.verdicts import NOT_IN_BUDGET, judge, judge_study


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_plan_fits_about_two_hours_on_two_cores():
    assert STUDY.seconds("full", workers=2) < 140 * 60
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


@pytest.mark.parametrize("claim", ["C1", "C5a", "C9b", "C10b"])
def test_a_claim_on_noise_is_undecided(claim):
    """Seeds that disagree: the interval holds the bound, whatever the mean is."""
    arm, metric, values = {
        "C1": ("D-v-skip-init", "loss", [3.3, 3.9, 3.6, 3.4, 3.8]),
        "C5a": ("F-sas", "loss", [3.3, 3.9, 3.6, 3.4, 3.5]),
        "C9b": ("D-v-skip-init-deep", "loss", [3.3, 4.2, 3.6, 3.4, 4.4]),
        "C10b": ("S-sas-p-512", "speed_ratio", [1.0, 1.2, 1.4, 1.1, 1.3]),
    }[claim]
    rows = imagined_rows("full")
    for row in rows:
        if row.arm == arm:
            row.metrics[metric] = values[row.seed]
    assert judged(rows)[claim].verdict == "undecided"


@pytest.mark.parametrize("seconds, ours, theirs", [(0.5, 1, 0.5), (2, 0.5, 1)])
def test_two_arms_are_compared_at_the_same_second(seconds, ours, theirs):
    """Whoever is slower is in the middle of its run when the other one ends."""
    arms = ("A-pre-ln", "H-no-norm", "T-H-no-norm")
    rows = [row for row in imagined_rows("full") if row.arm in arms]
    for row in rows:
        row.history[:] = [{"step": s, "validation_loss": 5 - s} for s in (0, 1)]
        row.metrics["speed_ratio"] = 1 / seconds
    verdict = judged(rows)["C8b"]
    assert verdict.estimate == pytest.approx(theirs - ours)
    assert f"after {ours:.0%} of its steps and Pre-LN after {theirs:.0%}" in (
        verdict.sentence
    )


def test_what_nothing_can_decide_is_in_every_budget():
    results = Results(imagined_rows("quick"), "quick")
    verdicts = {v.claim: v.verdict for v in judge_study(STUDY, results)}
    assert verdicts["C11"] == "undecided" and verdicts["C2a"] == NOT_IN_BUDGET


def told(rows):
    results = Results(rows, "imagined")
    return STUDY.in_short(results, judge(STUDY.claims, results))


@pytest.mark.slow
def test_the_sentences_for_a_newcomer_follow_the_rows():
    losses, pace, encoders, depth, cost, step, still_open = told(imagined_rows("full"))
    for gap in ("+0.000 for SAS,", "+0.100 for SAS-P without", "+1.000 for naive"):
        assert gap in losses
    assert "reached after 50% for SAS, 50% for SAS-P, 53% for" in pace
    assert "+0.000 for SAS," in encoders and "+0.000 for SAS," in depth
    assert "+0.200 for V-SkipInit" in depth and "between 3.50 and 3.50" in depth
    assert "15% fewer parameters" in cost and "takes 1.30 times" in cost
    assert "1.00 for SAS," in step
    assert still_open.endswith(": C11.")
    losses, _, encoders, depth, cost, _, _ = told(
        imagined_rows("full", as_claimed=False)
    )
    assert "+0.200 for SAS," in encoders
    assert "+0.200 for SAS," in losses and "+0.400 for SAS," in depth
    assert "takes 1.00 times" in cost


def test_the_sentences_for_a_newcomer_need_no_arm():
    (still_open,) = told([])
    assert "C1," in still_open
    rows = [r for r in imagined_rows("full") if r.arm in ("A-pre-ln", "F-sas")]
    rows[0].metrics["loss"] = None  # one diverged: no mean without it
    pace, _ = told(rows)
    assert "for SAS" in pace


def test_the_steps_to_a_loss_are_between_evaluations():
    row = imagined_rows("full")[0]
    losses = [8.0, 4.0, 5.0, 2.0]
    row.history[:] = [
        {"step": step, "validation_loss": loss}
        for step, loss in zip((10, 20, 30, 40), losses, strict=True)
    ]
    shares = [row.until(loss) for loss in (8.0, 6.0, 3.0, 2.0)]
    assert shares == pytest.approx([10 / 40, 15 / 40, 35 / 40, 1.0])
    assert row.until(1.9) == float("inf")
