"""Sharpness while models train that are ours, and some that are not."""

import keras
import numpy as np
import pytest
from keras import ops

from kit.errors import KitError
from kit.sharpness import FisherSharpness, SharpnessCallback
from tests.sharpness.toys import CLASSES, logits_loss, small_batch, small_model

X, Y = small_batch(count=48)
BATCH = X[:8], Y[:8]


def by_name(variable):
    return variable.name


@keras.saving.register_keras_serializable(package="tests")
class NotOurs(keras.Model):
    """Nobody's model: two layers by subclassing."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(4, activation="tanh")
        self.drop = keras.layers.Dropout(0.5)
        self.head = keras.layers.Dense(CLASSES)

    def call(self, x, training=False):
        return self.head(self.drop(self.hidden(x), training=training))


def functional():
    words = keras.Input((5,))
    x = keras.layers.Dense(4, activation="tanh")(words)
    return keras.Model(words, keras.layers.Dense(CLASSES)(x))


def fitted(model, callback, epochs=1, **options):
    """Six batches of eight an epoch."""
    accumulate = options.pop("accumulate", None)
    model.compile(
        keras.optimizers.SGD(0.1, gradient_accumulation_steps=accumulate),
        logits_loss(),
        **options,
    )
    # In a list: Keras on JAX runs a callback of its own in a thread.
    watched = [callback] if callback else []
    model.fit(
        X, Y, batch_size=8, epochs=epochs, verbose=0, shuffle=False, callbacks=watched
    )
    return [row["step"] for row in callback.rows] if callback else []


@pytest.mark.slow
@pytest.mark.parametrize("make", [small_model, functional, NotOurs])
def test_models_that_are_not_ours(make):
    model = make()  # the subclassed one is not built yet
    watch = SharpnessCallback([BATCH], by_name, steps=3)
    assert fitted(model, watch, epochs=2) == [0, 3, 6, 9, 12]
    assert list(watch.rows[0]) == ["step", "sharpness_kernel", "sharpness_bias"]
    assert watch.rows[0]["sharpness_kernel"] != watch.rows[-1]["sharpness_kernel"]
    alone = FisherSharpness([BATCH], by_name)(model)
    assert watch.seconds > 0
    last = {name: watch.rows[-1][name] for name in alone}
    assert last == pytest.approx(alone, rel=1e-4)


@pytest.mark.slow
def test_watching_changes_nothing():
    models = [small_model(), small_model()]
    for model, watch in zip(
        models, (None, SharpnessCallback([BATCH], by_name, 1)), strict=True
    ):
        fitted(model, watch, epochs=2)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_the_steps_can_be_listed():
    watch = SharpnessCallback([BATCH], by_name, steps=[7, 2, 2, 99])
    assert fitted(small_model(), watch, epochs=2) == [2, 7]


@pytest.mark.slow
def test_accumulation_and_several_steps_a_call():
    """Steps are the optimizer's: twelve batches in threes are four."""
    watch = SharpnessCallback([BATCH], by_name, steps=2)
    assert fitted(small_model(), watch, epochs=2, accumulate=3) == [0, 2, 4]
    if keras.backend.backend() == "torch":
        return
    watch = SharpnessCallback([BATCH], by_name, steps=[0, 2, 3, 5])
    steps = fitted(small_model(), watch, epochs=2, steps_per_execution=3)
    assert steps == [0, 3, 6]  # the first that can be met, and the row says so


@pytest.mark.slow
def test_a_second_fit_goes_on():
    watch, model = SharpnessCallback([BATCH], by_name, steps=3), small_model()
    fitted(model, watch)
    model.fit(X, Y, batch_size=8, verbose=0, callbacks=[watch])
    assert [row["step"] for row in watch.rows] == [0, 3, 6, 9, 12]


@pytest.mark.slow
def test_mixed_precision_and_a_schedule():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((5,)), keras.layers.Dense(CLASSES, dtype="mixed_bfloat16")]
    model = keras.Sequential(layers)
    watch = SharpnessCallback([BATCH], by_name, steps=3)
    assert fitted(model, watch) == [0, 3, 6]
    full = keras.Sequential([keras.Input((5,)), keras.layers.Dense(CLASSES)])
    full.set_weights(model.get_weights())
    full.compile("sgd", logits_loss())
    exact = FisherSharpness([BATCH], by_name)(full)
    found = {name: watch.rows[-1][name] for name in exact}
    assert found == pytest.approx(exact, rel=0.1)  # bfloat16 has 8 bits
    assert all(ops.isfinite(value) for value in found.values())


@pytest.mark.parametrize("steps", [0, -1, 2.5, [1, -2]])
def test_a_schedule_is_of_whole_numbers(steps):
    with pytest.raises(KitError, match="whole number"):
        SharpnessCallback([BATCH], steps=steps)
