"""The pruning study: its arms, and its claims on rows made by hand."""

from dataclasses import replace

import pytest
from imagined import Watched
from imagined_pruning import DENSE, cells, imagined_rows, judged

from kit.studies.pruning import STUDY
from kit.studies.pruning.base import PAPER_TIME, RIVALS, SCALES, Scale, subjects
from kit.studies.pruning.comparisons import NO_CHECKPOINT, checkpoint_values
from kit.studies.pruning.curves import at, on_the_curve
from kit.studies.pruning.drawing import draw
from kit.studies.pruning.real import TEXTS, checkpoint_arms
from kit.studies.results import Results
from kit.studies.text import CONTEXT
from kit.studies.verdicts import judge, judge_study

ON_CHECKPOINT = {"C1e", "C1f", "C4c"}
OUT_OF_REACH = {"C1h"}


def of(rows, *names):
    return [row for row in rows if row.arm in names]


@pytest.mark.parametrize("as_claimed", [True, False])
def test_every_claim_can_be_answered_either_way(as_claimed):
    expected = "reproduced" if as_claimed else "not reproduced"
    verdicts = judged(imagined_rows("full", as_claimed))
    other = {id: v.sentence for id, v in verdicts.items() if v.verdict != expected}
    assert set(other) == OUT_OF_REACH, other


def test_without_the_checkpoint_its_claims_say_so_and_no_other_changes():
    everything = imagined_rows("full")
    rows = [row for row in everything if row.spec["kind"] != "checkpoint"]
    found, before = judged(rows), judged(everything)
    changed = {id for id in found if found[id].verdict != before[id].verdict}
    assert changed == ON_CHECKPOINT
    assert all(NO_CHECKPOINT in found[id].sentence for id in ON_CHECKPOINT)


def test_quick_answers_what_its_arms_can():
    rows = Results(imagined_rows("quick"), "quick")
    verdicts = {v.claim: v.verdict for v in judge_study(STUDY, rows)}
    answered = {id for id, verdict in verdicts.items() if verdict == "reproduced"}
    assert answered == {"C1a", "C1b", "C1c", "C3a", "C4a", "C6a", "C9a"}
    assert verdicts["C5"] == verdicts["C1e"] == "not in this budget"
    assert verdicts["C1h"] == "undecided"


def test_smoke_is_judged_although_it_has_few_sparsities():
    verdicts = judged(imagined_rows("smoke"))
    assert {v.verdict for v in verdicts.values()} == {"undecided"}


def test_the_card_takes_its_numbers_from_the_set_up(monkeypatch):
    assert SCALES["full"].search * CONTEXT == PAPER_TIME == 2048
    text = " ".join(STUDY.card().split())
    assert "256 sequences of 64 tokens for scores, and 32 of them, 2,048 tok" in text
    assert "addition in 4 blocks is the stress test" in text
    other = Scale(blocks=3, width=72, deep=5, narrow=48, sequences=100)
    monkeypatch.setitem(SCALES, "full", other)
    text = " ".join(STUDY.card().split())
    assert "3 blocks of width 72, and of the GPT type, 5 of width 48;" in text
    assert "100 sequences of 64 tokens" in text
    assert "addition in 3 blocks" in text


def test_the_best_of_the_others_is_called_by_what_sets_it_apart():
    rows, names = imagined_rows("full"), ("", "-recovered")
    for row in of(rows, "llama-score-mean", *(f"llama-shortgpt{n}" for n in names)):
        row.metrics.update({name: n - 0.1 for name, n in row.metrics.items()})
    found = judged(rows)
    assert found["C1b"].sentence.startswith("The best of the 5 others is ShortGPT. ")
    assert "The best of the 5 others is score mean. " in found["C6c"].sentence
    assert "The best of the 3 others is ShortGPT. " in found["C9b"].sentence
    assert found["C2"].sentence.startswith("On the LLaMA type EvoPress evaluates ")
    assert " It takes 20 times as long, " in found["C2"].sentence


@pytest.mark.parametrize("rival", RIVALS)
def test_one_better_rival_refutes_that_2ssp_is_ahead_of_all(rival):
    rows = imagined_rows("full")
    for row in of(rows, f"llama-{rival}"):
        row.metrics[at("loss", 0.375)] = DENSE + 0.1
    found = judged(rows)
    assert found["C1b"].verdict == "not reproduced"
    assert found["C1a"].verdict == found["C1c"].verdict == "reproduced"


def test_on_the_checkpoint_only_methods_of_the_paper_are_rivals():
    """Smallest weights and chance are controls, whatever they reach."""
    rows = imagined_rows("full")
    for row in rows:
        if row.arm.startswith(("smollm2-magnitude", "smollm2-random")):
            row.metrics.update({f"{text}_loss": 1.0 for text in TEXTS})
    found = judged(rows)["C1e"]
    assert found.verdict == "reproduced"
    assert "the best of 3 rivals" in found.sentence
    assert "BlockPruner and EvoPress" in found.source


def test_a_curve_is_compared_where_it_was_asked_for():
    """The checkpoint's rivals reach two percent more, and are not charged for it."""
    results, name = Results(imagined_rows("full"), "full"), f"{TEXTS[0]}_loss"
    values = checkpoint_values(results, "shortgpt", name, 0.375)
    reached = [0.0, *(sparsity + 0.02 for sparsity in (0.25, 0.375, 0.5))]
    chord = [{"reached": s, "loss": 3 + 8 * s**2} for s in reached]
    expected = on_the_curve(chord, "loss", 0.375)
    assert list(values.values()) == pytest.approx([expected] * 3, abs=1e-3)
    assert on_the_curve(chord, "loss", 0.9) is None


def test_arms_of_a_subject_prune_the_same_models():
    """So that each is trained once: `dense` keeps them by these parts of the spec."""
    for budget in ("smoke", "quick", "full"):
        trained = {}
        for arm in STUDY.arms(budget):
            if arm.spec["kind"] == "checkpoint":
                continue
            same = [arm.spec[k] for k in ("model", "task", "train")]
            same.append(arm.spec.get("sources"))
            assert trained.setdefault(arm.name.partition("-")[0], same) == same
            plan = arm.spec.get("plan", {})
            assert plan.get("search", 1) <= max(plan.get("sequences", 1), 32)


def test_the_card_says_how_much_less_text_smollm2_gets():
    spec = checkpoint_arms()[-1].spec
    sizes = spec["calibration"]
    text = " ".join(STUDY.card().split())
    tokens = f"{sizes['sequences']} sequences of {spec['time']} tokens for scores, and "
    assert f"{tokens}{sizes['search']} of them for what goes as a whole" in text
    searched = sizes["search"] * spec["time"]
    assert f"which is {searched / PAPER_TIME:.0%} of the tokens that the paper" in text
    sources = {claim.id: claim.source for claim in STUDY.claims}
    for id in ON_CHECKPOINT:
        assert id in text
        assert f"the search looks at {searched} tokens, not 2,048" in sources[id]


def test_every_method_gets_the_same_calibration_data():
    plans = [
        arm.spec["plan"]
        for arm in STUDY.arms("full")
        if arm.name.startswith("llama")
        and arm.spec["kind"] in ("curve", "split")
        and "sequences" not in arm.name
    ]
    assert {(plan["sequences"], plan["search"]) for plan in plans} == {(256, 32)}


def test_a_feed_forward_has_twice_the_parameters_of_an_attention():
    from kit.counts import block_counts

    for budget in SCALES:
        for subject in subjects(SCALES[budget]).values():
            counts = block_counts(subject.model, subject.model.blocks[0])
            assert counts["FFN"] == 2 * (counts["QK"] + counts["VO"])


def test_labels_tell_the_arms_apart():
    arms = [*STUDY.arms("full"), *checkpoint_arms()]
    arms = {arm.name: arm for arm in arms}.values()
    assert len({arm.label for arm in arms}) == len(arms)


@pytest.mark.slow
def test_no_arm_is_run_for_nothing():
    """Every arm answers a claim or is seen in a figure."""
    watched = Watched(imagined_rows("full"), "full")
    judge(STUDY.claims, watched)
    draw(watched)
    assert {cell.arm.name for cell in cells("full")} <= watched.asked


def test_the_plan_fits_about_two_hours_on_two_cores():
    assert STUDY.seconds("quick", workers=2) < 8 * 60
    assert STUDY.seconds("full", workers=2) < 130 * 60
    for budget in ("quick", "full"):
        assert max(arm.cost for arm in STUDY.arms(budget)) < 330


@pytest.mark.slow
def test_figures_are_drawn_from_whatever_was_run():
    names = [figure.name for figure in draw(Results(imagined_rows("full"), "full"))]
    assert names == [
        *("curves", "addition", "checkpoint", "splits", "alpha", "scores", "sizes"),
        *("controls", "recovery", "cost"),
    ]
    assert draw(Results([], "smoke")) == []
    some = of(imagined_rows("full"), "llama", "llama-2ssp", "llama-attention")
    assert [f.name for f in draw(Results(some, "full"))] == ["curves"]
    assert [f.name for f in draw(Results(imagined_rows("smoke"), "smoke"))] == [
        *("curves", "splits", "alpha"),
    ]


@pytest.mark.slow
def test_a_model_that_diverged_leaves_its_arms_without_numbers():
    rows = imagined_rows("full")
    rows = [
        replace(row, status="diverged", metrics={}, probes={})
        if row.seed == 1 and row.arm.startswith("gpt")
        else row
        for row in rows
    ]
    found = judged(rows)
    assert found["C1d"].verdict == found["C4b"].verdict == "undecided"
    assert found["C1a"].verdict == "reproduced"
    assert draw(Results(rows, "full"))


def test_the_sentences_for_a_newcomer_follow_the_rows():
    def told(rows):
        results = Results(rows, "full")
        return STUDY.in_short(results, judge(STUDY.claims, results))

    llama, gpt, split, recovery, real, cost, still_open = told(imagined_rows("full"))
    assert "loss of the LLaMA type rises from 4.00 to 4.56 (2SSP), 4.73 (" in llama
    assert "GPT type" in gpt and "at random" in gpt
    assert "removes 2 attentions" in split and "0.000 nats" in split
    assert "from 5.00 to 4.25 (2SSP), from 6.00 to 4.50 (" in recovery
    assert recovery.endswith(" The dense model ends it at 3.95.")
    assert "SmolLM2-135M on tinyshakespeare rises from 3.00 to 3.56 (2SSP), " in real
    assert real.endswith(
        " BlockPruner and EvoPress were not run on it, because of their cost."
    )
    led = imagined_rows("full")
    for row in of(led, "llama-blockpruner", "gpt-evopress"):
        row.metrics[at("loss", 0.375)] = DENSE
    assert "EvoPress, of which one leads in each model above, were not" in told(led)[4]
    assert " 3.0 (2SSP), " in cost and ", 60.0 (EvoPress). " in cost
    assert "EvoPress takes 20 times the time of 2SSP, and evaluates 100 times" in cost
    assert still_open.endswith(": C1h.")
    refuted = told(imagined_rows("full", as_claimed=False))
    assert "removes 5 attentions" in refuted[2]
    alone = told(of(imagined_rows("full"), "gpt", "gpt-2ssp"))
    assert len(alone) == 1  # one method is no comparison
