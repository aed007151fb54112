"""Pruning on this backend: `python -m tests.pruning.backend_cases FILE`."""

import sys

import keras
import numpy as np
from keras import ops

from kit.models import named_weights, transplant
from kit.optimizers import AdamW
from kit.pruning import (
    Calibration,
    FunctionalModel,
    OneShot,
    PruningCallback,
    prune,
    two_stage,
)
from kit.training import token_cross_entropy
from tests.cases import read, some_tokens
from tests.pruning import foreign
from tests.pruning.models import calibration, deep, deep_config

METHODS = ("2ssp", "shortgpt", "window", "blockpruner")


def everything() -> dict[str, np.ndarray]:
    """What goes by each method, and a model after steps with masks."""
    found: dict[str, np.ndarray] = {}
    for method in METHODS:
        config = deep_config("llama")
        smaller, record = prune(deep("llama"), calibration(config), 0.5, method)
        found[f"logits {method}"] = read(smaller, some_tokens(config))
        found[f"parts {method}"] = np.array([str(part) for part in record.parts])
        found[f"neurons {method}"] = np.array([*record.neurons.values()])
    adapter = FunctionalModel(
        foreign.shake(foreign.language_model(), 4), foreign.names()
    )
    ours = np.random.default_rng(1).integers(foreign.VOCABULARY, size=(6, foreign.TIME))
    data = Calibration(ours, sequences=6, search_sequences=3)
    smaller, record = two_stage(adapter, data, 0.5, rule=1)
    found["logits foreign"] = ops.convert_to_numpy(smaller.model(ours, training=False))
    found["parts foreign"] = np.array([str(part) for part in record.parts])
    found["neurons foreign"] = np.array([*record.neurons.values()])
    model = transplant(deep(), deep_config())
    model.compile(
        AdamW(1e-3, weight_decay=0.1),
        token_cross_entropy,
        steps_per_execution=1 if keras.backend.backend() == "torch" else 2,
    )
    pruning = PruningCallback(OneShot(0.5, step=2))  # in the middle of four steps
    tokens = some_tokens(model.config, batch=8)
    options = {"batch_size": 2, "shuffle": False, "verbose": 0}
    targets = np.roll(tokens, -1, axis=1)
    model.fit(tokens, targets, callbacks=[pruning], **options)
    for block, mask in pruning.removed.items():
        found[f"mask {block}"] = mask
    for key, weight in named_weights(model).items():
        found[f"trained {key}"] = np.asarray(weight)
    return found


if __name__ == "__main__":
    np.savez(sys.argv[1], **everything())
