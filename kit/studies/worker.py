"""One worker process: prepares an arm once, then runs its seeds one by one.

Started by the runner as `python -m kit.studies.worker`. It reads one JSON task per line
from its standard input and answers in JSON lines on what was its standard output;
everything that libraries print goes to the log. The end of its input means that the
parent is gone, however it went, so the worker ends too and never outlives a run.
"""

import gc
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from kit.errors import KitError
from kit.studies import resolve
from kit.studies.results import plain
from kit.studies.study import OUTCOMES, canonical

PROGRESS_EVERY = 0.2  # seconds

Run = Callable[[int, Callable[[float], None]], Mapping[str, Any]]


def single_threaded(environment: Mapping[str, str], backend: str) -> dict[str, str]:
    """The environment of a worker that computes on one core only."""
    flags = environment.get("XLA_FLAGS", "")
    return {
        **keras_environment(environment, backend),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        "XLA_FLAGS": f"{flags} --xla_cpu_multi_thread_eigen=false".strip(),
    }


def keras_environment(environment: Mapping[str, str], backend: str) -> dict[str, str]:
    """The environment of any worker: the backend, modules found as in the parent."""
    return {
        **environment,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": environment.get("TF_CPP_MIN_LOG_LEVEL", "2"),
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }


class Worker:
    """Answers tasks `{"prepare": path, "spec": ..., "seed": ...}` until told to end."""

    def __init__(self, channel: TextIO):
        self.channel = channel
        self.held: str | None = None
        self.run: Run | None = None

    def send(self, kind: str, **fields: Any) -> None:
        self.channel.write(json.dumps({"kind": kind, **fields}, allow_nan=False) + "\n")
        self.channel.flush()

    def do(self, task: Mapping[str, Any]) -> None:
        """Prepare if the task's arm is not the one held, then run the seed."""
        stage = "prepare"
        try:
            self.prepare(task)
            stage = "run"
            self.send("result", **self.train(task["seed"]))
        except Exception as error:
            traceback.print_exc()
            self.held = self.run = None
            mistake = isinstance(error, KitError)
            kind = "" if mistake else f"{type(error).__name__}: "
            reason = " ".join(f"{kind}{error}".split())[:500]
            self.send("failed", stage=stage, reason=reason, mistake=mistake)

    def prepare(self, task: Mapping[str, Any]) -> None:
        wanted = canonical([task["prepare"], task["spec"]])
        if wanted == self.held:
            return
        started = time.perf_counter()
        self.held = self.run = None
        gc.collect()
        self.run = resolve(task["prepare"])(task["spec"])
        self.held = wanted
        self.send("prepared", seconds=time.perf_counter() - started)

    def train(self, seed: int) -> dict[str, Any]:
        """One seed: its result as JSON, checked, and the seconds it took."""
        started, told = time.perf_counter(), 0.0

        def progress(fraction: float) -> None:
            nonlocal told
            now = time.perf_counter()
            if now - told >= PROGRESS_EVERY:
                told = now
                self.send("progress", fraction=min(max(float(fraction), 0.0), 1.0))

        if self.run is None:
            raise RuntimeError("The arm has not been prepared.")
        result = checked(plain(dict(self.run(seed, progress))))
        return {"result": result, "seconds": time.perf_counter() - started}


def checked(result: dict[str, Any]) -> dict[str, Any]:
    """A result that has a known status and flat, numeric metrics; or `ValueError`."""
    status, metrics = result.get("status"), result.get("metrics", {})
    if status not in OUTCOMES:
        raise ValueError(f"status={status!r}, expected one of {OUTCOMES}.")
    if not isinstance(metrics, dict) or not all(
        value is None or isinstance(value, int | float) for value in metrics.values()
    ):
        raise ValueError(f"metrics={metrics!r}, expected a flat dict of numbers.")
    return result


def read_tasks(tasks: "queue.Queue[dict[str, Any]]") -> None:
    """Pass on the parent's tasks; end the process at once when the parent is gone."""
    for line in sys.stdin:
        tasks.put(json.loads(line))
    os._exit(0)


def main(core: str) -> None:
    """Serve tasks on one core ("" for any) until the parent closes the input."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # Ctrl-C reaches the whole process group: the parent decides what to do about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if core and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core)})
    tasks: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=read_tasks, args=(tasks,), daemon=True).start()
    worker = Worker(channel)
    worker.send("ready")
    while True:
        worker.do(tasks.get())


if __name__ == "__main__":
    main(sys.argv[1])
