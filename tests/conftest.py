"""The same quiet, small and private surroundings for every test."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Read by libraries while they are imported, so set before any test module is.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
for variable in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{variable}_NUM_THREADS", "1")
for variable in ("INTRAOP", "INTEROP"):
    os.environ.setdefault(f"TF_NUM_{variable}_THREADS", "1")

PRIVATE = Path(tempfile.mkdtemp(prefix="kit-tests-"))
os.environ["KIT_CACHE"] = str(PRIVATE / "cache")
os.environ["KIT_RUNS"] = str(PRIVATE / "runs")


TRAINING_EXAMPLES = {f"kit.training.trainer.{name}" for name in ("Trainer", "train")}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Examples that compile a training step are slow, but carry no marks."""
    for item in items:
        if item.name in TRAINING_EXAMPLES:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def _private_folders() -> Iterator[None]:
    """Nothing of the user's cache or runs is read or written by a test."""
    yield
    shutil.rmtree(PRIVATE, ignore_errors=True)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Every test draws the same numbers, whichever ran before it."""
    if "keras" in sys.modules:  # tests without it are spared the import
        sys.modules["keras"].utils.set_random_seed(0)
