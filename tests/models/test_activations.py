"""Named activations."""

import re

import numpy as np
import pytest

from kit.errors import KitError
from kit.models import activations
from tests.cases import CASES, TIME, WIDTH, assert_same, read, shaken, some_tokens

DOCUMENTED = {
    "embedding",
    "final_norm",
    *(
        f"block_{index}/{name}"
        for index in range(2)
        for name in (
            "input",
            "output",
            "attention/map",
            "attention/output",
            "feed_forward/hidden",
            "feed_forward/output",
        )
    ),
}


def everything(name, **kwargs):
    tokens = some_tokens(CASES[name])
    return activations(shaken(name), tokens, "*", **kwargs), tokens


def test_the_documented_names_are_all_there_is():
    assert set(everything("pre-ln")[0]) == DOCUMENTED
    assert set(everything("parallel")[0]) == DOCUMENTED


@pytest.mark.parametrize("name", ["shaped", "shaped-padding-full-fused", "pre-ln"])
def test_every_name_on_offer_is_in_the_docstring(name):
    for offered in everything(name)[0]:
        assert f"`{re.sub('block_[0-9]', 'block_3', offered)}`" in activations.__doc__


def test_absent_parts_have_no_activations():
    names = set(everything("first-without-attention")[0])
    assert DOCUMENTED - names == {"block_0/attention/map", "block_0/attention/output"}


def test_shapes():
    found, _ = everything("grouped")
    for name, value in found.items():
        expected = {
            "map": (3, 4, TIME, TIME),
            "hidden": (3, TIME, 24),
        }.get(name.split("/")[-1], (3, TIME, WIDTH))
        assert value.shape == expected, name


@pytest.mark.parametrize("name", ["pre-ln", "half-skips"])
def test_the_stream_is_the_sum_of_what_is_tapped(name):
    found, tokens = everything(name)
    skip = CASES[name].blocks[0].attention_skip
    for index in range(2):
        block = f"block_{index}"
        middle = skip * found[f"{block}/input"] + found[f"{block}/attention/output"]
        output = skip * middle + found[f"{block}/feed_forward/output"]
        assert_same(found[f"{block}/output"], output)
    assert_same(found["block_0/input"], found["embedding"])
    assert_same(found["block_1/input"], found["block_0/output"])
    table = np.asarray(shaken(name).embedding.embeddings)
    assert_same(found["final_norm"] @ table.T, read(shaken(name), tokens))


@pytest.mark.parametrize("name", ["fused", "fused-full", "fused-grouped-alibi"])
def test_fused_attention_shows_its_map_on_request_and_gives_the_same_logits(name):
    tokens = some_tokens(CASES[name])
    maps = activations(shaken(name), tokens, "block_*/attention/map")
    assert len(maps) == 2
    for value in maps.values():
        np.testing.assert_allclose(value.sum(axis=-1), 1, atol=1e-6)
    rest = activations(shaken(name), tokens, "block_*/*output")
    for key, value in activations(shaken(name), tokens, "*").items():
        if key in rest:
            assert_same(rest[key], value)


def test_explicit_and_fused_attention_give_the_same_logits():
    tokens = some_tokens(CASES["pre-ln"])
    assert_same(read(shaken("fused"), tokens), read(shaken("pre-ln"), tokens))


def test_patterns_select_and_nothing_stays_open():
    tokens = some_tokens(CASES["pre-ln"])
    model = shaken("pre-ln")
    assert list(activations(model, tokens, "block_1/output")) == ["block_1/output"]
    both = activations(model, tokens, "embedding", "block_*/input")
    assert list(both) == ["embedding", "block_0/input", "block_1/input"]
    with pytest.raises(KitError):
        activations(model, tokens, "nonsense")
    from kit.layers import taps

    assert not taps._open


def test_a_wrong_name_is_an_error_that_lists_the_right_ones():
    tokens = some_tokens(CASES["pre-ln"])
    with pytest.raises(KitError) as caught:
        activations(shaken("pre-ln"), tokens, "block_0/output", "block_9/output")
    assert "'block_9/output'" in caught.value.what
    assert all(name in caught.value.fix for name in DOCUMENTED)
