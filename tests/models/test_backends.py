"""TensorFlow, JAX and NumPy give the same numbers."""

import keras
import numpy as np
import pytest

from tests.cases import CASES, assert_same, case_logits
from tests.layers.layer_cases import LAYERS
from tests.other_backend import (
    CONTINUED,
    continued,
    layer_output,
    losses,
    results,
    weights_digest,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize(
        "backend",
        [b for b in ("tensorflow", "jax", "numpy") if b != keras.backend.backend()],
    ),
]


@pytest.mark.parametrize("name", CASES)
def test_weights_start_equal(backend, name):
    assert str(results(backend)[f"digest {name}"]) == weights_digest(name)


@pytest.mark.parametrize("name", CASES)
def test_logits_and_losses_agree(backend, name):
    assert_same(results(backend)[f"logits {name}"], case_logits(name))
    np.testing.assert_allclose(results(backend)[f"loss {name}"], losses(name), 1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_agree(backend, name):
    assert_same(results(backend)[f"layer {name}"], layer_output(name))


@pytest.mark.parametrize("name", CONTINUED)
def test_compiled_generation_agrees(backend, name):
    np.testing.assert_array_equal(
        results(backend)[f"continued {name}"], continued(name)
    )
