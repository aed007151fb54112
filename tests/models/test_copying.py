"""Models in which blocks copy attention maps: what is shared, saved and kept."""

import keras
import numpy as np
import pytest

from kit.config import BlockConfig, ModelConfig
from kit.errors import KitError
from kit.labels import difference_label
from kit.models import (
    activations,
    build,
    describe,
    flops_per_token,
    generate,
    named_weights,
    parameter_counts,
    transplant,
)
from kit.optimizers import AdamW
from kit.pruning import Part, Pieces, remove_parts
from kit.training import token_cross_entropy
from tests.cases import (
    CASES,
    TIME,
    assert_same,
    copying,
    read,
    shake,
    shaken,
    some_tokens,
)

COPIED = [name for name in CASES if name.startswith("copied")]


@pytest.mark.parametrize("name", COPIED)
def test_a_copy_attends_by_the_map_of_its_source(name):
    model = shaken(name)
    maps = activations(model, some_tokens(model.config), "block_*/attention/map")
    for index, block in enumerate(model.config.blocks):
        source = block.copies_map_from
        mine = maps[f"block_{index}/attention/map"]
        if source is not None:
            np.testing.assert_array_equal(mine, maps[f"block_{source}/attention/map"])
    assert np.ptp(mine) > 0.1


@pytest.mark.parametrize("name", COPIED)
def test_where_maps_are_equal_anyway_sharing_changes_nothing(name):
    """Without queries, a map depends on the mask and the distances only."""
    shared = CASES[name]
    alone = shared.with_every_block(copies_map_from=None)
    model = shake(build(alone))
    for key, weight in named_weights(model).items():
        if key.endswith("attention/query"):
            weight.assign(np.zeros(weight.shape))
    tokens = some_tokens(shared)
    assert_same(read(transplant(model, shared), tokens), read(model, tokens))


def test_where_maps_differ_sharing_changes_something():
    """The test above can fail."""
    model, tokens = shaken("pre-ln"), some_tokens(CASES["pre-ln"])
    change = read(transplant(model, CASES["copied"]), tokens) - read(model, tokens)
    assert np.abs(change).max() > 0.1


@pytest.mark.parametrize("name", COPIED)
def test_what_a_copy_saves_is_its_queries_and_keys(name):
    shared = CASES[name]
    alone = shared.with_every_block(copies_map_from=None)
    parameters = flops = 0
    for block in shared.blocks:
        if block.copies_map_from is not None:
            columns = (block.num_heads + block.key_value_heads) * shared.head_dim(block)
            parameters += shared.width * columns
            scores = 2 * TIME * block.num_heads * shared.head_dim(block)
            flops += 2 * shared.width * columns + scores
    saved = build(alone).count_params() - build(shared).count_params()
    assert saved == parameters > 0
    assert flops_per_token(alone) - flops_per_token(shared) == flops
    assert not any(
        f"block_{index}/attention/{matrix}" in named_weights(shaken(name))
        for index, block in enumerate(shared.blocks)
        if block.copies_map_from is not None
        for matrix in ("query", "key")
    )


def tinyllama():
    """TinyLlama_v1.1 as a config."""
    block = BlockConfig(
        norm="rms",
        num_heads=32,
        num_key_value_heads=4,
        feed_forward="swiglu",
        feed_forward_dim=5632,
    )
    return ModelConfig.uniform(
        22,
        block,
        width=2048,
        vocabulary_size=32000,
        context_length=2048,
        positions="rotary",
        tied_head=False,
        final_norm="rms",
    )


@pytest.mark.parametrize("copies, percent", [(5, 2.14), (9, 3.86), (17, 7.29)])
def test_the_published_savings_of_tinyllama(copies, percent):
    """Table 3 of 2409.14595; the row of 41 % shares nine layers."""
    config = tinyllama()
    edits = {index: {"copies_map_from": 1} for index in range(2, 2 + copies)}
    full = sum(parameter_counts(config).values())
    saved = full - sum(parameter_counts(config.with_blocks(edits)).values())
    assert full == 1_100_048_384  # TinyLlama/TinyLlama_v1.1
    assert abs(100 * saved / full - percent) < 0.01  # all that is printed


def test_transplant_keeps_all_but_queries_and_keys():
    model = shaken("grouped")
    old = named_weights(model)
    new = named_weights(transplant(model, copying(model.config)))
    gone = {"block_1/attention/query", "block_1/attention/key"}
    assert set(old) - set(new) == gone and not set(new) - set(old)
    for key, weight in new.items():
        np.testing.assert_array_equal(np.asarray(weight), np.asarray(old[key]))


def test_the_cache_has_no_keys_where_maps_are_copied():
    model = shaken("copied-from-afar")
    cache = model.new_cache()
    model(some_tokens(model.config)[:, :3], cache=cache, start=0)
    assert [layer.key is None for layer in cache.layers] == [False, False, True, True]
    assert all(layer.value is not None for layer in cache.layers)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["copied-grouped-rotary", "copied-shaped-alibi"])
def test_generation_is_the_same_without_a_cache(name):
    prompt = some_tokens(CASES[name])[:, :2]
    cached, fresh = (
        generate(shaken(name), prompt, TIME, use_cache=use) for use in (True, False)
    )
    np.testing.assert_array_equal(cached, fresh)


@pytest.mark.slow
def test_the_queries_of_the_source_learn_from_the_copy():
    """With the source's own values out of play, its map still matters."""
    model = shake(build(CASES["copied"]))
    weights = named_weights(model)
    for key in ("block_0/attention/value", "block_0/attention/output"):
        weights[key].assign(np.zeros(weights[key].shape))
    query = weights["block_0/attention/query"]
    before, tokens = np.asarray(query).copy(), some_tokens(model.config)
    model.compile(AdamW(1e-2, weight_decay=0.0), token_cross_entropy, run_eagerly=True)
    model.train_on_batch(tokens, np.roll(tokens, -1, axis=1))
    assert np.abs(np.asarray(query) - before).max() > 1e-3


def test_it_is_seen_in_labels_and_tables():
    config = CASES["copied"]
    base = config.with_every_block(copies_map_from=None)
    assert difference_label(config, base) == "block 1: copies_map_from 0"
    line = describe(config).splitlines()[3]
    assert "map of 0, 4 heads of 4" in line and line.endswith("copies_map_from 0")


def test_plain_data_of_other_models_stay_what_they_were():
    assert "copies_map_from" not in CASES["pre-ln"].to_dict()["blocks"][1]
    config = CASES["copied"]
    assert ModelConfig.from_dict(config.to_dict()) == config


def test_heads_that_copy_keep_their_maps():
    model = shaken("copied")
    fewer = {"num_heads": 2, "head_dim": 4}
    config = model.config.with_blocks({0: fewer, 1: fewer})
    both = {"heads": [1, 3], "key_value_heads": [1, 3]}
    transplant(model, config, kept={0: both, 1: both})
    with pytest.raises(KitError, match="heads=.0, 1., but block 0.*1, 3"):
        transplant(model, config, kept={0: both})


def test_removing_parts_follows_the_numbers_of_the_blocks():
    model = shaken("copied-from-afar")
    both = [Part("attention", 1), Part("feed_forward", 1), Part("attention", 3)]
    smaller = remove_parts(model, both)
    assert [b.copies_map_from for b in smaller.config.blocks] == [None, 0, None]
    with pytest.raises(KitError, match="copies_map_from=1, but block 1 has no"):
        remove_parts(model, both[:1])
    with pytest.raises(KitError, match="block 3 copies .* block 1, which goes"):
        remove_parts(model, both[:2])


def test_blocks_that_copy_cannot_be_run_alone():
    with pytest.raises(KitError, match="block 2 copies .* one by one"):
        Pieces(shaken("copied-from-afar"))


def test_a_copying_model_is_a_layer_of_others():
    """Its map also travels where Keras traces the call."""
    model, tokens = shaken("copied"), some_tokens(CASES["copied"])
    inputs = keras.Input((TIME,), dtype="int32")
    outer = keras.Model(inputs, model(inputs))
    assert_same(outer(tokens), read(model, tokens))
