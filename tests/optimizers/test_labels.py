"""Every variable has one label, and every label a variable, or the names are told."""

import keras
import pytest

from kit.counts import ROLES
from kit.errors import KitError
from kit.models import build
from kit.optimizers import PAPER_RATIOS
from kit.optimizers.labels import label_of, labels_of, role
from kit.rates import check_ratios
from tests.cases import CASES, QUICK
from tests.contract import params


@pytest.fixture
def model():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, name="first"),
            keras.layers.Dense(2, name="second"),
        ]
    )
    return model


def by_name(variable):
    return variable.name


@pytest.mark.parametrize("name", params(CASES, QUICK))
def test_roles_label_every_variable_of_a_kit_model(name):
    variables = build(CASES[name]).trainable_variables
    assert {role(variable) for variable in variables} <= set(ROLES)


def test_the_ratios_of_the_paper_fit_a_plain_model():
    variables = build(CASES["untied"]).trainable_variables
    labels = labels_of(variables, role, PAPER_RATIOS)
    assert labels == tuple(v.kit_tag.role for v in variables)


def test_layers_and_variables_own_their_label(model):
    first, second = model.layers
    label = label_of({"a": [first, second.bias], "b": second.kernel})
    names = ["a", "b"]
    assert labels_of(model.trainable_variables, label, names) == ("a", "a", "b", "a")


def test_a_layer_may_be_built_after_it_is_labelled():
    layer = keras.layers.Dense(2)
    label = label_of({"late": layer})
    layer.build((None, 3))
    assert label(layer.kernel) == "late"


def test_numbers_of_layers_can_be_labels(model):
    number = {id(v): i for i, layer in enumerate(model.layers) for v in layer.variables}
    labels = labels_of(
        model.trainable_variables, lambda v: number[id(v)], check_ratios({0: 1, 1: 2})
    )
    assert labels == ("0", "0", "1", "1")


def test_other_takes_the_rest(model):
    label = label_of({"first": model.layers[0]})
    labels = labels_of(model.trainable_variables, label, ["first", "other"])
    assert labels == ("first", "first", "other", "other")


def test_a_variable_without_a_label_is_named(model):
    label = label_of({"first": model.layers[0]})
    with pytest.raises(KitError, match="no label for .*second/kernel, .*second/bias"):
        labels_of(model.trainable_variables, label, ["first"])


def test_a_label_without_a_ratio_is_named_with_its_variables(model):
    with pytest.raises(
        KitError, match="no ratio for 'bias': .*first/bias, .*second/bias"
    ):
        labels_of(model.trainable_variables, by_name, ["kernel"])


def test_a_label_without_a_variable_is_named(model):
    with pytest.raises(KitError, match="the label 'gamma'.*labels: bias, kernel"):
        labels_of(model.trainable_variables, by_name, ["kernel", "bias", "gamma"])


def test_long_lists_are_cut():
    variables = [keras.Variable(0.0, name=f"v{i}") for i in range(20)]
    with pytest.raises(KitError, match="v0, .*v7 and 12 more"):
        labels_of(variables, lambda variable: None, ["a"])


def test_a_variable_with_two_labels_is_named(model):
    label = label_of({"a": model.layers, "b": model.layers[1].kernel})
    with pytest.raises(KitError, match="second/kernel has the labels a, b"):
        labels_of(model.trainable_variables, label, ["a", "b"])


def test_what_is_neither_layer_nor_variable_is_refused():
    with pytest.raises(KitError, match="'first' under label 'a' is neither"):
        label_of({"a": ["first"]})
    with pytest.raises(KitError, match="is neither a function nor a mapping"):
        label_of(["first"])
