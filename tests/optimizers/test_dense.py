"""AdamW against its equations and against itself on the other backend."""

from functools import cache

import keras
import numpy as np
import pytest
from keras import ops

from kit.models import build
from kit.optimizers import AdamW
from kit.training import TrainConfig
from kit.training.optimizer import make_optimizer
from tests.cases import CASES
from tests.other_backend import OPTIMIZED, optimizer_steps, results

RATE, DECAY, BETA_1, BETA_2, EPSILON = 1e-2, 0.1, 0.9, 0.999, 1e-7
# Adam divides by the size of a gradient, so rounding in a gradient that is nearly
# zero shows as a share of the step. The backends differ by up to 1e-3 of a step.
STEP = 0.01 * RATE

other = {"tensorflow": "jax", "jax": "tensorflow"}.get(keras.backend.backend())
across = pytest.mark.skipif(other is None, reason="this backend does not train")


@cache
def steps_here(name, stock=False):
    return optimizer_steps(name, keras.optimizers.AdamW if stock else AdamW)


def apart(name, **kwargs):
    """Largest difference of each weight from the other backend's."""
    return {
        key: np.abs(weight - results(other)[f"steps {name} {key}"]).max()
        for key, weight in steps_here(name, **kwargs).items()
    }


@across
@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZED)
def test_every_weight_takes_the_same_steps_on_both_backends(name):
    assert max(apart(name).values()) < STEP


@across
@pytest.mark.slow
@pytest.mark.skipif(other != "jax", reason="TensorFlow has the sparse gradients")
def test_keras_own_adamw_does_not():
    """So that the test above can fail; it is the embedding that differs."""
    different = apart("untied-unclipped", stock=True)
    assert different["embedding/embeddings"] > 10 * STEP


def reference(weights, gradients, clip):
    """Decoupled weight decay (1711.05101), with the whole gradient clipped first."""
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    for t, grads in enumerate(gradients, start=1):
        norm = np.sqrt(sum((g**2).sum() for g in grads))
        grads = [g * min(1, clip / norm) for g in grads]
        for i, g in enumerate(grads):
            first = BETA_1 * moments[i][0] + (1 - BETA_1) * g
            second = BETA_2 * moments[i][1] + (1 - BETA_2) * g**2
            moments[i] = first, second
            rate = RATE * np.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
            step = rate * first / (np.sqrt(second) + EPSILON)
            weights[i] = weights[i] * (1 - RATE * DECAY) - step
    return weights


def test_steps_follow_the_equations():
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal(shape) for shape in [(3, 4), (5,)]]
    gradients = [[rng.standard_normal(w.shape) for w in weights] for _ in range(5)]
    variables = [keras.Variable(w.astype("float32")) for w in weights]
    optimizer = AdamW(RATE, weight_decay=DECAY, global_clipnorm=0.5)
    optimizer.build(variables)
    for grads in gradients:
        optimizer.apply([ops.convert_to_tensor(g, "float32") for g in grads])
    for variable, expected in zip(
        variables, reference(weights, gradients, 0.5), strict=True
    ):
        np.testing.assert_allclose(np.asarray(variable), expected, atol=1e-3 * RATE)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="sparse gradients")
@pytest.mark.parametrize(
    "kind, second", [(AdamW, 4e-3), (keras.optimizers.AdamW, 2e-3)]
)
def test_a_token_that_occurs_twice_counts_as_the_sum(kind, second):
    """(1 + 1)^2, and not 1^2 + 1^2 as with Keras' own on TensorFlow."""
    import tensorflow as tf

    table = keras.Variable(np.zeros((4, 1), "float32"))
    optimizer = kind(RATE, weight_decay=0.0, beta_2=0.999)
    optimizer.build([table])
    rows = tf.IndexedSlices(tf.ones((2, 1)), tf.constant([2, 2]), tf.constant([4, 1]))
    optimizer.apply([rows], [table])
    assert float(optimizer._velocities[0][2, 0]) == pytest.approx(second, rel=1e-5)


def test_only_matrices_decay():
    """With gradients of zero, a step is nothing but the decay."""
    config = TrainConfig(
        steps=10, warmup_steps=0, schedule="constant", evaluate_every=1
    )
    model = build(CASES["untied"])
    optimizer = make_optimizer(config, model)
    optimizer.build(model.trainable_variables)
    before = [np.asarray(v).copy() for v in model.trainable_variables]
    optimizer.apply([ops.zeros(v.shape) for v in model.trainable_variables])
    shrunk = 1 - config.learning_rate * config.weight_decay
    for variable, old in zip(model.trainable_variables, before, strict=True):
        expected = old * shrunk if old.ndim >= 2 else old
        np.testing.assert_allclose(np.asarray(variable), expected, rtol=1e-6)


def test_the_optimizer_survives_its_config():
    optimizer = AdamW(RATE, weight_decay=0.3, global_clipnorm=2.0)
    again = AdamW.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()
