import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from toy import study

from kit.errors import KitError
from kit.studies.progress import Display
from kit.studies.runner import Runner
from kit.studies.store import Store
from kit.studies.study import Platform

HERE = Path(__file__).parent
RUN_TOY = """
import signal, sys
# A suite that runs in the background of a script hands down an ignored Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {here!r})
from kit import studies
studies.STUDIES["toy"] = "toy:STUDY"
import toy, typer
toy.STUDY = toy.study(**{specs!r})
from kit.studies.commands import register
app = typer.Typer()
register(app)
app(["reproduce", "toy", "--workers", "2"])
"""


def run(toy, folder, workers=2, budget="quick", cells=None):
    with Store(folder / "store.sqlite") as store:
        runner = Runner(
            toy, budget, store, Platform(), folder / "logs", Display(), workers
        )
        summary = runner.run(cells or toy.cells(budget))
        return summary, store.rows("toy")


def started_cells(log):
    """(level, seed) of every seed that a worker has begun, and the process ids."""
    lines = [line.split() for line in log.read_text().splitlines()]
    return [(level, seed) for level, seed, _ in lines], {int(pid) for *_, pid in lines}


def alive(pid):
    """Whether a process runs; one that waits for its parent to notice does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.slow
def test_every_cell_is_run_once_with_paired_seeds_and_never_again(tmp_path):
    log = str(tmp_path / "log")
    toy = study(low={"level": 0.1, "log": log}, high={"level": 0.9, "log": log})
    summary, rows = run(toy, tmp_path)
    assert (summary.cells, summary.finished, summary.reused) == (6, 6, 0)
    seeds = sorted((row.arm, row.seed) for row in rows.values())
    assert seeds == [(arm, seed) for arm in ("high", "low") for seed in range(3)]
    for row in rows.values():
        level = {"low": 0.1, "high": 0.9}[row.arm]
        assert row.metrics["accuracy"] == level + 0.01 * row.seed
    again, same = run(toy, tmp_path)
    assert (again.finished, again.reused) == (0, 6)
    assert same == rows
    twin = toy.cells("quick", names=["low"])
    shared, _ = run(toy, tmp_path, cells=toy.cells("quick") + twin)
    assert (shared.cells, shared.finished, shared.reused) == (6, 0, 6)
    more, _ = run(toy, tmp_path, cells=toy.cells("quick", seeds=4))
    assert (more.finished, more.reused) == (2, 6)
    begun, _ = started_cells(Path(log))
    assert len(begun) == len(set(begun)) == 8


def test_a_process_makes_room_for_the_next_after_some_arms(tmp_path):
    log = str(tmp_path / "log")
    levels = {"low": 0.1, "high": 0.9, "a": 0.2, "b": 0.3, "c": 0.4}
    toy = study(**{name: {"level": at, "log": log} for name, at in levels.items()})
    summary, rows = run(replace(toy, arms_per_process=2), tmp_path, workers=1)
    assert (summary.finished, len(rows), summary.failures) == (15, 15, [])
    _, processes = started_cells(Path(log))
    assert len(processes) == 3  # two arms, two arms, one arm
    assert summary.workers == 1


def test_rows_say_where_they_come_from(tmp_path):
    _, rows = run(study(seeds=1), tmp_path)
    row = next(iter(rows.values()))
    assert row.environment["python"] == sys.version.split()[0]
    assert row.environment["cores"] >= 1 and row.environment["cpu"]
    assert row.steps == 4 and [point["step"] for point in row.history] == [0, 1, 2, 3]
    assert row.seconds >= row.training_seconds and row.started.endswith("+00:00")


def test_workers_are_pinned_and_single_threaded_and_their_output_is_logged(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=here")
    _, rows = run(study(), tmp_path)
    for row in rows.values():
        environment = row.probes["environment"]
        assert len(row.probes["cores"]) == 1
        assert environment["KERAS_BACKEND"] == "tensorflow"
        assert environment["OMP_NUM_THREADS"] == "1"
        flags = environment["XLA_FLAGS"].split()
        assert flags == ["--xla_dump_to=here", "--xla_cpu_multi_thread_eigen=false"]
    logs = [path.read_text() for path in (tmp_path / "logs").glob("*.log")]
    assert "".join(logs).count("noise on standard output") == 6


def test_a_diverged_cell_is_a_result(tmp_path):
    toy = study(high={"level": 0.9, "diverges": [1]})
    summary, rows = run(toy, tmp_path)
    assert (summary.finished, summary.diverged, summary.failures) == (6, 1, [])
    (lost,) = [row for row in rows.values() if row.status == "diverged"]
    assert (lost.arm, lost.seed, lost.metrics) == ("high", 1, {"accuracy": None})
    assert run(toy, tmp_path)[0].reused == 6


@pytest.mark.slow
@pytest.mark.parametrize(
    "how, reason",
    [
        ("raise", "FloatingPointError: the loss went away"),
        ("exit", "the worker ended with exit status 7"),
        ("kill", "killed by SIGKILL, probably out of memory"),
    ],
)
def test_a_crash_costs_one_cell_and_can_be_run_again(tmp_path, how, reason):
    toy = study(high={"level": 0.9, "crash": {"1": how}})
    summary, rows = run(toy, tmp_path)
    assert summary.finished == len(rows) == 5
    (failure,) = summary.failures
    assert str(failure.cell) == "high seed 1"
    assert reason in failure.reason
    if how == "raise":
        assert "in crash" in failure.log.read_text()  # the traceback
    again, _ = run(toy, tmp_path)
    assert (again.reused, len(again.failures)) == (5, 1)


def test_an_arm_that_cannot_be_built_fails_whole_and_alone(tmp_path):
    toy = study(odd={"level": 0.5, "unbuildable": True})
    summary, rows = run(toy, tmp_path, workers=1)
    assert len(rows) == 6
    log = (tmp_path / "logs" / "worker-1.log").read_text()
    assert log.count("RuntimeError: no such layer") == 1  # not tried for every seed
    assert sorted(str(failure.cell) for failure in summary.failures) == [
        f"odd seed {seed}" for seed in range(3)
    ]
    assert {failure.reason for failure in summary.failures} == {
        "RuntimeError: no such layer"
    }


@pytest.mark.parametrize(
    "result, reason",
    [
        ({"metrics": {}}, "status=None"),
        ({"status": "stopped"}, "status='stopped'"),
        ({"status": "finished", "metrics": [1]}, "metrics"),
        ({"status": "finished", "metrics": {"a": "b"}}, "metrics"),
    ],
)
def test_a_result_of_the_wrong_form_is_a_failure(tmp_path, result, reason):
    toy = study(seeds=1, high={"level": 0.9, "result": result})
    summary, rows = run(toy, tmp_path)
    assert len(rows) == 1
    assert reason in summary.failures[0].reason


@pytest.mark.slow
def test_the_summary_adds_up(tmp_path):
    toy = study(low={"level": 0.1, "seconds": 0.1}, high={"level": 0.9, "seconds": 0.1})
    summary, _ = run(toy, tmp_path)
    assert summary.training == pytest.approx(0.6)
    total = summary.workers * summary.wall
    known = summary.training + summary.starting + summary.preparing
    assert known + summary.evaluating <= total
    assert summary.overhead == pytest.approx(1 - 0.6 / total)
    assert "6 cells: 6 run, 0 kept from earlier, 0 failed" in str(summary)


def test_a_full_disk_ends_the_run_and_keeps_what_was_finished(tmp_path):
    toy = study(seeds=6)
    with Store(tmp_path / "store.sqlite") as store:
        store._db.execute("PRAGMA max_page_count = 5")
        runner = Runner(toy, "quick", store, Platform(), tmp_path, Display(), 2)
        with pytest.raises(KitError, match="full"):
            runner.run(toy.cells("quick"))
        assert all(not alive(process._popen.pid) for process in runner.pool.values())
        kept = len(store.keys("toy"))
    assert 0 < kept < 12
    assert run(toy, tmp_path)[0].reused == kept


def test_a_worker_that_cannot_start_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(KitError, match="Worker 1 could not start.*status 1") as error:
        run(study(), tmp_path, workers=1)
    assert "worker-1.log" in error.value.fix


def test_workers_below_one_are_refused(tmp_path):
    with pytest.raises(KitError, match="workers=0"):
        run(study(), tmp_path, workers=0)


@pytest.fixture
def long_run(runs):
    """A run of 12 cells of 0.3 seconds in a process of its own, some of them done."""
    log = runs.parent / "log"
    specs = {
        name: {"level": level, "seconds": 0.3, "log": str(log)}
        for name, level in (("low", 0.1), ("high", 0.9))
    }
    script = RUN_TOY.format(here=str(HERE), specs={"seeds": 6, **specs})
    command = [sys.executable, "-c", script]
    # Its own process group: a signal reaches this run and nothing else.
    parent = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with parent:
        wait_until(lambda: log.exists() and len(log.read_text().splitlines()) >= 4)
        yield parent, log, command
        if parent.poll() is None:
            parent.kill()


def finished_cells(runs):
    with Store(runs / "store.sqlite", write=False) as store:
        return store.keys("toy")


@pytest.mark.slow
def test_after_a_kill_nothing_is_left_running_or_run_again(long_run, runs):
    parent, log, command = long_run
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    before, workers = started_cells(log)
    wait_until(lambda: not any(alive(pid) for pid in workers))
    kept = len(finished_cells(runs))
    assert 2 <= kept < 12
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"12 cells: {12 - kept} run, {kept} kept from earlier" in done.stdout
    after, _ = started_cells(log)
    assert len(set(after)) == 12
    # Only the cells that were under way, at most one a worker, were begun twice.
    assert len(after) - 12 == len(before) - kept <= 2


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_is_finished_and_says_how_to_resume(long_run, runs, how):
    parent, log, _ = long_run
    if how == signal.SIGINT:  # a terminal sends Ctrl-C to the workers too
        os.killpg(parent.pid, how)
    else:
        parent.send_signal(how)
    output, _ = parent.communicate(timeout=60)
    assert parent.returncode == 130
    assert "run the same command to resume" in output
    assert f"{len(finished_cells(runs))} run" in output
    _, workers = started_cells(log)
    assert not any(alive(pid) for pid in workers)
    for path in (runs / "toy" / "logs").iterdir():
        assert "Traceback" not in path.read_text()
