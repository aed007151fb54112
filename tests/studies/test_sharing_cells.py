"""What a worker of the sharing study does, on tiny models."""

from dataclasses import replace

import numpy as np
import pytest

from kit.config import BlockConfig, ModelConfig
from kit.data import Batch
from kit.models import build, named_weights
from kit.sharing import MapSimilarity, map_similarity, share
from kit.studies import dense
from kit.studies.sharing import speed
from kit.studies.sharing.arms import LOSSES
from kit.studies.sharing.base import RULES, SCALES, further, subjects
from kit.studies.sharing.cells import prepare
from kit.studies.sharing.choosing import chosen, excess_scores
from kit.studies.sharing.looking import plain_maps, summary, unrelated
from kit.studies.sharing.matrices import inner_pairs, scores, whole
from kit.studies.sharing.paper import EFFICIENCY, LISTS
from kit.studies.sharing.untrained import (
    copying_costs,
    correlations,
    dropping_costs,
    loss_of,
    nearest,
    without_attention,
)
from kit.training import Scorer

BLOCKS = 5
CONFIG = ModelConfig.uniform(
    BLOCKS,
    BlockConfig(norm="rms", num_heads=2),
    vocabulary_size=14,
    context_length=12,
    width=16,
    positions="rotary",
    final_norm="rms",
    initializer_std=0.3,
)
TOKENS = np.random.default_rng(0).integers(14, size=(6, 13)).astype("int32")
BATCH = Batch(TOKENS[:, :-1], TOKENS[:, 1:])


def nothing(share):
    pass


@pytest.fixture(scope="module")
def model():
    return build(CONFIG)


@pytest.fixture(scope="module")
def similarity(model):
    return map_similarity(model, BATCH.inputs)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("count", [1, 2, 4])
def test_every_rule_lets_as_many_blocks_copy_from_earlier_ones(rule, count, similarity):
    costs = {block: float(block) for block in range(1, BLOCKS)}
    copies = chosen(rule, count, similarity, costs, seed=3)
    assert len(copies) == count or rule == "gap" and len(copies) < count
    for block, source in copies.items():
        assert source < block and source not in copies


def test_rules_are_told_apart_by_what_they_look_at():
    alike = np.array([[1, 0.1, 0.2, 0.9], [0, 1, 0.8, 0.5], [0, 0, 1, 0.3], [0] * 4])
    alike = np.triu(alike, 1) + np.triu(alike, 1).T + np.eye(4)
    chance = np.where(np.eye(4), 1.0, 0.0)
    found = MapSimilarity([0, 1, 2, 3], {"cosine": alike, "rows": alike}, {})
    found = replace(found, null={"cosine": chance, "rows": chance})
    assert chosen("list", 1, found) == {3: 2}
    assert chosen("worst", 1, found) == {2: 1}
    assert chosen("rows", 1, found) == {3: 2}
    expected = chance.copy()
    expected[3], expected[:, 3] = 0.95, 0.95  # any map is like that of block 3
    by_chance = replace(found, null={"cosine": chance, "rows": expected})
    assert chosen("list", 1, by_chance) == {3: 2}
    assert chosen("rows", 1, by_chance) == {1: 0}
    assert excess_scores(found, "rows") == pytest.approx(found.scores("rows"))
    assert chosen("cheapest", 1, found, {1: 3.0, 2: 1.0, 3: 2.0}) == {2: 1}
    assert chosen("ends", 2, found) == {1: 0, 3: 2}
    assert chosen("consecutive", 1, found) == {2: 1}


def test_the_gap_shares_nothing_where_it_finds_no_inner_blocks():
    alternating = np.array([0.9, 0.1, 0.9, 0.1, 0.9])
    grid = np.outer(alternating, alternating)
    found = MapSimilarity(list(range(5)), {"cosine": grid}, {"cosine": 0 * grid})
    assert chosen("gap", 2, found) == {}


def test_a_loss_is_that_of_the_trainer(model):
    assert loss_of(model, BATCH) == pytest.approx(
        float(Scorer(model).score(BATCH).loss.mean()), rel=1e-5
    )


def test_a_cost_is_what_sharing_changes_and_flat_maps_cost_nothing(model, similarity):
    costs = copying_costs(model, BATCH, 2, nothing)
    assert set(costs) == {
        (b, s) for b in range(BLOCKS) for s in (b - 2, b - 1) if s >= 0
    }
    grown = loss_of(share(model, {3: 1}), BATCH) - loss_of(model, BATCH)
    assert costs[3, 1] == pytest.approx(grown, rel=1e-5)
    assert nearest(costs)[4] == costs[4, 3]
    left = loss_of(without_attention(model, [2]), BATCH) - loss_of(model, BATCH)
    assert dropping_costs(model, BATCH)[2] == pytest.approx(left, rel=1e-5)
    perfect = {pair: -similarity.values["cosine"][pair] for pair in costs}
    found = correlations(similarity, perfect)
    assert found["correlation_cosine"] == found["next_correlation_cosine"] == -1
    flat = build(CONFIG)
    for name, weight in named_weights(flat).items():
        if name.endswith("attention/query"):
            weight.assign(np.zeros(weight.shape))
    assert max(map(abs, copying_costs(flat, BATCH, 1, nothing).values())) < 1e-5


def test_two_models_that_are_one_are_as_alike_as_its_blocks(model, similarity):
    found = unrelated(model, model, BATCH.inputs)
    inner = similarity.values["rows"][1:-1, 1:-1]
    assert found["rows"] == pytest.approx(float(inner.mean()))
    apart = unrelated(model, build(CONFIG, seed=1), BATCH.inputs)
    assert apart["rows"] < found["rows"]


def test_rows_keep_what_was_measured(similarity):
    plain = plain_maps(similarity)["value"]["rows"]
    np.testing.assert_allclose(whole(plain), similarity.values["rows"], atol=1e-12)
    by_block = similarity.scores("rows")
    np.testing.assert_allclose(scores(whole(plain)), list(by_block.values()))
    found = summary(similarity)
    assert found["rows_inner"] == pytest.approx(np.mean(inner_pairs(whole(plain))))
    gap = np.mean([by_block[b] for b in (1, 2, 3)]) - by_block[4]
    assert found["rows_above_last"] == pytest.approx(gap)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A base of a few steps, and everything that is done with it."""
    scale = replace(SCALES["smoke"], narrow=8)
    subject = subjects(scale)["addition"]
    plan = {"sequences": 4, "reach": 1, "rates": [0.5], "others": 1}
    made = {"rule": "list", "rate": 0.5, "sequences": 4, "losses": LOSSES}
    made |= {"regime": "kd-continual", "matched": 0, "dropped": False}
    train = further(subject, 5).to_dict()
    arms = {
        "base": {"plan": plan},
        "copied": {"plan": plan},
        "student": {"plan": made, "train": train},
        "scratch": {"plan": made, "train": train},
    }
    found, trained = {}, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIT_RUNS", str(tmp_path_factory.mktemp("runs")))
        whole_training = dense.Dense._train
        patch.setattr(
            dense.Dense,
            "_train",
            lambda self, *args: trained.append(args[0]) or whole_training(self, *args),
        )
        for name, spec in arms.items():
            spec = {"kind": name, "base": subject.spec, "watched": 2} | spec
            found[name] = prepare(spec)(0, nothing)
    return found | {"trained": trained}


@pytest.mark.slow
def test_a_base_is_trained_once_and_watched(rows):
    assert rows["trained"] == [0]
    base = rows["base"]
    assert list(base["probes"]["watched"]) == [str(step) for step in range(1, 9)]
    assert not any("maps" in point for point in base["history"])
    start, watched = base["probes"]["start"], base["probes"]["watched"]
    assert set(start["value"]) == set(watched["1"]["null"])
    assert base["metrics"]["rows_start"] == pytest.approx(
        np.mean(start["value"]["rows"])
    )


@pytest.mark.slow
def test_what_is_shared_starts_where_copying_left_it(rows):
    copied, student = rows["copied"], rows["student"]
    (choice,) = copied["probes"]["rules"]["list"].values()
    assert choice["copies"] == student["probes"]["copies"]
    found = student["metrics"]
    assert found["loss_before"] == pytest.approx(choice["loss"], rel=1e-4)
    assert found["stage_2_gain"] == pytest.approx(found["stage_1_loss"] - found["loss"])
    assert found["copied"] == len(choice["copies"]) and found["formula_miss"] == 0
    assert student["steps"] == 5 and found["parameters_saved"] > 0
    assert rows["scratch"]["probes"]["copies"] == student["probes"]["copies"]
    alike = copied["metrics"]  # the other model of one seed is the model itself
    both = (1 + alike["rows_inner"]) / 2  # of two inner blocks, each with itself too
    assert alike["rows_unrelated"] == pytest.approx(both)


@pytest.mark.parametrize("listed", LISTS)
def test_the_printed_savings_are_those_of_the_paper_s_model(listed):
    from kit.counts import parameter_counts
    from kit.sharing import by_list, savings_of

    paper = speed.tiny_llama()
    total = sum(parameter_counts(paper).values())
    assert total == 1_100_048_384  # TinyLlama 1.1B
    saved = savings_of(paper, by_list(LISTS[listed], range(22))).parameters
    assert saved / total == pytest.approx(EFFICIENCY[listed][2], abs=5e-5)
