"""Pruning functional Keras models that are not ours, by the names of their layers."""

from functools import cache

import keras
import numpy as np
import pytest

from kit.data import IGNORED, Batch
from kit.errors import KitError
from kit.pruning import (
    METHODS,
    BlockLayers,
    Calibration,
    FunctionalModel,
    KitModel,
    Outline,
    Part,
    allocate,
    block_parameters,
    parts_of,
    prune,
    sparsity_of,
    two_stage,
)
from kit.training import token_cross_entropy
from tests.cases import assert_same
from tests.contract import params
from tests.pruning import foreign
from tests.pruning.foreign import CLASSES, DEPTH, NEURONS, TIME, VOCABULARY, shake
from tests.pruning.models import calibration, deep, deep_config

KINDS = ("plain", "gated", "classifier")
RIVALS = [m for m in METHODS if m not in ("shortgpt", "window", "slice")]


@cache
def prunable(kind="plain"):
    """Far from its start; only to be read."""
    if kind == "classifier":
        model = shake(foreign.classifier(), seed=4)
        options = {"mask": "full", "padding_id": 0, "from_logits": False}
        return FunctionalModel(model, foreign.names(), **options)
    gated = kind == "gated"
    model = shake(foreign.language_model(gated), seed=4)
    return FunctionalModel(model, foreign.names(gated))


def some_data(kind="plain", sequences=6):
    rng = np.random.default_rng(1)
    tokens = rng.integers(1, VOCABULARY, size=(sequences, TIME))
    if kind != "classifier":
        return tokens
    tokens[1, 4:] = 0
    targets = np.full_like(tokens, IGNORED)
    targets[:, 0] = rng.integers(CLASSES, size=sequences)
    return Batch(tokens, targets)


def data(kind="plain"):
    return Calibration(some_data(kind), sequences=6, search_sequences=3)


def read(model, tokens):
    return np.asarray(model(tokens, training=False))


def masked(adapter, record):
    """The whole model with zeros where something went."""
    model = keras.models.clone_model(adapter.model)
    model.set_weights(adapter.model.get_weights())
    for block, kept in record.neurons.items():
        down = model.get_layer(f"down_{block}").kernel
        stays = np.isin(np.arange(NEURONS), kept)
        down.assign(np.asarray(down) * stays[:, None])
    for kind, block in record.parts:
        layer = model.get_layer(f"{'down' if kind == 'feed_forward' else kind}_{block}")
        writes = layer if kind == "feed_forward" else layer.output_dense
        for weight in (writes.kernel, writes.bias):
            weight.assign(np.zeros(weight.shape, "float32"))
    return model


@pytest.mark.slow
@pytest.mark.parametrize("kind", params(KINDS, ("plain",)))
def test_two_stages_remove_what_masking_does(kind):
    adapter, asked = prunable(kind), data(kind)
    before = [np.asarray(w).copy() for w in adapter.model.weights]
    smaller, record = two_stage(adapter, asked, 0.5, rule=1)
    assert len(record.parts) == 1 and record.candidates == DEPTH
    assert abs(record.reached - 0.5) < 0.5 / NEURONS
    assert record.reached == sparsity_of(smaller.config, adapter.config)
    tokens = asked.batch.inputs
    assert_same(
        read(smaller.model, tokens), read(masked(adapter, record), tokens), 1e-5
    )
    for old, weight in zip(before, adapter.model.weights, strict=True):
        np.testing.assert_array_equal(old, np.asarray(weight))


@pytest.mark.slow
def test_what_it_counts_is_gone_from_the_model():
    adapter = prunable()
    smaller, record = two_stage(adapter, data(), 0.5, rule=1)
    gone = adapter.model.count_params() - smaller.model.count_params()
    assert gone == round(record.reached * block_parameters(adapter.config))
    neurons = allocate(adapter.config, 0.5, rule=1).num_neurons
    assert smaller.model.get_layer("up_2").units == neurons
    left = [part for part in parts_of(adapter.config) if part not in record.parts]
    assert parts_of(smaller.config) == left


@pytest.mark.slow
def test_the_weights_that_stay_are_equal():
    adapter = prunable("gated")
    smaller, record = two_stage(adapter, data(), 0.5, rule=1)
    for layer in smaller.model.layers:
        if not layer.weights:
            continue
        old = adapter.model.get_layer(layer.name).get_weights()
        kind, _, index = layer.name.rpartition("_")
        if kind in ("up", "gate"):
            old = [weight[..., record.neurons[int(index)]] for weight in old]
        elif kind == "down":
            old = [old[0][record.neurons[int(index)]], old[1]]
        for mine, theirs in zip(layer.get_weights(), old, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", params(KINDS, ("classifier",)))
def test_its_logits_without_parts_are_those_of_the_smaller_model(kind):
    adapter, tokens = prunable(kind), some_data(kind)
    tokens = tokens.inputs if kind == "classifier" else tokens
    removed = [Part("attention", 1), Part("feed_forward", 1), Part("feed_forward", 3)]
    smaller = adapter.smaller({}, removed)
    assert_same(adapter.logits(tokens, removed), smaller.logits(tokens), 1e-5)
    assert not {"up_1", "gate_1", "up_3"} & {x.name for x in smaller.model.layers}


@pytest.mark.slow
def test_the_perplexities_are_those_of_the_models():
    adapter, asked = prunable(), data()
    smaller, record = two_stage(adapter, asked, 0.5, rule=1)
    inputs, targets = asked.search_batch
    for name, model in (("before", adapter.model), ("after", smaller.model)):
        loss = float(token_cross_entropy(targets, read(model, inputs)))
        assert_same(np.log(record.perplexity[name]), loss)
    assert record.removals[0].perplexity == record.perplexity["after"]


@pytest.mark.slow
def test_a_classifier_is_judged_by_its_label():
    adapter, asked = prunable("classifier"), data("classifier")
    _, record = two_stage(adapter, asked, 0)
    inputs, targets = asked.search_batch
    found = read(adapter.model, inputs)[np.arange(3), targets[:, 0]]
    assert_same(np.log(record.perplexity["before"]), -np.log(found).mean())


@pytest.mark.slow
def test_the_score_is_that_of_the_paper():
    adapter, tokens = prunable("gated"), some_data()
    down = adapter.model.get_layer("down_1")
    hidden = keras.Model(adapter.model.input, down.input)(tokens, training=False)
    expected = np.linalg.norm(np.asarray(hidden, "float64"), axis=1).mean(axis=0)
    _, record = two_stage(adapter, data(), 0.3)
    assert_same(record.scores[1], expected)


@pytest.mark.slow
def test_a_dead_neuron_goes_first():
    model = shake(foreign.language_model(), seed=4)
    for index in range(DEPTH):
        kernel, bias = model.get_layer(f"up_{index}").weights
        alive = np.arange(NEURONS) != 5 + index
        kernel.assign(np.asarray(kernel) * alive)
        bias.assign(np.asarray(bias) * alive)
    adapter = FunctionalModel(model, foreign.names())
    smaller, record = two_stage(adapter, data(), 0.012, rule="feed-forward")
    for index, kept in record.neurons.items():
        assert {*range(NEURONS)} - {*kept} == {5 + index}
    tokens = some_data()
    assert_same(read(smaller.model, tokens), read(model, tokens), 1e-5)


@pytest.mark.slow
def test_the_smaller_model_is_saved_and_loaded(tmp_path):
    smaller, _ = two_stage(prunable(), data(), 0.5, rule=1)
    smaller.model.save(tmp_path / "smaller.keras")
    loaded = keras.models.load_model(
        tmp_path / "smaller.keras", custom_objects={"Positions": foreign.Positions}
    )
    tokens = some_data()
    np.testing.assert_array_equal(read(loaded, tokens), read(smaller.model, tokens))


FEW = {"evopress": {"generations": 1, "offspring": 3, "initial": 3}}


@pytest.mark.slow
@pytest.mark.parametrize("method", params(RIVALS, ("blockpruner",)))
def test_rivals_work_as_well(method):
    smaller, record = prune(prunable(), data(), 0.3, method, **FEW.get(method, {}))
    base = prunable().config
    neuron = (2 * foreign.WIDTH + 1) / base.blocks[0].parameters  # a matter of rounding
    assert record.reached == sparsity_of(smaller.config, base) > 0.3 - neuron
    tokens = some_data()
    assert_same(
        read(smaller.model, tokens), read(masked(prunable(), record), tokens), 1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ("shortgpt", "window", "slice"))
def test_what_reads_the_stream_between_blocks_says_so(method):
    with pytest.raises(KitError, match="stream between the blocks"):
        prune(prunable(), data(), 0.25, method)


def test_what_cannot_be_pruned_is_an_error():
    model, names = prunable().model, foreign.names()
    with pytest.raises(KitError, match="does not tell"):
        two_stage(model, data(), 0.25)
    with pytest.raises(KitError, match="Did you mean 'attention_0'"):
        FunctionalModel(model, [BlockLayers("atention_0")])
    with pytest.raises(KitError, match="Name both"):
        FunctionalModel(model, [BlockLayers(up=("up_0",))])
    with pytest.raises(KitError, match="cut out of Dense"):
        FunctionalModel(model, [BlockLayers(up=("norm_a_0",), down="down_0")])
    with pytest.raises(KitError, match="one of"):
        FunctionalModel(model, [BlockLayers(up=("up_0",), down="head")])
    with pytest.raises(KitError, match="no functional"):
        FunctionalModel(keras.Sequential([keras.layers.Dense(3)]), names)
    with pytest.raises(KitError, match="from_logits"):
        FunctionalModel(prunable("classifier").model, names)
    with pytest.raises(KitError, match="no more and no less"):
        two_stage(prunable(), some_data()[:, :5].repeat(6, axis=0), 0.25)
    with pytest.raises(KitError, match="sees the next token"):
        two_stage(prunable("classifier"), data(), 0.25)


def toy(between=None, shared=False):
    """One block, with something between its matrices, or used twice."""
    x = tokens = keras.Input((TIME,), dtype="int32")
    x = keras.layers.Embedding(VOCABULARY, 4)(x)
    up, down = keras.layers.Dense(8, name="up"), keras.layers.Dense(4, name="down")
    for _ in range(1 + shared):
        y = up(x)
        x = x + down(between(y) if between else y)
    model = keras.Model(tokens, keras.layers.Dense(VOCABULARY)(x))
    return FunctionalModel(model, [BlockLayers(up=("up",), down="down")])


def test_neurons_that_are_not_for_themselves_are_an_error():
    adapter = toy(keras.layers.LayerNormalization(name="between"))
    with pytest.raises(KitError, match="'between' has weights for each neuron"):
        adapter.smaller({0: [1, 2]}, [])


def test_a_layer_of_two_blocks_is_an_error():
    with pytest.raises(KitError, match="used 2 times"):
        toy(shared=True).logits(some_data())


def test_an_attention_that_does_not_write_to_the_stream_is_an_error():
    tokens = keras.Input((TIME,), dtype="int32")
    x = keras.layers.Embedding(VOCABULARY, 4)(tokens)
    attention = keras.layers.MultiHeadAttention(1, 4, output_shape=6, name="wide")
    model = keras.Model(tokens, keras.layers.Dense(VOCABULARY)(attention(x, x)))
    adapter = FunctionalModel(model, [BlockLayers("wide")])
    with pytest.raises(KitError, match="of what it reads first"):
        adapter.logits(some_data())


@pytest.mark.parametrize("kind", params(("gpt", "encoder", "llama"), ()))
def test_the_plain_way_is_the_shared_way(kind):
    """A kit model by the five members alone, and as pruning runs it."""
    model, asked = deep(kind), calibration(deep_config(kind))

    class Plain:
        """Only what the contract asks for."""

        def __init__(self, adapter):
            self.adapter = adapter
            self.config = Outline.of(adapter.config)
            self.hidden, self.logits = adapter.hidden, adapter.logits
            self.weights = adapter.weights

        def smaller(self, kept, removed):
            return Plain(self.adapter.smaller(kept, removed))

    here = two_stage(model, asked, 0.5)
    there = two_stage(Plain(KitModel(model)), asked, 0.5)
    assert there.record.neurons == here.record.neurons
    assert there.record.parts == here.record.parts and here.record.parts
    for name, value in here.record.perplexity.items():
        assert_same(np.log(there.record.perplexity[name]), np.log(value))
    assert there.record.reached == pytest.approx(here.record.reached)
    tokens = asked.batch.inputs
    assert_same(there.model.logits(tokens), read(here.model, tokens))
