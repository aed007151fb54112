"""The maps of a model, and matching its heads."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from kit.config import ModelConfig
from kit.errors import KitError
from kit.models import activations, build, transplant
from kit.sharing import (
    MEASURES,
    compare_maps,
    map_similarity,
    match_heads,
    share,
    similarity,
)
from kit.sharing.heads import assign, head_similarities
from tests.cases import (
    ABSENT,
    BLOCK,
    CASES,
    PADDING,
    TIME,
    assert_same,
    case,
    read,
    shake,
    shaken,
    some_tokens,
)

DEEP = case(blocks=(BLOCK,) * 4)
CAUSAL = np.tril(np.ones((TIME, TIME), bool))


def match_first(model, tokens):
    return match_heads(model, {1: 0}, tokens)


def test_it_is_the_similarity_of_the_maps():
    model, tokens = shaken("pre-ln"), some_tokens(CASES["pre-ln"])
    maps = activations(model, tokens, "block_*/attention/map")
    stacked = np.stack([*maps.values()], axis=1)
    expected = compare_maps(stacked, CAUSAL)
    found = map_similarity(model, tokens)
    for measure in MEASURES:
        np.testing.assert_allclose(
            found.values[measure], expected.values[measure], atol=1e-5
        )
        assert 0 < found.null[measure][0, 1] < 1


@pytest.mark.parametrize("name", ["full", "prefix"])
def test_other_masks_have_other_rows(name):
    found = map_similarity(shaken(name), some_tokens(CASES[name]))
    assert 0 < found.values["rows"][0, 1] < 1


def test_fresh_models_are_alike_by_chance_alone():
    """Flat maps: the first thing to know before similarity is read as redundancy."""
    sizes = {"width": 32, "vocabulary_size": 14, "context_length": 12}
    config = ModelConfig.uniform(3, **sizes)
    found = map_similarity(build(config), some_tokens(config))
    for measure in MEASURES:
        assert found.values[measure].min() > 0.99
        assert found.null[measure].min() > 0.99


@pytest.mark.slow
def test_scores_are_means_over_the_other_blocks_with_attention():
    model = shake(build(DEEP.with_blocks({1: ABSENT})))
    found = map_similarity(model, some_tokens(DEEP), ["cosine"])
    assert found.blocks == [0, 2, 3]
    matrix = found.values["cosine"]
    expected = [(matrix[i].sum() - 1) / 2 for i in range(3)]
    assert found.scores() == pytest.approx(dict(zip([0, 2, 3], expected, strict=True)))
    assert list(found.null_scores()) == [0, 2, 3]


def test_a_copied_map_is_the_same_map():
    found = map_similarity(shaken("copied"), some_tokens(CASES["copied"]))
    for measure in MEASURES:
        assert found.values[measure][0, 1] == pytest.approx(1, abs=1e-6)
    assert found.excess("rows")[0, 1] == pytest.approx(1, abs=1e-5)
    assert found.null["rows"][0, 1] < 0.9


def test_what_cannot_be_compared_is_an_error():
    tokens = some_tokens(DEEP)
    with pytest.raises(KitError, match="1 blocks of the model have an attention"):
        map_similarity(build(case().with_blocks({0: ABSENT})), tokens)
    with pytest.raises(KitError, match="heads, and maps are compared head by head"):
        map_similarity(build(case().with_blocks({0: {"num_heads": 2}})), tokens)
    with pytest.raises(KitError, match=r"shape \(7,\)"):
        map_similarity(shaken("pre-ln"), tokens[0])
    padded = tokens.copy()
    padded[1] = PADDING
    for look in (map_similarity, match_first):
        with pytest.raises(KitError, match="nothing but the padding token 10"):
            look(shaken("padding"), padded)


PLACES = [[0, 1], [3], [5, 6], []]  # of padding: in front, inside, behind, none


@pytest.fixture(scope="module")
def padded():
    """A model that only padding tells where a token is, and padded sequences."""
    config = case({"num_key_value_heads": 2}, padding_id=PADDING, positions="none")
    tokens = some_tokens(config, batch=len(PLACES))
    for row, places in zip(tokens, PLACES, strict=True):
        row[places] = PADDING
    return shake(build(config)), tokens


def test_padding_is_left_out_of_the_maps(padded):
    model, tokens = padded
    found = map_similarity(model, tokens)
    alone = [map_similarity(model, row[row != PADDING][None]) for row in tokens]
    for measure in MEASURES:
        expected = np.mean([each.values[measure] for each in alone], axis=0)
        np.testing.assert_allclose(found.values[measure], expected, atol=1e-6)
    for measure in ("cosine", "rows"):  # the null model of the third is drawn
        expected = np.mean([each.null[measure] for each in alone], axis=0)
        np.testing.assert_allclose(found.null[measure], expected, atol=1e-6)
    as_tokens = map_similarity(unpadded(model), tokens)
    assert abs(as_tokens.values["rows"] - found.values["rows"]).max() > 1e-3


def unpadded(model):
    """The same model, to which padding is a token like any other."""
    return transplant(model, replace(model.config, padding_id=None))


def test_padding_changes_no_match_of_heads(padded):
    model, tokens = padded
    alone = [similarity_of(model, row[row != PADDING][None]) for row in tokens]
    found = similarity_of(model, tokens)
    np.testing.assert_allclose(found, np.mean(alone, axis=0), atol=1e-6)


def similarity_of(model, tokens):
    return head_similarities(model, {1: 0}, tokens)[1]


def test_the_model_reads_a_sequence_once_for_all_heads(monkeypatch):
    model, tokens = shake(build(DEEP)), some_tokens(DEEP, batch=2)
    copies = {1: 0, 2: 0, 3: 0}
    alone = [match_heads(model, {block: 0}, tokens)[block] for block in copies]
    read, told, looked = [], [], similarity.activations
    monkeypatch.setattr(
        similarity, "activations", lambda *a: read.append(1) or looked(*a)
    )
    together = match_heads(model, copies, tokens, told.append)
    assert list(together.values()) == alone
    assert len(read) == 2 and told == [0.5, 1.0]
    assert match_heads(model, {}, tokens) == {}


@pytest.mark.parametrize("look", [map_similarity, match_first])
@pytest.mark.parametrize(
    "tokens, message",
    [
        (np.zeros((0, TIME), int), r"shape \(0, 7\)"),
        ([], r"shape \(0,\)"),
        ([[0, 1, 99]], "token 99 is outside the vocabulary of 11"),
        ([[0, 1, -1]], "token -1 is outside"),
    ],
)
def test_sequences_that_cannot_be_read_are_an_error(look, tokens, message):
    with pytest.raises(KitError, match=message):
        look(shaken("pre-ln"), tokens)


@pytest.mark.parametrize("groups", [4, 2, 1])
def test_the_assignment_is_the_best_of_all(groups):
    similarity = np.random.default_rng(groups).random((4, 4))
    each = 4 // groups

    def keeps_groups(order):
        parts = np.array(order).reshape(groups, each) // each
        return (parts == parts[:, :1]).all()

    best = max(
        (order for order in permutations(range(4)) if keeps_groups(order)),
        key=lambda order: similarity[np.arange(4), order].sum(),
    )
    heads, key_value_heads = assign(similarity, groups)
    assert heads == list(best)
    assert key_value_heads == [head // each for head in heads[::each]]


ORDERS = {
    None: {"heads": [2, 0, 3, 1], "key_value_heads": [2, 0, 3, 1]},
    2: {"heads": [3, 2, 0, 1], "key_value_heads": [1, 0]},
}


@pytest.mark.slow
@pytest.mark.parametrize("key_heads", ORDERS)
def test_matched_sharing_does_not_depend_on_the_numbers_of_heads(key_heads):
    config = case({"num_key_value_heads": key_heads}, positions="rotary")
    model, tokens = shake(build(config)), some_tokens(config, batch=8)
    renamed = transplant(model, config, kept={1: ORDERS[key_heads]})
    assert_same(read(renamed, tokens), read(model, tokens))
    matched = [
        read(share(each, {1: 0}, match_heads(each, {1: 0}, tokens)), tokens)
        for each in (model, renamed)
    ]
    assert_same(*matched)
    plain = [read(share(each, {1: 0}), tokens) for each in (model, renamed)]
    assert np.abs(plain[0] - plain[1]).max() > 0.1


def test_heads_that_agree_already_stay():
    model = shaken("copied")
    alone = replace(model.config.with_every_block(copies_map_from=None))
    order = match_heads(model, {1: 0}, some_tokens(alone))
    assert order == {1: {"heads": [0, 1, 2, 3], "key_value_heads": [0, 1, 2, 3]}}
