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

# Tests that need a checkpoint which the user has fetched look for it there.
os.environ.setdefault("KIT_USER_CACHE", os.environ.get("KIT_CACHE", ""))
PRIVATE = Path(tempfile.mkdtemp(prefix="kit-tests-"))
# The folder of the first process is known to all that it starts.
os.environ.setdefault("KIT_TESTS_SHARED", str(PRIVATE))
os.environ["KIT_CACHE"] = str(PRIVATE / "cache")
os.environ["KIT_RUNS"] = str(PRIVATE / "runs")

SLOW_EXAMPLES = {
    "kit.pruning.callback.PruningCallback",
    "kit.pruning.evaluation.Evaluator",
    "kit.pruning.greedy.remove_greedily",
    "kit.pruning.methods.prune",
    "kit.pruning.operation.Operation",
    "kit.pruning.recovery.recover",
    "kit.pruning.two_stage.two_stage",
    "kit.sharing.distillation.adjust",
    "kit.sharing.distillation.distil",
    "kit.sharing.keras_distiller.keras_distiller",
    "kit.sharpness.fisher.FisherSharpness",
    "kit.sharing.echoatt.attend_copy_adjust",
    "kit.training.continued.ContinuedTrainer",
    "kit.training.scoring.evaluate",
    "kit.training.trainer.Trainer",
    "kit.training.trainer.train",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Examples that compile a whole model are slow, but carry no marks."""
    for item in items:
        if item.name in SLOW_EXAMPLES:
            item.add_marker(pytest.mark.slow)


def pytest_unconfigure() -> None:
    """Nothing is left behind, by the process that only hands out tests neither."""
    shutil.rmtree(PRIVATE, ignore_errors=True)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Every test draws the same numbers, whichever ran before it."""
    if "keras" in sys.modules:  # tests without it are spared the import
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _shared_models() -> Iterator[None]:
    """A test that changes what others read fails its own module, not one of theirs."""
    yield
    if "tests.cases" in sys.modules:
        changed = sys.modules["tests.cases"].changed_models()
        assert not changed, f"Tests changed shared models: {', '.join(changed)}."
