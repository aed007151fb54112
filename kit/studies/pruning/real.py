"""The arms of a real checkpoint; they are run where it and its texts are found."""

from typing import Any

from kit.data.corpora import found_corpora
from kit.data.docs import versions
from kit.pretrained import found
from kit.studies.pruning.base import METHODS, RIVALS
from kit.studies.pruning.cost import checkpoint_cost
from kit.studies.study import Arm

CHECKPOINT = "smollm2"
CHECKPOINT_METHODS = (
    *("2ssp", "stage-1", "shortgpt", "window", "slice", "magnitude", "random"),
)
CHECKPOINT_RIVALS = tuple(m for m in CHECKPOINT_METHODS if m in RIVALS)
NOT_ON_CHECKPOINT = tuple(m for m in RIVALS if m not in CHECKPOINT_METHODS)
CHECKPOINT_SPARSITIES = (0.25, 0.375, 0.5)
TIME = 256
SCORED, SEARCHED = 16, 2  # sequences
TEXTS = ("tinyshakespeare", "classic_children")
STORIES = "tinystories_sample"


def has_checkpoint() -> bool:
    """Whether the real checkpoint and its texts are on this machine."""
    corpora = found_corpora()
    return bool(found()[CHECKPOINT]) and all(corpora[n] for n in (*TEXTS, STORIES))


def checkpoint_arms() -> list[Arm]:
    """The real checkpoint, dense and by each method at each sparsity."""
    pruned = [
        _checkpoint(method, sparsity)
        for method in CHECKPOINT_METHODS
        for sparsity in CHECKPOINT_SPARSITIES
    ]
    return [_checkpoint(None, 0.0), *pruned]


def checkpoint_name(method: str | None, sparsity: float) -> str:
    """The name of an arm of the real checkpoint."""
    return f"{CHECKPOINT}-{method}-{100 * sparsity:g}" if method else CHECKPOINT


def _checkpoint(method: str | None, sparsity: float) -> Arm:
    spec: dict[str, Any] = {
        "kind": "checkpoint",
        "checkpoint": CHECKPOINT,
        "method": method,
        "sparsity": sparsity,
        "time": TIME,
        "calibration": {"corpus": "docs", "sequences": SCORED, "search": SEARCHED},
        "texts": list(TEXTS),
        "windows": 8,
        "last_words": {"corpus": STORIES, "passages": 96, "time": 48},
        "sources": versions(),
    }
    words = f"{METHODS[method]} at {sparsity:.1%}" if method else "dense"
    cost, preparation = checkpoint_cost(method, sparsity)
    return Arm(
        checkpoint_name(method, sparsity),
        f"SmolLM2; {words}",
        spec,
        cost,
        seeds=3,
        preparation=preparation,
    )
