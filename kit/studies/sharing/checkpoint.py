"""A checkpoint that was trained elsewhere: its maps, and what copying costs it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kit.data import Batch, load_corpus
from kit.errors import KitError
from kit.pretrained import held_out as own_held_out
from kit.pretrained import load
from kit.studies.pruning.checkpoint import held_out, joined, windows
from kit.studies.sharing.looking import CALIBRATED
from kit.studies.sharing.untrained import without_training

Result = dict[str, Any]


def prepare(spec: Mapping[str, Any]) -> Callable[..., Result]:
    """Load model and texts once; the returned function does one seed, which draws
    sequences."""
    plan, time = spec["plan"], spec["time"]
    model, tokenizer = load(spec["checkpoint"], context_length=time)
    if tokenizer is None:
        raise KitError(
            f"{spec['checkpoint']} comes without a tokenizer, so it can read no text",
            "Choose another checkpoint",
        )
    calibration = joined(load_corpus(spec["calibration"]))
    judged = spec["judged"] and joined(held_out(load_corpus(spec["judged"])))

    def drawn(text: str, count: int, rng: np.random.Generator) -> Batch:
        tokens = windows(text, tokenizer, count, time + 1, rng)
        return Batch(tokens[:, :-1], tokens[:, 1:])

    def run(seed: int, progress: Callable[[float], None]) -> Result:
        rng = np.random.default_rng(CALIBRATED + seed)
        batch = drawn(calibration, plan["sequences"], rng)
        rng = np.random.default_rng(seed)
        if judged:
            test = drawn(judged, plan["windows"], rng)
        else:
            everything = own_held_out(spec["checkpoint"])
            rows = rng.permutation(len(everything.inputs))[: plan["windows"]]
            test = Batch(*(part[rows] for part in everything))
        found = without_training(model, batch, test, plan, seed, progress)
        return {"status": "finished", **found}

    return run
