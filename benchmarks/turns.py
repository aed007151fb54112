"""Workers that take turns: each is a process that is timed whenever it is asked."""

import json
import os
import subprocess
import sys
from contextlib import suppress


class Peer:
    """A worker that is started, timed and ended.

    Args:
        name: Who it is.
        case: What it works on.
        cores: Cores that it may use.
        *more: What else it is told.
        module: What it runs.
    """

    def __init__(
        self,
        name: str,
        case: str,
        cores: int,
        *more: str,
        module: str = "benchmarks.worker",
    ):
        threads = {f"{lib}_NUM_THREADS": str(cores) for lib in ("OMP", "OPENBLAS")}
        command = [sys.executable, "-m", module, name, case, str(cores), *more]
        self.name = name
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **threads, "KERAS_BACKEND": "tensorflow"},
            text=True,
        )
        self.ready = self._read()

    def _read(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            self.end()
            raise SystemExit(
                f"error: the peer {self.name} ended early. If memory ran out, close "
                "other programs, or choose a smaller --case."
            )
        return json.loads(line)

    def turn(self, action: str) -> dict:
        """Take the timed steps once."""
        with suppress(BrokenPipeError):  # then there is no answer to read either
            self.process.stdin.write(f"{action}\n")
            self.process.stdin.flush()
        return self._read()

    def end(self) -> None:
        """Close its input and wait."""
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
