"""A running submission: ask it, with a deadline, and leave nothing running."""

import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any

from kit.grading.boundary import (
    NONCE_BYTES,
    ArraySpec,
    Outcome,
    Reply,
    pack_request,
    read_reply,
)

LOAD_SECONDS = 20.0
PRINTED_BYTES = 16_384


@dataclass(frozen=True)
class Submission:
    """Sources to run in one child; a learner's has one, the oracle's has many."""

    sources: tuple[str, ...]
    driver: str = ""
    filename: str = "answer.py"


class Child:
    """A running submission.

    Attributes:
        loaded: What loading the sources led to.
        alive: Whether it can be asked; after a timeout or a crash it cannot.
    """

    def __init__(
        self,
        submission: Submission,
        channel: socket.socket,
        text: IO[bytes],
        stop: Callable[[], int],
    ):
        self.alive = True
        self._channel, self._text, self._stop = channel, text, stop
        header = {
            "sources": submission.sources,
            "driver": submission.driver,
            "filename": submission.filename,
        }
        self.loaded = self._request(header, (), (), LOAD_SECONDS)

    def ask(
        self,
        function: str,
        arguments: Sequence[Any],
        returns: Sequence[ArraySpec],
        seconds: float,
        module: int = 0,
    ) -> Reply:
        """Call a function in the child, with arrays and plain values."""
        described = [(spec.dtype, spec.shape) for spec in returns]
        header = {"function": function, "returns": described, "module": module}
        return self._request(header, arguments, returns, seconds)

    @property
    def printed(self) -> str:
        """The first part of what the submission has printed."""
        # pread: the child writes through the same offset
        text = os.pread(self._text.fileno(), PRINTED_BYTES, 0)
        return text.decode("utf-8", "replace")

    def close(self) -> int:
        """Kill the whole process group; returns the exit code."""
        self.alive = False
        self._channel.close()
        return self._stop()

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        if self.alive:
            self.close()
        self._text.close()

    def _request(
        self,
        header: dict[str, Any],
        arguments: Sequence[Any],
        returns: Sequence[ArraySpec],
        seconds: float,
    ) -> Reply:
        nonce = secrets.token_bytes(NONCE_BYTES)
        deadline = time.monotonic() + seconds
        reply = self._exchange(
            pack_request({**header, "nonce": nonce.hex()}, arguments),
            lambda receive: read_reply(receive, nonce, returns),
            deadline,
        )
        if reply.outcome is Outcome.TIMEOUT:
            self.close()
            return Reply(Outcome.TIMEOUT, text=f"no answer within {seconds:g} s")
        if reply.outcome is Outcome.EXITED:
            return Reply(Outcome.EXITED, text=describe_exit(self.close()))
        if reply.outcome is Outcome.PROTOCOL:
            self.close()
        return reply

    def _exchange(
        self,
        request: bytes,
        read: Callable[[Callable[[int], bytes]], Reply],
        deadline: float,
    ) -> Reply:
        def receive(size: int) -> bytes:
            data = bytearray()
            while len(data) < size:
                self._set_timeout(deadline)
                chunk = self._channel.recv(min(size - len(data), 1 << 20))
                if not chunk:
                    raise EOFError
                data += chunk
            return bytes(data)

        try:
            self._set_timeout(deadline)
            self._channel.sendall(request)
            return read(receive)
        except TimeoutError:
            return Reply(Outcome.TIMEOUT)
        except (EOFError, OSError):
            return Reply(Outcome.EXITED)

    def _set_timeout(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._channel.settimeout(left)


def describe_exit(code: int) -> str:
    """An exit code in words.

    Example:
        >>> describe_exit(3), describe_exit(-9)
        ('the process ended with exit code 3', 'the process was killed by SIGKILL')
    """
    if code < 0:
        return f"the process was killed by {signal.Signals(-code).name}"
    return f"the process ended with exit code {code}"
