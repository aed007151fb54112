"""Rows: what a cell left behind, and how sets of rows are read, kept and shared.

The committed form is `results/<slug>/<budget>.jsonl`: one JSON line per cell, sorted
by arm and seed, so that a change of the numbers is a readable diff.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kit.errors import KitError, known
from kit.paths import runs_dir, shipped
from kit.studies.study import Cell, Platform, Study


@dataclass(frozen=True)
class Row:
    """One finished cell."""

    key: str
    study: str
    budget: str
    arm: str
    label: str
    seed: int
    status: str
    spec: dict[str, Any]
    metrics: dict[str, float | None]
    history: list[dict[str, Any]] = field(default_factory=list)
    probes: dict[str, Any] = field(default_factory=dict)
    training_seconds: float | None = None
    steps: int | None = None
    environment: dict[str, Any] = field(default_factory=dict)
    backend: str = "tensorflow"
    device: str = "cpu"
    started: str = ""
    seconds: float = 0.0

    @property
    def platform(self) -> Platform:
        return Platform(self.backend, self.device)

    def after(self, share: float, metric: str) -> float:
        """A number of the history after a share of the run, between two evaluations.

        Example:
            >>> from kit.studies import committed
            >>> row = committed("symmetry").rows[0]
            >>> row.after(1.0, "loss") == row.history[-1]["loss"]
            True
        """
        steps = [point["step"] for point in self.history]
        values = [point[metric] for point in self.history]
        return float(np.interp(share * steps[-1], steps, values))

    def until(self, loss: float, metric: str = "validation_loss") -> float:
        """The share of the run after which a loss is this low; infinite if never."""
        steps = [point["step"] for point in self.history]
        # The lowest loss so far only falls, so that every loss is passed once.
        lowest = np.minimum.accumulate([point[metric] for point in self.history])
        if lowest[-1] > loss:
            return math.inf
        return float(np.interp(-loss, -lowest, steps) / steps[-1])


class Results:
    """The rows of one study on one platform, in the order of its arms.

    Args:
        rows: Finished cells, in any order.
        budget: What they were run with.
        origin: "own" or "committed", for captions.

    Example:
        >>> from kit.studies import committed
        >>> results = committed("symmetry").select(["A-learned"])
        >>> results.values("A-learned", "exact_match")[0] > 0.9
        True
    """

    def __init__(self, rows: Iterable[Row], budget: str = "", origin: str = "own"):
        self.rows = list(rows)
        self.budget = budget
        self.origin = origin

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def arms(self) -> dict[str, str]:
        """Name -> label of every arm that has at least one row."""
        return {row.arm: row.label for row in self.rows}

    @property
    def metrics(self) -> list[str]:
        """Names of all metrics, in order of appearance."""
        return list(dict.fromkeys(name for row in self.rows for name in row.metrics))

    @property
    def platform(self) -> Platform:
        return self.rows[0].platform if self.rows else Platform()

    def of(self, arm: str) -> list[Row]:
        """The rows of one arm by seed; empty if it was not run."""
        return sorted((r for r in self.rows if r.arm == arm), key=lambda r: r.seed)

    def values(self, arm: str, metric: str) -> dict[int, float | None]:
        """Seed -> metric of one arm; None where the run left no finite number.

        Raises:
            KitError: the arm was run, and no row of the results has this metric.
        """
        rows = self.of(arm)
        if rows:
            known("metric", metric, self.metrics)
        return {row.seed: row.metrics.get(metric) for row in rows}

    def select(self, names: Iterable[str]) -> "Results":
        """The same results with only the named arms."""
        wanted = set(names)
        rows = [row for row in self.rows if row.arm in wanted]
        return Results(rows, self.budget, self.origin)


def plain(value: Any) -> Any:
    """A value as JSON can hold it: arrays as lists, NaN and infinity as None.

    Example:
        >>> plain({"loss": float("nan"), "steps": (1, 2)})
        {'loss': None, 'steps': [1, 2]}
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


def rounded(value: Any, digits: int = 6) -> Any:
    """Floats to `digits` significant digits, so that stored rows stay readable.

    Example:
        >>> rounded({"loss": 1.23456789, "rows": [1e-9 / 3, 2]})
        {'loss': 1.23457, 'rows': [3.33333e-10, 2]}
    """
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {name: rounded(item, digits) for name, item in value.items()}
    if isinstance(value, list):
        return [rounded(item, digits) for item in value]
    return value


def matched(cells: Sequence[Cell], rows: dict[str, Row], budget: str) -> list[Row]:
    """The rows of some cells, under the names that the study gives them today."""
    return [
        replace(rows[cell.key], arm=cell.arm.name, label=cell.arm.label, budget=budget)
        for cell in cells
        if cell.key in rows
    ]


def own_results(
    study: Study, budget: str | None = None, *, platform: Platform | None = None
) -> Results:
    """The user's rows of a budget, with as many seeds as were ever run.

    Args:
        study: Which study.
        budget: None for the one that was run last.
        platform: None for the one with the most rows of that budget.
    """
    from kit.studies.store import Store

    path = runs_dir() / "store.sqlite"
    rows: dict[str, Row] = {}
    if path.exists() and path.stat().st_size:  # empty: killed before it was made
        with Store(path, write=False) as store:
            rows = store.rows(study.slug)
    if not rows:
        return Results([], budget or "quick")
    budget = budget or max(rows.values(), key=lambda row: row.started).budget
    most = 1 + max(row.seed for row in rows.values())
    platforms = sorted({row.platform for row in rows.values()}, key=str)
    found = [
        matched(study.cells(budget, seeds=most, platform=choice), rows, budget)
        for choice in ([platform] if platform else platforms)
    ]
    most_rows: list[Row] = max(found, key=len)
    return Results(most_rows, budget)


def outdated(study: Study, results: Results) -> list[Row]:
    """Rows that the study, as it is today, would not reuse but run again."""
    most = 1 + max((row.seed for row in results.rows), default=0)
    cells = study.cells(results.budget, seeds=most, platform=results.platform)
    keys = {cell.key for cell in cells}
    return [row for row in results.rows if row.key not in keys]


def committed_path(slug: str, budget: str, platform: Platform) -> Path:
    """Where the rows of a platform are kept with the kit."""
    suffix = "" if platform == Platform() else f"-{platform}"
    return shipped("results") / slug / f"{budget}{suffix}.jsonl"


def committed_results(
    study: Study, budget: str = "full", *, platform: Platform | None = None
) -> Results:
    """The rows that come with the kit; empty if the study has none yet."""
    path = committed_path(study.slug, budget, platform or Platform())
    if not path.exists():
        return Results([], budget, "committed")
    order = [arm.name for arm in study.arms_named(budget)]
    rows = sorted(
        read_rows(path),
        key=lambda row: order.index(row.arm) if row.arm in order else len(order),
    )
    return Results(rows, budget, "committed")


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as sorted JSON lines, all or nothing; returns how many."""
    ordered = sorted(rows, key=lambda row: (row.arm, row.seed))
    lines = [json.dumps(rounded(asdict(row)), allow_nan=False) for row in ordered]
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise KitError(
            f"Cannot write {path}: {error.strerror}",
            "Free some space or choose a folder that you may write to",
        ) from error
    return len(lines)


def read_rows(path: Path) -> list[Row]:
    """Read what `write_rows` wrote."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            rows.append(Row(**json.loads(line)))
        except (TypeError, ValueError) as error:
            raise KitError(
                f"{path}, line {number}, is not a row of this version: {error}",
                "Restore the file from the repository",
            ) from error
    return rows
