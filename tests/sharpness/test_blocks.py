"""Results by block type, part, layer, and by anybody's labels."""

import keras
import numpy as np
import pytest

from kit.counts import parameter_counts
from kit.errors import KitError
from kit.models import build
from kit.sharpness import (
    GaussNewtonOperator,
    Restricted,
    by_label,
    labels,
    parts,
    sharpness,
    top_eigenvalues,
)
from tests.cases import CASES, QUICK, shaken
from tests.contract import params
from tests.sharpness.toys import (
    logits_loss,
    matrix_of,
    small_batch,
    small_model,
    tokens_of,
)


def sizes(model, by="type"):
    names = labels(model, by)
    return by_label([np.prod(v.shape) for v in model.trainable_variables], names)


@pytest.mark.parametrize("name", params(CASES, QUICK))
def test_types_hold_the_parameters_of_the_closed_formula(name):
    counts = {role: n for role, n in parameter_counts(CASES[name]).items() if n}
    found = sizes(shaken(name))
    assert found == counts
    assert list(found) == list(counts)


def test_every_part_has_its_name():
    expected = {"embedding", "positions", "norm_0", "norm_1", "final_norm"}
    expected |= {"Q", "K", "V", "O", "in", "out"}
    assert set(labels(shaken("pre-ln"), "part")) == expected
    assert "head" in labels(shaken("untied"), "part")
    updated = set(labels(shaken("sas-p"), "part"))
    assert {"map_alpha", "feed_forward_gain"} <= updated


def test_parts_and_layers_split_what_they_belong_to():
    model = shaken("mixed-blocks")
    types, by_part = sizes(model), sizes(model, "part")
    assert by_part["Q"] + by_part["K"] == types["QK"]
    assert by_part["V"] + by_part["O"] == types["VO"]
    assert by_part["in"] + by_part["out"] == types["FFN"]
    norms = by_part["norm_0"] + by_part["norm_1"] + by_part["final_norm"]
    assert norms == types["Norm"]
    layers, both = sizes(model, "layer"), sizes(model, "layer/type")
    assert set(layers) == {"embedding", "positions", "block_0", "block_1", "final_norm"}
    for layer, count in layers.items():
        inside = [n for name, n in both.items() if name.startswith(f"{layer}/")]
        assert sum(inside) == count
    assert both["block_1/QK"] + both["block_0/QK"] == types["QK"]
    assert "block_1/Q" in labels(model, "layer/part")


def test_labels_survive_saving(tmp_path):
    """Paths of variables do not; labels do not look at them."""
    model = build(CASES["all-at-once"])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert labels(again, "layer/part") == labels(model, "layer/part")


def test_any_model_by_a_function_or_by_its_layers():
    model = small_model()
    names = labels(
        model, lambda variable: variable.name if len(variable.shape) > 1 else None
    )
    assert names == ["kernel", "other", "kernel", "other"]
    hidden, head = model.layers
    owners = {"first": hidden, "bias": [head.bias]}
    assert labels(model, owners) == ["first", "first", "other", "bias"]
    with pytest.raises(KitError, match="no model of kit.models.build"):
        labels(model, "type")
    with pytest.raises(KitError, match="unknown grouping 'typ'.*Did you mean 'type'"):
        labels(shaken("pre-ln"), "typ")


@pytest.mark.slow
def test_sharpness_is_the_mean_of_the_diagonal_in_a_block():
    model, batch = small_model(), small_batch()
    operator = GaussNewtonOperator(model, [batch], logits_loss())
    diagonal = np.diag(matrix_of(operator))
    first, second, third, fourth = operator.slices
    found = sharpness(operator, lambda v: v.name, samples=300)
    expected = {
        "kernel": np.concatenate([diagonal[first], diagonal[third]]).mean(),
        "bias": np.concatenate([diagonal[second], diagonal[fourth]]).mean(),
    }
    for name, value in expected.items():
        assert abs(found[name].value - value) < 4 * found[name].standard_error
        assert found[name].standard_error < 0.2 * abs(value)


@pytest.mark.slow
def test_a_restricted_operator_is_the_block_on_the_diagonal():
    operator = GaussNewtonOperator(small_model(), [small_batch()], logits_loss())
    matrix = matrix_of(operator)
    slices = parts(operator, lambda v: v.name)["bias"]
    rows = np.concatenate([np.arange(operator.size)[part] for part in slices])
    block = matrix[np.ix_(rows, rows)]
    np.testing.assert_allclose(matrix_of(Restricted(operator, slices)), block)
    top = top_eigenvalues(operator, lambda v: v.name, tolerance=1e-4)
    assert top["bias"].value == pytest.approx(np.linalg.eigvalsh(block)[-1], rel=1e-4)


@pytest.mark.slow
def test_traces_of_a_kit_model_do_not_depend_on_the_grouping():
    model, batch = shaken("pre-ln"), tokens_of("pre-ln")
    operator = GaussNewtonOperator(model, [batch])
    whole = [
        sum(
            found.value * count
            for found, count in zip(
                sharpness(operator, by, samples=2).values(),
                sizes(model, by).values(),
                strict=True,
            )
        )
        for by in ("type", "part", "layer", "layer/type", "layer/part")
    ]
    np.testing.assert_allclose(whole, whole[0], rtol=1e-9)
    assert whole[0] > 0
