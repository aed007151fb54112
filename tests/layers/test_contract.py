"""Shape, config, file, gradient and precision of every layer."""

import numpy as np
import pytest

from kit.layers import AttentionBias
from tests.contract import assert_layer_contract, params
from tests.layers.layer_cases import LAYERS, input_shape

QUICK = (
    "attention-grouped",
    "attention-rotary",
    "attention-simplified",
    "updated-orthogonal",
    "trained-gains",
    "swiglu",
    "learned",
    "rotary",
    "post",
)


@pytest.mark.parametrize("name", params(LAYERS, QUICK))
def test_layer_keeps_the_contract(name, tmp_path):
    assert_layer_contract(LAYERS[name], input_shape(name), tmp_path / "layer.keras")


def test_attention_bias_survives_its_config():
    layer = AttentionBias("prefix", prefix_length=2, padding_id=1)
    again = AttentionBias.from_config(layer.get_config())
    tokens = np.array([[0, 1, 2, 0]])
    np.testing.assert_array_equal(again(tokens, queries=4), layer(tokens, queries=4))
