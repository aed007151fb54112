"""Trained gains and updated matrices: what they start as and how fast they learn."""

import keras
import numpy as np
import pytest
from keras import ops

from kit.gains import SKIP_INIT, Shaped, Trained, Updated
from kit.layers import TrainedGain, UpdatedMatrix, tag_of
from kit.models import build, named_weights
from kit.optimizers import AdamW
from kit.training import TrainConfig
from kit.training.optimizer import make_optimizer
from tests.cases import CASES, assert_same, case, read, shaken, some_tokens

WIDTH = 8


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((16, 3, WIDTH), dtype="float32")


@pytest.mark.parametrize("start", ["identity", "orthogonal"])
def test_a_matrix_is_its_start_and_its_update(start, x):
    layer = UpdatedMatrix(WIDTH, start, alpha=0.5, beta=TrainedGain(0.2))
    layer(x)
    update = np.random.default_rng(1).standard_normal((WIDTH, WIDTH))
    layer.update.assign(update)
    frozen = np.eye(WIDTH) if start == "identity" else np.asarray(layer.frozen)
    assert_same(layer(x), x @ (0.5 * frozen + 0.2 * update))
    assert len(layer.trainable_weights) == 2
    assert len(layer.non_trainable_weights) == (start == "orthogonal")


@pytest.mark.parametrize("shape", [(8, 8), (8, 4), (4, 8)])
def test_orthogonal_starts_are_orthogonal_and_random(shape):
    layer = UpdatedMatrix(shape[1], "orthogonal", name="value")
    layer.build((None, None, shape[0]))
    first, other = (
        tag_of(layer.frozen).initial(shape, np.random.default_rng(seed)).astype(float)
        for seed in (0, 1)
    )
    smaller = min(shape)
    product = first @ first.T if shape[0] == smaller else first.T @ first
    np.testing.assert_allclose(product, np.eye(smaller), atol=1e-6)
    assert np.abs(first - other).max() > 0.1
    signs = [
        tag_of(layer.frozen).initial(shape, np.random.default_rng(seed))[0, 0]
        for seed in range(20)
    ]
    assert min(signs) < 0 < max(signs)


@pytest.mark.parametrize("name", ["orthogonal-matrices", "updated-orthogonal-grouped"])
def test_a_model_starts_with_orthogonal_matrices(name):
    weights = named_weights(build(CASES[name]))
    key = "value" if name == "orthogonal-matrices" else "value_start"
    matrix = np.asarray(weights[f"block_0/attention/{key}"], "float64")
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-6)


def steps_of(layer, optimizer, x, targets, steps=5):
    """The matrix of a layer after some steps."""
    model = keras.Sequential([layer])
    model.build(x.shape)
    model.compile(optimizer, "mse", run_eagerly=True)
    for _ in range(steps):
        model.train_on_batch(x, targets)
    return ops.convert_to_numpy(layer.matrix)


@pytest.mark.parametrize("beta", [0.5, 2.0])
@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_scaling_the_update_is_scaling_the_learning_rate(kind, beta, x):
    """By beta^2 for SGD and by beta for Adam (2311.01906, appendix A)."""
    targets = np.roll(x, 1, axis=-1)

    def optimizer(rate):
        if kind == "sgd":
            return keras.optimizers.SGD(rate)
        return AdamW(rate, weight_decay=0.0, epsilon=1e-12)

    factor = beta**2 if kind == "sgd" else beta
    scaled = steps_of(UpdatedMatrix(WIDTH, beta=beta), optimizer(0.05), x, targets)
    other = steps_of(UpdatedMatrix(WIDTH), optimizer(0.05 * factor), x, targets)
    assert_same(scaled, other)
    unscaled = steps_of(UpdatedMatrix(WIDTH), optimizer(0.05), x, targets)
    assert np.abs(unscaled - other).max() > 1e-2


@pytest.mark.parametrize("name", ["updated-identity", "no-value-or-projection"])
def test_identity_matrices_are_matrices_of_ones_on_the_diagonal(name):
    """No matrix gives the logits of a learned one that is the identity."""
    block = {"value": "identity", "projection": "identity"}
    if name == "updated-identity":
        block = dict.fromkeys(block, Updated())
    model, learned = build(case(block)), build(case())
    weights = named_weights(model)
    for key, weight in named_weights(learned).items():
        if key.endswith(("attention/value", "attention/output")):
            weight.assign(np.eye(16, dtype="float32"))
        else:
            weight.assign(weights[key])
    tokens = some_tokens(model.config)
    assert_same(read(model, tokens), read(learned, tokens))


def test_gains_scale_branches_and_skips():
    """Trained gains of 0.5 are fixed ones, and those of a serial block are its own."""
    gains = ("attention_gain", "feed_forward_gain", "attention_skip")
    trained = build(case({name: Trained(0.5) for name in gains}))
    fixed = build(case({name: 0.5 for name in gains}))
    for key, weight in named_weights(fixed).items():
        weight.assign(named_weights(trained)[key])
    tokens = some_tokens(trained.config)
    assert_same(read(trained, tokens), read(fixed, tokens))
    extra = named_weights(trained).keys() - named_weights(fixed).keys()
    assert extra == {f"block_{i}/{name}" for i in (0, 1) for name in gains}


@pytest.mark.parametrize("shape", [Shaped(), SKIP_INIT, Shaped(per_head=False)])
def test_gains_get_no_weight_decay(shape):
    config = case({"shape": shape, "value": Updated(alpha=Trained()), "norm": "none"})
    model = build(config.with_every_block(feed_forward_gain=Trained(None)))
    optimizer = make_optimizer(TrainConfig(weight_decay=0.1), model)
    optimizer.build(model.trainable_variables)
    decayed = {
        key: bool(optimizer._use_weight_decay(weight))
        for key, weight in named_weights(model).items()
    }
    gains = {key for key, weight in named_weights(model).items() if is_gain(weight)}
    assert {"block_0/attention/map_alpha", "block_1/feed_forward_gain"} < gains
    assert not any(decayed[key] for key in gains)
    assert decayed["block_0/attention/value_update"]


def is_gain(weight):
    return tag_of(weight).role == "other"


def test_branch_gains_replace_the_scale_of_the_output_matrices():
    """A feed-forward gain of 1/sqrt(blocks) and GPT-2's factor would be two of them."""
    plain, gained = (
        build(case({"feed_forward_gain": gain})) for gain in (1.0, Trained(None))
    )
    down = [
        np.asarray(named_weights(model)["block_0/feed_forward/down"])
        for model in (plain, gained)
    ]
    np.testing.assert_allclose(2 * down[0], down[1], rtol=1e-6)  # sqrt(2 * 2 blocks)
    gain = named_weights(gained)["block_0/feed_forward_gain"]
    assert float(gain) == pytest.approx(0.1 * np.sqrt(18 / 2))
    assert not is_gain(named_weights(shaken("pre-ln"))["block_0/norm_0/gamma"])
