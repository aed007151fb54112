"""Curvature matrices against brute force, closed formulas and each other."""

from functools import cache

import keras
import numpy as np
import pytest
from keras import ops

from kit.data import IGNORED
from kit.errors import KitError
from kit.models import build
from kit.optimizers import Recorder
from kit.sharpness import (
    FisherOperator,
    GaussNewtonOperator,
    HessianOperator,
    Objective,
)
from kit.training import token_cross_entropy
from tests.cases import CASES, assert_same, shake, shaken
from tests.sharpness.toys import (
    CLASSES,
    cross_entropy,
    derivative,
    flat_weights,
    logits_loss,
    matrix_of,
    outputs_at,
    second_derivative,
    small_batch,
    small_model,
    softmax,
    tokens_of,
)

OPERATORS = (HessianOperator, GaussNewtonOperator, FisherOperator)


@cache
def small():
    return small_model(), small_batch()


@cache
def small_jacobian():
    """Of every output in every weight, (examples, classes, parameters), in NumPy."""
    model, (x, _) = small()
    outputs = lambda flat: outputs_at(model, flat, x)  # noqa: E731
    return derivative(outputs, flat_weights(model))


@cache
def small_matrix(kind):
    model, batch = small()
    return matrix_of(kind(model, [batch], logits_loss(), compile=True))


@pytest.mark.slow
def test_the_hessian_is_that_of_brute_force():
    model, (x, y) = small()
    loss = lambda flat: cross_entropy(outputs_at(model, flat, x), y)  # noqa: E731
    expected = second_derivative(loss, flat_weights(model))
    # Second differences with a step of 1e-3 are wrong by about 1e-6.
    assert_same(small_matrix(HessianOperator), expected, 1e-5)


def test_gauss_newton_is_j_h_j():
    model, (x, _) = small()
    jacobian = small_jacobian()
    chances = softmax(outputs_at(model, flat_weights(model), x))
    middle = np.einsum("nc,cd->ncd", chances, np.eye(CLASSES))
    middle -= np.einsum("nc,nd->ncd", chances, chances)
    expected = np.einsum("nci,ncd,ndj->ij", jacobian, middle, jacobian) / len(x)
    assert_same(small_matrix(GaussNewtonOperator), expected)


def test_the_empirical_fisher_is_the_mean_outer_product():
    model, (x, y) = small()
    chances = softmax(outputs_at(model, flat_weights(model), x))
    residual = chances - np.eye(CLASSES)[y]
    gradients = np.einsum("nc,nci->ni", residual, small_jacobian())
    assert_same(small_matrix(FisherOperator), gradients.T @ gradients / len(x))


@pytest.mark.parametrize("kind", OPERATORS)
def test_matrices_are_symmetric_and_two_are_not_negative(kind):
    matrix = small_matrix(kind)
    assert_same(matrix.T, matrix)
    lowest = np.linalg.eigvalsh(matrix)[0]
    scale = np.abs(matrix).max()
    if kind is HessianOperator:
        assert lowest < -1e-2 * scale  # which is why the other two exist
    else:
        assert lowest > -1e-5 * scale


@pytest.mark.parametrize("loss", ["mse", logits_loss()])
def test_gauss_newton_of_a_linear_model_is_the_hessian(loss):
    model, (x, y) = small_model(hidden=0), small_batch()
    if loss == "mse":
        y = np.random.default_rng(2).normal(size=(len(x), CLASSES)).astype("float32")
    hessian, gauss_newton = (
        matrix_of(kind(model, [(x, y)], loss, compile=True))
        for kind in (HessianOperator, GaussNewtonOperator)
    )
    assert_same(gauss_newton, hessian)
    if loss == "mse":  # 2 X^T X / (examples classes) for each class
        ones = np.hstack([x, np.ones((len(x), 1))])
        block = 2 * ones.T @ ones / y.size
        assert np.trace(hessian) == pytest.approx(CLASSES * np.trace(block), rel=1e-5)


@pytest.mark.slow
def test_the_fisher_of_sampled_targets_is_gauss_newton_in_expectation():
    """The mean over many draws, within four standard errors in 99.9 % of entries."""
    model, (x, y) = small_model(hidden=0), small_batch()
    expected = matrix_of(GaussNewtonOperator(model, [(x, y)], logits_loss()))
    batch, draws = (np.repeat(x, 50, axis=0), np.repeat(y, 50)), []
    operator = FisherOperator(model, [batch], logits_loss(), targets="sampled")
    target = operator.batches[0]
    for seed in range(20):
        uniforms = np.random.default_rng(seed).random(len(batch[1]), "float32")
        operator.batches = [(*target[:-1], uniforms)]
        draws.append(matrix_of(operator))
    error = np.std(draws, axis=0, ddof=1) / np.sqrt(len(draws))
    misses = np.abs(np.mean(draws, axis=0) - expected) / error
    assert np.mean(misses < 4) > 0.99
    assert np.abs(np.mean(draws, axis=0) - expected).max() < 0.05 * expected.max()


def moved(model, operator, direction, step):
    """Logits and gradients (float64) where the weights went along a direction."""
    start = [ops.convert_to_numpy(v) for v in model.trainable_variables]
    for variable, value, part in zip(
        model.trainable_variables, start, operator.slices, strict=True
    ):
        variable.assign(value + step * direction[part].reshape(value.shape))
    tokens, targets = operator.batches[0][:2]
    logits = ops.convert_to_numpy(model(tokens)).astype("float64")
    model.train_on_batch(tokens, targets)
    gradient = np.concatenate([g.ravel() for g in model.optimizer.gradients])
    for variable, value in zip(model.trainable_variables, start, strict=True):
        variable.assign(value)
    return logits, gradient.astype("float64")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pre-ln", "sas-grouped-rotary", "all-at-once"])
def test_products_with_kit_models_are_central_differences(name):
    """Models with the kit's own gradients, and gradients by public means."""
    model, batch = shake(build(CASES[name])), tokens_of(name)
    model.compile(Recorder(), token_cross_entropy, run_eagerly=True)
    gauss_newton, fisher = (kind(model, [batch]) for kind in OPERATORS[1:])
    v = np.random.default_rng(0).standard_normal(fisher.size)
    v /= np.linalg.norm(v)
    step = 3e-3
    (up, above), (down, below) = (moved(model, fisher, v, s) for s in (step, -step))
    j_v, h_v = (up - down) / (2 * step), (above - below) / (2 * step)
    # The error of a central difference is of the order of step^2.
    assert_same(HessianOperator(model, [batch])(v), h_v, 1e-2)
    targets = batch[1]
    kept = targets != IGNORED
    chances, j_v = softmax(moved(model, fisher, v, 0)[0])[kept], j_v[kept]
    curved = chances * (j_v - (chances * j_v).sum(-1, keepdims=True))
    residual = chances - np.eye(chances.shape[-1])[targets[kept]]
    expected = {
        gauss_newton: (j_v * curved).sum(-1).mean(),
        fisher: np.square((residual * j_v).sum(-1)).mean(),
    }
    for operator, quadratic in expected.items():
        assert v @ operator(v) == pytest.approx(quadratic, rel=1e-2)


def test_the_mean_is_over_examples_and_not_over_batches():
    model, (x, y) = small()
    split = [(x[:3], y[:3]), (x[3:], y[3:])]
    for kind in OPERATORS:
        operator = kind(model, split, logits_loss(), compile=False)
        vector = np.random.default_rng(0).normal(size=operator.size)
        assert_same(operator(vector), small_matrix(kind) @ vector)


def test_ignored_targets_change_nothing():
    """What a model would have to say about them is not asked."""
    model, (tokens, targets) = shaken("pre-ln"), tokens_of("pre-ln")
    objective = Objective.of(token_cross_entropy)
    assert objective.count(targets) == (targets != -1).sum() < targets.size
    uniforms = objective.uniforms(targets, np.random.default_rng(0))
    drawn = ops.convert_to_numpy(objective.drawn(targets, model(tokens), uniforms))
    np.testing.assert_array_equal(drawn == -1, targets == -1)


@pytest.mark.parametrize("kind", ["sparse", "one-hot"])
@pytest.mark.parametrize("from_logits", [True, False])
def test_targets_are_drawn_from_the_softmax(kind, from_logits):
    chances = np.array([0.5, 0.0, 0.2, 0.3])
    rows = 4000
    outputs = np.log(chances + 1e-30) + 3 if from_logits else chances
    outputs = np.tile(outputs, (rows, 1)).astype("float32")
    targets = np.zeros(rows, "int32") if kind == "sparse" else np.eye(4)[[0] * rows]
    objective = Objective(keras.losses.mean_squared_error, kind, from_logits)
    uniforms = objective.uniforms(targets, np.random.default_rng(0))
    uniforms[:2] = 0, np.nextafter(np.float32(1), np.float32(0))
    drawn = ops.convert_to_numpy(objective.drawn(targets, outputs, uniforms))
    assert drawn.shape == targets.shape
    drawn = drawn if kind == "sparse" else drawn.argmax(-1)
    assert drawn[:2].tolist() == [0, 3]
    shares = np.bincount(drawn, minlength=4) / rows
    assert np.abs(shares - chances).max() < 4 * np.sqrt(0.25 / rows)
    assert shares[1] == 0


@pytest.mark.slow
def test_a_frozen_layer_is_no_part_of_the_matrix():
    model, batch = small_model(), small_batch()
    whole = matrix_of(HessianOperator(model, [batch], logits_loss()))
    model.layers[0].trainable = False
    rest = HessianOperator(model, [batch], logits_loss())
    assert rest.size == 5 * CLASSES + CLASSES
    assert_same(matrix_of(rest), whole[-rest.size :, -rest.size :])


def test_it_follows_the_weights_and_changes_nothing():
    model, batch = small_model(), small_batch()
    operator = HessianOperator(model, [batch], logits_loss())
    vector = np.ones(operator.size)
    before, weights = operator(vector), model.get_weights()
    for weight, value in zip(model.weights, weights, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), value)
        weight.assign(2 * value)
    assert np.abs(operator(vector) - before).max() > 1e-3
    model.set_weights(weights)
    np.testing.assert_array_equal(operator(vector), before)


def test_dropout_is_off_and_running_means_are_threaded():
    """A batch norm uses its means, dropout keeps its seed: the matrix is a function."""
    model = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5, seed=1),
            keras.layers.Dense(CLASSES),
        ]
    )
    x, _ = small_batch()
    y = np.zeros((len(x), CLASSES), "float32")
    model.layers[0].moving_variance.assign(np.full(5, 4.0, "float32"))
    operator = GaussNewtonOperator(model, [(x, y)], "mse", compile=False)
    state = [ops.convert_to_numpy(v) for v in model.non_trainable_variables]
    x_only = np.zeros(operator.size)
    kernel = operator.slices[2]
    x_only[kernel] = 1
    once, again = operator(x_only), operator(x_only)
    np.testing.assert_array_equal(once, again)
    for variable, value in zip(model.non_trainable_variables, state, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), value)
    seen = x / np.sqrt(4 + 1e-3)  # beta 0, gamma 1, mean 0
    outputs = np.tile(seen.sum(1, keepdims=True), CLASSES)
    expected = 2 * seen.T @ outputs / outputs.size
    assert_same(once[kernel].reshape(5, CLASSES), expected)


def test_mistakes_are_told():
    model, batch = small()
    with pytest.raises(KitError, match="size 48"):
        HessianOperator(model, [batch], "mse")(np.ones(3))
    with pytest.raises(KitError, match="no example that counts"):
        GaussNewtonOperator(shaken("pre-ln"), [(np.zeros((1, 7)), np.full((1, 7), -1))])
    with pytest.raises(KitError, match="no trainable variables"):
        HessianOperator(keras.Sequential([keras.layers.Dense(2)]), [batch], "mse")
    with pytest.raises(KitError, match="'sampled' needs a categorical"):
        FisherOperator(model, [batch], "mse", targets="sampled")
    with pytest.raises(KitError, match="no loss"):
        HessianOperator(model, [batch], "nonsense")
    with pytest.raises(KitError, match="a sum over the examples"):
        HessianOperator(model, [batch], keras.losses.MeanSquaredError(reduction="sum"))
