"""The text task: windows that follow the text, parts that never meet."""

import json
import math

import numpy as np
import pytest

from kit.data.batch import Scores
from kit.data.corpora import Corpus, load_corpus
from kit.data.text import TextTask
from kit.errors import KitError

# Every token is another character, so that a token tells where in the text it stood.
ROW = Corpus("row", ("".join(chr(0x4E00 + i) for i in range(1000)),))
PUBLISHED = Corpus("parts", ("aaaa" * 9, "abab" * 9, "bbbb" * 9), num_validation=1)


@pytest.fixture
def task():
    return TextTask(ROW, context_length=8)


def test_windows_are_stretches_of_the_text_shifted_by_one(task):
    inputs, targets = task.batch(step=3, batch_size=64, seed=0)
    assert inputs.shape == targets.shape == (64, 8)
    assert inputs.dtype == targets.dtype == np.int32
    np.testing.assert_array_equal(targets, inputs + 1)
    np.testing.assert_array_equal(inputs[:, 1:], inputs[:, :-1] + 1)


@pytest.mark.parametrize("sampling", ["random", "epoch"])
def test_batches_are_a_pure_function_of_step_and_seed(sampling):
    first = TextTask(ROW, context_length=8, sampling=sampling)
    second = TextTask(ROW, context_length=8, sampling=sampling)
    second.batch(0, 16, 1)
    expected = first.batch(5, 16, 1).inputs
    np.testing.assert_array_equal(second.batch(5, 16, 1).inputs, expected)
    assert (first.batch(6, 16, 1).inputs != expected).any()
    assert (first.batch(5, 16, 2).inputs != expected).any()


def test_random_windows_reach_every_token_of_the_training_part(task):
    inputs, targets = task.batch(0, 20_000, 0)
    assert set(inputs[:, 0]) == set(range(900 - 8))
    assert targets.max() == 899


@pytest.mark.parametrize("sampling", ["random", "epoch"])
@pytest.mark.parametrize(
    ("corpus", "split"),
    [
        (ROW, "position"),
        (
            Corpus("halves", (ROW.documents[0][:700], ROW.documents[0][700:])),
            "document",
        ),
        (
            Corpus("thirds", tuple(np.array_split(list(ROW.documents[0]), 3)), "", 1),
            "published",
        ),
    ],
)
def test_training_and_validation_never_meet(corpus, split, sampling):
    corpus = Corpus(
        corpus.name, tuple(map("".join, corpus.documents)), "", corpus.num_validation
    )
    task = TextTask(corpus, context_length=8, split=split, sampling=sampling)
    end = {task.tokenizer.end_id}
    batch, held_out = task.batch(0, 10_000, 0), task.validation()
    training = set(batch.inputs.flat) | set(batch.targets.flat)
    validation = set(held_out.inputs.flat) | set(held_out.targets.flat)
    assert training & validation <= end
    assert len(training | validation) > 0.95 * 1000


def test_validation_covers_the_held_out_part_once(task):
    inputs, targets = task.validation()
    np.testing.assert_array_equal(inputs.ravel(), np.arange(900, 900 + inputs.size))
    np.testing.assert_array_equal(targets, inputs + 1)
    assert 100 - inputs.size <= 8


def test_fewer_validation_tokens_are_spread_over_the_part():
    task = TextTask(
        ROW, context_length=8, validation_fraction=0.5, validation_tokens=80
    )
    inputs, _ = task.validation()
    assert inputs.shape == (10, 8)
    steps = np.diff(inputs[:, 0])
    assert steps.min() >= 8 and steps.max() - steps.min() <= 8
    assert inputs[-1, 0] > 900


def test_an_epoch_visits_each_window_once():
    task = TextTask(ROW, context_length=8, sampling="epoch")
    num_windows = (900 - 1) // 8
    batch_size = 16
    steps = task.steps_per_epoch(batch_size)
    assert steps == num_windows // batch_size
    starts = [task.batch(s, batch_size, 0).inputs[:, 0] for s in range(3 * steps)]
    visits = np.concatenate(starts) // 8
    first, second = visits[:num_windows], visits[num_windows : 2 * num_windows]
    assert sorted(first) == sorted(second) == list(range(num_windows))
    assert (first != second).any() and (np.diff(first) != 1).any()


def test_documents_are_split_whole(fables):
    task = TextTask(fables, context_length=8, split="document", validation_fraction=0.3)
    end = task.tokenizer.end_id
    decoded = [
        task.tokenizer.decode(part).split("<|endoftext|>")
        for part in (task._training, task._held_out)
    ]
    parts = [set(documents) - {""} for documents in decoded]
    assert parts[0] | parts[1] == set(fables.documents)
    assert not parts[0] & parts[1]
    assert (task._training == end).sum() + (task._held_out == end).sum() == 12
    share = len(task._held_out) / (len(task._held_out) + len(task._training))
    assert 0.3 <= share < 0.5


def test_a_published_part_is_the_default_and_can_be_overruled():
    assert TextTask(PUBLISHED, context_length=4).split == "published"
    held_out = TextTask(PUBLISHED, context_length=4).validation().inputs
    assert set(held_out.flat) == {1}  # the last document is all b
    overruled = TextTask(PUBLISHED, context_length=4, split="position")
    assert len(overruled._held_out) == 12  # 0.1 of 3 * 37 tokens, rounded up


@pytest.mark.parametrize("tokenizer", ["character", {"bpe": 280}])
def test_spec_and_fingerprint_survive_json(tokenizer, fables, tmp_path):
    file = tmp_path / "fables.txt"
    file.write_text("<|endoftext|>\n".join(fables.documents))
    task = TextTask(str(file), tokenizer, context_length=8, split="document")
    spec = json.loads(json.dumps(task.spec()))
    assert spec.pop("task") == "text"
    again = TextTask(**spec)
    assert again.fingerprint == task.fingerprint
    np.testing.assert_array_equal(again.batch(1, 4, 2)[0], task.batch(1, 4, 2)[0])


def test_the_fingerprint_knows_all_that_decides_the_data(fables):
    variants = [
        {},
        {"context_length": 9},
        {"split": "document"},
        {"validation_fraction": 0.2},
        {"validation_tokens": 16},
        {"sampling": "epoch"},
        {"tokenizer": {"bpe": 280}},
    ]
    base = {"context_length": 8}
    found = {TextTask(fables, **(base | change)).fingerprint for change in variants}
    longer = Corpus("fables", (*fables.documents, "one more tale\n"))
    found.add(TextTask(longer, **base).fingerprint)
    assert len(found) == len(variants) + 1
    renamed = Corpus("other name", fables.documents)
    assert TextTask(renamed, **base).fingerprint == TextTask(fables, **base).fingerprint


def test_bits_per_character_do_not_depend_on_the_tokenizer(fables):
    """A model that spreads equal loss per character scores alike with both."""
    found = []
    for tokenizer in ("character", {"bpe": 280}):
        task = TextTask(fables, tokenizer, context_length=4)
        text = task.tokenizer.decode(
            task._held_out[task._held_out != task.tokenizer.end_id]
        )
        nats_per_token = 2.0 * math.log(2) * len(text) / len(task._held_out)
        targets = task.validation().targets
        scores = Scores(np.full(targets.shape, nats_per_token), targets >= 0)
        metrics = task.metrics(scores, targets)
        assert metrics["loss"] == pytest.approx(nats_per_token)
        found.append(metrics["bits_per_character"])
    assert found == pytest.approx([2.0, 2.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"context_length": 100},
            "validation part of row has 100 tokens, and context_length=100 needs 101",
        ),
        ({"context_length": 2000}, "training part of row has 900 tokens.*needs 2001"),
        ({"context_length": 0}, "context_length=0 is not a positive whole"),
        ({"context_length": 8.0}, "context_length=8.0 is not a positive whole"),
        ({"validation_fraction": 1.0}, "validation_fraction=1.0"),
        ({"validation_fraction": "0.1"}, "validation_fraction='0.1'"),
        ({"validation_tokens": 2.5}, "validation_tokens=2.5"),
        ({"validation_tokens": 0}, "validation_tokens=0"),
        ({"split": "documents"}, "Did you mean 'document'"),
        ({"split": "document"}, "row is one document"),
        ({"split": "published"}, "without a validation part"),
        ({"sampling": "once"}, "unknown sampling 'once'"),
        ({"tokenizer": "word"}, "unknown tokenizer 'word'"),
        ({"corpus": "no such corpus"}, "no corpus and no file"),
    ],
)
def test_what_cannot_be_learnt_says_so(arguments, message):
    with pytest.raises(KitError, match=message):
        TextTask(**({"corpus": ROW} | arguments))


def test_shakespeare_is_cut_where_everyone_cuts_it(kit_data):
    """The first 90 % of the characters train, the last 10 % validate."""
    task = TextTask("tinyshakespeare")
    text = load_corpus("tinyshakespeare").documents[0]
    cut = int(0.9 * len(text))
    assert task.tokenizer.decode(task._training) == text[:cut]
    assert task.tokenizer.decode(task._held_out) == text[cut:]
    assert task.vocabulary_size == 65
