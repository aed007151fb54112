"""Products and estimates are the same on every backend."""

import keras
import pytest

from tests.cases import assert_same
from tests.other_backend import curvature, results

OTHER = {"tensorflow": "jax", "jax": "tensorflow"}.get(keras.backend.backend())


@pytest.mark.slow
@pytest.mark.skipif(OTHER is None, reason="compared on TensorFlow and JAX")
def test_curvature_agrees():
    """Also of embeddings, where TensorFlow's own gradients are not dense."""
    for key, value in curvature().items():
        assert_same(results(OTHER)[f"curvature {key}"], value)
