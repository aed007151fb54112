import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import toy
import typer
from typer.testing import CliRunner

from kit import studies
from kit.errors import KitError
from kit.studies import commands, machine, results
from kit.studies.commands import register
from kit.studies.sides import sides_of
from kit.studies.store import Store
from kit.studies.verdicts import judge_study


def kit(*arguments):
    """Run a command of the studies; a `KitError` is left for the kit's own main."""
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, arguments)


def error_of(*arguments):
    outcome = kit(*arguments)
    assert isinstance(outcome.exception, KitError), outcome.output
    return str(outcome.exception)


def test_reproduce_then_report(runs):
    done = kit("reproduce", "toy", "--workers", "1")
    assert done.exit_code == 0, done.output
    assert "6 cells: 6 run, 0 kept from earlier, 0 failed" in done.output
    assert "T1" in done.output and "✓ reproduced" in done.output
    page = runs / "toy" / "quick" / "report.html"
    assert f"Report: {page}" in done.output.replace("\n", "")
    assert page.exists()
    shown = kit("report", "toy", "--json")
    (own,) = json.loads(shown.output)
    assert (own["results"], own["budget"], own["runs"]) == ("own", "quick", 6)
    verdicts = own["verdicts"]
    assert [verdict["claim"] for verdict in verdicts] == ["T1", "T2"]
    for verdict in verdicts:
        assert verdict["verdict"] == "reproduced" and verdict["seeds"] == 3
        assert verdict["low"] <= verdict["estimate"] <= verdict["high"]


def test_reproduce_only_one_arm_with_more_seeds_elsewhere(runs, tmp_path):
    out = tmp_path / "elsewhere"
    options = ("--arm", "low", "--seeds", "4", "--workers", "1", "--out", str(out))
    done = kit("reproduce", "toy", *options)
    assert done.exit_code == 0, done.output
    assert "4 cells: 4 run" in done.output
    assert "Arm high has not been run" in done.output
    assert (out / "report.html").exists()


def test_a_failed_cell_gives_exit_code_one_and_names_the_log(runs, monkeypatch):
    broken = toy.study(high={"level": 0.9, "crash": {"1": "raise"}})
    monkeypatch.setattr(toy, "STUDY", broken)
    done = kit("reproduce", "toy", "--workers", "1")
    assert done.exit_code == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "high seed 1: FloatingPointError: the loss went away" in last
    assert "worker-1.log" in last
    assert "T1" in done.output  # the other cells are judged all the same


@pytest.mark.slow
def test_committed_results_are_written_and_shown_when_there_are_no_own(
    runs, tmp_path, monkeypatch
):
    monkeypatch.setattr(results, "shipped", lambda name: tmp_path / name)
    assert "no results" in error_of("report", "toy")
    options = ("--budget", "full", "--workers", "1", "--export")
    done = kit("reproduce", "toy", *options)
    assert done.exit_code == 0, done.output
    path = tmp_path / "results" / "toy" / "full.jsonl"
    assert len(path.read_text().splitlines()) == 6
    shutil.rmtree(runs)
    shown = kit("report", "toy")
    assert shown.exit_code == 0, shown.output
    assert "✓ reproduced" in shown.output
    assert "the kit's runs (full), 6 cells" in shown.output
    assert "your runs" not in shown.output
    own = kit("reproduce", "toy", "--workers", "1")
    assert own.exit_code == 0, own.output
    for title in ("your runs (quick)", "the kit's runs (full)"):
        assert f"{title}, 6 cells on tensorflow-cpu: 2 reproduced" in own.output
    sides = json.loads(kit("report", "toy", "--json").output)
    assert [side["results"] for side in sides] == ["own", "kept with the kit"]
    page = (runs / "toy" / "quick" / "report.html").read_text()
    assert "your runs (quick)" in page and "the kit&#39;s runs (full)" in page


def only_low_unless_full(study):
    """The toy study, whose arm `high` is in the full budget alone."""
    return replace(study, arms=lambda b: study.arms(b)[: 2 if b == "full" else 1])


def test_a_claim_whose_arm_the_budget_lacks_is_not_undecided():
    """With the kept verdict beside it, and only once all of the budget was run."""
    full = toy.STUDY
    smaller = only_low_unless_full(full)
    rows = toy.results(low=[0.1, 0.1, 0.1], high=[0.9, 0.9, 0.9]).rows
    kept = results.Results(rows, "full", "committed")
    own = kept.select(["low"])
    own.budget, own.origin = "quick", "own"
    assert [v.verdict for v in judge_study(smaller, own)] == ["not in this budget"] * 2
    assert "--budget full" in judge_study(smaller, own)[0].sentence
    assert [v.verdict for v in judge_study(smaller, kept)] == ["reproduced"] * 2
    assert {v.verdict for v in judge_study(full, own)} == {"undecided"}, "high is due"
    with CliRunner().isolation() as (output, *_):
        commands.print_verdicts(sides_of(smaller, own, kept))
        table = output.getvalue().decode()
    assert re.search("T1 .*– not in this budget .*✓ reproduced", table)
    assert "your runs (quick), 3 cells" in table


def test_runs_that_became_the_kits_are_shown_once():
    rows = toy.results(low=[0.1], high=[0.9]).rows
    own, kept = (results.Results(rows, "full", origin) for origin in ("own", "kept"))
    assert [side.whose for side in sides_of(toy.STUDY, own, kept)] == [
        "kept with the kit"
    ]
    other = results.Results(rows[1:], "full")
    assert len(sides_of(toy.STUDY, other, kept)) == 2


def test_a_reader_who_closes_the_pipe_does_not_end_the_program(monkeypatch):
    """The command line makes it no error; Rich, left alone, raises `SystemExit`."""

    class Closed(io.StringIO):
        def write(self, text):
            if text:
                raise BrokenPipeError
            return 0

    sides = sides_of(toy.STUDY, toy.results(high=[0.9]), results.Results([]))
    monkeypatch.setattr(sys, "stdout", Closed())
    with pytest.raises(BrokenPipeError):
        commands.print_verdicts(sides)


def test_an_arm_of_another_budget_is_said_to_be_there(runs, monkeypatch):
    monkeypatch.setattr(toy, "STUDY", only_low_unless_full(toy.STUDY))
    told = error_of("reproduce", "toy", "--arm", "high")
    assert "quick has no arm 'high', the budget full has" in told
    assert "kit reproduce toy --budget full --arm high" in told


def test_what_the_user_can_mend_is_the_last_line_and_exit_code_two(runs, monkeypatch):
    mistake = {"mistake": ["There is no text", "Get one"]}
    broken = toy.study(low={"level": 0.1} | mistake, high={"level": 0.9} | mistake)
    monkeypatch.setattr(toy, "STUDY", broken)
    done = kit("reproduce", "toy", "--workers", "1")
    assert done.exit_code == 2
    last = done.stderr.strip().splitlines()[-1]
    assert "6 cells failed" in last and "There is no text. Get one." in last


def test_a_report_that_cannot_be_written_is_told_before_any_verdict(runs, tmp_path):
    assert kit("reproduce", "toy", "--workers", "1").exit_code == 0
    (tmp_path / "file").write_text("in the way")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        for command in ("report", "reproduce"):
            shown = kit(command, "toy", "--out", str(place))
            assert "Cannot write the report" in str(shown.exception)
            assert shown.output == ""


@pytest.mark.slow
def test_a_partial_export_is_completed_from_what_is_kept(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "shipped", lambda name: tmp_path / name)
    options = ("--budget", "full", "--workers", "1", "--export")
    done = kit("reproduce", "toy", "--arm", "low", *options)
    assert "3 rows written" in done.output and "3 still missing" in done.output
    path = tmp_path / "results" / "toy" / "full.jsonl"
    first = path.read_text()
    shutil.rmtree(runs)  # another machine, another day
    done = kit("reproduce", "toy", *options)
    assert "6 rows written" in done.output and "0 still missing" in done.output
    assert set(first.splitlines()) < set(path.read_text().splitlines()), "not run again"


@pytest.mark.slow
def test_a_reproduction_never_takes_over_what_is_kept(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "shipped", lambda name: tmp_path / name)
    options = ("--budget", "full", "--workers", "1")
    kit("reproduce", "toy", *options, "--export")
    path = tmp_path / "results" / "toy" / "full.jsonl"
    rows = [
        {**json.loads(line), "started": "long ago"}
        for line in path.read_text().splitlines()
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    shutil.rmtree(runs)
    kit("reproduce", "toy", *options)
    own = [row.started for row in results.own_results(toy.STUDY, "full").rows]
    assert len(own) == 6 and "long ago" not in own


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["toi"], "unknown study 'toi'.*mean 'toy'"),
        (["sharring"], "unknown study 'sharring'.*mean 'sharing'"),
        (["toy", "--budget", "quik"], "unknown budget 'quik'.*mean 'quick'"),
        (["toy", "--arm", "lwo"], "unknown arm 'lwo'.*mean 'low'"),
        (["toy", "--seeds", "0"], "seeds=0, expected at least 1"),
        (["toy", "--workers", "0"], "workers=0, expected at least 1"),
        (["toy", "--workers", "-2"], "workers=-2, expected at least 1"),
        (["toy", "--backend", "tensorflo"], "unknown backend.*mean 'tensorflow'"),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_run(runs, arguments, message):
    assert re.search(message, error_of("reproduce", *arguments))
    if runs.exists():
        with Store(runs / "store.sqlite", write=False) as store:
            assert store.keys("toy") == set()


def test_a_missing_backend_says_how_to_install_it(runs, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = error_of("reproduce", "toy", "--backend", "jax")
    assert "'jax' is not installed" in message
    assert "pip install '.[jax]' in the clone" in message


@pytest.mark.slow
def test_another_backend_has_cells_of_its_own(runs, monkeypatch):
    monkeypatch.setattr(machine, "check_backend", lambda name: None)
    assert kit("reproduce", "toy", "--workers", "1").exit_code == 0
    done = kit("reproduce", "toy", "--workers", "1", "--backend", "jax")
    assert "6 cells: 6 run, 0 kept" in done.output
    with Store(runs / "store.sqlite", write=False) as store:
        rows = store.rows("toy").values()
    assert {
        (row.backend, row.probes["environment"]["KERAS_BACKEND"]) for row in rows
    } == {("tensorflow", "tensorflow"), ("jax", "jax")}


def test_too_little_space_is_seen_before_hours_of_work(runs, monkeypatch):
    usage = type(shutil.disk_usage("/"))(total=10**9, used=10**9, free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "Only 1 MB" in error_of("reproduce", "toy")


def test_runs_in_a_place_without_write_rights(runs):
    runs.write_text("a file where the folder should be")
    message = error_of("reproduce", "toy")
    assert str(runs) in message and "KIT_RUNS" in message


def test_studies_lists_all_five_papers(runs, monkeypatch):
    for slug in reversed([slug for slug in studies.STUDIES if slug != "toy"]):
        monkeypatch.delitem(studies.STUDIES, slug)  # put back in the reverse order
    shown = kit("studies")
    assert shown.exit_code == 0, shown.output
    for slug, paper in studies.PAPERS.items():
        assert f"{slug:10} {paper}" in shown.output
    assert "quick     6 cells, about" in shown.output
    assert shown.output.count("no study yet") == 5
    assert re.search("'sharing'.*not in this version", error_of("reproduce", "sharing"))


def test_registering_the_commands_imports_nothing_heavy():
    code = (
        "import sys, typer; from kit.studies.commands import register;"
        "register(typer.Typer());"
        "heavy = {'numpy', 'scipy', 'matplotlib', 'keras', 'tensorflow'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
