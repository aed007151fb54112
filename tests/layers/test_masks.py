"""Who may see whom, counted out."""

import numpy as np
import pytest
from keras import ops

from kit.layers import AttentionBias

TIME, PREFIX, PADDING = 5, 3, 9
TOKENS = np.array([[1, 2, 3, 4, 5], [1, PADDING, 3, PADDING, PADDING]])


def visible(tokens=TOKENS, queries=TIME, start=0, **kwargs):
    bias = AttentionBias(**kwargs)(tokens, queries=queries, start=start)
    return ops.convert_to_numpy(bias) == 0


@pytest.mark.parametrize("mask, prefix", [("causal", None), ("prefix", PREFIX)])
def test_a_query_sees_what_came_before_and_the_prefix(mask, prefix):
    seen = visible(mask=mask, prefix_length=prefix)[0, 0]
    for query in range(TIME):
        for key in range(TIME):
            assert seen[query, key] == (key <= query or key < (prefix or 0))


def test_a_full_mask_costs_nothing():
    assert AttentionBias("full")(TOKENS, queries=TIME) is None


@pytest.mark.parametrize("mask", ["causal", "full", "prefix"])
def test_nothing_sees_padding(mask):
    prefix = PREFIX if mask == "prefix" else None
    seen = visible(mask=mask, prefix_length=prefix, padding_id=PADDING)
    assert not seen[1, 0][:, TOKENS[1] == PADDING].any()
    if mask == "full":
        assert seen[:, 0].all(axis=1).tolist() == (TOKENS != PADDING).tolist()
    else:
        without = visible(mask=mask, prefix_length=prefix)
        np.testing.assert_array_equal(seen[0], without[0])


@pytest.mark.parametrize("mask", ["causal", "prefix"])
def test_a_later_start_is_the_lower_part_of_the_mask(mask):
    prefix = PREFIX if mask == "prefix" else None
    whole = visible(mask=mask, prefix_length=prefix, padding_id=PADDING)
    part = visible(
        mask=mask, prefix_length=prefix, padding_id=PADDING, queries=2, start=3
    )
    np.testing.assert_array_equal(part, whole[:, :, 3:])


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_mask_is_finite_and_orders_its_keys_in_every_precision(policy):
    """Seen above padding, padding above the future, and that above padding there."""
    layer = AttentionBias("causal", padding_id=PADDING, dtype=policy)
    rounded = ops.cast(layer(TOKENS, queries=TIME), layer.compute_dtype)
    bias = ops.convert_to_numpy(ops.cast(rounded, "float32"))[1, 0]
    assert np.isfinite(bias).all()
    assert bias[2, 0] == 0 > bias[2, 1] > bias[0, 2] > bias[0, 1]


@pytest.mark.parametrize("mask", ["causal", "prefix"])
def test_a_row_of_padding_does_not_see_the_future(mask):
    """Padding in front leaves queries with nothing to see; they must stay causal."""
    tokens = np.array([[PADDING, PADDING, 1, 2, 3]])
    prefix = 2 if mask == "prefix" else None
    layer = AttentionBias(mask, prefix_length=prefix, padding_id=PADDING)
    weights = ops.softmax(layer(tokens, queries=TIME), axis=-1)
    weights = ops.convert_to_numpy(weights)[0, 0]
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    assert not weights[0, 2:].any()
    assert not weights[1, 2:].any()
