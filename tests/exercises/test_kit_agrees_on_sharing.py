"""What learners write about sharing is what the kit computes."""

from dataclasses import replace

import numpy as np
import pytest

from kit.config import BlockConfig, ModelConfig
from kit.data import IGNORED
from kit.errors import KitError
from kit.grading.exercises import find
from kit.models import activations, build, flops_per_token, named_weights
from kit.sharing import (
    DistillationConfig,
    MapSimilarity,
    by_largest_gap,
    compare_maps,
    distillation_loss,
    inner_blocks,
    savings_of,
    shared_config,
)
from kit.sharing.losses import soft_loss


def reference(exercise_id):
    """The functions of an exercise's reference, by name."""
    namespace = {}
    exec(find(exercise_id).reference(), namespace)
    return namespace


@pytest.fixture(scope="module")
def some_maps():
    """Causal maps, (samples, layers, heads, time, time), with a sink."""
    scores = 2 * np.random.default_rng(0).standard_normal((3, 4, 2, 9, 9))
    scores[..., 0] += 2.0
    weights = np.tril(np.exp(scores))
    return (weights / weights.sum(axis=-1, keepdims=True)).astype("float32")


def test_layers_are_as_alike_as_the_kit_says(some_maps):
    visible = np.tril(np.ones((9, 9), bool))
    kit = compare_maps(some_maps, visible, ["cosine", "rows"])
    found = MapSimilarity([0, 1, 2, 3], *kit)
    namespace = reference("map_similarity") | reference("null_model")
    alike = namespace["flat_similarity"](some_maps)
    np.testing.assert_allclose(alike, kit.values["cosine"], atol=1e-5)
    rows = namespace["row_similarity"](some_maps)
    np.testing.assert_allclose(rows, kit.values["rows"], atol=1e-5)
    null = namespace["null_similarity"](some_maps)
    np.testing.assert_allclose(null, kit.null["cosine"], atol=1e-5)
    beyond = namespace["excess"](alike, null)
    np.testing.assert_allclose(beyond, found.excess(), atol=1e-4)
    means = reference("largest_gap")["scores"](alike)
    np.testing.assert_allclose(means, list(found.scores().values()), atol=1e-5)


def test_layers_that_copy_are_chosen_alike():
    namespace, rng, refused = reference("largest_gap"), np.random.default_rng(0), 0
    for layers in (3, 6, 12):
        for _ in range(20):
            scores = rng.random(layers).round(1)
            by_block = dict(enumerate(scores.tolist()))
            try:
                inner = inner_blocks(by_block)
            except KitError:
                refused += 1
                with pytest.raises(ValueError, match="share"):
                    namespace["inner_layers"](scores)
                continue
            assert namespace["inner_layers"](scores) == inner
            for k in (1, 2, 3):
                copies = by_largest_gap(by_block, k)
                expected = [copies.get(block, block) for block in range(layers)]
                assert namespace["sources"](layers, inner, k).tolist() == expected
    assert refused


@pytest.mark.slow
def test_a_group_of_layers_is_that_of_the_kit():
    """A kit model of nothing but attention, whose second and third block copy."""
    bare = BlockConfig(norm="none", feed_forward=None, num_heads=2)
    sizes = {"width": 8, "vocabulary_size": 14, "context_length": 6}
    config = ModelConfig.uniform(3, bare, final_norm="none", **sizes)
    config = replace(config, positions="none", initializer_std=0.5)
    model = build(shared_config(config, {1: 0, 2: 0}))
    weights = named_weights(model)

    def heads(name, *blocks):
        matrices = [np.asarray(weights[f"block_{b}/attention/{name}"]) for b in blocks]
        axis = 1 if name == "output" else 2
        return np.stack(np.split(np.stack(matrices), 2, axis=axis), axis=1)

    seen = activations(
        model, np.arange(12).reshape(2, 6), "block_0/input", "block_2/output"
    )
    found = reference("shared_block")["shared_group"](
        seen["block_0/input"],
        heads("query", 0)[0],
        heads("key", 0)[0],
        heads("value", 0, 1, 2),
        heads("output", 0, 1, 2),
    )
    np.testing.assert_allclose(np.asarray(found), seen["block_2/output"], atol=1e-4)


def test_students_are_taught_alike():
    rng = np.random.default_rng(0)
    logits = 2 * rng.standard_normal((2, 3, 4, 5)).astype("float32")
    streams = rng.standard_normal((2, 2, 3, 4, 6)).astype("float32")
    targets = np.where(np.tri(3, 4, dtype=bool), 1, IGNORED)
    kept, namespace = targets != IGNORED, reference("three_losses")
    pairs = {"hidden": streams.swapaxes(0, 1), "soft": logits, "hard": logits}
    for name, (student, teacher) in pairs.items():
        weights = {"hidden": 0.0, "soft": 0.0, "hard": 0.0, name: 1.0}
        both = [(logits[i], [*streams[:, i]]) for i in range(2)]
        expected = distillation_loss(DistillationConfig(**weights), targets, *both)
        found = namespace[f"{name}_loss"](student, teacher, kept)
        assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_divergences_and_their_gradients_are_those_of_the_kit():
    rng, namespace = np.random.default_rng(0), reference("which_way_round")
    student, teacher = rng.standard_normal((2, 1, 1, 5))
    for direction, pair in (
        ("reverse", (student, teacher)),
        ("forward", (teacher, student)),
    ):
        once = np.ones((1, 1), "float32")
        expected = float(soft_loss(student, teacher, once, direction))
        found = namespace["divergence"](*pair)
        assert found.item() == pytest.approx(expected, rel=1e-4)
        gradient = namespace[f"{direction}_gradient"](student, teacher)
        for token in range(5):
            step = 1e-4 * np.eye(5)[token]
            moved = [student + sign * step for sign in (1, -1)]
            if direction == "reverse":
                high, low = (namespace["divergence"](s, teacher) for s in moved)
            else:
                high, low = (namespace["divergence"](teacher, s) for s in moved)
            slope = (high - low).item() / 2e-4
            assert gradient[0, 0, token] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_savings_are_counted_alike(key_heads):
    block = BlockConfig(
        num_heads=4, num_key_value_heads=key_heads, feed_forward_dim=40, norm="rms"
    )
    sizes = {"width": 24, "vocabulary_size": 31, "context_length": 17}
    config, copies = ModelConfig.uniform(5, block, **sizes), {2: 1, 3: 1, 4: 0}
    expected, namespace = savings_of(config, copies), reference("savings")
    found = namespace["saved_parameters"](3, 24, 4, key_heads, 6)
    assert found == expected.parameters
    before = namespace["cached_numbers"](5, 0, key_heads, 6)
    assert before - namespace["cached_numbers"](5, 3, key_heads, 6) == expected.cached
    whole = 5 * (2 * 24 * (2 * 4 + 2 * key_heads) * 6 + 2 * 2 * 24 * 40 + 4 * 17 * 24)
    found = namespace["speed_bound"](5, 3, 24, 4, key_heads, 6, 2 * 24 * 40, 17)
    assert found == pytest.approx(whole / (whole - expected.flops))
    shared = shared_config(config, copies)
    fewer = flops_per_token(config) - flops_per_token(shared)
    assert fewer == expected.flops
