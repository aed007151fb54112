import sqlite3

import pytest
from toy import STUDY, row

from kit.errors import KitError
from kit.studies.results import own_results
from kit.studies.store import SCHEMA_VERSION, Store


def full_row(**fields):
    return row(
        history=[{"step": 1, "loss": 0.25}],
        probes={"map": [[1.0, 0.0], [0.5, 0.5]]},
        training_seconds=1.5,
        steps=10,
        environment={"keras": "3.15.1", "gpu": None},
        started="2026-01-01T00:00:00+00:00",
        seconds=2.5,
        **fields,
    )


def test_a_row_comes_back_as_it_went_in(tmp_path):
    path = tmp_path / "deep" / "store.sqlite"
    with Store(path) as store:
        store.add(full_row())
        store.add(full_row(arm="b", value=None, status="diverged"))
        store.add(full_row(arm="c", study="another"))
    with Store(path, write=False) as store:
        assert store.keys("toy") == {"a-0", "b-0"}
        found = store.rows("toy")
    assert found["a-0"] == full_row()
    assert found["b-0"] == full_row(arm="b", value=None, status="diverged")


def test_a_finished_cell_is_never_replaced(tmp_path):
    with Store(tmp_path / "store.sqlite") as store:
        store.add(row(value=0.1))
        store.add(row(value=0.9))
        assert store.rows("toy")["a-0"].metrics == {"accuracy": 0.1}


def test_two_runs_may_write_the_same_store(tmp_path):
    path = tmp_path / "store.sqlite"
    with Store(path) as first, Store(path) as second:
        first.add(row("a"))
        second.add(row("b"))
        assert first.keys("toy") == second.keys("toy") == {"a-0", "b-0"}


def test_a_store_of_another_version_is_named_and_left_alone(tmp_path):
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        store.add(row())
    newer = SCHEMA_VERSION + 6
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {newer}")
    database.close()
    before = path.read_bytes()
    for write in (True, False):
        with pytest.raises(KitError, match=f"version {newer}.* {SCHEMA_VERSION}") as e:
            Store(path, write=write)
        assert "KIT_RUNS" in e.value.fix
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not SQLite at all, but a text file" * 50, None])
def test_a_file_that_is_no_store_is_left_alone(tmp_path, content):
    path = tmp_path / "store.sqlite"
    if content is None:
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE mine (x)")
        database.commit()
        database.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(KitError, match="not a"):
        Store(path)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_explained(tmp_path):
    (tmp_path / "runs").write_text("a file where the folder should be")
    for folder in (tmp_path / "runs", tmp_path / "runs" / "deeper"):
        with pytest.raises(KitError, match=f"make the folder {folder} .*: ") as error:
            Store(folder / "store.sqlite")
        assert "KIT_RUNS" in error.value.fix
        assert "is kept" not in error.value.what, "there is nothing in it"


def test_a_full_disk_is_explained_and_loses_nothing(tmp_path):
    """SQLite's own limit on pages gives the very error of a full disk."""
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        store.add(row("kept"))
        store._db.execute("PRAGMA max_page_count = 4")
        with pytest.raises(KitError, match="full") as error:
            store.add(row("lost", probes={"map": [0.125] * 5000}))
        assert "same command" in error.value.fix
    with Store(path) as store:
        assert store.keys("toy") == {"kept-0"}


def test_a_row_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        store.add(row("a"))
        for broken in ("{half a row", '{"colour": "blue"}', "3"):
            with store._db:
                store._db.execute("UPDATE cells SET result = ?", (broken,))
            with pytest.raises(KitError, match="The row a-0 of .* cannot be read"):
                store.rows("toy")


def test_a_store_with_other_columns_is_to_be_moved_away(tmp_path):
    path = tmp_path / "store.sqlite"
    Store(path)._db.execute("ALTER TABLE cells DROP COLUMN study")
    with pytest.raises(KitError, match="no such column.*Move the file away"):
        Store(path, write=False).rows("toy")


def test_a_store_that_was_killed_at_birth_has_no_rows(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_RUNS", str(tmp_path))
    (tmp_path / "store.sqlite").touch()
    assert len(own_results(STUDY)) == 0
