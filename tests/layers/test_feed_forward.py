"""The feed-forward against its formulas."""

import math

import numpy as np
import pytest

from kit.layers import FeedForward
from tests.cases import TIME, WIDTH, assert_same


def relu(x):
    return np.maximum(x, 0)


def gelu(x):
    """The tanh form of 1606.08415, section 2."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def silu(x):
    return x / (1 + np.exp(-x))


@pytest.mark.parametrize("activation", ["relu", "gelu", "swiglu"])
def test_feed_forward_is_the_formula(activation):
    x = np.random.default_rng(0).standard_normal((2, TIME, WIDTH), dtype="float32")
    layer = FeedForward(12, activation, std=0.5)
    layer.build(x.shape)
    weights = {v.name: np.asarray(v).astype("float64") for v in layer.weights}
    hidden = x @ weights["up"]
    if activation == "swiglu":
        hidden = silu(x @ weights["gate"]) * hidden
    else:
        hidden = {"relu": relu, "gelu": gelu}[activation](hidden)
    assert_same(layer(x), hidden @ weights["down"].T)
