"""TensorFlow, JAX and PyTorch find the same maps alike and distil the same."""

from functools import cache
from importlib.util import find_spec

import keras
import numpy as np
import pytest

from tests.cases import assert_same
from tests.other_backend import results
from tests.sharing.backend_cases import STEPS, everything

HERE = keras.backend.backend()
# AdamW moves a weight by the learning rate at most, and divides by the size of a
# gradient: of each step rounding may show as a hundredth.
ROUNDING = STEPS * 0.01 * 1e-3

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


def test_the_same_is_alike_and_the_same_is_learnt(backend):
    there = results(backend, "tests.sharing.backend_cases")
    for key, found in here().items():
        if key.startswith("heads"):
            np.testing.assert_array_equal(there[key], found, err_msg=key)
        elif key.startswith("trained"):
            np.testing.assert_allclose(there[key], found, atol=ROUNDING, err_msg=key)
        else:
            assert_same(there[key], found)
