"""What learners are asked to write is what the kit computes."""

from dataclasses import replace

import numpy as np
import pytest

from kit.config import ModelConfig
from kit.grading.exercises import find
from kit.layers.shaping import Shaping
from kit.models import parameter_counts


def reference(exercise_id):
    """The functions of an exercise's reference, by name."""
    namespace = {}
    exec(find(exercise_id).reference(), namespace)
    return namespace


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("block", ["pre-ln", "parallel", "sas", "sas-p"])
def test_matrices_are_counted_alike(block, tied):
    config = ModelConfig.uniform(
        3,
        block,
        width=24,
        vocabulary_size=31,
        context_length=17,
        positions="learned",
        tied_head=tied,
    )
    config = config.with_every_block(feed_forward_dim=70)
    counts = parameter_counts(config)
    expected = sum(counts[role] for role in ("Emb", "QK", "VO", "FFN"))
    num_parameters = reference("parameters")["num_parameters"]
    assert num_parameters(block, 3, 24, 70, 31, 17, tied) == expected
    without = parameter_counts(replace(config, positions="none"))["Emb"]
    assert num_parameters(block, 3, 24, 70, 31, 0, tied) == expected - (
        counts["Emb"] - without
    )


@pytest.mark.parametrize("mask", ["causal", "prefix", "full"])
def test_the_shaped_map_is_that_of_the_layer(mask):
    rng = np.random.default_rng(0)
    batch, heads, time, prefix = 2, 3, 6, 4
    seen = np.tril(np.ones((time, time), bool)) | (mask == "full")
    if mask == "prefix":
        seen[:prefix, :prefix] = True
    weights = np.where(seen, np.exp(rng.standard_normal((batch, heads, time, time))), 0)
    weights = (weights / weights.sum(axis=-1, keepdims=True)).astype("float32")
    values = rng.standard_normal((batch, heads, time, 5)).astype("float32")
    mixed = weights @ values
    layer = Shaping(2.0, 0.7, 1.5, mask, prefix if mask == "prefix" else None)
    expected = np.asarray(layer(values, mixed, values))
    gains = [np.full(heads, gain, "float32") for gain in (2.0, 0.7, 1.5)]
    shaped = reference("shaped_map")["shaped_map"](weights, seen, *gains)
    np.testing.assert_allclose(np.asarray(shaped) @ values, expected, atol=1e-5)
    if mask == "causal":
        fast = reference("prefix_mean")["shaped_values"](mixed, values, *gains)
        np.testing.assert_allclose(np.asarray(fast), expected, atol=1e-5)
