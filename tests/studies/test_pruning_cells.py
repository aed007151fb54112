"""What a worker of the pruning study does, on tiny models."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from kit.config import BlockConfig, ModelConfig
from kit.data import Addition, Batch, Corpus, TextTask
from kit.data.tokenizers import CharacterTokenizer
from kit.errors import KitError
from kit.models import build, named_weights
from kit.pruning import (
    Calibration,
    NotReached,
    Pruned,
    block_parameters,
    keep_neurons,
    two_stage,
)
from kit.pruning.record import Record
from kit.studies import dense
from kit.studies.dense import Dense, Trained
from kit.studies.pruning import cells, checkpoint
from kit.studies.pruning.base import SCALES, subjects
from kit.studies.pruning.cells import prepare
from kit.studies.pruning.measures import calibration_of, largest_change, score
from kit.studies.pruning.variants import column_scores, pruned
from kit.training import Scorer

CONFIG = ModelConfig.uniform(
    3,
    BlockConfig(norm="rms", feed_forward="swiglu", feed_forward_dim=64),
    vocabulary_size=14,
    context_length=12,
    width=24,
    final_norm="rms",
    initializer_std=0.2,
)
TOKENS = np.random.default_rng(0).integers(14, size=(8, 12)).astype("int32")
DATA = Calibration(TOKENS, sequences=8, search_sequences=4)


@pytest.fixture(scope="module")
def model():
    return build(CONFIG)


def nothing(share):
    pass


@pytest.fixture
def spec():
    """An arm whose model is trained for ten steps."""
    return {"kind": "dense", **subjects(SCALES["smoke"])["addition"].spec}


def _dense(spec):
    return Dense("pruning", spec)


@pytest.mark.slow
def test_a_model_is_trained_once_and_then_found(spec, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_RUNS", str(tmp_path))
    first = prepare(spec)(0, nothing)
    trained = []
    monkeypatch.setattr(dense, "Trainer", lambda *args: trained.append(args))
    plan = {"method": "2ssp", "settings": {}, "sparsities": [0.5]}
    curve = {**spec, "kind": "curve", "plan": plan | {"sequences": 4, "search": 4}}
    found = prepare(curve)(0, nothing)
    assert not trained
    before = found["probes"]["dense"]
    assert before["loss"] == pytest.approx(first["metrics"]["loss"], rel=1e-4)
    assert found["metrics"]["loss_at_50%"] > 0 == found["metrics"]["weight_change"]
    assert not list(tmp_path.rglob("state.npz"))
    other = {**spec, "train": {**spec["train"], "learning_rate": 1e-4}}
    assert _dense(other).folder(0) != _dense(spec).folder(0) != _dense(spec).folder(1)


@pytest.mark.parametrize("error, ends", [(NotReached, True), (KitError, False)])
def test_a_curve_ends_where_a_method_does_not_reach_and_nowhere_else(
    error, ends, model, monkeypatch
):
    """Or a mistake would make it shorter, and nobody would see."""

    def no_further(method, model, data, sparsity, seed, settings):
        if sparsity > 0.25:
            raise error("no", "Try less")
        return Pruned(model, Record("2ssp", 0.25, reached=0.25, seconds={"all": 1.0}))

    monkeypatch.setattr(cells, "pruned", no_further)
    monkeypatch.setattr(cells, "metrics_of", lambda *_: {"loss": 2.0})
    monkeypatch.setattr(cells, "calibration_of", lambda *_: DATA)
    plan = {"method": "2ssp", "settings": {}, "sparsities": [0.25, 0.5]}
    note = {"metrics": {"loss": 1.0}}
    given = Trained(model, SimpleNamespace(task=None), note, seed=0)
    if ends:
        metrics = cells.curve(given, plan, nothing)["metrics"]
        assert "loss_at_25%" in metrics and "loss_at_50%" not in metrics
    else:
        with pytest.raises(KitError, match="no"):
            cells.curve(given, plan, nothing)


@pytest.mark.slow
def test_recovery_is_told_apart_from_pruning(spec, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_RUNS", str(tmp_path))
    plan = {"method": "2ssp", "sparsity": 0.5, "sequences": 4, "search": 4}
    short = {**spec["train"], "steps": 40, "evaluate_every": 40, "target_metric": None}
    plan["train"] = {**short, "target_value": None}
    found = prepare({**spec, "kind": "recovered", "plan": plan})(0, nothing)
    metrics = found["metrics"]
    assert metrics["recovered_loss"] < metrics["loss_before"]
    curve = {**plan, "settings": {}, "sparsities": [0.5]}
    pruned_only = prepare({**spec, "kind": "curve", "plan": curve})(0, nothing)
    assert metrics["loss_before"] == pytest.approx(
        pruned_only["metrics"]["loss_at_50%"], rel=1e-3
    )


@pytest.mark.slow
def test_a_file_that_is_not_whole_is_no_model(spec, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_RUNS", str(tmp_path))
    here = _dense(spec)
    here.model(0, nothing)
    file = here.folder(0) / "model.npz"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    here.model(0, nothing)
    again, note = _dense(spec)._read(file)
    assert note["status"] == "finished" and note["steps"] == 10


@pytest.mark.slow
def test_a_score_is_that_of_the_trainer(model):
    batch = Batch(TOKENS[:, :-1], TOKENS[:, 1:])
    ours, theirs = score(model, batch), Scorer(model).score(batch)
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=1e-5, atol=1e-5)
    assert (ours.correct == theirs.correct).all()


def test_a_changed_weight_is_seen_and_a_removed_one_is_not(model):
    kept = {block: list(range(5, 50)) for block in range(3)}
    smaller = keep_neurons(model, kept)
    record = Record("by hand", 0.2, neurons=kept)
    assert largest_change(model, smaller, record) == 0
    weight = named_weights(smaller)["block_1/feed_forward/down"]
    changed = np.array(weight)
    changed[3, 7] += 0.5
    weight.assign(changed)
    assert largest_change(model, smaller, record) == pytest.approx(0.5, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["depth-first", "inverted"])
def test_a_variant_removes_as_much_as_2ssp(model, method):
    ours = two_stage(model, DATA, 0.4).record
    found = pruned(method, model, DATA, 0.4, seed=0, settings={})
    assert len(found.record.parts) == len(ours.parts) == 1
    # A column of the stream is more than a neuron, and only whole ones go.
    column = 3 * 64 * 3 / block_parameters(CONFIG)
    assert abs(found.record.reached - 0.4) <= (column if method == "inverted" else 0.01)


@pytest.mark.slow
def test_inverted_keeps_the_columns_that_are_most_read_and_written(model):
    found = pruned("inverted", model, DATA, 0.4, seed=0, settings={})
    gone = found.record.parts[0].block
    for name, side in (("up", "input"), ("gate", "input"), ("down", "output")):
        for block in {0, 1, 2} - {gone}:
            weight = named_weights(found.model)[f"block_{block}/feed_forward/{name}"]
            kept = np.flatnonzero(np.abs(np.asarray(weight)).sum(axis=1))
            scores = column_scores(model, DATA)[f"block_{block}", side]
            assert set(kept) == set(np.argsort(-scores)[: len(kept)])
            assert 0 < len(kept) < CONFIG.width


def test_the_columns_that_are_read_are_those_of_the_normed_stream(model):
    """Its first norm has weights of one, so all tokens have the same length there."""
    found = column_scores(model, Calibration(TOKENS[:1], sequences=1))
    total = sum(found["block_0", "input"] ** 2)
    assert total == pytest.approx(TOKENS.shape[1] * CONFIG.width, rel=1e-3)


def test_calibration_data_of_each_source():
    text = Corpus("rhyme", ("one two buckle my shoe three four shut the door\n" * 20,))
    task = TextTask(text, context_length=8, sampling="epoch")
    plan = {"sequences": 6, "search": 4}
    own = calibration_of(task, plan, seed=1)
    assert own.search_batch.inputs.shape == (4, 8)
    assert not np.array_equal(
        own.data.inputs, calibration_of(task, plan, 2).data.inputs
    )
    mixed = calibration_of(task, {**plan, "source": "shuffled"}, seed=1).data
    tokens = [np.append(b.inputs, b.targets[:, -1]) for b in (own.data, mixed)]
    assert sorted(tokens[0]) == sorted(tokens[1])
    assert not np.array_equal(tokens[0], tokens[1])
    for source in ("shuffled", "random"):
        found = calibration_of(task, {**plan, "source": source}, seed=1).data
        assert np.array_equal(found.inputs[:, 1:], found.targets[:, :-1])
        assert found.inputs.max() < task.vocabulary_size


def test_on_addition_the_search_sees_answers_only_or_everything():
    task = Addition(digits=2, validation_pairs=10)
    plan = {"sequences": 5, "search": 5}
    answers = calibration_of(task, plan, seed=0).data.targets
    everything = calibration_of(task, {**plan, "source": "all"}, seed=0).data.targets
    assert (answers >= 0).sum() == 5 * task.answer_length
    assert (everything >= 0).all()
    np.testing.assert_array_equal(everything[answers >= 0], answers[answers >= 0])


def test_the_last_words_are_those_of_sentences():
    letters = CharacterTokenizer("acdeghmnost .")
    text = "the cat sat on the mat. a dog met the cat. " * 9
    rng = np.random.default_rng(0)
    batch = checkpoint.last_words(text, letters, 12, 16, rng)
    for inputs, targets in zip(*batch, strict=True):
        asked = letters.decode(targets[targets >= 0])
        assert asked in (" mat", " cat")
        whole = letters.decode(np.append(inputs, targets[-1]))
        assert whole.endswith(asked) and len(whole) == 16


def test_a_checkpoint_is_judged_on_what_was_published_for_validation():
    corpus = Corpus("two", ("first", "last"), num_validation=1)
    assert checkpoint.held_out(corpus).documents == ("last",)
    assert checkpoint.held_out(replace(corpus, num_validation=None)).documents == (
        "first",
        "last",
    )
