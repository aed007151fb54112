"""Processes: they start, answer, print, and leave nothing behind."""

import os
import signal
import time

import pytest

from kit.errors import KitError
from kit.grading import launch
from kit.grading import server as servers
from kit.grading.boundary import ArraySpec, Outcome
from kit.grading.server import Server
from kit.grading.submission import PRINTED_BYTES, Submission

NUMBER = ArraySpec("float32", ())
SOURCE = "import os\ndef pid():\n    print('hello')\n    return os.getpid()\n"


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


def eventually(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def server():
    return launch.server()


def number(child, function, seconds=10):
    reply = child.ask(function, (), [ArraySpec("float64", ())], seconds)
    assert reply.outcome is Outcome.ANSWERED, reply
    return int(reply.arrays[0])


def test_each_submission_has_a_process_of_its_own(server):
    with server.launch(Submission((SOURCE,))) as a:
        with server.launch(Submission((SOURCE,))) as b:
            pids = {number(a, "pid"), number(b, "pid"), os.getpid()}
            assert len(pids) == 3
        assert number(a, "pid") in pids
        assert a.printed == "hello\nhello\n"
    assert eventually(lambda: not any(map(alive, pids - {os.getpid()})))


@pytest.mark.slow
def test_without_forking_everything_is_the_same():
    server = Server("numpy", can_fork=False)
    hangs = SOURCE + "def hang():\n    while True: pass\n"
    for _ in range(2):
        with server.launch(Submission((hangs,))) as child:
            pid = number(child, "pid")
            assert child.printed == "hello\n"
            assert child.ask("hang", (), [NUMBER], 0.2).outcome is Outcome.TIMEOUT
        assert not alive(pid)
    server.close()


def test_what_a_submission_started_ends_with_it(server):
    source = (
        "import subprocess\n"
        "def start():\n"
        "    return subprocess.Popen(['sleep', '60']).pid\n"
    )
    with server.launch(Submission((source,))) as child:
        pid = number(child, "start")
        assert alive(pid)
    assert eventually(lambda: not alive(pid))


@pytest.mark.slow
def test_when_the_judge_is_gone_its_submissions_end():
    server = Server("numpy")
    source = SOURCE + "def hang():\n    while True: pass\n"
    child = server.launch(Submission((source,)))
    pid = number(child, "pid")
    with pytest.MonkeyPatch.context() as patch:  # hangs, and nobody kills it
        patch.setattr(child, "close", lambda: 0)
        assert child.ask("hang", (), [NUMBER], 0.1).outcome is Outcome.TIMEOUT
    assert alive(pid)
    server.close()
    assert eventually(lambda: not alive(pid))
    child.__exit__()


@pytest.mark.slow
def test_a_server_that_died_is_started_again():
    server = Server("numpy")
    with server.launch(Submission((SOURCE,))) as child:
        source = "import os\ndef kill():\n    os.kill(os.getppid(), 9)\n    return 1\n"
        with server.launch(Submission((source,))) as killer:
            killer.ask("kill", (), [NUMBER], 5)
    eventually(lambda: server._running_pair[0].poll() is not None)
    with server.launch(Submission((SOURCE,))) as child:
        assert number(child, "pid")
    server.close()


def test_what_is_printed_is_kept_in_part(server):
    source = "def f():\n    print('x' * 100_000)\n    return 1\n"
    with server.launch(Submission((source,))) as child:
        assert child.ask("f", (), [NUMBER], 5).outcome is Outcome.ANSWERED
        assert child.printed == "x" * PRINTED_BYTES


def test_what_was_printed_before_a_crash_is_kept(server):
    source = "import os\ndef f():\n    print('so far')\n    os._exit(3)\n"
    with server.launch(Submission((source,))) as child:
        reply = child.ask("f", (), [NUMBER], 5)
        assert reply.outcome is Outcome.EXITED
        assert reply.text == "the process ended with exit code 3"
        assert child.printed == "so far\n"


def test_input_is_empty(server):
    source = "def f():\n    return input()\n"
    with server.launch(Submission((source,))) as child:
        assert "EOFError" in child.ask("f", (), [NUMBER], 5).text


def test_a_signal_is_told_by_name(server):
    source = "import os\ndef f():\n    os.kill(os.getpid(), 11)\n"
    with server.launch(Submission((source,))) as child:
        assert signal.Signals.SIGSEGV.name in child.ask("f", (), [NUMBER], 5).text


@pytest.mark.slow
def test_a_server_that_cannot_start_is_one_line():
    with pytest.raises(KitError, match="did not start"):
        Server("no_such_backend").launch(Submission((SOURCE,)))


def test_where_processes_have_no_groups_a_check_is_refused(monkeypatch):
    monkeypatch.setattr(servers.os, "name", "nt")
    with pytest.raises(KitError, match="WSL"):
        Server("numpy").launch(Submission((SOURCE,)))


@pytest.mark.parametrize(
    "installed, backend",
    [
        ({"jax", "tensorflow"}, "numpy"),  # Keras's NumPy backend imports JAX
        ({"tensorflow"}, "tensorflow"),
        (set(), "torch"),
    ],
)
def test_the_fastest_backend_there_is(monkeypatch, installed, backend):
    find = servers.importlib.util.find_spec
    monkeypatch.setattr(
        servers.importlib.util,
        "find_spec",
        lambda name: name in installed if name in ("jax", "tensorflow") else find(name),
    )
    assert servers.default_backend() == backend
