"""2SSP against its definition, step by step, and what it must never do."""

import json
import weakref

import numpy as np
import pytest

from kit.data import Batch
from kit.errors import KitError
from kit.models import activations, build, named_weights, transplant
from kit.pruning import (
    Calibration,
    Operation,
    Part,
    allocate,
    block_parameters,
    parts_of,
    prune,
    remove_parts,
    sparsity_of,
    two_stage,
)
from kit.pruning.adapters import KitModel
from kit.training import token_cross_entropy
from tests.cases import assert_same, read, shake, some_tokens
from tests.contract import params
from tests.pruning.models import DEPTH, KINDS, NEURONS, calibration, deep, deep_config

KINDS_OF_MODELS = params(KINDS, ("llama",))


def by_the_book(model, data, sparsity, search_sequences=2):
    """The procedure written out: whole models, whole hidden states, no sharing."""
    config = model.config
    attentions, neurons = allocate(config, sparsity)
    kept = {}
    for index in range(len(config.blocks)):
        name = f"block_{index}/feed_forward/hidden"
        hidden = activations(model, data.inputs, name)[name].astype("float64")
        if config.padding_id is not None:
            hidden = hidden * (data.inputs != config.padding_id)[..., None]
        score = np.linalg.norm(hidden, axis=1).mean(axis=0)
        kept[index] = sorted(np.argsort(-score, kind="stable")[:neurons].tolist())
    narrow = config.with_every_block(feed_forward_dim=neurons)
    model = transplant(model, narrow, kept={i: {"neurons": kept[i]} for i in kept})
    gone = []
    for _ in range(attentions):
        found = {}
        for part in parts_of(config, "attention"):
            if part not in gone:
                logits = remove_parts(model, [*gone, part])(
                    data.inputs[:search_sequences]
                )
                loss = token_cross_entropy(data.targets[:search_sequences], logits)
                found[part] = float(loss)
        gone.append(min(found, key=found.get))
    return kept, gone, remove_parts(model, gone)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_OF_MODELS)
def test_it_is_the_procedure_of_the_paper(kind):
    model, asked = deep(kind), calibration(deep_config(kind))
    smaller, record = two_stage(model, asked, 0.5)
    kept, gone, expected = by_the_book(model, asked.batch, 0.5)
    assert len(gone) >= 1
    assert (record.neurons, record.parts) == (kept, gone)
    tokens = some_tokens(model.config)
    np.testing.assert_array_equal(read(smaller, tokens), read(expected, tokens))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_OF_MODELS)
def test_removal_is_masking(kind):
    """The dense model with zeros where something went says the same."""
    smaller, record = two_stage(deep(kind), calibration(deep_config(kind)), 0.5)
    masked = transplant(deep(kind), deep(kind).config)
    weights = named_weights(masked)
    for block, kept in record.neurons.items():
        down = weights[f"block_{block}/feed_forward/down"]
        down.assign(np.asarray(down) * np.isin(np.arange(down.shape[1]), kept))
    for part in record.parts:
        output = weights[f"block_{part.block}/attention/output"]
        output.assign(np.zeros(output.shape, "float32"))
    tokens = some_tokens(masked.config)
    assert_same(read(smaller, tokens), read(masked, tokens), 1e-5)


@pytest.mark.slow
def test_one_smaller_model_is_held_at_a_time(monkeypatch):
    """The narrow model is gone when the last one is made."""
    made, alive, smaller = [], [], KitModel.smaller

    def counting(*given):
        alive.append(sum(each() is not None for each in made))
        found = smaller(*given)
        made.append(weakref.ref(found.model))
        return found

    monkeypatch.setattr(KitModel, "smaller", counting)
    record = two_stage(deep(), calibration(deep_config()), 0.5).record
    assert record.neurons and record.parts
    assert alive == [0, 0]


@pytest.mark.slow
def test_the_record_says_what_was_done():
    model, asked = deep(), calibration(deep_config())
    shares = []
    smaller, record = two_stage(model, asked, 0.5, progress=shares.append)
    split = allocate(model.config, 0.5)
    assert split.num_attentions == len(record.parts) == len(record.removals) == 2
    assert record.candidates == DEPTH + (DEPTH - 1)
    assert record.reached == sparsity_of(smaller.config, model.config)
    left = block_parameters(model.config) * (1 - record.reached)
    assert round(left) == block_parameters(smaller.config)
    assert [each.part for each in record.removals] == record.parts
    for removal in record.removals:
        assert removal.perplexity == min(removal.candidates.values())
    losses = {
        name: float(token_cross_entropy(asked.search_batch.targets, each))
        for name, each in (
            ("before", model(asked.search_batch.inputs)),
            ("after", smaller(asked.search_batch.inputs)),
        )
    }
    for name, loss in losses.items():
        assert_same(record.perplexity[name], np.exp(loss))
    assert record.perplexity["after"] == record.removals[-1].perplexity
    assert shares == sorted(shares) and shares[-1] == 1
    assert json.loads(json.dumps(record.to_dict()))["parts"] == list(
        map(str, record.parts)
    )


@pytest.mark.slow
def test_sparsity_0_changes_nothing():
    smaller, record = two_stage(deep(), calibration(deep_config()), 0)
    assert smaller is not deep() and smaller.config == deep_config().with_every_block(
        feed_forward_dim=NEURONS
    )
    tokens = some_tokens(deep_config())
    np.testing.assert_array_equal(read(smaller, tokens), read(deep(), tokens))
    assert (record.reached, record.parts, record.candidates) == (0, [], 0)


@pytest.mark.slow
def test_dead_neurons_go_first():
    model = transplant(deep(), deep_config())
    dead = [1, 7, 8, 22]
    for block in model.blocks:
        up = np.asarray(block.part("feed_forward").up).copy()
        up[:, dead] = 0.0
        block.part("feed_forward").up.assign(up)
    smaller, record = two_stage(
        model, calibration(deep_config()), 0.04, rule="feed-forward"
    )
    assert NEURONS - 4 <= smaller.config.blocks[0].feed_forward_dim < NEURONS
    tokens = some_tokens(model.config)
    gone = {j for kept in record.neurons.values() for j in {*range(NEURONS)} - {*kept}}
    assert gone <= {*dead} and gone
    assert_same(read(smaller, tokens), read(model, tokens), 1e-5)


@pytest.mark.slow
def test_of_equals_the_first_goes():
    """Attentions that write nothing are all alike."""
    model = transplant(deep(), deep_config())
    for block in model.blocks:
        output = block.part("attention").output_kernel
        output.assign(np.zeros(output.shape, "float32"))
    operation = Operation("mine", model, calibration(deep_config()), 0.1)
    attentions = parts_of(model.config, "attention")
    operation.remove_greedily(attentions, lambda gone: len(gone) == 2)
    assert operation.record.parts == [Part("attention", 0), Part("attention", 1)]


@pytest.mark.slow
@pytest.mark.parametrize("order", [[3, 0, 2, 1]])
def test_permuted_neurons_change_nothing(order):
    model, config = deep(), deep_config()
    order = np.arange(NEURONS).reshape(4, 12)[order].ravel()
    moved = transplant(
        model, config, kept={i: {"neurons": order.tolist()} for i in range(DEPTH)}
    )
    here = two_stage(model, calibration(config), 0.3)
    there = two_stage(moved, calibration(config), 0.3)
    for block in range(DEPTH):
        np.testing.assert_allclose(
            there.record.scores[block], here.record.scores[block][order], rtol=1e-5
        )
        kept = sorted(order[there.record.neurons[block]].tolist())
        assert kept == here.record.neurons[block]
    tokens = some_tokens(config)
    assert_same(read(there.model, tokens), read(here.model, tokens))


TOKENS = np.random.default_rng(0).integers(10, size=(40, 7))
BAD = {
    "empty": (np.zeros((0, 7), int), "expected \\(sequences >= 1"),
    "a list": ([], "expected \\(sequences >= 1"),
    "ragged": ([[1, 2], [3]], "no array"),
    "one sequence": (TOKENS[0], "expected \\(sequences >= 1"),
    "few sequences": (TOKENS[:31], "fewer than sequences=32"),
    "short sequences": (TOKENS[:, :1], "nothing to predict"),
    "nothing to predict": (Batch(TOKENS, -np.ones_like(TOKENS)), "nothing to predict"),
    "long sequences": (np.tile(TOKENS, 2), "context_length=7"),
    "large tokens": (TOKENS + 5, "vocabulary of 11"),
    "negative tokens": (TOKENS - 5, "vocabulary of 11"),
    "large targets": (Batch(TOKENS, TOKENS + 5), "vocabulary of 11"),
    "NaN": (np.where(TOKENS == 3, np.nan, TOKENS), "NaN"),
    "numbers": (TOKENS / 2, "float64 numbers"),
    "text": (np.full((40, 7), "a"), "expected whole numbers"),
    "two shapes": (Batch(TOKENS, TOKENS[:, 1:]), "one target for each token"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_calibration_data_are_an_error_and_nothing_is_done(name):
    data, told = BAD[name]
    before = [np.asarray(w).copy() for w in deep().weights]
    with pytest.raises(KitError, match=told):
        two_stage(deep(), data, 0.25)
    for old, weight in zip(before, deep().weights, strict=True):
        np.testing.assert_array_equal(old, np.asarray(weight))


@pytest.mark.slow
def test_other_bad_requests_are_errors():
    model, asked = deep(), calibration(deep_config())
    for sparsity, options, told in [
        (1.0, {}, "below 1"),
        (0.1, {"rule": 2}, "more than sparsity"),
        (0.25, {"score": "l3"}, "unknown score"),
        (0.25, {"rule": "2spp"}, "Did you mean"),
    ]:
        with pytest.raises(KitError, match=told):
            two_stage(model, asked, sparsity, **options)
    with pytest.raises(KitError, match="sees the next token"):
        two_stage(deep("encoder"), TOKENS, 0.25)
    with pytest.raises(KitError, match="unknown positions"):
        Calibration(TOKENS, positions="answers")


@pytest.mark.slow
def test_a_model_of_nan_is_an_error():
    broken = shake(build(deep_config()), size=np.nan)
    with pytest.raises(KitError, match="own loss"):
        two_stage(broken, calibration(deep_config()), 0.25)


def test_tokens_alone_predict_their_next_tokens():
    inputs, targets = Calibration(TOKENS).batch
    assert (targets[:, :-1] == inputs[:, 1:]).all() and (targets[:, -1] == -1).all()


PADDED = np.array([[1, 2, 3, 4, 10, 10, 10], [10, 10, 5, 6, 7, 8, 9]])


def test_padding_is_not_predicted_and_nothing_is_predicted_from_it():
    data = Calibration(PADDED, sequences=2, search_sequences=2)
    targets = data.without_padding(10).search_batch.targets
    expected = [[2, 3, 4, -1, -1, -1, -1], [-1, -1, 6, 7, 8, 9, -1]]
    np.testing.assert_array_equal(targets, expected)
    asked = Calibration(Batch(PADDED, PADDED), 2)  # what somebody asks for stays
    assert (asked.without_padding(10).batch.targets == PADDED).all()
    with pytest.raises(KitError, match="nothing to predict"):
        Calibration(np.full((2, 7), 10), 2).check(deep_config("padded"))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["2ssp", "evopress"])
def test_padding_changes_no_perplexity(method):
    """Sequences that end early are judged as the same sequences cut there."""
    tokens = np.random.default_rng(1).integers(10, size=(4, 7))
    padded, short = tokens.copy(), tokens[:, :5]
    padded[:, 5:] = 10
    settings = {"generations": 1, "offspring": 2, "initial": 2}
    if method == "2ssp":
        settings = {}
    found = [
        prune(deep("padded"), Calibration(data, 4, 4), 0.3, method, **settings).record
        for data in (padded, short)
    ]
    assert found[0].parts == found[1].parts
    assert_same(*([*record.perplexity.values()] for record in found), 1e-4)


@pytest.mark.slow
def test_progress_is_the_share_of_the_work_that_is_done():
    """What the second stage will cost is known before the first one begins."""
    config, seen = deep_config(blocks=8), []
    everywhere = calibration(config, search_sequences=6)  # so that calls cost the same
    two_stage(deep(blocks=8), everywhere, 0.5, progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1.0
    done = np.arange(1, len(seen) + 1) / len(seen)
    np.testing.assert_allclose(seen, done, atol=0.1)
