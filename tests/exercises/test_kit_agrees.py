"""What learners are asked to write is what the kit computes."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from kit.config import ModelConfig
from kit.data import Addition, Batch
from kit.errors import KitError
from kit.grading.exercises import find
from kit.layers.shaping import Shaping
from kit.models import build, named_weights, parameter_counts
from kit.optimizers import AdamW, WarmUpSchedule, blockwise
from kit.pruning import (
    Activity,
    Calibration,
    Evaluator,
    OneShot,
    Part,
    Polynomial,
    PruningCallback,
    allocate,
    best,
    block_parameters,
    keep_neurons,
    parts_of,
    remove_greedily,
    score_neurons,
)
from kit.pruning import perplexity as exp_of_loss
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


@pytest.mark.slow
def test_perplexity_is_that_of_the_evaluator(model):
    tokens = np.random.default_rng(0).integers(14, size=(3, 12))
    search = Calibration(tokens, sequences=3, search_sequences=3).search_batch
    expected = exp_of_loss(Evaluator(model, search).loss())
    logits = np.asarray(model(tokens))
    perplexity = reference("perplexity")["perplexity"]
    found = perplexity(logits, tokens, np.array([12, 12, 12]))
    assert found == pytest.approx(expected, rel=1e-5)


def test_neurons_are_scored_and_kept_alike():
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((4, 6, 9)).astype("float32")
    real = np.arange(6) < np.array([[6], [2], [0], [4]])
    namespace = reference("neuron_score")
    scores = namespace["neuron_scores"](hidden, real)
    expected = score_neurons("l2", Activity.of(hidden, real), {})
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    for equal in (scores, np.array([1.0, 2.0, 1.0, 2.0, 0.0])):
        for count in (0, 2, 5):
            found = namespace["neurons_to_keep"](equal, count)
            assert found.tolist() == best(equal, count)


def test_a_pair_of_layers_is_cut_as_a_feed_forward_is(model):
    kept = [1, 4, 30]
    small = named_weights(keep_neurons(model, {0: kept}))
    # The kit keeps the output matrix as (width, neurons), Dense as (neurons, width).
    up, down = (
        np.asarray(named_weights(model)[f"block_0/feed_forward/{name}"])
        for name in ("up", "down")
    )
    pair = []
    for kernel in (up, down.T):
        pair.append(keras.layers.Dense(kernel.shape[1], "gelu", use_bias=False))
        pair[-1].build((None, kernel.shape[0]))
        pair[-1].set_weights([kernel])
    first, second = reference("dense_pair")["smaller_pair"](*pair, np.array(kept))
    np.testing.assert_array_equal(first.kernel, small["block_0/feed_forward/up"])
    expected = np.asarray(small["block_0/feed_forward/down"])
    np.testing.assert_array_equal(np.asarray(second.kernel).T, expected)


@pytest.mark.parametrize("feed_forward", [None, "swiglu"])
def test_a_sparsity_is_split_alike(feed_forward):
    split, refused = reference("allocation")["split"], 0
    for blocks in (4, 8, 12):
        base = "llama" if feed_forward else "pre-ln"
        sizes = {"width": 128, "vocabulary_size": 65, "context_length": 64}
        config = ModelConfig.uniform(blocks, base, **sizes)
        counts = parameter_counts(config)
        arguments = (
            blocks,
            (counts["QK"] + counts["VO"]) // blocks,
            counts["FFN"] // blocks,
            block_parameters(config),
            config.feed_forward_dim(config.blocks[0]),
        )
        for sparsity in (0.1, 0.25, 0.375, 0.5, 0.625):
            for alpha in (0.75, 1.5, 60.0):
                try:
                    expected = allocate(config, sparsity, alpha=alpha)
                except KitError:
                    refused += 1
                    with pytest.raises(ValueError, match="cannot"):
                        split(sparsity, *arguments, alpha)
                else:
                    assert split(sparsity, *arguments, alpha) == tuple(expected)
    assert refused


@pytest.mark.slow
def test_parts_are_removed_in_the_same_order():
    sizes = {"width": 8, "vocabulary_size": 14, "context_length": 12}
    model = build(ModelConfig.uniform(4, initializer_std=0.5, **sizes), seed=1)
    inputs = np.random.default_rng(0).integers(14, size=(2, 12))
    batch = Batch(inputs, np.roll(inputs, -1))
    evaluator = Evaluator(model, batch)
    parts = parts_of(model.config, "attention")
    expected = remove_greedily(evaluator, parts, lambda gone: len(gone) == 3)

    def loss(blocks):
        return Evaluator(model, batch).loss([Part("attention", b) for b in blocks])

    namespace = reference("greedy_removal")
    gone, losses = namespace["remove_greedily"](loss, [0, 1, 2, 3], 3)
    assert gone == [removal.part.block for removal in expected]
    for found, removal in zip(losses, expected, strict=True):
        assert exp_of_loss(found) == pytest.approx(removal.perplexity, rel=1e-5)
    assert namespace["num_candidates"](4, 3) == evaluator.candidates


@pytest.mark.parametrize("every", [7, 30, 100])
def test_the_schedule_is_that_of_the_kit(every):
    schedule = Polynomial(0.8, start=10, end=70, every=every, initial=0.2, power=2.5)
    namespace = reference("prune_schedule")
    for step in (0, 9, 10, 11, 24, 40, 69, 70, 71, 99):
        found = namespace["share_at"](step, 0.2, 0.8, 10, 70, 2.5)
        assert found == pytest.approx(schedule(step))
        assert namespace["next_pruning"](step, 10, 70, every) == (
            schedule.next_step(step)
        )


@pytest.mark.slow
@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_masks_in_training_are_those_of_the_kit(steps_per_execution):
    """Where a head has one dimension, a row of the output matrix is a head."""
    config = ModelConfig.uniform(1, width=8, vocabulary_size=14, context_length=12)
    inputs, targets = Addition(digits=1, validation_pairs=9).validation()
    schedule, found = OneShot(0.5, step=3), []
    for own in (True, False):
        model = build(config.with_every_block(num_heads=8), seed=0)
        model.compile(
            AdamW(0.05),
            token_cross_entropy,
            steps_per_execution=steps_per_execution,
            jit_compile=False,
        )
        model.optimizer.build(model.trainable_variables)
        weight = named_weights(model)["block_0/attention/output"]
        callback = PruningCallback(schedule, "head")
        if own:
            callback = reference("mask_callback")["Pruning"](weight, schedule)
        options = {"batch_size": 3, "epochs": 3, "shuffle": False, "verbose": 0}
        model.fit(inputs, targets, callbacks=[callback], **options)
        found.append(np.asarray(weight))
    assert (found[0] == 0).all(axis=1).sum() == 4
    np.testing.assert_allclose(*found, atol=1e-6)
