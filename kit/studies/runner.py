"""Runs cells in worker processes and stores each as soon as it is finished."""

import contextlib
import datetime
import queue
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kit.errors import KitError
from kit.studies import machine
from kit.studies.process import Process
from kit.studies.progress import Display
from kit.studies.results import Row
from kit.studies.schedule import Busy, Schedule
from kit.studies.store import Store
from kit.studies.study import Cell, Platform, Study
from kit.studies.summary import Failure, Summary

TICK = 0.5  # seconds between two looks at the display when nothing happens


class Runner:
    """One run of some cells of a study.

    Args:
        study, budget: What is run.
        store: Where finished cells go.
        platform: Backend and device of all cells.
        workers: Number of processes; None for the machine's default.
        logs: Folder for one log per worker.
        display: Shows progress.
    """

    def __init__(
        self,
        study: Study,
        budget: str,
        store: Store,
        platform: Platform,
        logs: Path,
        display: Display,
        workers: int | None = None,
    ):
        if workers is not None and workers < 1:
            raise KitError(f"workers={workers}, expected at least 1", "Use --workers 2")
        self.study, self.budget, self.store = study, budget, store
        self.platform, self.logs, self.display = platform, logs, display
        self.workers = workers or machine.default_workers(platform.device)
        self.events: queue.Queue[tuple[Process, dict[str, Any] | None]] = queue.Queue()
        self.pool: dict[int, Process] = {}
        self.summary = Summary()

    def run(self, cells: Sequence[Cell]) -> Summary:
        """Run the cells that the store does not have yet.

        Ctrl-C and SIGTERM end the workers and return with `interrupted` set.

        Raises:
            KitError: a worker cannot start, or the store cannot be written. What was
                finished before is kept.
        """
        known = self.store.keys(self.study.slug)
        cells = list({cell.key: cell for cell in cells}.values())  # arms may be equal
        missing = [cell for cell in cells if cell.key not in known]
        self.schedule = Schedule(missing)
        self.summary = Summary(len(cells), len(cells) - len(missing))
        if not missing:
            return self.summary
        started = time.perf_counter()
        self.summary.workers = min(self.workers, len(self.schedule))
        self.environment = machine.environment(
            self.platform.backend, self.platform.device
        )
        try:
            with _terminated_as_interrupt(), self.display:
                for number in range(1, self.summary.workers + 1):
                    self._start(number)
                self._serve()
        except KeyboardInterrupt:
            self.summary.interrupted = True
        finally:
            for process in self.pool.values():
                process.ask_to_end()
            for process in self.pool.values():
                process.end()
        self.summary.wall = time.perf_counter() - started
        return self.summary

    def _start(self, number: int) -> None:
        self.pool[number] = Process(
            number,
            machine.core_of(number) if self.platform.device == "cpu" else None,
            self.platform,
            self.logs / f"worker-{number}.log",
            self.events,
        )

    def _serve(self) -> None:
        while len(self.schedule) or any(p.cell for p in self.pool.values()):
            self._assign()
            self.display.show(self.summary, self.schedule, self.pool)
            try:
                process, message = self.events.get(timeout=TICK)
            except queue.Empty:
                continue
            if message is None:
                self._ended(process)
            else:
                getattr(self, f"_on_{message.pop('kind')}")(process, **message)
        self.display.show(self.summary, self.schedule, self.pool)

    def _assign(self) -> None:
        for process in list(self.pool.values()):
            if process.cell or not process.ready:
                continue
            full = process.prepared >= self.study.arms_per_process and len(
                self.schedule
            )
            if full and process.held not in self.schedule.pending:
                process.ask_to_end()
                self._start(process.number)
                continue
            others = {
                other.number: Busy(other.cell.arm.name, self._seconds_left(other))
                for other in self.pool.values()
                if other.cell
            }
            cell = self.schedule.take(process.held, others)
            if cell:
                process.begin(cell, self.study.prepare)

    def _seconds_left(self, process: Process) -> float:
        compiled = process.cell and process.held == process.cell.arm.name
        before = 0.0 if compiled else self.schedule.prepare_seconds
        return before + process.seconds_left

    def _on_ready(self, process: Process) -> None:
        process.ready = True
        self.summary.starting += time.perf_counter() - process.started

    def _on_prepared(self, process: Process, seconds: float) -> None:
        if process.cell:
            process.held = process.cell.arm.name
            process.prepared += 1
            process.began = time.perf_counter()
        self.schedule.prepare_seconds = seconds
        self.summary.preparing += seconds

    def _on_progress(self, process: Process, fraction: float) -> None:
        process.fraction = fraction

    def _on_result(
        self, process: Process, result: dict[str, Any], seconds: float
    ) -> None:
        cell, process.cell = process.cell, None
        if cell is None:
            return
        row = self._row(cell, result, seconds)
        self.store.add(row)
        training = seconds if row.training_seconds is None else row.training_seconds
        self.summary.training += min(training, seconds)
        self.summary.evaluating += max(seconds - training, 0.0)
        self.summary.finished += 1
        self.summary.diverged += row.status == "diverged"
        self.display.finished(cell, row)

    def _row(self, cell: Cell, result: dict[str, Any], seconds: float) -> Row:
        started = datetime.datetime.now(datetime.UTC) - datetime.timedelta(0, seconds)
        return Row(
            key=cell.key,
            study=cell.study,
            budget=self.budget,
            arm=cell.arm.name,
            label=cell.arm.label,
            seed=cell.seed,
            status=result["status"],
            spec=dict(cell.arm.spec),
            metrics=result.get("metrics", {}),
            history=result.get("history", []),
            probes=result.get("probes", {}),
            training_seconds=result.get("training_seconds"),
            steps=result.get("steps"),
            environment=self.environment,
            backend=self.platform.backend,
            device=self.platform.device,
            started=started.isoformat(timespec="seconds"),
            seconds=seconds,
        )

    def _on_failed(
        self, process: Process, stage: str, reason: str, mistake: bool
    ) -> None:
        cell, process.cell, process.held = process.cell, None, None
        if cell is None:
            return
        self._failed(cell, reason, process, mistake)
        if stage == "prepare":  # the other seeds of this arm would fail alike
            for other in self.schedule.drop(cell.arm.name):
                self._failed(other, reason, process, mistake)

    def _ended(self, process: Process) -> None:
        if process is not self.pool[process.number]:
            return  # its place has been taken
        if not process.ready:
            raise KitError(
                f"Worker {process.number} could not start: {process.obituary()}",
                f"Read {process.log}; kit doctor checks the installation",
            )
        if process.cell:
            cell, process.cell = process.cell, None
            self._failed(cell, process.obituary(), process)
        process.ask_to_end()
        if len(self.schedule):
            self._start(process.number)
        else:
            process.ready = False

    def _failed(
        self, cell: Cell, reason: str, process: Process, mistake: bool = False
    ) -> None:
        failure = Failure(cell, reason, process.log, mistake)
        self.summary.failures.append(failure)
        self.display.failed(failure)


@contextlib.contextmanager
def _terminated_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that workers are ended and the user is told."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
