"""Initial weights, names and tags."""

import hashlib

import keras
import numpy as np
import pytest

from kit.config import ModelConfig
from kit.counts import ROLES
from kit.errors import KitError
from kit.layers import tag_of
from kit.models import build, initialise, named_weights, parameter_counts
from tests.cases import CASES, QUICK, case, shaken, some_tokens
from tests.contract import params, save_and_load


def is_seed(variable):
    return "seed_generator" in variable.path


def values(model):
    return {
        name: np.asarray(weight).copy() for name, weight in named_weights(model).items()
    }


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, second, other = (values(build(CASES["llama"], seed)) for seed in (0, 0, 1))
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name])
        moved = not np.array_equal(value, other[name])
        assert moved == (value.std() > 0), name


def test_initialise_is_a_fresh_build():
    model = build(CASES["untied"], seed=0)
    initialise(model, seed=3)
    fresh = values(build(CASES["untied"], seed=3))
    for name, value in values(model).items():
        np.testing.assert_array_equal(value, fresh[name])


@pytest.mark.slow
def test_arms_share_the_weights_that_they_have_in_common():
    """Whatever else a config changes, a weight of one name and shape starts equal."""
    base = values(build(CASES["pre-ln"], seed=2))
    for name in (*QUICK, "post-rms", "untied", "first-without-attention"):
        config = CASES[name]
        for key, value in values(build(config, seed=2)).items():
            if key not in base or value.shape != base[key].shape:
                continue
            if key.endswith("attention/query") and config.blocks[0].shape:
                assert not value.any(), name  # shaped attention starts without
            elif key.endswith(("/output", "/down")):  # their scale depends on the model
                same = value / value.std(), base[key] / base[key].std()
                np.testing.assert_allclose(*same, rtol=1e-5, err_msg=name)
            else:
                np.testing.assert_array_equal(value, base[key], err_msg=name)


def test_weights_of_equal_shape_are_different_draws():
    drawn = [v.tobytes() for v in values(build(CASES["llama"])).values() if v.std() > 0]
    assert len({hashlib.sha256(each).digest() for each in drawn}) == len(drawn)


def test_matrices_start_at_the_configured_size():
    config = ModelConfig.uniform(3, width=128, vocabulary_size=65, context_length=64)
    for name, value in values(build(config)).items():
        if name.endswith(("/beta", "/gamma")):
            np.testing.assert_array_equal(value, float(name.endswith("gamma")))
            continue
        writes = name.endswith(("attention/output", "feed_forward/down"))
        expected = 0.02 / np.sqrt(6) if writes else 0.02
        # The spread of a standard deviation of n draws is 1 / sqrt(2 n).
        assert value.std() == pytest.approx(expected, rel=5 / np.sqrt(2 * value.size))


@pytest.mark.parametrize("name", params(CASES, QUICK))
def test_names_and_tags_partition_all_variables(name):
    model = shaken(name)
    named = [id(weight) for weight in named_weights(model).values()]
    weights = [id(weight) for weight in model.weights if not is_seed(weight)]
    assert sorted(named) == sorted(weights)
    assert len(set(named)) == len(named)
    for weight in named_weights(model).values():
        found = tag_of(weight)
        assert found.role in ROLES
        assert len(found.axes) == len(weight.shape)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_what_is_off_is_absent(name):
    """Every weight, by role, is in the closed formula, and nothing else."""
    config = CASES[name]
    built = dict.fromkeys(ROLES, 0)
    for weight in shaken(name).trainable_variables:
        built[tag_of(weight).role] += int(np.prod(weight.shape))
    assert built == parameter_counts(config)
    others = shaken(name).non_trainable_variables
    frozen = [variable for variable in others if not is_seed(variable)]
    assert len(frozen) == sum(
        getattr(matrix, "start", None) == "orthogonal"
        for block in config.blocks
        for matrix in (block.value, block.projection)
    )
    assert any(map(is_seed, others)) == any(block.dropout for block in config.blocks)


@pytest.mark.parametrize("name", ["llama", "parallel-dropout", "all-at-once"])
def test_roles_and_names_survive_a_file(name, tmp_path):
    model = build(CASES[name])
    loaded = save_and_load(model, tmp_path / "model.keras")
    before, after = named_weights(model), named_weights(loaded)
    assert list(before) == list(after)
    for key, weight in before.items():
        assert tag_of(after[key]) == tag_of(weight)
        np.testing.assert_array_equal(np.asarray(after[key]), np.asarray(weight))


def test_a_variable_without_a_role_is_an_error():
    with pytest.raises(KitError, match="'stranger' has no role"):
        tag_of(keras.Variable(np.zeros(2), name="stranger"))


def test_models_read_shorter_sequences():
    config = CASES["rotary"]
    tokens = some_tokens(config)
    model = shaken("rotary")
    np.testing.assert_allclose(model(tokens[:, :3]), model(tokens)[:, :3], atol=1e-4)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_a_sequence_beyond_a_table_of_positions_is_an_error(positions):
    config = case(positions=positions)
    tokens = np.zeros((1, config.context_length + 1), "int32")
    with pytest.raises(KitError, match="8 tokens.*context_length=7"):
        build(config)(tokens)


@pytest.mark.parametrize("positions", ["none", "alibi"])
def test_models_without_a_table_read_any_length(positions):
    config = case(positions=positions)
    tokens = np.zeros((1, 3 * config.context_length), "int32")
    assert build(config)(tokens).shape[1] == 3 * config.context_length
