"""A block-wise optimizer is saved with its model, of every kind, and goes on."""

import keras
import numpy as np
import pytest

from kit.errors import KitError
from kit.models import build
from kit.optimizers import PAPER_RATIOS, WarmUpSchedule, blockwise, blockwise_class
from tests.cases import CASES
from tests.contract import params
from tests.optimizers.blockwise_cases import KINDS, OPTIONS

RATIOS = {"inner": 4.0, "head": 2.0, "other": 1.0}
LAYERS = {"inner": (5, "relu"), "head": (2, None)}


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner, self.norm, self.head = parts()

    def call(self, x):
        return self.head(self.norm(self.inner(x)))


def parts():
    inner, head = (
        keras.layers.Dense(units, activation, name=name)
        for name, (units, activation) in LAYERS.items()
    )
    return inner, keras.layers.LayerNormalization(name="norm"), head


def functional():
    x = keras.Input((3,))
    inner, norm, head = parts()
    return keras.Model(x, head(norm(inner(x))))


def sequential():
    return keras.Sequential([keras.Input((3,)), *parts()])


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 3), "float32"))
    return model


MODELS = {"functional": functional, "sequential": sequential, "subclassed": subclassed}


def owners(model):
    layers = {layer.name: layer for layer in model.layers}
    return {name: layers[name] for name in LAYERS}


def compiled(model, name, **options):
    optimizer = KINDS[name](**{**OPTIONS, **options})
    optimizer.exclude_from_weight_decay(
        var_list=[v for v in model.trainable_variables if v.name == "bias"]
    )
    made = blockwise(optimizer, RATIOS, owners(model))
    model.compile(made, "mse", run_eagerly=True)
    return model


def train(model, first, last):
    for step in range(first, last):
        rng = np.random.default_rng(step)
        x, y = rng.standard_normal((8, 3)), rng.standard_normal((8, 2))
        model.train_on_batch(x.astype("float32"), y.astype("float32"))


def reloaded(model, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    again.run_eagerly = True
    return again


def assert_same_weights(model, again):
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(
    "name", params(["AdamW", "kit's AdamW", "Lion", "Muon", "SGD"], ["AdamW"])
)
def test_a_loaded_model_goes_on_as_if_it_had_not_been_saved(kind, name, tmp_path):
    model = compiled(MODELS[kind](), name, global_clipnorm=1.0)
    train(model, 0, 3)
    again = reloaded(model, tmp_path)
    assert type(again.optimizer) is type(model.optimizer)
    assert again.optimizer.get_config() == model.optimizer.get_config()
    train(model, 3, 6), train(again, 3, 6)
    assert_same_weights(model, again)


def test_the_labels_and_what_does_not_decay_are_kept(tmp_path):
    again = reloaded(trained_once(), tmp_path)
    config = again.optimizer.get_config()
    assert config["labels"] == ["inner"] * 2 + ["other"] * 2 + ["head"] * 2
    assert config["undecayed"] == [1, 5]
    assert config["ratios"] == RATIOS


def trained_once():
    model = compiled(functional(), "AdamW")
    train(model, 0, 1)
    return model


@pytest.mark.slow
def test_schedules_are_kept(tmp_path):
    schedule = WarmUpSchedule(1e-2, 20, 2, scaling="peak")
    model = compiled(functional(), "AdamW", learning_rate=schedule)
    train(model, 0, 3)
    again = reloaded(model, tmp_path)
    train(model, 3, 6), train(again, 3, 6)
    assert_same_weights(model, again)


@pytest.mark.slow
def test_the_loss_scale_of_mixed_precision_is_kept(tmp_path):
    model = functional()
    made = blockwise(keras.optimizers.AdamW(**OPTIONS), RATIOS, owners(model))
    scaled = keras.optimizers.LossScaleOptimizer(made, initial_scale=8.0)
    model.compile(scaled, "mse", run_eagerly=True)
    train(model, 0, 3)
    again = reloaded(model, tmp_path)
    train(model, 3, 6), train(again, 3, 6)
    assert_same_weights(model, again)


def test_roles_need_no_saving():
    config = blockwise(keras.optimizers.AdamW(), PAPER_RATIOS).get_config()
    model = build(CASES["untied"])
    again = blockwise_class(keras.optimizers.AdamW).from_config(config)
    again.build(model.trainable_variables)
    labels = [v.kit_tag.role for v in model.trainable_variables]
    assert list(again.blocks.labels) == labels


def test_a_function_cannot_be_saved_before_the_labels_are_known():
    optimizer = blockwise(keras.optimizers.SGD(), {"a": 1.0}, lambda variable: "a")
    with pytest.raises(KitError, match="not known before the optimizer is built"):
        optimizer.get_config()
    optimizer.build([keras.Variable(1.0)])
    assert optimizer.get_config()["labels"] == ["a"]


def test_labels_of_other_variables_are_refused():
    optimizer = blockwise(keras.optimizers.SGD(), {"a": 1.0}, lambda variable: "a")
    optimizer.build([keras.Variable(1.0)])
    again = type(optimizer).from_config(optimizer.get_config())
    with pytest.raises(KitError, match="saved for 1 variables and is built for 2"):
        again.build([keras.Variable(1.0), keras.Variable(2.0)])
