"""Arms that need no training here: checkpoints, and the cost of sharing."""

from typing import Any

from kit.data.corpora import found_corpora
from kit.data.docs import versions
from kit.pretrained import found
from kit.studies.sharing.base import RATES
from kit.studies.sharing.cost import CHECKPOINTS, SPEED
from kit.studies.sharing.paper import BLOCKS, LISTS
from kit.studies.study import Arm

CHECKPOINT = "smollm2"
OWN = "text-8"
JUDGED = "tinyshakespeare"
WIDTH = 128  # of the models that are timed


def real_arms() -> list[Arm]:
    """The checkpoint that ships, the other where it is found, and what is timed."""
    return [
        own_arm(),
        *([checkpoint_arm()] if has_checkpoint() else []),
        *(speed_arm(share) for share in LISTS),
    ]


def has_checkpoint() -> bool:
    """Whether SmolLM2 and the text that it is judged on are on this machine."""
    return bool(found()[CHECKPOINT]) and bool(found_corpora()[JUDGED])


def own_arm() -> Arm:
    """The GPT of 8 blocks that ships with the kit."""
    plan = {"sequences": 16, "windows": 64, "reach": 8}
    return _arm(OWN, "text-8, which ships with the kit", 128, None, plan)


def checkpoint_arm() -> Arm:
    """SmolLM2-135M, 30 blocks."""
    plan = {"sequences": 4, "windows": 4, "reach": 1}
    return _arm(CHECKPOINT, "SmolLM2-135M", 256, JUDGED, plan)


def _arm(
    name: str, words: str, time: int, judged: str | None, plan: dict[str, Any]
) -> Arm:
    spec = {
        "kind": "checkpoint",
        "checkpoint": name,
        "time": time,
        "calibration": "docs",
        "judged": judged,
        "plan": plan | {"rates": [rate for rate in RATES.values() if rate]},
        "sources": versions(),
    }
    label = f"{words}; copying without training"
    return Arm(name, label, spec, CHECKPOINTS[name], seeds=3, preparation=10.0)


def speed_arm(share: str) -> Arm:
    """A model with the paper's blocks and list, beside the same one unshared."""
    spec = {"kind": "speed", "share": share, "width": WIDTH, "batch": 4, "count": 8}
    label = f"cost of sharing {len(LISTS[share])} of {BLOCKS} blocks, the paper's list"
    cost = SPEED[share]
    return Arm(f"speed-{share}", label, spec, cost, seeds=5, preparation=2 * cost)
