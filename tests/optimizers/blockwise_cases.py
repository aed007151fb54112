"""Optimizers, and steps on variables with given gradients, for the block-wise tests.

`python -m tests.optimizers.blockwise_cases FILE` writes what another backend has to
agree with.
"""

import sys

import keras
import numpy as np

from kit.models import build, named_weights
from kit.optimizers import PAPER_RATIOS, SGD, AdamW, Lion, Muon, blockwise
from kit.training import token_cross_entropy
from tests.cases import CASES, some_tokens

RATE, RATIO, STEPS = 2.0**-7, 4.0, 8  # powers of two: products are exact
KIT_RATE = 1e-3  # of a kit model's norms
SHAPES = {"table": (5, 3), "kernel": (3, 4), "bias": (4,)}
RATIOS = {"table": 2.0, "kernel": RATIO, "bias": 1.0}
OPTIONS = {"learning_rate": RATE, "weight_decay": 0.1}

KERAS = {
    kind.__name__: kind
    for kind in vars(keras.optimizers).values()
    if isinstance(kind, type) and issubclass(kind, keras.optimizers.Optimizer)
}
for _abstract in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer"):
    del KERAS[_abstract]
DENSE = {"AdamW": AdamW, "Lion": Lion, "Muon": Muon, "SGD": SGD}
KINDS = {**KERAS, "kit's AdamW": AdamW}


def plain(name, **options):
    """An optimizer; on PyTorch not the fused one, whose rounding is another."""
    kind = KINDS[name]
    if keras.backend.backend() == "torch":
        kind = type(kind.__name__, (kind,), {})
    return kind(**{**OPTIONS, **options})


def by_block(name, ratios=None, scale_decay=True, **options):
    """The block-wise optimizer, whose labels are the names of the variables."""
    return blockwise(
        KINDS[name](**{**OPTIONS, **options}),
        RATIOS if ratios is None else ratios,
        lambda variable: variable.name,
        scale_decay,
    )


def draws(seed):
    rng = np.random.default_rng(seed)
    return {k: rng.standard_normal(shape, "float32") for k, shape in SHAPES.items()}


def steps(optimizer, names=tuple(SHAPES), count=STEPS):
    """The variables after some steps with random gradients, the same each time."""
    start = draws(0)
    variables = [keras.Variable(start[name], name=name) for name in names]
    optimizer.build(variables)
    for step in range(1, count + 1):
        gradients = draws(step)
        optimizer.apply([keras.ops.convert_to_tensor(gradients[k]) for k in names])
    return {k: np.asarray(v) for k, v in zip(names, variables, strict=True)}


def kit_model_steps(name):
    """A kit model with its roles; the embedding has sparse gradients on TensorFlow."""
    model = build(CASES["untied"], seed=7)
    optimizer = DENSE[name](KIT_RATE, weight_decay=0.1, global_clipnorm=1.0)
    model.compile(
        blockwise(optimizer, PAPER_RATIOS), token_cross_entropy, run_eagerly=True
    )
    for step in range(4):
        tokens = some_tokens(CASES["untied"], batch=8, seed=step)
        model.train_on_batch(tokens, np.roll(tokens, -1, axis=1))
    return {key: np.asarray(weight) for key, weight in named_weights(model).items()}


def everything():
    """What another backend has to agree with, under flat names."""
    found = {
        f"kit {name} {key}": value
        for name in DENSE
        for key, value in kit_model_steps(name).items()
    }
    made = {name: by_block(name, global_clipnorm=0.5) for name in KINDS}
    made["plain ScheduleFreeAdamW"] = plain("ScheduleFreeAdamW")
    for name, optimizer in made.items():
        for key, value in steps(optimizer, count=5).items():
            found[f"{name} {key}"] = value
    return found


if __name__ == "__main__":
    np.savez(sys.argv[1], **everything())
