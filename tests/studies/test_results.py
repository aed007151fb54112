import json
import math
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from toy import STUDY, results, row, study

from kit.errors import KitError
from kit.paths import shipped
from kit.studies import STUDIES, load
from kit.studies.reproduce import export
from kit.studies.results import (
    Results,
    committed_path,
    committed_results,
    outdated,
    own_results,
    plain,
    read_rows,
    write_rows,
)
from kit.studies.store import Store
from kit.studies.study import Cell, Platform, canonical
from kit.training import TrainConfig


def test_key_depends_on_everything_that_the_numbers_depend_on():
    base = STUDY.cells("quick")[0]
    other_spec = study(low={"level": 0.2}).cells("quick")[0]
    keys = {
        base.key,
        other_spec.key,
        STUDY.cells("quick")[1].key,
        study(slug="other").cells("quick")[0].key,
        STUDY.cells("quick", platform=Platform("jax"))[0].key,
        STUDY.cells("quick", platform=Platform("tensorflow", "gpu"))[0].key,
        Cell("toy", "2.1", base.arm, base.seed).key,
    }
    assert len(keys) == 7
    assert STUDY.cells("full")[0].key == base.key  # the same work is done once


def test_key_does_not_depend_on_the_order_of_a_spec():
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, np.float32(1)])
def test_a_spec_that_is_no_json_is_refused(value):
    with pytest.raises(KitError, match="JSON"):
        canonical({"x": value})


def test_plain_turns_arrays_into_lists_and_nan_into_none():
    value = {"a": np.arange(3, dtype=np.float32), "b": (np.float64("inf"), 1), 3: True}
    assert plain(value) == {"a": [0.0, 1.0, 2.0], "b": [None, 1], "3": True}
    with pytest.raises(TypeError, match="object"):
        plain({"a": object()})


def test_committed_rows_are_sorted_rounded_and_come_back(tmp_path):
    path = tmp_path / "deep" / "quick.jsonl"
    rows = [row("b", 1, math.pi), row("a", 2), row("a", 0)]
    assert write_rows(path, rows) == 3
    text = path.read_text()
    write_rows(path, rows[::-1])
    assert path.read_text() == text
    found = read_rows(path)
    assert [(r.arm, r.seed) for r in found] == [("a", 0), ("a", 2), ("b", 1)]
    assert found[2].metrics["accuracy"] == 3.14159
    assert not list(path.parent.glob("*.part"))


def test_a_damaged_row_is_named_by_its_line(tmp_path):
    path = tmp_path / "quick.jsonl"
    write_rows(path, [row("a"), row("b")])
    lines = path.read_text().splitlines()
    for broken in (lines[1][:-5], json.dumps({"key": 1})):
        path.write_text("\n".join([lines[0], broken]))
        with pytest.raises(KitError, match="line 2"):
            read_rows(path)


def test_values_of_an_arm():
    found = results(a=[0.1, None], b=[0.3])
    assert found.values("a", "accuracy") == {0: 0.1, 1: None}
    assert found.values("missing", "accuracy") == {}
    with pytest.raises(KitError, match="'accuracy'"):
        found.values("a", "acuracy")
    assert found.select(["b"]).arms == {"b": "arm b"}


def test_own_results_take_todays_names_and_the_best_known_platform(runs):
    toy = study()
    gpu = Platform("tensorflow", "gpu")
    with Store(runs / "store.sqlite") as store:
        for platform, cells in (
            (Platform(), toy.cells("quick")[:2]),
            (gpu, toy.cells("quick", platform=gpu)),
        ):
            for cell in cells:
                store.add(
                    row("old name", cell.seed, key=cell.key, device=platform.device)
                )
    assert own_results(toy, "quick").platform == gpu
    assert len(own_results(toy, "quick")) == 6
    found = own_results(toy, "quick", platform=Platform())
    assert found.arms == {"low": "arm low"}
    assert own_results(toy).budget == "quick"


def test_arms_of_one_spec_share_their_rows_and_keep_their_names(
    runs, tmp_path, monkeypatch
):
    monkeypatch.setattr("kit.studies.results.shipped", lambda name: tmp_path / name)
    twins = study(twin={"level": 0.1})  # that of `low`
    with Store(runs / "store.sqlite") as store:
        for cell in twins.cells("quick", names=["low"]):
            store.add(row("low", cell.seed, key=cell.key))
    path, written, missing = export(twins, "quick", Platform())
    assert (written, missing) == (6, 3)
    labels = {(r.arm, r.label) for r in read_rows(path)}
    assert labels == {("low", "arm low"), ("twin", "arm twin")}


def test_no_runs_no_results_and_no_file_made(runs):
    assert len(own_results(STUDY, "quick")) == 0
    assert not runs.exists()


def test_outdated_rows_are_those_that_the_study_would_not_run_today():
    cells = STUDY.cells("quick")
    rows = [row(key=cell.key, seed=cell.seed) for cell in cells] + [row(key="gone")]
    found = results()
    found.rows, found.budget = rows, "quick"
    assert [r.key for r in outdated(STUDY, found)] == ["gone"]


def test_committed_path_tells_platforms_apart():
    paths = {
        committed_path("toy", "full", platform).name
        for platform in (Platform(), Platform("jax"), Platform("tensorflow", "gpu"))
    }
    assert paths == {"full.jsonl", "full-jax-cpu.jsonl", "full-tensorflow-gpu.jsonl"}


def other_than_today(study, found):
    """Rows that the study would not run again on the texts that they were made with.

    A text made from installed packages is another text with other versions, so the
    stored versions take the place of today's before the keys are compared.
    """
    stored = [row.spec["sources"] for row in found.rows if "sources" in row.spec]
    then = [each for place, each in enumerate(stored) if each not in stored[:place]]
    most = 1 + max(row.seed for row in found.rows)
    keys = set()
    for cell in study.cells(found.budget, seeds=most, platform=found.platform):
        keys.add(cell.key)
        for sources in then if "sources" in cell.arm.spec else ():
            spec = {**cell.arm.spec, "sources": sources}
            keys.add(replace(cell, arm=replace(cell.arm, spec=spec)).key)
    return [row for row in found.rows if row.key not in keys]


def test_an_edited_arm_leaves_rows_behind_whatever_versions_made_them():
    """And other versions alone do not."""

    def with_text(level, numpy):
        specs = {"text": {"level": level, "sources": {"numpy": numpy}}}
        return study(**specs)

    then = with_text(0.5, numpy="1.0")
    rows = [
        row(cell.arm.name, cell.seed, key=cell.key, spec=dict(cell.arm.spec))
        for cell in then.cells("quick")
    ]
    kept = Results(rows, "quick")
    assert other_than_today(then, kept) == []
    assert other_than_today(with_text(0.5, numpy="2.0"), kept) == []
    edited = other_than_today(with_text(0.6, numpy="2.0"), kept)
    assert [(found.arm, found.seed) for found in edited] == [
        ("text", seed) for seed in range(3)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("slug", list(STUDIES))
def test_committed_results_belong_to_the_study_as_it_is(slug, monkeypatch):
    """Fails when a spec or a version of the study changed after they were stored."""
    for name in ("pruning.arms", "sharing.real"):  # as where SmolLM2 was fetched
        module = import_module(f"kit.studies.{name}")
        monkeypatch.setattr(module, "has_checkpoint", lambda: True)
    study = load(slug)
    kept = committed_results(study)
    if not len(kept):
        pytest.skip(f"{slug} has no committed results yet")
    stale = other_than_today(study, kept)
    assert [(row.arm, row.seed) for row in stale] == []
    planned = {(cell.arm.name, cell.seed) for cell in study.cells("full")}
    found = {(row.arm, row.seed) for row in kept.rows}
    assert found <= planned
    if found < planned:
        pytest.skip(
            f"{slug}: {len(planned - found)} of {len(planned)} runs are missing"
        )


@pytest.mark.parametrize("path", sorted(shipped("results").glob("*/*.jsonl")))
def test_the_training_of_stored_rows_is_written_today_as_it_was(path):
    """Or else a new field of the config would make every key another one."""
    specs = [row.spec for row in read_rows(path)]
    for stored in (spec["train"] for spec in specs if "train" in spec):
        assert TrainConfig.from_dict(stored).to_dict() == stored
