"""Curvature of one model, for the comparison of backends.

`python -m tests.sharpness.curvature FILE` writes it on the backend that is set.
"""

import sys
from dataclasses import replace

import keras
import numpy as np

from kit.data import IGNORED
from kit.models import build
from kit.sharpness import (
    FisherOperator,
    FisherSharpness,
    GaussNewtonOperator,
    HessianOperator,
)
from kit.training import token_cross_entropy
from tests.cases import CASES, shake, some_tokens


def curvature() -> dict[str, np.ndarray]:
    """Products of curvature matrices with a vector, and traces of the Fisher matrix.

    Of a block with embeddings, layer norms and gradients of the kit's own.
    """
    config = replace(CASES["pre-ln"], blocks=CASES["pre-ln"].blocks[:1])
    model, tokens = shake(build(config)), some_tokens(config, batch=2)
    targets = np.roll(tokens, -1, axis=1)
    targets[:, ::3] = IGNORED
    batches, compile = [(tokens, targets)], keras.backend.backend() == "jax"
    operators = {
        "Hessian": HessianOperator(model, batches, compile=compile),
        "Gauss-Newton": GaussNewtonOperator(model, batches, compile=compile),
        "Fisher": FisherOperator(model, batches, compile=compile, targets="sampled"),
    }
    vector = np.random.default_rng(0).standard_normal(operators["Hessian"].size)
    traces = FisherSharpness(batches, loss=token_cross_entropy).traces(model)
    products = {key: operator(vector) for key, operator in operators.items()}
    return {**products, "traces": traces}


if __name__ == "__main__":
    np.savez(sys.argv[1], **curvature())
