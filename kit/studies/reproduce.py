"""The work behind `kit reproduce`: run what is missing, judge all there is."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kit.errors import KitError
from kit.paths import runs_dir
from kit.studies import load, machine
from kit.studies.progress import Display, display
from kit.studies.results import (
    Results,
    committed_path,
    committed_results,
    matched,
    own_results,
    write_rows,
)
from kit.studies.runner import Runner, Summary
from kit.studies.store import Store
from kit.studies.study import Platform, Study

FREE_BYTES = 20 * 2**20


@dataclass(frozen=True)
class Reproduction:
    """What `reproduce` returns."""

    study: Study
    platform: Platform
    summary: Summary
    results: Results


def reproduce(
    slug: str,
    budget: str = "quick",
    *,
    seeds: int | None = None,
    workers: int | None = None,
    backend: str | None = None,
    arms: Iterable[str] = (),
    show: Display | None = None,
    kept: bool = False,
) -> Reproduction:
    """Run a study: every cell that the store does not have yet, then the verdicts.

    Args:
        slug: Which study.
        budget: "smoke", "quick" or "full".
        seeds: Seeds of every arm; None for what the study asks for.
        workers: Processes; None for one per core, or one where there is a GPU.
        backend: None for `$KERAS_BACKEND`, else TensorFlow.
        arms: Names of arms to run; all if empty. Verdicts use all stored arms.
        show: Display; None for bars in a terminal and lines elsewhere.
        kept: Take over the valid rows that are kept with the kit, and run only what
            they lack. For contributors: it is no reproduction.

    Raises:
        KitError: an argument has no meaning, the backend is missing, or the store
            cannot be used.
    """
    study = load(slug)
    platform = platform_of(backend)
    cells = study.cells(budget, seeds=seeds, names=arms, platform=platform)
    folder = runs_dir()
    with Store(folder / "store.sqlite") as store:
        _check_space(folder)
        if kept:
            _take_over(store, study, budget, platform)
        runner = Runner(
            study,
            budget,
            store,
            platform,
            folder / slug / "logs",
            show or display(),
            workers,
        )
        summary = runner.run(cells)
    results = own_results(study, budget, platform=platform)
    return Reproduction(study, platform, summary, results)


def _take_over(store: Store, study: Study, budget: str, platform: Platform) -> None:
    valid = {cell.key for cell in study.cells(budget, platform=platform)}
    for row in committed_results(study, budget, platform=platform).rows:
        if row.key in valid:
            store.add(row)


def platform_of(backend: str | None) -> Platform:
    """Backend (given, or `$KERAS_BACKEND`, or TensorFlow) and its device."""
    name = backend or os.environ.get("KERAS_BACKEND") or "tensorflow"
    machine.check_backend(name)
    return Platform(name, machine.device(name))


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        raise KitError(
            f"Only {free / 2**20:.0f} MB are free in {folder}, results may need "
            f"{FREE_BYTES / 2**20:.0f} MB",
            "Free some space or set KIT_RUNS to a folder on another disk",
        )


def shown_results(study: Study, budget: str | None = None) -> tuple[Results, Results]:
    """The user's rows, of a budget or of the one run last, and the kit's.

    Either may be empty. Without rows of the user's, the kit's are of the budget that
    was asked for.

    Raises:
        KitError: unknown budget.
    """
    study.arms_named(budget or next(iter(study.seeds)))  # is there such a budget?
    own = own_results(study, budget)
    return own, committed_results(study, "full" if len(own) else budget or "full")


def check_folder(folder: Path) -> None:
    """Raise a `KitError` if a report cannot be written there; makes nothing."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        reason = f"{there} is a file"
    elif not os.access(there, os.W_OK):
        reason = f"no right to write to {there}"
    else:
        return
    raise KitError(
        f"Cannot write the report to {folder}: {reason}",
        "Choose another folder with --out",
    )


def report(
    study: Study, own: Results, kept: Results, folder: Path | None = None
) -> Path:
    """Write the report of the user's rows beside the results kept with the kit."""
    from kit.studies.report import write_report

    folder = folder or runs_dir() / study.slug / (own if len(own) else kept).budget
    return write_report(study, own, kept, folder)


def export(study: Study, budget: str, platform: Platform) -> tuple[Path, int, int]:
    """Write the rows of a budget as the results that are kept with the kit.

    Returns:
        The file, the number of rows in it, and how many its budget still lacks.
    """
    rows = {row.key: row for row in own_results(study, budget, platform=platform).rows}
    cells = study.cells(budget, platform=platform)
    found = matched(cells, rows, budget)
    path = committed_path(study.slug, budget, platform)
    return path, write_rows(path, found), len(cells) - len(found)
