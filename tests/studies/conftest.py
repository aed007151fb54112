"""Makes the toy study importable here and in worker processes."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from kit import studies  # noqa: E402


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """An empty folder for runs, and the toy study among the studies."""
    monkeypatch.setenv("KIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setitem(studies.STUDIES, "toy", "toy:STUDY")
    return tmp_path / "runs"
