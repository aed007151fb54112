"""Tokenizers: exact round trips, stable ids, messages for what cannot be encoded."""

import json

import numpy as np
import pytest

from kit.data import bpe
from kit.data.corpora import Corpus, load_corpus
from kit.data.tokenizers import (
    ByteLevelBPETokenizer,
    CharacterTokenizer,
    get_tokenizer,
    read_tokenizer,
    tokenizer_from_dict,
    write_tokenizer,
)
from kit.errors import KitError

SPECS = ["character", {"bpe": 300}]
ODD_TEXTS = [
    "",
    " ",
    "  two  spaces\n\n\ttabs \r\n",
    "na\u00efve caf\u00e9 \u65e5\u672c\u8a9e \U0001f600 \u0301",
    "123+456=0579 don't x_1 <|endo",
    "end<|endoftext|>and on<|endoftext|>",
    "\x00\x01\x7f",
]


@pytest.mark.parametrize("spec", SPECS)
def test_corpus_round_trip(spec, fables):
    tokenizer = get_tokenizer(spec, fables)
    for document, ids in zip(
        fables.documents, tokenizer.encode_corpus(fables), strict=True
    ):
        assert ids.dtype == np.int32
        assert tokenizer.decode(ids) == document
        np.testing.assert_array_equal(ids, tokenizer.encode(document))
        assert tokenizer.end_id not in ids


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_bytes_can_encode_any_text(text, fables):
    tokenizer = get_tokenizer({"bpe": 300}, fables)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_characters_can_encode_their_own_text(text):
    tokenizer = CharacterTokenizer(text + "x", end_of_text=True)
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("spec", SPECS)
def test_ids_fill_the_vocabulary(spec, fables):
    tokenizer = get_tokenizer(spec, fables)
    every = np.arange(tokenizer.vocabulary_size)
    pieces = [tokenizer.decode([i]) for i in every]
    assert len(pieces) == tokenizer.vocabulary_size
    assert pieces[tokenizer.end_id] == "<|endoftext|>"
    with pytest.raises(KitError, match="expected 0 to"):
        tokenizer.decode([tokenizer.vocabulary_size])
    with pytest.raises(KitError, match="from -1"):
        tokenizer.decode([-1])


@pytest.mark.parametrize("spec", SPECS)
def test_the_end_of_text_is_one_token(spec, fables):
    tokenizer = get_tokenizer(spec, fables)
    ids = tokenizer.encode("tale<|endoftext|>tale")
    assert (ids == tokenizer.end_id).sum() == 1


def test_one_document_needs_no_end_token():
    tokenizer = CharacterTokenizer.train(Corpus("one", ("abba",)))
    assert tokenizer.vocabulary_size == 2
    assert tokenizer.end_id is None


@pytest.mark.parametrize("spec", SPECS)
def test_dictionary_round_trip_through_json(spec, fables):
    tokenizer = get_tokenizer(spec, fables)
    again = tokenizer_from_dict(json.loads(json.dumps(tokenizer.to_dict())))
    assert again.fingerprint == tokenizer.fingerprint
    assert again.spec == tokenizer.spec
    text = fables.documents[3]
    np.testing.assert_array_equal(again.encode(text), tokenizer.encode(text))


@pytest.mark.parametrize("spec", SPECS)
def test_file_round_trip(spec, fables, tmp_path):
    tokenizer = get_tokenizer(spec, fables)
    write_tokenizer(tokenizer, tmp_path / "folder" / "tokenizer.json")
    again = read_tokenizer(tmp_path / "folder" / "tokenizer.json")
    assert again.fingerprint == tokenizer.fingerprint


def test_a_lone_surrogate_survives_a_file(tmp_path):
    write_tokenizer(CharacterTokenizer("a\ud800"), tmp_path / "odd.json")
    assert read_tokenizer(tmp_path / "odd.json").alphabet == "a\ud800"


@pytest.mark.parametrize(
    "content", ["{", "[]", "3", '{"kind": "bpe", "tokenizer": {}}', "null"]
)
def test_a_file_with_something_else_says_so(content, tmp_path):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(KitError, match="tokenizer.json holds no tokenizer"):
        read_tokenizer(tmp_path / "tokenizer.json")


def test_fingerprints_tell_vocabularies_apart(fables):
    one, same, end, other = (
        CharacterTokenizer("abc"),
        CharacterTokenizer("cba"),
        CharacterTokenizer("abc", end_of_text=True),
        CharacterTokenizer("abd"),
    )
    assert one.fingerprint == same.fingerprint
    sizes = [get_tokenizer({"bpe": size}, fables) for size in (260, 300)]
    found = {t.fingerprint for t in (one, end, other, *sizes)}
    assert len(found) == 5


def test_bpe_is_trained_and_run_over_the_corpus_once(fables, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_CACHE", str(tmp_path))
    first = ByteLevelBPETokenizer.train(fables, 300)
    ids = first.encode_corpus(fables)
    monkeypatch.setattr(bpe, "_train", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(bpe, "_pack_documents", lambda *_: pytest.fail("encoded again"))
    second = ByteLevelBPETokenizer.train(fables, 300)
    assert second.fingerprint == first.fingerprint
    for a, b in zip(ids, second.encode_corpus(fables), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("folder", ["tokenizers", "tokens"])
def test_a_broken_cache_is_made_again(folder, fables, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_CACHE", str(tmp_path))
    first = ByteLevelBPETokenizer.train(fables, 300)
    first.encode_corpus(fables)
    (file,) = (tmp_path / folder).iterdir()
    whole = file.read_bytes()
    for broken in (b"", whole[: len(whole) // 2]):
        file.write_bytes(broken)
        again = ByteLevelBPETokenizer.train(fables, 300)
        assert again.fingerprint == first.fingerprint
        assert again.decode(again.encode_corpus(fables)[5]) == fables.documents[5]
        assert file.read_bytes() == whole


def test_training_does_not_depend_on_luck(fables):
    first, second = (
        ByteLevelBPETokenizer(bpe._train(fables, 320), {"bpe": 320}) for _ in range(2)
    )
    assert first.fingerprint == second.fingerprint


def test_merges_shorten_the_text(fables):
    text = fables.documents[-1]
    sizes = [
        len(get_tokenizer({"bpe": n}, fables).encode(text)) for n in (257, 262, 300)
    ]
    assert sizes[0] == len(text.encode())
    assert sizes[0] > sizes[1] > sizes[2]


def test_unknown_characters_are_named():
    tokenizer = CharacterTokenizer("abc")
    with pytest.raises(KitError, match="does not hold 'd' '\u00e9'\\. "):
        tokenizer.encode("abc\u00e9d")
    with pytest.raises(KitError, match="and 15 more"):
        tokenizer.encode("defghijklmnopqrstuvwxyz<>")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("word", "unknown tokenizer 'word'"),
        ({"unigram": 300}, "unknown tokenizer"),
        ({"bpe": 256}, "vocabulary of 256 tokens"),
        ({"bpe": -1}, "vocabulary of -1 tokens"),
    ],
)
def test_unknown_tokenizers_say_so(spec, message, fables):
    with pytest.raises(KitError, match=message):
        get_tokenizer(spec, fables)


def test_other_dictionaries_say_so():
    with pytest.raises(KitError, match="kind None"):
        tokenizer_from_dict({})


def test_an_empty_alphabet_says_so():
    with pytest.raises(KitError, match="alphabet is empty"):
        CharacterTokenizer("")


def test_shakespeare_has_the_well_known_alphabet(kit_data):
    tokenizer = get_tokenizer("character", load_corpus("tinyshakespeare"))
    assert tokenizer.vocabulary_size == 65
    assert tokenizer.alphabet.startswith("\n !$&',-.3:;?ABC")
