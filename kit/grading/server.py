"""A process of the kit that has imported Keras once and starts submissions."""

import contextlib
import importlib.util
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from kit.errors import KitError
from kit.grading.child import COMMAND_BYTES, FORK, READY, SERVE, WAIT
from kit.grading.submission import Child, Submission

START_SECONDS = 180.0  # a cold disk; whether it has died shows at once
PACKAGE_ROOT = Path(__file__).resolve().parents[2]
CAN_FORK = sys.platform == "linux"  # elsewhere system libraries may not survive it


class Server:
    """A process of the kit that has imported Keras and starts children.

    Args:
        backend: Keras backend; by default NumPy, the fastest to start, where JAX
            (which Keras needs for it) is installed.
        can_fork: Fork a child for each submission; else start a new process for each.
    """

    def __init__(self, backend: str | None = None, can_fork: bool = CAN_FORK):
        self._backend = backend or default_backend()
        self._can_fork = can_fork
        self._running_pair: tuple[subprocess.Popen[bytes], socket.socket] | None = None

    def launch(self, submission: Submission) -> Child:
        """Start a child and load the submission."""
        process, control = self._running()
        ours, theirs = socket.socketpair()
        text = tempfile.TemporaryFile()
        handles = [theirs.fileno(), text.fileno()]
        wait: Callable[[], int]
        with theirs:
            if self._can_fork:
                pid = order(control, FORK, handles=handles)
                wait = partial(order, control, WAIT, pid)
            else:
                pid = order(control, SERVE, handles=handles)
                wait = process.wait
                control.close()
                self._running_pair = None
        return Child(submission, ours, text, partial(kill_group, pid, wait))

    def _running(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        if self._running_pair and self._running_pair[0].poll() is not None:
            self.close()
        if self._running_pair is None:
            self._running_pair = start(self._backend)
        return self._running_pair

    def close(self) -> None:
        """Stop the server and every child that is left."""
        if self._running_pair:
            process, control = self._running_pair
            control.close()
            process.wait()
        self._running_pair = None


def order(
    control: socket.socket, command: bytes, pid: int = 0, handles: Sequence[int] = ()
) -> int:
    """Send the server a command; returns the number that it answers.

    Raises:
        KitError: The server is gone.
    """
    with contextlib.suppress(OSError):
        message = command + pid.to_bytes(COMMAND_BYTES - 1, "big")
        socket.send_fds(control, [message], list(handles))
        reply = control.recv(4)
        if reply:
            return struct.unpack(">i", reply)[0]
    raise KitError("the process that runs submissions is gone", "Check again")


def kill_group(pid: int, wait: Callable[[], int]) -> int:
    """Kill a child and everything it started; returns its exit code."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(KitError):  # without a server nobody knows the code
        return wait()
    return -signal.SIGKILL


def start(backend: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a server and wait until it has imported Keras.

    Raises:
        KitError: It did not start, or this system has no process groups.
    """
    if os.name != "posix":
        raise KitError(
            f"checks run a submission in a process group, which {os.name} lacks",
            "Use Linux, macOS, or Windows with WSL",
        )
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-P", "-m", "kit.grading.child"]
    with theirs, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment(backend),
            start_new_session=True,
        )
        theirs.close()
        ours.settimeout(START_SECONDS)
        with contextlib.suppress(TimeoutError, ConnectionError):
            if ours.recv(len(READY)):
                ours.settimeout(None)
                return process, ours
        ours.close()
        process.kill()
        process.wait()
        errors.seek(0)
        lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    raise KitError(
        f"the process that runs submissions did not start: {' '.join(lines[-1:])}",
        "Run kit doctor to see what is missing",
    )


def environment(backend: str) -> dict[str, str]:
    """The environment of a server: the kit can be imported, one thread, no noise."""
    paths = [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        **os.environ,
        **dict.fromkeys(threads, "1"),
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONWARNINGS": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def default_backend() -> str:
    """The installed Keras backend that starts fastest."""
    if importlib.util.find_spec("jax"):
        return "numpy"
    return "tensorflow" if importlib.util.find_spec("tensorflow") else "torch"
