"""TensorFlow, JAX and torch take the same block-wise step."""

from functools import cache
from importlib.util import find_spec

import keras
import numpy as np
import pytest

from kit.models import build, named_weights
from kit.optimizers import PAPER_RATIOS, role
from tests.cases import CASES
from tests.optimizers.blockwise_cases import (
    DENSE,
    KINDS,
    KIT_RATE,
    RATE,
    SHAPES,
    everything,
)
from tests.other_backend import results

HERE = keras.backend.backend()
MODULE = "tests.optimizers.blockwise_cases"
# Newton and Schulz make Muon's step from five products of matrices, and Adam divides
# by the size of a gradient: rounding shows as a share of a step.
STEP = 0.01 * RATE
# Its "old" momentum is an alias of the new one, but for JAX (keras 3.15.1).
OTHERWISE = "ScheduleFreeAdamW"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize(
        "backend",
        [
            pytest.param(
                name,
                marks=pytest.mark.skipif(
                    find_spec(name) is None, reason=f"{name} is not installed"
                ),
            )
            for name in ("tensorflow", "jax", "torch")
            if name != HERE
        ],
    ),
]
here = cache(everything)


def apart(name, backend):
    """Largest difference of a weight from that of the other backend."""
    there = results(backend, MODULE)
    return max(
        np.abs(here()[f"{name} {key}"] - there[f"{name} {key}"]).max() for key in SHAPES
    )


@pytest.mark.parametrize("name", sorted({*KINDS} - {OTHERWISE}))
def test_every_optimizer_takes_the_same_steps(backend, name):
    assert apart(name, backend) < STEP


def test_keras_own_schedule_free_adamw_does_not(backend):
    """So that the exception falls when Keras mends it."""
    both_alias = "jax" not in (HERE, backend)
    assert (apart(f"plain {OTHERWISE}", backend) < STEP) == both_alias


@pytest.mark.parametrize("name", DENSE)
def test_a_kit_model_takes_the_same_steps(name, backend):
    """Its embedding too, under a global norm, where TensorFlow's gradient is sparse."""
    there = results(backend, MODULE)
    for path, variable in named_weights(build(CASES["untied"])).items():
        key = f"kit {name} {path}"
        step = KIT_RATE * PAPER_RATIOS.get(role(variable), 1.0)
        assert np.abs(here()[key] - there[key]).max() < 0.01 * step, key
