"""Gradients written by hand against autodiff of the plain expression, twice over."""

import keras
import pytest

from tests.cases import assert_same
from tests.layers.derivatives import PAIRS, arrays, derivatives
from tests.other_backend import results


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() not in ("tensorflow", "jax"),
    reason="this backend has no gradients to compare",
)
@pytest.mark.parametrize("name", PAIRS)
def test_gradients_and_hessian_products_are_those_of_autodiff(name):
    ours, plain, shapes = PAIRS[name]
    expected = derivatives(plain, shapes)
    for way, values in derivatives(ours, shapes).items():
        for value, of_autodiff in zip(values, expected[way], strict=True):
            assert_same(value, of_autodiff)


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="compares JAX with TensorFlow"
)
@pytest.mark.parametrize("name", PAIRS)
def test_jax_finds_the_same_derivatives(name):
    _, plain, shapes = PAIRS[name]
    for way, values in derivatives(plain, shapes).items():
        if "graph" not in way:
            for index, value in enumerate(values):
                theirs = results("jax")[f"derivative {name} {way} {index}"]
                assert_same(theirs, value)


@pytest.mark.parametrize("name", PAIRS)
def test_values_are_those_of_the_plain_expression(name):
    ours, plain, shapes = PAIRS[name]
    points = arrays(shapes, seed=2)
    assert_same(ours(*points), plain(*points))
