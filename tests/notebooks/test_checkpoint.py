"""Which checkpoint the notebook on pruning takes, and what judges it."""

from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

from kit.paths import shipped
from kit.pretrained import CHECKPOINTS, held_out


@pytest.mark.parametrize(
    "here, budget, taken",
    [
        (True, "quick", "smollm2"),
        (False, "quick", "text-8"),
        (True, "smoke", "text-8"),
    ],
)
@pytest.mark.parametrize("folder", ["notebooks", "solutions"])
def test_what_is_new_judges_the_best_checkpoint(here, budget, taken, folder):
    """Only what the kit has trained itself brings text that is new to the model."""
    cells = nbformat.read(shipped(folder) / "05_pruning.ipynb", as_version=4).cells
    (source,) = [c.source for c in cells if "def subject():" in c.source]
    windows = SimpleNamespace(validation=lambda: "the end of the text")
    names = {
        "budget": budget,
        "found": lambda: {"smollm2": here, "text-8": True},
        "load": lambda name, context_length: (f"model {name}", f"words of {name}"),
        "TextTask": lambda corpus, tokenizer, **sizes: windows,
        "CHECKPOINTS": CHECKPOINTS,
        "unseen_by": held_out,
    }
    exec(source, names)
    name, model, task, judged = names["subject"]()
    assert name == taken and model == f"model {taken}" and task is windows
    if taken == "smollm2":
        assert judged == "the end of the text"
    else:
        np.testing.assert_array_equal(judged.inputs, held_out("text-8").inputs)
