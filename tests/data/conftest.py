"""Texts for the tests: a cache of their own, and `$KIT_DATA` only where asked for."""

import os
from pathlib import Path

import pytest

from kit.data.corpora import Corpus

DATA = os.environ.get("KIT_DATA")


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(session_cache, monkeypatch):
    monkeypatch.setenv("KIT_CACHE", str(session_cache))
    monkeypatch.delenv("KIT_DATA", raising=False)


@pytest.fixture
def kit_data(monkeypatch):
    """The folder of texts on this machine."""
    if not DATA:
        pytest.skip("KIT_DATA is not set: it names a folder with the published texts")
    monkeypatch.setenv("KIT_DATA", DATA)
    return Path(DATA)


@pytest.fixture
def fables():
    """Twelve documents without a word in common, of 4 to 15 lines."""
    return Corpus(
        "fables",
        tuple(
            "".join(f"tale {i} line {line}\n" for line in range(4 + i))
            for i in range(12)
        ),
    )
