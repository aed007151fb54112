"""Checkpoints for the tests: real ones only where asked for and found."""

import os
from pathlib import Path

import pytest

DATA = os.environ.get("KIT_DATA", "")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KIT_DATA", raising=False)


@pytest.fixture
def checkpoint(monkeypatch):
    """Makes a checkpoint visible that is on this machine, or skips the test."""

    def find(name, *texts):
        from kit.pretrained import found

        monkeypatch.setenv("KIT_DATA", DATA)
        if os.environ["KIT_USER_CACHE"]:
            monkeypatch.setenv("KIT_CACHE", os.environ["KIT_USER_CACHE"])
        else:
            monkeypatch.delenv("KIT_CACHE")
        if found()[name] is None:
            pytest.skip(f"{name} is not on this machine: see kit fetch")
        for text in texts:
            if not Path(DATA, text).is_file():
                pytest.skip(f"KIT_DATA has no {text}")
        return [Path(DATA, text).read_text() for text in texts]

    return find
