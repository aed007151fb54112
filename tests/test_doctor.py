"""`kit doctor`: what is wrong is found, and every problem says how to mend it."""

import os
import subprocess
import sys

import pytest

from kit import doctor
from kit.backends import BACKENDS


def run(**environment):
    return subprocess.run(
        [sys.executable, "-m", "kit", "doctor"],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.slow
def test_report_names_everything_and_its_exit_code_follows_the_problems():
    ended = run()
    for name in (
        "python",
        "keras",
        "backend",
        "gpu",
        "cores",
        "memory",
        "data",
        "runs",
    ):
        assert f" {name} " in ended.stdout
    lines = ended.stdout.splitlines()
    problems = [i for i, line in enumerate(lines) if line.startswith("problem ")]
    assert all(lines[i + 1].strip().startswith("fix: ") for i in problems)
    assert ended.returncode == (1 if problems else 0)
    assert ended.stderr == ""


@pytest.mark.parametrize(
    "backend, found, fix",
    [
        ("abacus", "Unable to import backend : abacus", "Set KERAS_BACKEND"),
        ("nothing", "Unable to import backend : nothing", "Set KERAS_BACKEND"),
    ],
)
def test_an_unknown_backend_is_a_problem(backend, found, fix, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    (row,) = doctor.backend()
    assert found in row.found and row.fix.startswith(fix)


@pytest.mark.parametrize("package", BACKENDS)
def test_a_backend_that_is_not_installed_names_the_extra(package):
    last = f"Traceback\nModuleNotFoundError: No module named '{package}'"
    assert doctor._failure(last, 1)[1] == f"Run pip install '.[{package}]' in the clone"


def test_a_backend_that_crashes_without_a_word_is_a_problem(monkeypatch):
    monkeypatch.setattr(doctor, "PROBE", "import os; os.abort()")
    (row,) = doctor.backend()
    assert "-6" in row.found and "--force-reinstall" in row.fix


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_an_untested_python_is_a_problem(version, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    assert doctor.python().fix == "Make the environment with Python 3.11 to 3.13"


def test_a_package_that_is_missing_names_its_command():
    assert doctor.version("no-such-package").fix == "Run pip install no-such-package"


def test_a_folder_that_cannot_be_written_is_a_problem(tmp_path):
    file = tmp_path / "a file"
    file.write_text("in the way")
    row = doctor.writable("runs", file / "runs", "KIT_RUNS")
    assert "Not a directory" in row.found and "KIT_RUNS" in row.fix


def test_a_folder_that_does_not_exist_yet_is_tried_where_it_would_be(tmp_path):
    row = doctor.writable("runs", tmp_path / "not" / "yet", "KIT_RUNS")
    assert row.fix is None and "writable" in row.found
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_nearly_full_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "LEAST_DISK", float("inf"))
    assert doctor.writable("runs", tmp_path, "KIT_RUNS").fix.startswith("Free some")


def test_too_little_memory_is_a_problem(monkeypatch):
    monkeypatch.setattr("kit.studies.machine.memory", lambda: 0.5e9)
    assert doctor.memory().found == "0.5 GB" and doctor.memory().fix


def test_texts_that_are_found_are_named(tmp_path, monkeypatch):
    (tmp_path / "tinyshakespeare").mkdir()
    monkeypatch.setenv("KIT_DATA", str(tmp_path))
    assert next(doctor.data()) == ("data", f"{tmp_path}: tinyshakespeare", None)


def test_a_data_folder_that_is_not_there_is_a_problem_and_none_is_not(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("KIT_DATA", str(tmp_path / "gone"))
    assert next(doctor.data()).fix == "Correct or unset KIT_DATA"
    monkeypatch.delenv("KIT_DATA")
    assert next(doctor.data()).fix is None


def test_a_gpu_that_lies_idle_is_a_problem(monkeypatch):
    monkeypatch.setattr("kit.studies.machine.gpu_name", lambda: "A GPU")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert "gpu" in doctor.accelerator("tensorflow", ["cpu:0"]).fix
    assert doctor.accelerator("tensorflow", ["gpu:0"]).fix is None
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # hidden on purpose
    assert doctor.accelerator("tensorflow", ["cpu:0"]).fix is None
