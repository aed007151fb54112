"""The capstone study: its arms, and its hypotheses on rows made by hand."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from imagined import Watched
from imagined_capstone import EFFECTS, FIGHTS, cells, imagined_rows, judged, loss
from scipy.special import stdtrit

from kit.config import ModelConfig
from kit.counts import parameter_counts
from kit.pruning import allocate
from kit.studies.capstone import STUDY
from kit.studies.capstone.arms import HALF, grid
from kit.studies.capstone.base import (
    FURTHER,
    INGREDIENTS,
    LEARNING_RATES,
    PRUNED,
    SCALES,
    SHARED,
    SIMPLIFIED,
    SPARSITY,
    first_part,
    model_of,
    name_of,
    pairs,
    taken,
    together,
    without,
)
from kit.studies.capstone.claims import beyond_the_sum, interaction
from kit.studies.capstone.drawing import draw
from kit.studies.capstone.sentences import interactions, weighted
from kit.studies.results import Results
from kit.studies.search import SEARCH, kept_rates
from kit.studies.verdicts import judge, judge_study

BUDGETS = ("smoke", "quick", "full")


@pytest.fixture(scope="module")
def claimed():
    return imagined_rows("full")


@pytest.mark.parametrize("as_claimed", [True, False])
def test_every_claim_can_be_answered_either_way(as_claimed):
    expected = "reproduced" if as_claimed else "not reproduced"
    verdicts = judged(imagined_rows("full", as_claimed))
    assert {id: v.sentence for id, v in verdicts.items() if v.verdict != expected} == {}


def test_what_adds_up_has_no_interaction():
    """Whatever the effects are, and however the plain model does."""
    effects = dict(zip(INGREDIENTS, (0.3, -0.2, 0.7, 0.1, -0.4), strict=True))
    additive = {
        name_of(each): 5.0 + sum(effects[name] for name in each)
        for each in grid("full")
    }
    for weights in (*map(interaction, pairs()), beyond_the_sum()):
        found = sum(weight * additive[arm] for arm, weight in weights.items())
        assert found == pytest.approx(0, abs=1e-12) and not sum(weights.values())


def test_interactions_are_the_fights_of_the_imagined_world(claimed):
    results = Results(claimed, "full")
    for pair in pairs():
        found = weighted(results, interaction(pair))
        assert found.estimate == pytest.approx(FIGHTS.get(pair, 0.0), abs=1e-3)
    whole = weighted(results, beyond_the_sum())
    assert whole.estimate == pytest.approx(sum(FIGHTS.values()), abs=1e-3)


def test_alone_in_pairs_all_but_one_and_together():
    arms = {arm.name for arm in STUDY.arms("full")}
    assert {name_of(pair) for pair in pairs()} | {*INGREDIENTS} <= arms
    assert {name_of(without(name)) for name in INGREDIENTS} <= arms
    assert {"plain", "all", HALF} <= arms and len(pairs()) == 10


def test_every_arm_gets_as_many_tokens():
    for budget in BUDGETS:
        trained = {
            sum(train["steps"] * train["batch_size"] for train in trains)
            for arm in STUDY.arms(budget)
            for trains in [(arm.spec["base"]["train"], arm.spec["train"])]
        }
        assert len(trained) == 1


def test_arms_that_differ_in_what_is_taken_away_share_their_first_models():
    specs = {arm.name: arm.spec["base"] for arm in STUDY.arms("full")}
    for each in grid("full"):
        assert specs[name_of(each)] == specs[name_of(first_part(each))]


def test_every_first_training_is_searched_with_the_same_grid():
    firsts = {name_of(first_part(each)) for each in grid("full")} | {HALF}
    tried = {f"{name}@{rate:g}" for name in firsts for rate in LEARNING_RATES}
    assert {arm.name for arm in STUDY.arms(SEARCH)} == tried
    ends = {arm.name for arm in STUDY.arms(SEARCH) if arm.seeds == 1}
    assert ends == {f"{name}@{r:g}" for name in firsts for r in LEARNING_RATES[::4]}


def test_no_rate_that_the_search_chose_is_at_an_end_of_the_grid():
    """There it has a single seed, and a rate beyond may be better."""
    chosen = kept_rates("capstone").values()
    assert chosen and set(chosen) <= set(LEARNING_RATES[1:-1])


def test_the_rate_that_was_found_is_that_of_both_trainings(monkeypatch):
    arms = import_module("kit.studies.capstone.arms")  # the package has it as a name
    kept = {"plain": 0.5, "block-rates": 0.25}
    monkeypatch.setattr(arms, "kept_rates", lambda slug: kept)
    found = {arm.name: arm.spec for arm in STUDY.arms("full")}
    for name, rate in {"shared+pruned": 0.5, "block-rates+shared": 0.25}.items():
        assert found[name]["base"]["train"]["learning_rate"] == rate
        assert found[name]["train"]["learning_rate"] == rate * FURTHER
    unsearched = found[HALF]["base"]["train"]["learning_rate"]
    assert unsearched in LEARNING_RATES


def test_the_control_is_no_smaller_than_all_five():
    """By closed formulas: 2SSP, then as many query and key matrices less."""
    scale = SCALES["full"]
    model = replace(model_of(together(), scale), vocabulary_size=2048)
    split = allocate(model, SPARSITY)
    smaller = model.with_every_block(feed_forward_dim=split.num_neurons)
    edits = {block: {"attention": None} for block in range(split.num_attentions)}
    last, first = len(model.blocks) - 1, split.num_attentions
    copying = range(last, last - taken(together(), scale)[1], -1)
    edits |= {block: {"copies_map_from": first} for block in copying}
    five = sum(parameter_counts(smaller.with_blocks(edits)).values())
    half = model_of((), scale, scale.blocks // 2)
    control = sum(parameter_counts(replace(half, vocabulary_size=2048)).values())
    assert five <= control <= 1.15 * five


@pytest.mark.parametrize("budget", ["quick", "full"])
def test_an_ingredient_is_as_strong_in_every_arm(budget):
    """As many attentions copy wherever maps are shared, and pruning takes some."""
    scale = SCALES[budget]
    found = {name_of(each): taken(each, scale) for each in grid("full")}
    assert {copied for _, copied in found.values()} == {0, taken([SHARED], scale)[1]}
    for each in grid("full"):
        pruned, copied = found[name_of(each)]
        assert (pruned > 0) == (PRUNED in each) and (copied > 0) == (SHARED in each)
        assert pruned + copied < scale.blocks
        alike = [SIMPLIFIED] * (SIMPLIFIED in each) + [PRUNED] * (PRUNED in each)
        assert pruned == taken(alike, scale)[0]


def test_rates_by_block_warm_up_in_the_same_share_of_both_trainings():
    for arm in STUDY.arms("full"):
        first, further = arm.spec["base"]["train"], arm.spec["train"]
        shares = [train["warmup_steps"] / train["steps"] for train in (first, further)]
        assert shares[0] == pytest.approx(shares[1], rel=0.06)
        assert 10 * shares[1] < 0.25  # the largest ratio


def test_labels_tell_the_arms_apart():
    arms = STUDY.arms("full")
    assert len({arm.label for arm in arms}) == len(arms)
    assert arms[0].label == "base"


def test_no_arm_is_run_for_nothing(claimed):
    """Every arm answers a claim or is seen in a figure."""
    watched = Watched(claimed, "full")
    judge(STUDY.claims, watched)
    for figure in ("_interactions", "_planes"):  # the third shows all there is
        getattr(import_module("kit.studies.capstone.drawing"), figure)(watched)
    unseen = {cell.arm.name for cell in cells("full")} - watched.asked
    assert unseen == {"simplified+no-positions+block-rates"}  # others start from it


def test_the_plan_fits_two_hours_on_two_cores():
    assert STUDY.seconds("quick", workers=2) < 8 * 60
    assert STUDY.seconds("full", workers=2) < 120 * 60


def test_quick_answers_what_its_arms_can():
    rows = Results(imagined_rows("quick"), "quick")
    verdicts = {v.claim: v.verdict for v in judge_study(STUDY, rows)}
    answered = {id for id, verdict in verdicts.items() if verdict == "reproduced"}
    assert answered == {*(f"A{n}" for n in range(1, 6)), "B2", "B3", "B4", "W1", "W2"}
    others = {verdicts[id] for id in ("B1", "B5", "B6", "W3", "W4")}
    assert others == {"not in this budget"}


def test_the_smoke_budget_is_judged_although_it_has_one_seed():
    verdicts = judged(imagined_rows("smoke"))
    assert {v.verdict for v in verdicts.values()} == {"undecided"}


def test_the_sentences_for_a_newcomer_follow_the_rows(claimed):
    def told(rows):
        results = Results(rows, "full")
        return STUDY.in_short(results, judge(STUDY.claims, results))

    alone, both, whole, size, control, still_open = told(claimed)
    assert "ends at 4.000" in alone and "-0.100 for rates by block" in alone
    assert "SAS-P blocks and no positions (+0.080)" in both and " fight" in both
    assert f"{loss('all') - loss('plain'):+.3f}" in whole
    assert f"add up to {sum(EFFECTS.values()):+.3f}" in whole
    assert "+0.100 (rates by block)" in whole
    assert size.count("37% fewer") == size.count("add up to 37%") == 2
    assert "32% fewer parameters" in control and "0.200 higher than" in control
    assert still_open == "No claim is left open."
    assert len(told([])) == 1


def test_figures_are_drawn_from_whatever_was_run(claimed):
    names = [figure.name for figure in draw(Results(claimed, "full"))]
    assert names == ["interactions", "plane", "losses"]
    alone = Results(claimed, "full").select(["plain", "shared"])
    assert [figure.name for figure in draw(alone)] == ["plane", "losses"]
    assert draw(Results([], "smoke")) == []


def test_the_heat_map_has_effects_on_its_diagonal_and_fights_below(claimed):
    figure = draw(Results(claimed, "full"))[0].figure
    grid = np.asarray(figure.axes[0].images[0].get_array(), dtype=float)
    np.testing.assert_allclose(np.diag(grid), list(EFFECTS.values()), atol=1e-3)
    assert grid[1, 0] == pytest.approx(FIGHTS[pairs()[0]], abs=1e-3)
    assert np.isnan(grid[np.triu_indices(5, 1)]).all()
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert len(texts) == 15 and all("\n±0.00" in text for text in texts)


def without_seed_1(rows, *arms):
    return [
        replace(row, status="diverged", metrics={})
        if row.arm in arms and row.seed == 1
        else row
        for row in rows
    ]


def test_sentences_name_what_diverged_and_leave_out_what_rests_on_it(claimed):
    rows = without_seed_1(claimed, "shared", "all")
    results = Results(rows, "full")
    told = STUDY.in_short(results, judge(STUDY.claims, results))
    alone, both, lost, still_open = told
    assert "for SAS-P blocks" in alone and "shared" not in alone
    assert "for 4 of 6 pairs" in both and "shared" not in both
    assert "shared (1 of 5), all (1 of 5)." in lost
    assert "diverged" in still_open and "A4" in still_open


def test_intervals_of_ten_pairs_are_as_wide_as_ten_tests_need(claimed):
    """Else one of ten would often miss zero where nothing fights."""
    results = Results(claimed, "full")
    for pair, found in interactions(results).items():
        one = weighted(results, interaction(pair))
        wider = stdtrit(4, 1 - 0.025 / 10) / stdtrit(4, 1 - 0.025)
        assert found.high - found.low == pytest.approx(wider * (one.high - one.low))


def test_a_run_that_diverged_is_no_number_and_no_point(claimed):
    lost = without_seed_1(claimed, "shared")
    verdicts = judged(lost)
    assert verdicts["A4"].verdict == verdicts["B4"].verdict == "undecided"
    assert verdicts["A5"].verdict == "reproduced"
    assert weighted(Results(lost, "full"), {"shared": 1}) is None


def test_simplified_blocks_are_equal_and_differ_from_plain_ones_in_the_block_alone():
    plain, simple = (model_of(c, SCALES["full"]) for c in ((), ("simplified",)))
    assert len(set(simple.blocks)) == 1
    assert replace(simple, blocks=plain.blocks) == plain
    block = simple.blocks[0]
    assert (block.norm, block.feed_forward) == ("rms", "relu")
    assert ModelConfig.from_dict(simple.to_dict()) == simple
