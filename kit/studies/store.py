"""The user's finished cells: one SQLite file, one row per cell.

Only the parent process of a run writes, a cell is written once and never replaced,
and every write is one transaction: what was finished survives a kill at any moment.
The plain rollback journal is used rather than the write-ahead log, because it works
on network folders and a store can then be read without write rights.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kit.errors import KitError
from kit.studies.results import Row

SCHEMA_VERSION = 1
APPLICATION_ID = 0x6B697431  # "kit1": tells a kit store from any other SQLite file

COLUMNS = """
    key TEXT PRIMARY KEY, study TEXT NOT NULL, budget TEXT NOT NULL,
    arm TEXT NOT NULL, label TEXT NOT NULL, seed INTEGER NOT NULL,
    status TEXT NOT NULL, backend TEXT NOT NULL, device TEXT NOT NULL,
    spec TEXT NOT NULL, result TEXT NOT NULL, environment TEXT NOT NULL,
    started TEXT NOT NULL, seconds REAL NOT NULL
"""
BROKEN = ("not a database", "malformed", "no such")  # in what SQLite says of a file
RESULT = ("metrics", "history", "probes", "training_seconds", "steps")


class Store:
    """Finished cells on disk.

    Args:
        path: The SQLite file; made with its folder when `write`.
        write: False opens the file read-only.

    Raises:
        KitError: the file cannot be opened or written, is no store, or was written
            by another version of the kit; the file is left as it is.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from kit.studies import committed
        >>> row = committed("symmetry").rows[0]
        >>> with TemporaryDirectory() as folder:
        ...     with Store(Path(folder) / "store.sqlite") as store:
        ...         store.add(row)
        ...         store.keys("symmetry") == {row.key}
        True
    """

    def __init__(self, path: Path, *, write: bool = True):
        self.path = path
        if write:
            _make_folder(path.parent)
        with self._explained():
            mode = "rwc" if write else "ro"
            uri = f"{path.absolute().as_uri()}?mode={mode}"
            self._db = sqlite3.connect(uri, uri=True, timeout=30)
        try:
            with self._explained():
                self._check_version(write)
        except KitError:
            self._db.close()
            raise

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def _check_version(self, write: bool) -> None:
        application, version, tables = (
            self._db.execute(question).fetchone()[0]
            for question in (
                "PRAGMA application_id",
                "PRAGMA user_version",
                "SELECT count(*) FROM sqlite_master",
            )
        )
        if not tables and write:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                self._db.execute(f"CREATE TABLE IF NOT EXISTS cells ({COLUMNS})")
        elif application != APPLICATION_ID:
            raise KitError(f"{self.path} is not a store of the kit", self._elsewhere)
        elif version != SCHEMA_VERSION:
            raise KitError(
                f"{self.path} was written with store version {version}, this kit "
                f"reads version {SCHEMA_VERSION}; the file was left as it is",
                self._elsewhere,
            )

    _elsewhere = "Move the file away, or set KIT_RUNS to another folder"

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite and the file system say into one line for the user."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if "full" in reason or "No space" in reason:
                fix = "Free some space and run the same command again to resume"
            elif any(word in reason for word in BROKEN):
                fix = self._elsewhere
            else:
                fix = "Set KIT_RUNS to a folder that you may write to"
            kept = "; what is in it is kept" if self.path.is_file() else ""
            raise KitError(
                f"Cannot use the store {self.path}: {reason}{kept}", fix
            ) from error

    def add(self, row: Row) -> None:
        """Keep a finished cell; one that is there already is never replaced."""
        fields = asdict(row)
        result = {name: fields.pop(name) for name in RESULT}
        fields["result"] = result
        for name in ("spec", "environment", "result"):
            fields[name] = json.dumps(fields[name], allow_nan=False)
        names = ", ".join(fields)
        marks = ", ".join("?" * len(fields))
        with self._explained(), self._db:
            self._db.execute(
                f"INSERT INTO cells ({names}) VALUES ({marks}) "
                "ON CONFLICT (key) DO NOTHING",
                tuple(fields.values()),
            )

    def keys(self, study: str) -> set[str]:
        """Keys of all finished cells of a study."""
        with self._explained():
            found = self._db.execute("SELECT key FROM cells WHERE study = ?", (study,))
            return {key for (key,) in found}

    def rows(self, study: str) -> dict[str, Row]:
        """Key -> row of all finished cells of a study."""
        with self._explained():
            cursor = self._db.execute("SELECT * FROM cells WHERE study = ?", (study,))
            names = [column[0] for column in cursor.description]
            rows = [
                self._row(dict(zip(names, values, strict=True))) for values in cursor
            ]
        return {row.key: row for row in rows}

    def _row(self, fields: dict[str, Any]) -> Row:
        key = fields["key"]
        try:
            result = json.loads(fields.pop("result"))
            for name in ("spec", "environment"):
                fields[name] = json.loads(fields[name])
            return Row(**fields, **result)
        except (TypeError, ValueError) as error:
            raise KitError(
                f"The row {key[:8]} of {self.path} cannot be read: {error}",
                self._elsewhere,
            ) from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KitError(
            f"Cannot make the folder {folder} for runs: {error.strerror}",
            "Set KIT_RUNS to a folder that you may write to",
        ) from error
