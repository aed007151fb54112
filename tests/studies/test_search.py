"""Learning rates by search: the same grid for all, the lowest loss wins."""

from dataclasses import replace

import pytest
from toy import row

from kit.studies import STUDIES, load, search
from kit.studies.study import Arm

ARM = Arm("sas", "SAS", {"kind": "training", "train": {"learning_rate": 1.0}}, seeds=5)
RATES = (0.001, 0.003, 0.01)


def tried(arm, rate, loss, status="finished", seed=0):
    spec = {"train": {"learning_rate": rate}}
    made = row(f"{arm}@{rate:g}", seed, status=status)
    return replace(made, spec=spec, metrics={"loss": loss})


def test_every_arm_is_tried_at_every_rate_and_nothing_else_differs():
    found = search.searched([ARM, replace(ARM, name="pre-ln")], RATES)
    assert len({arm.name for arm in found}) == 6
    assert [arm.spec["train"]["learning_rate"] for arm in found] == [*RATES, *RATES]
    assert {arm.spec["kind"] for arm in found} == {"training"}
    assert {arm.seeds for arm in found} == {None}
    assert ARM.spec["train"] == {"learning_rate": 1.0}


def test_the_lowest_loss_wins_and_a_diverged_run_never_does():
    rows = [
        tried("a", 0.001, 2.0),
        tried("a", 0.003, 1.0),
        tried("a", 0.01, 0.5, status="diverged"),
        tried("b", 0.001, 1.0),
        tried("b", 0.003, None),
    ]
    assert search.best_rates(rows) == {"a": 0.003, "b": 0.001}


def test_a_rate_that_one_seed_alone_likes_does_not_win():
    losses = {0.003: (4.33, 4.35, 4.31), 0.01: (4.17, 4.75, 4.66)}
    rows = [
        tried("a", rate, loss, seed=seed)
        for rate, found in losses.items()
        for seed, loss in enumerate(found)
    ]
    assert search.best_rates(rows) == {"a": 0.003}
    assert search.best_rates(rows[::3]) == {"a": 0.01}
    one_diverged = [*rows, tried("a", 0.003, 4.0, status="diverged", seed=3)]
    assert search.best_rates(one_diverged) == {"a": 0.01}


def test_of_two_equal_losses_the_lower_rate_wins():
    rows = [tried("a", rate, 1.0) for rate in RATES[::-1]]
    assert search.best_rates(rows) == {"a": 0.001}


def test_arms_take_the_rates_that_are_kept(monkeypatch):
    monkeypatch.setattr(search, "kept_rates", lambda slug: {"sas": 0.01})
    arms = search.at_best_rates("toy", [ARM, replace(ARM, name="new")], 0.003)
    assert [arm.spec["train"]["learning_rate"] for arm in arms] == [0.01, 0.003]
    assert search.range_in_words("toy", RATES) == (
        "0.001 for 0 arms, 0.003 for 0 arms, 0.01 for 1 arm (a rate beyond the grid "
        "may be better: at the upper end sas)"
    )
    monkeypatch.setattr(search, "kept_rates", lambda slug: {"sas": 0.003, "lion": 1e-3})
    assert "upper" not in search.range_in_words("toy", RATES)
    assert "beyond" not in search.range_in_words("toy", RATES, ["sas"])
    tenths = [rate / 10 for rate in (3e-4, 3e-3, 1e-2)]
    found = search.range_in_words("toy", tenths, ["lion", "not searched"])
    assert "0.001 for 1 arm (" in found and found.endswith("at the upper end lion)")


@pytest.mark.parametrize("slug", list(STUDIES))
def test_a_kept_search_has_every_arm_that_is_searched(slug):
    """Or else an arm would take the middle of the grid, and nobody would be told."""
    study, kept = load(slug), search.kept_rates(slug)
    if not kept:
        pytest.skip(f"{slug} keeps no search")
    wanted = {arm.name.partition("@")[0] for arm in study.arms(search.SEARCH)}
    assert wanted <= set(kept)


def test_a_study_without_a_search_has_no_rates():
    assert search.kept_rates("symmetry") == {}
    assert "not searched" in search.range_in_words("symmetry", RATES)


def test_a_kept_search_decides_the_rate_of_the_full_run():
    (best,) = (arm for arm in load("reference").arms("full") if arm.name == "searched")
    assert (
        best.spec["train"]["learning_rate"]
        == search.kept_rates("reference")["searched"]
    )
