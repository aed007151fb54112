"""The command line: quick to answer, one line per mistake, the right exit code."""

import errno
import os
import subprocess
import sys

import pytest

from kit import cli
from kit.backends import BACKENDS
from kit.errors import KitError


def kit(*arguments, **environment):
    """Run `kit` as a user does; its exit code, output and errors."""
    return subprocess.run(
        [sys.executable, "-m", "kit", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def fails_with(monkeypatch, error):
    """Make any command end with the error."""

    def run(arguments):
        raise error

    monkeypatch.setattr(cli, "_run", run)


def test_help_answers_in_half_a_second():
    def seconds():  # of the processor, so that a busy machine does not count
        before = os.times()
        kit("--help").check_returncode()
        after = os.times()
        spent = after.children_user - before.children_user
        return spent + after.children_system - before.children_system

    assert min(seconds() for _ in range(3)) < 0.5


def test_commands_are_known_without_the_heavy_imports():
    code = "import sys, kit.cli; print(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"keras", "tensorflow", "jax", "numpy", "scipy", "matplotlib"}
    assert heavy.isdisjoint(shown.stdout.split())


def test_help_names_every_command():
    shown = kit("--help").stdout
    for command in ("reproduce", "report", "studies", "check", "hint", "list"):
        assert command in shown
    assert kit().stdout == shown  # no command at all is a request for help


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["reproduc"], "No such command 'reproduc'. Did you mean reproduce?"),
        (["reproduce"], "Missing argument 'slug'. See kit reproduce --help."),
        (["reproduce", "symmetry", "--budgt=x"], "Did you mean --budget"),
        (["reproduce", "symmetry", "--seeds=x"], "Invalid value for '--seeds'"),
        (["reproduce", "symetry"], "symmetry"),
        (["report", "symetry"], "symmetry"),
        (["--nonsense"], "No such option: --nonsense. See kit --help."),
        (["doctor", "now"], "Got unexpected extra argument"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments, told, capsys):
    assert cli.main(arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("error: ") and errors.count("\n") == 1
    assert told in errors


def test_a_mistake_ends_the_process_with_2():
    ended = kit("reproduc")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: No such command")


def test_unknown_backend_of_keras_is_told_in_one_line():
    code = "import sys, kit.cli as c; c._run = __import__; sys.exit(c.main('keras'))"
    code = code.replace("__import__", "lambda arguments: __import__('keras')")
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "abacus"},
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: Unable to import backend : abacus, expected one of tensorflow, jax, "
        "torch. Set KERAS_BACKEND, or the backend in ~/.keras/keras.json.\n"
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_missing_backend_is_told_with_the_command_that_installs_it(
    backend, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, backend, None)  # importing it now fails
    monkeypatch.setattr(cli, "_run", lambda arguments: __import__(backend))
    assert cli.main([]) == 2
    assert capsys.readouterr().err == (
        f"error: The backend '{backend}' is not installed. "
        f"Run pip install '.[{backend}]' in the clone.\n"
    )


@pytest.mark.parametrize(
    "number, fix",
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EDQUOT, "Free some space"),
        (errno.EACCES, "Give yourself the right"),
        (errno.EROFS, "Give yourself the right"),
        (errno.ENOTDIR, "Move it away"),
    ],
)
def test_what_the_system_refuses_is_told_in_one_line(number, fix, monkeypatch, capsys):
    fails_with(monkeypatch, OSError(number, os.strerror(number), "runs/store.sqlite"))
    assert cli.main([]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(
        f"error: {os.strerror(number)} at runs/store.sqlite. {fix}"
    )
    assert errors.count("\n") == 1


def test_too_little_memory_is_told_in_one_line(monkeypatch, capsys):
    fails_with(monkeypatch, MemoryError())
    assert cli.main([]) == 2
    assert capsys.readouterr().err == (
        "error: this does not fit into memory (no more is left). Use fewer "
        "--sequences, or a smaller --batch-size or --length.\n"
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_told_in_one_line(monkeypatch, capsys):
    def run(arguments):
        with open("/dev/full", "w") as file:
            file.write("a row")

    monkeypatch.setattr(cli, "_run", run)
    assert cli.main([]) == 2
    assert capsys.readouterr().err.startswith("error: No space left on device. Free")


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys):
    fails_with(monkeypatch, KeyboardInterrupt())
    assert cli.main([]) == 130
    assert "Run the same command again to resume" in capsys.readouterr().err


def test_a_fault_of_the_kit_keeps_its_traceback(monkeypatch):
    fails_with(monkeypatch, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        cli.main([])


def test_debugging_shows_the_traceback_of_a_mistake(monkeypatch):
    fails_with(monkeypatch, KitError("what", "how"))
    monkeypatch.setenv("KIT_DEBUG", "1")
    with pytest.raises(KitError):
        cli.main([])


@pytest.mark.parametrize("line", ["--help", "studies"])
def test_a_reader_that_leaves_early_is_no_error(line, tmp_path):
    writer = subprocess.Popen(
        [sys.executable, "-m", "kit", *line.split()],
        env={**os.environ, "KIT_RUNS": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    writer.stdout.close()
    assert writer.stderr.read() == ""
    writer.stderr.close()
    assert writer.wait() == 0
