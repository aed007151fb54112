"""The estimate from one gradient a batch, against the matrices that it stands for."""

import keras
import numpy as np
import pytest
from keras import ops

from kit.config import ModelConfig
from kit.data import IGNORED, Addition
from kit.errors import KitError
from kit.models import build
from kit.optimizers import Recorder
from kit.sharpness import (
    FisherSharpness,
    GaussNewtonOperator,
    HessianOperator,
    labels,
)
from kit.training import TrainConfig, Trainer, token_cross_entropy
from tests.cases import CASES, assert_same, shaken
from tests.sharpness.toys import (
    CLASSES,
    logits_loss,
    matrix_of,
    small_batch,
    small_model,
    tokens_of,
)


def everything(variable):
    return "all"


def trace(found, model):
    return found["sharpness_all"] * model.count_params()


@pytest.mark.slow
def test_it_is_n_times_the_squared_gradient():
    """Against gradients by public means, on the true targets."""
    name = "mixed-blocks"
    model, (tokens, targets) = shaken(name), tokens_of(name)
    probe = FisherSharpness(
        [(tokens, targets)], "layer/part", "true", token_cross_entropy
    )
    twin = build(CASES[name])
    twin.set_weights(model.get_weights())
    twin.compile(Recorder(), token_cross_entropy, run_eagerly=True)
    twin.train_on_batch(tokens, targets)
    squares, sizes = {}, {}
    for label, gradient in zip(
        labels(twin, "layer/part"), twin.optimizer.gradients, strict=True
    ):
        squares[label] = squares.get(label, 0) + np.square(gradient).sum()
        sizes[label] = sizes.get(label, 0) + gradient.size
    found = probe(model)
    kept = (targets != IGNORED).sum()
    for label, square in squares.items():
        expected = kept * square / sizes[label]
        assert found[f"sharpness_{label}"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_sampled_targets_give_the_trace_of_gauss_newton_in_expectation():
    model, (x, y) = small_model(), small_batch()
    matrix = matrix_of(GaussNewtonOperator(model, [(x, y)], logits_loss()))
    probe = FisherSharpness([(x, y)] * 400, everything, loss=logits_loss())
    found = probe.estimates(model)["all"]
    expected = np.trace(matrix) / model.count_params()
    assert found.samples == 400
    assert found.standard_error < 0.1 * expected
    assert abs(found.value - expected) < 4 * found.standard_error


@pytest.mark.slow
def test_true_targets_add_the_squared_mean_gradient():
    """N |mean g|^2 is the mean of what N independent examples have, |g|^2 / N each,
    and N - 1 times the squared length of the mean gradient."""
    model, (x, _) = small_model(), small_batch()
    rng, rows = np.random.default_rng(0), len(x)
    weights = [1, 2, 5]  # the true targets know nothing of the model
    chances = np.array(weights) / sum(weights)
    batches = [
        (x, rng.choice(CLASSES, size=rows, p=chances).astype("int32"))
        for _ in range(400)
    ]
    probe = FisherSharpness(batches, everything, "true", logits_loss())
    found = probe.estimates(model)["all"]
    singles = FisherSharpness(
        [(x[i : i + 1], np.array([c])) for i in range(rows) for c in range(CLASSES)],
        everything,
        "true",
        logits_loss(),
    ).traces(model)
    squares = singles.sum(1).reshape(rows, CLASSES) @ chances
    model.compile(Recorder(), logits_loss(), run_eagerly=True)
    means, scores = [], []
    for i in range(rows):
        each = []
        for c in range(CLASSES):
            model.train_on_batch(x[i : i + 1], np.array([c]))
            each.append(np.concatenate([g.ravel() for g in model.optimizer.gradients]))
        means.append(chances @ np.array(each))
        scores.append(each)
    means = np.array(means)
    spread = (squares - (means**2).sum(1)).sum() / rows
    expected = spread + rows * (means.mean(0) ** 2).sum()
    size = model.count_params()
    assert abs(found.value - expected / size) < 4 * found.standard_error


@pytest.mark.slow
def test_on_a_fitted_toy_it_is_the_trace_of_the_hessian():
    """Where the model is the source of its labels, H = G in expectation over them."""
    model, (x, _) = small_model(), small_batch(count=4)
    rng, copies = np.random.default_rng(0), 500
    x = np.repeat(x, copies, axis=0)
    chances = ops.convert_to_numpy(ops.softmax(model(x)))
    below = rng.random((len(x), 1)) > np.cumsum(chances, axis=1)
    y = below.sum(1).clip(max=CLASSES - 1).astype("int32")
    hessian = HessianOperator(model, [(x, y)], logits_loss())
    expected = np.trace(matrix_of(hessian)) / hessian.size
    # Each batch holds every x once, with a label of its own.
    batches = [(x[i::copies], y[i::copies]) for i in range(copies)]
    for targets in ("sampled", "true"):
        probe = FisherSharpness(batches, everything, targets, logits_loss())
        found = probe.estimates(model)["all"]
        assert found.standard_error < 0.1 * expected
        assert abs(found.value - expected) < 4 * found.standard_error + 0.05 * expected


@pytest.mark.slow
def test_copies_of_the_batch_leave_the_expectation():
    """N is tokens: counted in sequences, it would fall with their length."""
    model, (x, y) = small_model(), small_batch()
    traces = []
    for copies in (1, 4):
        batch = (np.repeat(x, copies, axis=0), np.repeat(y, copies))
        probe = FisherSharpness([batch] * 300, everything, loss=logits_loss())
        traces.append(probe.estimates(model)["all"])
    one, four = traces
    error = np.hypot(one.standard_error, four.standard_error)
    assert abs(one.value - four.value) < 4 * error
    assert error < 0.1 * one.value


@pytest.mark.slow
def test_what_is_ignored_is_not_seen():
    name = "pre-ln"
    model, (tokens, targets) = shaken(name), tokens_of(name)
    last = targets.copy()
    last[:, 4:] = IGNORED
    changed = tokens.copy()
    changed[:, 4:] = (tokens[:, 4:] + 1) % 11  # a causal model cannot see them before
    for kind in ("sampled", "true"):
        one, other = (
            FisherSharpness([(t, last)], "part", kind, token_cross_entropy)(model)
            for t in (tokens, changed)
        )
        assert other == pytest.approx(one, rel=1e-4)


@pytest.mark.slow
def test_scaling_a_block_scales_its_sharpness():
    """What c W does with another divided by c: the gradient of W is divided by c."""
    name = "pre-ln"
    batch = tokens_of(name)
    model = build(CASES[name])
    model.set_weights(shaken(name).get_weights())
    probe = FisherSharpness([batch], "layer/part", "true", token_cross_entropy)
    before = probe(model)
    attention = model.blocks[0].sub_blocks[0].attention
    attention.query.assign(attention.query * 4)
    attention.key.assign(attention.key / 4)
    after = probe(model)
    for label, value in before.items():
        factor = {"block_0/Q": 1 / 16, "block_0/K": 16}.get(label.partition("_")[2], 1)
        assert after[label] == pytest.approx(factor * value, rel=1e-3)


@pytest.mark.slow
def test_it_changes_nothing_and_keeps_its_draw():
    name = "parallel-dropout"
    model = build(CASES[name], seed=3)
    probe = FisherSharpness([tokens_of(name)], loss=token_cross_entropy)
    before = [ops.convert_to_numpy(v) for v in model.variables]
    first, second = probe(model), probe(model)
    assert first == second
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), value)
    other = FisherSharpness([tokens_of(name)], loss=token_cross_entropy, seed=1)
    assert other(model) != first


def test_mistakes_are_told():
    model, batch = small_model(), small_batch()
    with pytest.raises(KitError, match="no loss"):
        FisherSharpness([batch], everything)(model)
    with pytest.raises(KitError, match="needs a categorical"):
        FisherSharpness([batch], everything, loss="mse")(model)
    with pytest.raises(KitError, match="unknown targets 'real'"):
        FisherSharpness([batch], everything, "real", logits_loss())(model)
    empty = (np.zeros((2, 7), "int32"), np.full((2, 7), IGNORED))
    with pytest.raises(KitError, match="none that counts"):
        FisherSharpness([empty], loss=token_cross_entropy)(shaken("pre-ln"))


@pytest.mark.slow
def test_the_trainer_takes_it_as_an_observer():
    task = Addition(digits=1, validation_pairs=8)
    config = ModelConfig.uniform(
        1, width=16, vocabulary_size=14, context_length=task.context_length
    )
    quick = TrainConfig(steps=4, batch_size=8, warmup_steps=0, evaluate_every=2)
    trainer = Trainer(config, task, quick)
    batches = [task.batch(step, 8, seed=1) for step in range(2)]
    run = trainer.run(progress=False, observe=FisherSharpness(batches))
    alone = trainer.run(progress=False)
    first, last = run.history
    assert 0 < first["sharpness_QK"] != last["sharpness_QK"]
    losses = [row["validation_loss"] for row in run.history]
    assert_same(losses, [row["validation_loss"] for row in alone.history])
    again = FisherSharpness(batches)(trainer.model)
    trainer.run(progress=False)
    assert again == pytest.approx({k: last[k] for k in again}, rel=1e-4)


def test_a_keras_loss_by_name_and_one_hot_targets():
    """The same model and labels, told in three ways."""
    x, y = small_batch()
    probabilities = keras.Sequential([*small_model().layers, keras.layers.Softmax()])
    probabilities.build(x.shape)
    one_hot = keras.losses.CategoricalCrossentropy(from_logits=True)
    values = [
        FisherSharpness([(x, targets)], everything, loss=loss)(model)
        for model, targets, loss in (
            (small_model(), y, logits_loss()),
            (small_model(), np.eye(CLASSES, dtype="float32")[y], one_hot),
            (probabilities, y[:, None], "sparse_categorical_crossentropy"),
        )
    ]
    assert values[1] == pytest.approx(values[0], rel=1e-4)
    assert values[2] == pytest.approx(values[0], rel=1e-4)
