"""How long a step of an arm takes, for losses per second.

An arm and its Pre-LN take turns in one process on one core, because runs that were
trained at other hours, beside other work, cannot be compared by the clock.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from kit.config import ModelConfig
from kit.studies.results import Results
from kit.studies.simplify.speed import TURNS, in_turns, training_steps
from kit.studies.study import Arm
from kit.studies.text import BATCH, VOCABULARY

STEPS = 4  # in a turn
COST, PREPARATION = 3.0, 20.0  # estimated seconds


def pace_of(arm: str) -> str:
    """The arm that times another."""
    return f"T-{arm}"


def pace_arms(trained: Sequence[Arm], base: str, seeds: int) -> list[Arm]:
    """One for each of some arms but the base, which they take turns with."""
    specs = {arm.name: arm.spec["model"] for arm in trained}
    return [
        Arm(
            pace_of(arm.name),
            f"pace of {arm.label}",
            {"kind": "pace", "ours": arm.spec["model"], "base": specs[base]},
            cost=COST,
            seeds=seeds,
            preparation=PREPARATION,
        )
        for arm in trained
        if arm.name != base
    ]


def prepare(spec: Mapping[str, Any]) -> Callable[..., dict[str, Any]]:
    """Compile both models; the returned function times them in turns."""
    steps = {}
    for name in ("base", "ours"):
        model = ModelConfig.from_dict(spec[name])
        sized = replace(model, vocabulary_size=VOCABULARY)
        steps[name] = training_steps(sized, BATCH)
        steps[name](1)

    def run(seed: int, progress: Callable[[float], None]) -> dict[str, Any]:
        seconds = in_turns(steps, STEPS, seed, progress)
        pairs = [a / b for a, b in zip(*seconds.values(), strict=True)]
        return {
            "status": "finished",
            "metrics": {
                "speed_ratio": median(pairs),
                "base_step_seconds": median(seconds["base"]) / STEPS,
            },
            "probes": {"seconds": seconds},
            "steps": 2 * TURNS * STEPS,
        }

    return run


def speed_ratio(results: Results, arm: str) -> float | None:
    """Steps of an arm in the time of one of the base; None if it was not timed."""
    found = results.values(pace_of(arm), "speed_ratio").values()
    known = [ratio for ratio in found if ratio is not None]
    return median(known) if known else None


def timed(results: Results, arms: Sequence[str], base: str) -> Results:
    """The rows of some arms, with seconds as the turns had them; untimed arms go."""
    ratios = {arm: speed_ratio(results, arm) for arm in arms} | {base: 1.0}
    paces = [row for arm in arms for row in results.of(pace_of(arm))]
    if not paces:
        return Results([], results.budget, results.origin)
    second = median(row.metrics["base_step_seconds"] or 0.0 for row in paces)
    rows = [
        replace(row, history=[p | {"seconds": p["step"] * each} for p in row.history])
        for arm, ratio in ratios.items()
        if ratio
        for each in [second / ratio]
        for row in results.of(arm)
    ]
    return Results(rows, results.budget, results.origin)
