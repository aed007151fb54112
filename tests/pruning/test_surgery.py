"""A removal is a mask that costs nothing."""

import numpy as np
import pytest

from kit.config import ModelConfig
from kit.errors import KitError
from kit.models import build, named_weights
from kit.pruning import (
    Part,
    keep_neurons,
    parts_of,
    parts_of_blocks,
    path,
    remove_parts,
)
from kit.pruning.surgery import keep_and_remove
from tests.cases import CASES, assert_same, read, shake, shaken, some_tokens
from tests.contract import params

MASKED = (  # blocks in which a branch is added to an untouched stream
    "pre-ln",
    "llama",
    "grouped",
    "parallel",
    "full",
    "padding-full-rotary",
    "no-norm",
    "fused",
)
OUTPUT = {"attention": "attention/output", "feed_forward": "feed_forward/down"}


def masked(name, parts=(), neurons=None):
    """A model in which the last matrices of some parts are, in part, zero."""
    model = shake(build(CASES[name]))
    weights = named_weights(model)
    for kind, block in parts:
        weight = weights[f"block_{block}/{OUTPUT[kind]}"]
        weight.assign(np.zeros(weight.shape, "float32"))
    for block, kept in (neurons or {}).items():
        down = weights[f"block_{block}/feed_forward/down"]  # (width, neurons)
        stays = np.isin(np.arange(down.shape[1]), kept)
        down.assign(np.asarray(down) * stays)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", params(MASKED, ("pre-ln", "parallel")))
def test_removing_parts_is_masking_them(name):
    for parts in ([Part("attention", 0)], parts_of_blocks(CASES[name], [1])):
        smaller = remove_parts(shaken(name), parts)
        assert smaller.count_params() < shaken(name).count_params()
        tokens = some_tokens(CASES[name])
        assert_same(read(smaller, tokens), read(masked(name, parts), tokens), 1e-5)


@pytest.mark.parametrize("name", params(MASKED, ("llama",)))
def test_removing_neurons_is_masking_them(name):
    kept = {0: [1, 2, 20], 1: []}
    smaller = keep_neurons(shaken(name), kept)
    assert smaller.config.blocks[1].feed_forward is None
    tokens = some_tokens(CASES[name])
    assert_same(read(smaller, tokens), read(masked(name, neurons=kept), tokens), 1e-5)


@pytest.mark.parametrize("name", ["half-skips", "post-ln", "parallel-half-skip"])
def test_all_parts_of_any_block_can_go(name):
    """Also where a skip is scaled: it goes with the branch beside it."""
    config = CASES[name]
    assert path(config, parts_of(config)) == ()
    for part in parts_of(config):
        remove_parts(shaken(name), [part])


def test_nothing_removed_is_a_copy():
    tokens = some_tokens(CASES["llama"])
    for same in (remove_parts(shaken("llama"), []), keep_neurons(shaken("llama"), {})):
        assert same is not shaken("llama")
        np.testing.assert_array_equal(read(same, tokens), read(shaken("llama"), tokens))


@pytest.mark.parametrize(
    "part", [("attention", 2), ("attention", -1), ("attention", 0), ("atention", 1)]
)
def test_what_is_not_there_cannot_go(part):
    config: ModelConfig = CASES["first-without-attention"]
    with pytest.raises(KitError):
        path(config, [Part(*part)])


@pytest.mark.parametrize("name", params(MASKED, ("llama",)))
def test_neurons_and_parts_in_one_go_are_the_same_cut(name):
    kept = {0: [0, 3, 5], 1: [1, 2]}
    for parts in ([Part("attention", 1)], parts_of_blocks(CASES[name], [0])):
        found = keep_and_remove(shaken(name), kept, parts)
        expected = remove_parts(keep_neurons(shaken(name), kept), parts)
        assert found.config == expected.config
        for one, other in zip(found.weights, expected.weights, strict=True):
            np.testing.assert_array_equal(one, other)
