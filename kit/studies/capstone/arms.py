"""What is put together: nothing, one thing, two, all but one, all five.

An arm without sharing and pruning trains a model, which others of its kind start from,
seed by seed; see `kit.studies.dense` for how it is kept.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kit.config import ModelConfig
from kit.studies.capstone.base import (
    INGREDIENTS,
    LEARNING_RATES,
    PRUNED,
    SCALES,
    SHARE,
    SHARED,
    SIMPLIFIED,
    SPARSITY,
    TRAINED,
    Combination,
    Scale,
    first_part,
    first_spec,
    further_training,
    name_of,
    pairs,
    together,
    without,
)
from kit.studies.search import SEARCH, kept_rates, searched
from kit.studies.study import Arm
from kit.studies.text import PREPARATION, seconds
from kit.training.config import TrainConfig

HALF = "half-plain"  # the control: a plain model of half the blocks
HALF_WORDS = "half of the blocks, nothing else"

# Measured on one core.
FASTER = 0.65  # of the usual estimate of a step
READING = 3.0  # the text, once for each arm
STAGE = 12.0  # to trace the further training, another model for each seed, and to score
LOOKING = {SHARED: 4.0, PRUNED: 10.0}  # at maps and neurons


def grid(budget: str) -> list[Combination]:
    """The combinations of a budget, in the order of the report."""
    alone: list[Combination] = [(name,) for name in INGREDIENTS]
    if budget == "smoke":
        return [(), together()]
    if budget == "quick":  # pairs that need no other first training
        cheap = [(SIMPLIFIED, SHARED), (SIMPLIFIED, PRUNED), (SHARED, PRUNED)]
        return [(), *alone, *cheap, together()]
    all_but_one = [without(name) for name in INGREDIENTS]
    return [(), *alone, *pairs(), TRAINED, *all_but_one, together()]


def arms(budget: str) -> list[Arm]:
    """All arms of a budget, in the order of the report."""
    scale = SCALES[budget]
    if budget == SEARCH:
        found = searched(_first_trainings(scale), LEARNING_RATES)
        return [replace(arm, seeds=1) if _at_an_end(arm) else arm for arm in found]
    made = [_arm(name_of(each), each, scale) for each in grid(budget)]
    return [*made, _arm(HALF, (), scale, scale.blocks // 2)]


def _at_an_end(arm: Arm) -> bool:
    ends = LEARNING_RATES[0], LEARNING_RATES[-1]
    return arm.spec["train"]["learning_rate"] in ends


def _first_trainings(scale: Scale) -> list[Arm]:
    """Everything that is trained first, as the search has it."""
    firsts = dict.fromkeys(first_part(each) for each in grid("full"))
    specs = {name_of(each): first_spec(each, scale) for each in firsts}
    specs[HALF] = first_spec((), scale, scale.blocks // 2)
    return [
        Arm(
            name,
            f"{name}: first training",
            {"kind": "first", **spec},
            _training(spec),
            preparation=PREPARATION,
        )
        for name, spec in specs.items()
    ]


def _arm(name: str, combination: Combination, scale: Scale, blocks: int = 0) -> Arm:
    start = first_part(combination)
    found = kept_rates("capstone")
    first = first_spec(start, scale, blocks)
    kind = HALF if blocks else name_of(start)
    rate = found.get(kind, first["train"]["learning_rate"])
    first["train"] = {**first["train"], "learning_rate": rate}
    train = further_training(TrainConfig.from_dict(first["train"]), scale)
    plan = {
        "sparsity": SPARSITY if PRUNED in combination else 0.0,
        "share": SHARE if SHARED in combination else 0.0,
        "sequences": scale.sequences,
        "search": scale.search,
    }
    spec = {"kind": "combined", "base": first, "plan": plan, "train": train.to_dict()}
    words = [INGREDIENTS[each] for each in combination]
    label = HALF_WORDS if blocks else "; ".join(words) or "base"
    trains = start == combination  # and the others start from what it leaves
    preparation = READING + PREPARATION * trains
    return Arm(name, label, spec, _cost(spec, combination, trains), None, preparation)


def _cost(spec: dict[str, Any], combination: Sequence[str], trains: bool) -> float:
    """Estimated seconds of one seed on one core."""
    looking = sum(LOOKING.get(each, 0.0) for each in combination)
    further = {"model": spec["base"]["model"], "train": spec["train"]}
    first = _training(spec["base"]) if trains else 0.0
    return first + looking + STAGE + 1.1 * _training(further)  # without XLA


def _training(spec: dict[str, Any]) -> float:
    model = ModelConfig.from_dict(spec["model"])
    return FASTER * seconds(model, spec["train"]["steps"])
