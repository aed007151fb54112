"""What learners are asked to write is what the kit computes."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from kit.config import ModelConfig
from kit.data import Addition
from kit.grading.exercises import find
from kit.layers.shaping import Shaping
from kit.models import build, parameter_counts
from kit.optimizers import AdamW, WarmUpSchedule, blockwise
from kit.rates import PAPER_RATIOS
from kit.sharpness import FisherSharpness, hutchinson_parts, labels, power_iteration
from kit.sharpness.objective import Objective
from kit.training import token_cross_entropy


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


@pytest.fixture(scope="module")
def model():
    sizes = {"width": 8, "vocabulary_size": 14, "context_length": 12}
    return build(ModelConfig.uniform(2, **sizes), seed=0)


def test_variables_are_grouped_alike(model):
    block_type = reference("variable_groups")["block_type"]
    paths = [variable.path for variable in model.trainable_variables]
    assert [block_type(path) for path in paths] == labels(model)
    ratio_table = reference("variable_groups")["ratio_table"]
    optimizer = blockwise(AdamW(), PAPER_RATIOS)
    optimizer.build(model.trainable_variables)
    kept = [optimizer.blocks.ratios[label] for label in optimizer.blocks.labels]
    assert ratio_table(paths, dict(PAPER_RATIOS)) == kept


@pytest.mark.slow
def test_sharpness_is_estimated_alike_from_recorded_gradients(model):
    """The recording optimizer of the exercises stands in for the kit's autodiff."""
    batch = Addition(digits=1, validation_pairs=6).validation()
    namespace = reference("recorder")
    recorder = namespace["Recorder"]()
    model.compile(recorder, token_cross_entropy, jit_compile=False)
    names = labels(model)
    order = sorted(set(names))
    before = [np.array(v) for v in model.trainable_variables]
    model.train_on_batch(batch.inputs, batch.targets)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(np.asarray(variable), old)
    found = reference("fisher_estimate")["block_sharpness"](
        recorder.gradients, [order.index(name) for name in names], batch.targets
    )
    measure = FisherSharpness([batch], targets="true", loss=token_cross_entropy)
    expected = measure(model)
    for name, value in zip(order, found, strict=True):
        assert value == pytest.approx(expected[f"sharpness_{name}"], rel=1e-4)


def test_targets_are_drawn_alike():
    rng = np.random.default_rng(0)
    logits = (2 * rng.standard_normal((40, 6))).astype("float32")
    targets = np.zeros(40, "int32")
    objective = Objective.of(token_cross_entropy)
    uniforms = objective.uniforms(targets, rng)
    drawn = np.asarray(objective.drawn(targets, logits, uniforms))
    drawn_targets = reference("fisher_estimate")["drawn_targets"]
    np.testing.assert_array_equal(drawn_targets(logits, uniforms), drawn)


def test_traces_and_eigenvalues_are_those_of_the_kit():
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal((7, 7))
    matrix += matrix.T
    parts = {"a": [slice(0, 2), slice(5, 7)], "b": [slice(2, 5)]}
    kit = hutchinson_parts(lambda z: matrix @ z, 7, parts, samples=5, seed=3)
    signs = np.random.default_rng(3)
    probes = np.array([signs.choice([-1.0, 1.0], 7) for _ in range(5)])
    traces, errors = reference("hutchinson")["block_traces"](
        lambda z: matrix @ z, probes, np.array([0, 0, 1, 1, 1, 0, 0])
    )
    np.testing.assert_allclose(traces, [kit["a"].value, kit["b"].value])
    expected = [kit["a"].standard_error, kit["b"].standard_error]
    np.testing.assert_allclose(errors, expected)
    start = np.random.default_rng(0).standard_normal(7)
    top = power_iteration(lambda v: matrix @ v, 7, iterations=9, tolerance=0.0)
    found = reference("power_iteration")["top_eigenvalue"](
        lambda v: matrix @ v, start, 9
    )
    np.testing.assert_allclose(found, [top.value, top.residual])


@pytest.mark.parametrize("clip_norm", [0.5, 100.0])
def test_a_blockwise_step_is_that_of_the_kit(clip_norm):
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((3, 4)).astype("float32")
    ratios = np.array([4.0, 1.0, 2.5], "float32")
    variables = [keras.Variable(row, name=f"row_{i}") for i, row in enumerate(weights)]
    names = {f"row_{i}": float(ratio) for i, ratio in enumerate(ratios)}
    # Keras adds epsilon before the second average is corrected, the paper after it.
    adam = AdamW(0.1, weight_decay=0.2, global_clipnorm=clip_norm, epsilon=1e-12)
    optimizer = blockwise(adam, names, lambda variable: variable.name)
    optimizer.build(variables)
    namespace = reference("blockwise_step")
    namespace["EPSILON"] = 1e-12
    step = namespace["blockwise_step"]
    mine, first, second = weights, 0 * weights, 0 * weights
    for t in (1, 2, 3):
        gradients = (rng.standard_normal((3, 4)) * t).astype("float32")
        optimizer.apply([keras.ops.convert_to_tensor(row) for row in gradients])
        state = mine, gradients, first, second, t
        mine, first, second = step(*state, 0.1, ratios, 0.2, clip_norm)
    found = np.array([np.asarray(variable) for variable in variables])
    np.testing.assert_allclose(found, mine, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scaling", ["warmup", "peak"])
def test_the_rate_of_a_block_is_that_of_the_schedule(scaling):
    schedule = WarmUpSchedule(2.0, 100, 7, final=0.1, scaling=scaling)
    block_rate = reference("block_warmup")["block_rate"]
    for ratio in (1.0, 4.0, 2.3):
        for step in (0, 6, 7, 16, 50, 99, 100, 120):
            found = block_rate(step, ratio, 2.0, 100, 7, 0.1, scaling)
            assert found == pytest.approx(float(schedule.rate(step, ratio)), rel=1e-5)
