"""What a model reads while it is made smaller, and what judges it: never the same."""

import os
from pathlib import Path

import numpy as np
import pytest

from kit.compression import costs, texts
from kit.compression.models import Trained, open_model
from kit.compression.tasks import read_task
from kit.compression.texts import read_texts
from kit.config import ModelConfig
from kit.data import Batch
from kit.data.corpora import load_corpus
from kit.data.tokenizers import ByteLevelBPETokenizer, CharacterTokenizer
from kit.errors import KitError
from kit.models import build, transplant
from kit.pretrained import held_out
from kit.training.scoring import token_cross_entropy
from tests.cases import shake

SIZES = {"width": 16, "context_length": 12}


def trained(vocabulary=400, tokenizer=None, **shared):
    config = ModelConfig.uniform(
        1, **{**SIZES, "vocabulary_size": vocabulary, **shared}
    )
    return Trained("gpt", shake(build(config), seed=2), tokenizer)


@pytest.fixture(scope="module")
def model():
    return trained()


@pytest.mark.parametrize("length", [None, 5])
def test_no_token_is_read_and_judged(length, tmp_path, monkeypatch):
    np.save(tmp_path / "ids.npy", np.arange(400))  # each token once
    monkeypatch.setattr(texts, "SEARCH_TOKENS", 1)
    path = str(tmp_path / "ids.npy")
    data, held_out, about = read_texts(trained(), path, sequences=16, length=length)
    time = length or 12
    assert held_out.inputs.shape[1] == time
    assert set(data.batch.inputs.ravel()).isdisjoint(held_out.inputs.ravel())
    assert held_out.inputs.min() == 320  # the last fifth
    # Sequences are whole pieces of the stream, from its beginning to its end.
    inputs = data.batch.inputs
    assert (np.diff(inputs, axis=1) == 1).all()
    assert inputs[0, 0] == 0 and inputs[-1, -1] > 320 - 320 // 16 - time
    assert len(inputs) == 16
    assert f"16 sequences of {time} tokens" in about["calibration"]


def test_padded_rows_are_judged_by_their_tokens_alone(tmp_path):
    rows = np.tile([1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0], (10, 1))
    np.save(tmp_path / "rows.npy", rows)
    data, held_out, _ = read_texts(trained(padding_id=0), str(tmp_path / "rows.npy"))
    for batch in (data.batch, held_out):
        assert (batch.targets == [2, 3, 4, 5, 6, 7, 8, -1, -1, -1, -1, -1]).all()


def test_another_text_leaves_the_whole_of_the_first(tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(240))
    np.save(tmp_path / "others.npy", np.arange(200, 300))
    paths = str(tmp_path / "ids.npy"), str(tmp_path / "others.npy")
    data, held_out, about = read_texts(trained(), *paths)
    assert data.batch.inputs.max() == 239 and held_out.inputs.min() == 200
    assert "others.npy" in about["held_out"] and "ids" not in about["held_out"]


def test_questions_with_answers_go_as_they_are(tmp_path):
    rng = np.random.default_rng(0)
    inputs, targets = rng.integers(300, size=(2, 10, 7))
    targets[:, :3] = -1
    np.savez(tmp_path / "sums.npz", inputs=inputs, targets=targets)
    data, held_out, _ = read_texts(trained(mask="full"), str(tmp_path / "sums.npz"))
    np.testing.assert_array_equal(data.batch.targets, targets[:8])
    np.testing.assert_array_equal(held_out.targets, targets[8:])


@pytest.mark.parametrize("length, time", [(None, 128), (50, 50), (200, 128)])
def test_a_checkpoint_is_not_judged_by_what_it_was_trained_on(length, time, tmp_path):
    """Of the corpus on its card it has not seen only what ships with it."""
    np.save(tmp_path / "ids.npy", np.arange(1000))
    small = trained(1024, context_length=128).model
    given = str(tmp_path / "ids.npy"), "docs"
    _, judged, about = read_texts(Trained("text-8", small, None), *given, length=length)
    assert about["held_out"].endswith("of docs that text-8 was not trained on")
    np.testing.assert_array_equal(judged.inputs[:, 1:], judged.targets[:, :-1])
    assert judged.inputs.shape[1] == time
    unseen = held_out("text-8").inputs
    starts = {tuple(row[at : at + 4]) for row in unseen for at in range(0, 125)}
    assert {tuple(row[:4]) for row in judged.inputs} <= starts
    with pytest.raises(KitError, match="nothing says"):  # a model of another name
        read_texts(Trained("text-9", small, None), *given, length=length)


ROWS, WIDER = np.arange(70).reshape(10, 7), np.arange(80).reshape(10, 8)


@pytest.mark.parametrize(
    "judged, length, told",
    [
        (ROWS, 5, "sequences of 5 and 7 tokens cannot go together"),
        (WIDER, None, "sequences of 7 and 8 tokens cannot"),
        (np.arange(100), 6, "sequences of 6 and 7 tokens cannot"),
        (ROWS, 7, None),
        (np.arange(100), None, None),
    ],
)
def test_rows_keep_their_length(judged, length, told, model, tmp_path):
    """They are not cut, nor called shorter than they are."""
    np.save(tmp_path / "rows.npy", ROWS)
    np.save(tmp_path / "judged.npy", judged)
    given = model, str(tmp_path / "rows.npy"), str(tmp_path / "judged.npy")
    if told:
        for read in (read_texts, read_task):
            with pytest.raises(KitError, match=told):
                read(*given, length=length)
        return
    data, held_out, about = read_texts(*given, length=length)
    np.testing.assert_array_equal(data.batch.inputs, ROWS)
    assert held_out.inputs.shape[1] == 7
    assert "10 sequences of 7 tokens" in about["calibration"]
    assert read_task(*given, length=length).task.context_length == 7


def test_a_stream_says_nothing_to_a_model_that_sees_it_all(tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(400))
    with pytest.raises(KitError, match="sees the next token.*npz"):
        read_texts(trained(mask="full"), str(tmp_path / "ids.npy"))


def test_documents_are_parted_by_the_end_token(tmp_path):
    text = "one two three\n<|endoftext|>\n" * 30
    (tmp_path / "many.txt").write_text(text)
    tokenizer = CharacterTokenizer(text, end_of_text=True)
    model = trained(tokenizer.vocabulary_size, tokenizer)
    data, _, _ = read_texts(model, str(tmp_path / "many.txt"))
    assert (data.batch.inputs == tokenizer.end_id).sum() > 10


@pytest.mark.slow
def test_held_out_loss_is_that_of_the_model(monkeypatch):
    monkeypatch.setattr(costs, "TOKENS_AT_ONCE", 24)  # two sequences
    batch = Batch(*np.random.default_rng(0).integers(300, size=(2, 5, 12)))
    batch.targets[:, ::3] = -1
    model, seen = trained().model, []
    found = costs.costs_of(model, batch, seen.append)
    expected = float(token_cross_entropy(batch.targets, model(batch.inputs)))
    assert found.loss == pytest.approx(expected, rel=1e-5)
    assert seen == sorted(seen) and seen[-1] == 1.0 and len(seen) > 2
    assert found.parameters == model.count_params()
    # A smaller model is judged by what is compiled already.
    smaller = transplant(model, model.config.with_every_block(feed_forward=None))
    found = costs.costs_of(smaller, batch, dense=model)
    expected = float(token_cross_entropy(batch.targets, smaller(batch.inputs)))
    assert found.loss == pytest.approx(expected, rel=1e-5)
    assert "_pieces" in vars(model) and "_pieces" not in vars(smaller)


def save_model(path, vocabulary):
    trained(vocabulary).model.save(path)
    return str(path)


@pytest.mark.slow
def test_the_training_text_says_what_tokens_mean(tmp_path):
    text = tmp_path / "rhyme.txt"
    text.write_text("one, two, buckle my shoe, three, four, open the door.\n" * 9)
    corpus = load_corpus(text)
    characters = CharacterTokenizer.train(corpus)
    path = save_model(tmp_path / "a.keras", characters.vocabulary_size)
    found = open_model(path, str(text)).tokenizer
    assert found.fingerprint == characters.fingerprint
    merged = ByteLevelBPETokenizer.train(corpus, 270)
    path = save_model(tmp_path / "b.keras", 270)
    found = open_model(path, str(text)).tokenizer
    assert found.fingerprint == merged.fingerprint


@pytest.mark.slow
@pytest.mark.skipif("KIT_DATA" not in os.environ, reason="KIT_DATA is not set")
def test_a_checkpoint_brings_its_tokenizer():
    model = open_model("stories260k")
    assert model.tokenizer.vocabulary_size == model.model.config.vocabulary_size
    stories = str(Path(os.environ["KIT_DATA"], "tinystories_sample", "valid.txt"))
    data, held_out, _ = read_texts(model, stories, sequences=2, length=64)
    assert data.batch.inputs.shape == (32, 64)
