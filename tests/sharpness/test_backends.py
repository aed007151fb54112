"""Products and estimates are the same on TensorFlow, JAX and PyTorch."""

from functools import cache
from importlib.util import find_spec

import keras
import pytest

from tests.cases import assert_same
from tests.other_backend import results
from tests.sharpness.curvature import curvature

here = cache(curvature)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_curvature_agrees(backend):
    """Also of embeddings, where TensorFlow's own gradients are not dense."""
    if backend == keras.backend.backend() or find_spec(backend) is None:
        pytest.skip(f"{backend} is this backend, or is not installed")
    for key, value in results(backend, "tests.sharpness.curvature").items():
        assert_same(here()[key], value)
