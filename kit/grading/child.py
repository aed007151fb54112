"""The process that runs a submission. It sees inputs, never an expected value.

Run as `python -P -m kit.grading.child` with a control socket as standard input. It
imports Keras once and then forks one child for each submission, which costs 10 ms
instead of 2 s. Where forking is unsafe it serves a single submission itself.
"""

import contextlib
import errno
import gc
import linecache
import os
import signal
import socket
import struct
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from kit.grading.boundary import (
    ACCEPTED_KINDS,
    ArraySpec,
    Outcome,
    pack_reply,
    read_request,
)

FORK, SERVE, WAIT = b"F", b"S", b"W"
COMMAND_BYTES = 5  # the command, and a process id
READY = b"R"
MAX_FILE_BYTES = 1 << 20  # also bounds what a submission can print
MAX_DATA_BYTES = 2 << 30
MAX_LOOKED_AT = 1 << 20  # values of an array that nobody asked for


def main() -> None:
    """Obey the judge until it closes the control socket."""
    control = socket.socket(fileno=0)
    import_keras()
    gc.freeze()
    control.sendall(READY)
    alive: set[int] = set()
    while True:
        message, handles, _, _ = socket.recv_fds(control, COMMAND_BYTES, 2)
        command, pid = message[:1], int.from_bytes(message[1:], "big")
        if command == WAIT:
            alive.discard(pid)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            control.sendall(struct.pack(">i", status))
        elif command == FORK:
            pid = fork()
            if pid == 0:
                control.detach()
                serve(*handles)
            for handle in handles:
                os.close(handle)
            alive.add(pid)
            control.sendall(struct.pack(">i", pid))
        elif command == SERVE:
            control.sendall(struct.pack(">i", os.getpid()))
            control.detach()
            serve(*handles)
        else:
            break
    for pid in alive:  # the judge is gone: leave nothing running
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def import_keras() -> None:
    """Import Keras without matplotlib, which it only needs to draw."""
    sys.modules["matplotlib"] = None  # type: ignore[assignment]
    import keras  # noqa: F401

    del sys.modules["matplotlib"]


def fork() -> int:
    """Fork; JAX warns about its threads, but none has started before a first array."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return os.fork()


def serve(channel_handle: int, text_handle: int) -> None:
    """Answer one submission's requests until the judge hangs up, then exit."""
    with contextlib.suppress(PermissionError):  # already the leader of its session
        os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(text_handle, 1)
    os.dup2(text_handle, 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    limit_resources()
    channel = socket.socket(fileno=channel_handle)
    submission: list[types.SimpleNamespace] = []
    while True:
        try:
            header, arguments = read_request(lambda size: receive(channel, size))
        except EOFError:
            os._exit(0)
        if "sources" in header:
            outcome, text, body = load(submission, header)
        else:
            part = submission[header["module"]]
            returns = [ArraySpec(d, tuple(s)) for d, s in header["returns"]]
            outcome, text, body = answer(part, header["function"], arguments, returns)
        channel.sendall(pack_reply(bytes.fromhex(header["nonce"]), outcome, text, body))


def limit_resources() -> None:
    """Bound files, prints and memory; time is the judge's business."""
    import resource

    limits = {"FSIZE": MAX_FILE_BYTES, "CORE": 0}
    if sys.platform == "linux":
        limits["DATA"] = MAX_DATA_BYTES
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def receive(channel: socket.socket, size: int) -> bytes:
    """Exactly `size` bytes."""
    data = bytearray()
    while len(data) < size:
        chunk = channel.recv(min(size - len(data), 1 << 20))
        if not chunk:
            raise EOFError
        data += chunk
    return bytes(data)


Parts = tuple[Outcome, str, bytes]


def load(submission: list[types.SimpleNamespace], header: dict[str, Any]) -> Parts:
    """Execute the sources; only an oracle has more than one."""
    for number, source in enumerate(header["sources"]):
        filename = header["filename"] if number == 0 else f"<answer {number}>"
        lines = source.splitlines(keepends=True)
        linecache.cache[filename] = (len(source), None, lines, filename)
        part = types.SimpleNamespace(
            module=types.ModuleType("answer"),
            driver=types.ModuleType("driver"),
            filename=filename,
        )
        work = partial(execute, part, source, header["driver"])
        outcome, text, body = guarded(work, filename)
        if outcome is not Outcome.ANSWERED:
            special = (Outcome.MEMORY, Outcome.OUTPUT_LIMIT)
            kept = outcome if outcome in special else Outcome.IMPORT_ERROR
            return kept, text, body
        submission.append(part)
    return Outcome.ANSWERED, "", b""


def execute(part: types.SimpleNamespace, source: str, driver: str) -> Parts:
    """Run a source as the module `answer`, then the driver that may import it."""
    sys.modules["answer"] = part.module
    exec(compile(source, part.filename, "exec"), vars(part.module))
    exec(compile(driver, "<driver>", "exec"), vars(part.driver))
    return Outcome.ANSWERED, "", b""


def answer(part: Any, name: str, arguments: list, returns: list[ArraySpec]) -> Parts:
    """Call a function of the driver or the submission, and export what it returns."""
    function = getattr(part.driver, name, None) or getattr(part.module, name, None)
    if not callable(function):
        return Outcome.MISSING, f"there is no function {name}", b""

    def call() -> Parts:
        value = function(*arguments)
        values = (value,) if len(returns) == 1 else value
        if not isinstance(values, (tuple, list)) or len(values) != len(returns):
            got = f"{len(value)} values" if isinstance(value, tuple) else "one value"
            return Outcome.WRONG_SHAPE, f"{got}, not {len(returns)}", b""
        return export(values, returns)

    return guarded(call, part.filename)


def guarded(work: Callable[[], Parts], filename: str) -> Parts:
    """Run a learner's code; whatever it raises becomes an outcome and a text."""
    try:
        return work()
    except NotImplementedError as error:
        return Outcome.NOT_IMPLEMENTED, str(error), b""
    except MemoryError as error:
        return Outcome.MEMORY, describe(error, filename), b""
    except BaseException as error:  # also SystemExit and KeyboardInterrupt
        too_long = isinstance(error, OSError) and error.errno == errno.EFBIG
        outcome = Outcome.OUTPUT_LIMIT if too_long else Outcome.RAISED
        return outcome, describe(error, filename), b""


def describe(error: BaseException, filename: str) -> str:
    """The error, and the line of the learner's own file that raised it."""
    text = "".join(traceback.format_exception_only(error)).strip()
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == filename]
    if own:
        text += f"\nline {own[-1].lineno}, in {own[-1].name}: {own[-1].line}"
    return text


def export(values: Sequence[Any], returns: Sequence[ArraySpec]) -> Parts:
    """Raw bytes of the promised dtype and shape, or what is not as promised."""
    body = b""
    for value, spec in zip(values, returns, strict=True):
        try:
            array = np.asarray(value)
        except ValueError:
            return Outcome.WRONG_SHAPE, "a list that is not an array", b""
        got = f"{array.dtype} {array.shape}"
        if array.shape != spec.shape:
            small = array.dtype.kind == "f" and array.size <= MAX_LOOKED_AT
            has_nan = small and bool(np.isnan(array).any())
            outcome = Outcome.NOT_FINITE if has_nan else Outcome.WRONG_SHAPE
            return outcome, got, b""
        if array.dtype.kind not in ACCEPTED_KINDS[spec.dtype]:
            return Outcome.WRONG_DTYPE, got, b""
        exact = np.array(array, spec.dtype, order="C", subok=False)
        if exact.dtype.kind == "i" and not np.array_equal(exact, np.array(array)):
            return Outcome.WRONG_DTYPE, f"{got} with values beyond {spec.dtype}", b""
        body += exact.tobytes()
    return Outcome.ANSWERED, "", body


if __name__ == "__main__":
    main()
