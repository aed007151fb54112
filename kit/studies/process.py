"""The parent's side of one worker process."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from kit.errors import KitError
from kit.studies import worker
from kit.studies.study import Cell, Platform

PATIENCE = 3.0  # seconds between asking a worker to end and killing it


class Process:
    """A worker process, what it is doing, and what it has cost.

    Args:
        number: Its number in logs and in the display, from 1.
        core: The core it is pinned to, or None to leave it free (with a GPU).
        platform: Backend and device.
        log: File that receives everything the worker prints.
        events: Where its answers go, as `(process, message)`; `(process, None)` when
            it has ended.
    """

    def __init__(
        self,
        number: int,
        core: int | None,
        platform: Platform,
        log: Path,
        events: "queue.Queue[tuple[Process, dict[str, Any] | None]]",
    ):
        self.number, self.core, self.log = number, core, log
        self.ready = False
        self.held: str | None = None
        self.prepared = 0
        self.cell: Cell | None = None
        self.fraction = 0.0
        self.began = self.started = time.perf_counter()
        alone = platform.device == "cpu"
        environment = worker.single_threaded if alone else worker.keras_environment
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            output = log.open("a", encoding="utf-8")
        except OSError as error:
            raise KitError(
                f"Cannot write the log {log}: {error.strerror}",
                "Set KIT_RUNS to a folder that you may write to",
            ) from error
        with output:
            self._popen = subprocess.Popen(
                # -P: a `queue.py` in the user's folder must not be found first.
                [sys.executable, "-P", "-m", worker.__name__]
                + ["" if core is None else str(core)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                env=environment(os.environ, platform.backend),
                encoding="utf-8",
            )
        self._listener = threading.Thread(
            target=self._listen, args=(self._popen.stdout, events), daemon=True
        )
        self._listener.start()

    def _listen(
        self,
        answers: IO[str],
        events: "queue.Queue[tuple[Process, dict[str, Any] | None]]",
    ) -> None:
        with answers:
            for line in answers:
                with contextlib.suppress(ValueError):  # a killed worker's last line
                    events.put((self, json.loads(line)))
        self._popen.wait()
        events.put((self, None))

    def begin(self, cell: Cell, prepare: str) -> None:
        """Hand the worker its next cell."""
        self.cell, self.fraction = cell, 0.0
        self.began = time.perf_counter()
        task = {"prepare": prepare, "spec": cell.arm.spec, "seed": cell.seed}
        with contextlib.suppress(BrokenPipeError):  # it has ended: its event is due
            self._input.write(json.dumps(task) + "\n")
            self._input.flush()

    @property
    def _input(self) -> Any:
        return self._popen.stdin

    @property
    def seconds_left(self) -> float:
        """Estimated seconds until the current cell is done."""
        return (1 - self.fraction) * self.cell.arm.cost if self.cell else 0.0

    def obituary(self) -> str:
        """Why the process has ended, as far as its exit status tells."""
        code = self._popen.returncode
        if code is None or code >= 0:
            return f"the worker ended with exit status {code}"
        name = signal.Signals(-code).name
        hint = ", probably out of memory" if name == "SIGKILL" else ""
        return f"the worker was killed by {name}{hint}"

    def ask_to_end(self) -> None:
        """Close its input, which a worker answers by ending at once."""
        with contextlib.suppress(OSError):
            self._input.close()

    def end(self) -> None:
        """Wait for its end, and kill it if that takes too long."""
        try:
            self._popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        self._listener.join()
