"""The sharing study: its arms, its paper, and its claims on rows made by hand."""

from dataclasses import replace
from importlib import import_module
from statistics import fmean

import numpy as np
import pytest
from imagined import Watched
from imagined_sharing import cells, imagined_rows, judged

from kit.sharing import copies_at_rate
from kit.studies.results import Results
from kit.studies.search import SEARCH, with_rate
from kit.studies.sharing import STUDY, paper
from kit.studies.sharing.base import (
    FURTHER_RATES,
    RATES,
    REGIMES,
    SCALES,
    UNSEARCHED_RATE,
    Scale,
    number_at_rate,
    stages,
)
from kit.studies.sharing.comparisons import NO_CHECKPOINT
from kit.studies.sharing.drawing import _copying, draw
from kit.studies.sharing.real import checkpoint_arm
from kit.studies.verdicts import judge, judge_study

ON_CHECKPOINT = {"C1g", "C1i"}
OUT_OF_REACH = {"C2c", "C6c"}


@pytest.fixture(scope="module")
def claimed():
    return imagined_rows("full")


@pytest.mark.parametrize("as_claimed", [True, False])
def test_every_claim_can_be_answered_either_way(as_claimed):
    expected = "reproduced" if as_claimed else "not reproduced"
    verdicts = judged(imagined_rows("full", as_claimed))
    other = {id: v.sentence for id, v in verdicts.items() if v.verdict != expected}
    assert set(other) == OUT_OF_REACH, other


@pytest.mark.parametrize("blocks", [6, 8, 22, 30])
def test_as_many_blocks_copy_as_kit_sharing_says(blocks):
    counted = [number_at_rate(rate, blocks) for rate in RATES.values()]
    assert counted == [copies_at_rate(rate, range(blocks)) for rate in RATES.values()]


def test_all_claims_of_the_paper_are_answered():
    answered = {claim.id[:2] for claim in STUDY.claims if claim.id.startswith("C")}
    assert answered == {f"C{number}" for number in range(1, 9)}
    assert all(each.verdict and each.sentence for each in judged([]).values())


def test_without_the_checkpoint_its_claims_say_so_and_no_other_changes(claimed):
    found = judged([row for row in claimed if row.arm != "smollm2"])
    before = judged(claimed)
    changed = {id for id in found if found[id].verdict != before[id].verdict}
    assert changed == ON_CHECKPOINT
    assert all(NO_CHECKPOINT in found[id].sentence for id in ON_CHECKPOINT)


def test_the_headline_rests_on_one_task():
    """Averages with and without it, as they follow from the printed scores."""
    without = {"77": (34.76, 36.18), "41": (38.03, 39.21), "23": (39.31, 39.34)}
    kept = [n for n, task in enumerate(paper.TASKS) if task != paper.OUTLIER]
    assert fmean(paper.BASE[n] for n in kept) == pytest.approx(39.95, abs=0.006)
    for share, expected in without.items():
        for scores, mean in zip(
            (paper.CONTINUAL[share], paper.DISTILLED[share]), expected, strict=True
        ):
            found = fmean(scores[n] for n in kept)
            assert found == pytest.approx(mean, abs=0.006)
            assert paper.gain(scores, paper.OUTLIER) == pytest.approx(
                found - fmean(paper.BASE[n] for n in kept)
            )
    assert paper.gain(paper.DISTILLED["41"]) > 0
    text = paper.remark()
    assert "41 % shared +1.34 with it and -0.74 without" in text
    assert "none of the 3 shared models beats the baseline" in text


def test_what_claims_quote_follows_from_the_printed_scores():
    sources = {claim.id: claim.source for claim in STUDY.claims}
    gains = {}
    for id, share in (("C4a", "77"), ("C4b", "41"), ("C4c", "23")):
        before = fmean(paper.CONTINUAL[share])
        after = fmean(paper.DISTILLED[share])
        assert f": {before:.2f} " in sources[id]
        assert f" to {after:.2f} at {share} %" in sources[id]
        assert ("39.51" in sources[id]) == (share == "41")  # the paper's misprint
        gains[share] = after - before
    assert ", ".join(f"{gain:+.2f}" for gain in gains.values()) in sources["C4d"]
    assert sorted(gains.values(), reverse=True) == list(gains.values())
    assert "39.34, 39.21, 36.18" in sources["C4e"]
    for id in ("C3a", "C6a"):
        assert f"against {fmean(paper.BASE):.2f}" in sources[id]


def test_the_card_takes_its_numbers_from_the_set_up(monkeypatch):
    text = " ".join(STUDY.card().split())
    assert "1/4, 2/5 and 3/4 of them, for the paper's 23, 41 and 77 %, which" in text
    counts = [copies_at_rate(rate, range(8)) for rate in RATES.values() if rate]
    assert "which here are {}, {} and {} of 8. What".format(*counts) in text
    assert "or 4/5 of these and then true labels" in text
    assert f"Speed is that of {paper.BLOCKS} blocks of width 128" in text
    monkeypatch.setitem(SCALES, "full", Scale(blocks=9, width=72, deep=13, narrow=24))
    text = " ".join(STUDY.card().split())
    assert ": 9 blocks of width 72, 13 of width 24 for" in text
    assert "smallest model, 9 of width 24 that add" in text
    assert "which here are 2, 4 and 7 of 9. What" in text


def test_the_remark_stands_beside_the_claims_that_rest_on_it(claimed):
    verdicts = judged(claimed)
    remarked = {id for id, v in verdicts.items() if paper.remark() in v.sentence}
    assert remarked == {"C3a", "C6a", "C6c"}


def test_speed_stands_beside_what_the_operations_saved_give(claimed):
    rows = [
        replace(row, metrics=row.metrics | {"flops_saved": 0.2})
        if row.arm == "speed-41"
        else row
        for row in claimed
    ]
    found = judged(rows)
    assert found["C5b"].sentence.count("By the operations saved: ") == 3
    assert "15.0%. By the operations saved: 25.0%." in found["C5b"].sentence
    assert "25.0%. By the operations saved: 20.0%." in found["C5c"].sentence
    assert found["C5d"].sentence.count("By the operations saved: 25.0%.") == 2
    assert found["C5b"].verdict == judged(claimed)["C5b"].verdict


def test_what_the_second_stage_gains_stands_beside_what_the_first_one_did(claimed):
    name = "small-33-kd-continual"

    def told(before):
        metrics = {"loss_before": before, "stage_1_loss": 4.2}
        rows = [
            replace(row, metrics=row.metrics | metrics) if row.arm == name else row
            for row in claimed
        ]
        return judged(rows)["C8b"].sentence

    assert told(5.0).endswith("Distilling took the loss from 5.000 to 4.200.")
    assert "from 4.000 to 4.200 first, which is what the gain makes up" in told(4.0)


def test_the_lists_are_those_of_the_printed_shares():
    for share, blocks in paper.LISTS.items():
        assert f"{len(set(blocks)) / paper.BLOCKS:.0%}" == f"{share}%"
    shorter = [set(paper.LISTS[share]) for share in ("23", "41", "77")]
    assert shorter[0] < shorter[1] < shorter[2]


def test_every_arm_that_is_trained_further_gets_as_many_steps():
    for budget in ("smoke", "quick", "full"):
        trained = [
            arm.spec for arm in STUDY.arms(budget) if arm.spec["kind"] == "student"
        ]
        assert len({spec["train"]["steps"] for spec in trained}) == 1
    for regime in REGIMES:
        assert sum(stages(regime, 240)) == 240
    assert stages("kd-continual", 240)[0] == 4 * stages("kd-continual", 240)[1]


def test_the_main_table_has_every_rate_and_regime_and_so_has_the_search():
    table = {f"text-{rate}-{regime}" for rate in RATES for regime in REGIMES}
    assert table <= {arm.name for arm in STUDY.arms("full")}
    tried = {f"{name}@{rate:g}" for name in table for rate in FURTHER_RATES}
    assert {arm.name for arm in STUDY.arms(SEARCH)} == tried


def test_arms_of_a_subject_share_the_same_models():
    """So that each is trained once; the search has those of the full run."""
    trained = {}
    for budget in (SEARCH, "full"):
        for arm in STUDY.arms(budget):
            if "base" in arm.spec:
                subject = arm.name.partition("-")[0]
                same = [arm.spec["base"], arm.spec["watched"]]
                assert trained.setdefault(subject, same) == same
    rate = with_rate(STUDY.arms("full")[2], 0.5).spec
    assert rate["train"]["learning_rate"] == 0.5
    assert rate["base"] == trained["text"][0]


def test_an_ablation_takes_the_learning_rate_of_the_arm_that_it_changes(monkeypatch):
    arms = import_module("kit.studies.sharing.arms")  # the package has it as a name
    rates = {"text-40-kd-continual": 0.5, "text-40-continual": 0.25}
    monkeypatch.setattr(arms, "kept_rates", lambda slug: rates)
    found = {
        arm.name: arm.spec["train"]["learning_rate"]
        for arm in STUDY.arms("full")
        if arm.spec["kind"] == "student"
    }
    assert found["text-40-random"] == found["text-40-no-soft"] == 0.5
    assert found["text-40-dropped"] == found["addition-40-continual"] == 0.25
    assert found["text-75-kd"] == UNSEARCHED_RATE


def test_another_number_of_copies_cannot_be_compared(claimed):
    rows = [
        replace(row, metrics=row.metrics | {"copied": 2 + row.seed % 2})
        if row.arm == "text-40-gap"
        else row
        for row in claimed
    ]
    found = judged(rows)["S5"]
    assert found.verdict == "undecided"
    assert "2.3 blocks copy on average in the one and 3 in the other" in found.sentence


def test_quick_answers_what_its_arms_can():
    rows = Results(imagined_rows("quick"), "quick")
    verdicts = {v.claim: v.verdict for v in judge_study(STUDY, rows)}
    answered = {id for id, verdict in verdicts.items() if verdict == "reproduced"}
    assert answered == {
        *("C1a", "C1b", "C1c", "C1d", "C1e", "C1h"),
        *("C4b", "C6a", "C6b", "C7", "S1"),
    }
    assert verdicts["C5a"] == verdicts["C1g"] == "not in this budget"
    assert verdicts["C6c"] == "undecided"


def test_labels_tell_the_arms_apart():
    arms = [*STUDY.arms("full"), checkpoint_arm()]
    arms = {arm.name: arm for arm in arms}.values()
    assert len({arm.label for arm in arms}) == len(arms)


@pytest.mark.slow
def test_no_arm_is_run_for_nothing(claimed):
    """Every arm answers a claim or is seen in a figure."""
    watched = Watched(claimed, "full")
    judge(STUDY.claims, watched)
    draw(watched)
    assert {cell.arm.name for cell in cells("full")} <= watched.asked


def test_the_plan_fits_about_two_hours_on_two_cores():
    assert STUDY.seconds("quick", workers=2) < 8 * 60
    assert STUDY.seconds("full", workers=2) < 140 * 60


def test_the_sentences_for_a_newcomer_follow_the_rows(claimed):
    def told(rows):
        results = Results(rows, "full")
        return STUDY.in_short(results, judge(STUDY.claims, results))

    told_now = told(claimed)
    ours, own, real, alone, _, of_real, table, choices, *others = told_now
    teacher, scratch, speed, headline, still_open = others
    alike = "have a cosine of 0.80, of which sharpness and sink alone give 0.30, and "
    assert f"{alike}those of two seeds 0.40." in ours
    assert "text-8" in own and "of what is beyond chance -0.10" in own
    assert "In SmolLM2-135M" in real and "costs is -0.80" in real
    assert "In our model of text, copied only, 40% of the blocks," in alone
    assert (
        "In SmolLM2-135M, copied only, 40% of the blocks, the loss grows from 4.000 to"
        in of_real
    )
    assert "5.200 the most similar" in of_real and "10.000 at random" in of_real
    assert "(loss 4.000 before)" in table
    assert table.endswith("Each is the mean over 3 seeds that all have.")
    assert alone.endswith("(mean over 5 seeds).") and "3 seeds)" in of_real
    assert "; with 40% shared at 4.100 trained further, " in table
    assert "(4.300 copied only); with 75%" in table
    assert "3.900 the most similar" in choices and "4.100 at random" in choices
    assert teacher.index("3.900 by all three losses") < teacher.index(
        "4.100 no teacher"
    )
    assert "its loss changes by +0.050" in teacher
    assert "the shared model reaches 4.300" in scratch
    assert "With 5, 9, 17 of 22 blocks copying" in speed
    assert "14%, 20%, 47% (by the operations saved 2%, 4%, 8%; in the paper" in speed
    assert "on GPUs, 9%, 15%, 42%)" in speed
    assert "takes 0.98, 0.96, 0.93 times the memory." in speed
    assert headline == paper.remark()
    assert still_open.endswith(": C2c, C6c.")
    assert "times as long" not in teacher  # nothing was timed
    slow = {"text-40-kd": 3.0, "text-40-continual": 2.0}
    timed = [replace(row, training_seconds=slow.get(row.arm)) for row in claimed]
    assert told(timed)[8].endswith("A step with a teacher takes 1.5 times as long.")
    assert len(told([])) == 2  # the paper's own numbers, and what is open
    none_copies = [
        replace(row, metrics=row.metrics | {"copied": 0})
        if row.arm == "text-40-gap"
        else row
        for row in claimed
    ]
    assert "blocks copy)" not in choices
    assert "above the largest gap, in groups (0 blocks copy)" in told(none_copies)[7]


def test_means_that_are_compared_are_over_the_seeds_that_all_have(claimed):
    """One arm has a seed more, which is far off."""
    more = [
        replace(row, metrics=row.metrics | {"loss": 9.0})
        if row.arm == "text-40-kd-continual" and row.seed > 2
        else row
        for row in claimed
    ]
    assert sum(row.metrics.get("loss") == 9.0 for row in more) == 2
    assert STUDY.in_short(Results(more, "full"), []) == STUDY.in_short(
        Results(claimed, "full"), []
    )


def test_the_smoke_budget_is_judged_although_it_has_one_seed():
    verdicts = judged(imagined_rows("smoke"))
    assert {v.verdict for v in verdicts.values()} == {"undecided"}


@pytest.mark.slow
def test_figures_are_drawn_from_whatever_was_run(claimed):
    names = [figure.name for figure in draw(Results(claimed, "full"))]
    assert names == [
        *(
            "maps",
            "maps-addition",
            "blocks",
            "steps",
            "models",
            "smollm2",
            "single",
            "costs",
        ),
        *("untrained", "main", "selection", "losses", "scratch", "small"),
        *("addition", "speed"),
    ]
    assert draw(Results([], "smoke")) == []


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["smoke", "quick"])
def test_a_smaller_budget_has_its_figures_and_sentences_too(budget):
    """Of six blocks as many copy at a quarter as at two fifths."""
    results = Results(imagined_rows(budget), budget)
    assert draw(results)[-1].name == ("main" if budget == "smoke" else "scratch")
    told = STUDY.in_short(results, judge(STUDY.claims, results))
    (table,) = (sentence for sentence in told if "For as many tokens" in sentence)
    count = round(0.4 * SCALES[budget].blocks)
    assert f"({4 + 0.1 * count:.3f} copied only)" in table


def test_a_rule_that_finds_fewer_copies_has_no_point_beside_those_with_more():
    found = {"3": {"copies": {"2": 1, "4": 3, "6": 5}, "loss": 4.5}}
    assert _copying(found, 3) == 4.5
    found["3"]["copies"].popitem()
    assert np.isnan(_copying(found, 3))


def test_a_run_that_diverged_is_no_number_and_no_point(claimed):
    lost = [
        replace(row, status="diverged", metrics={}, probes={})
        if row.seed == 1 and row.spec["kind"] == "student"
        else row
        for row in claimed
        if row.spec["kind"] in ("student", "copied")
    ]
    assert judged(lost)["C4a"].verdict == "undecided"
    some = Results(lost, "full").select(["text-40-continual", "text-75-kd-continual"])
    assert [figure.name for figure in draw(some)] == ["main"]
