"""Tokenizers of checkpoints: their own rules, and the kit's interface."""

import numpy as np
import pytest

from kit.data.corpora import Corpus
from kit.data.pieces import PieceTokenizer
from kit.data.text import TextTask
from kit.data.tokenizers import get_tokenizer, tokenizer_from_dict
from kit.errors import KitError
from kit.pretrained import CHECKPOINTS, gguf_llama, llama2c
from kit.pretrained.gguf import read_gguf
from tests.data.test_tokenizers import ODD_TEXTS
from tests.pretrained import files

WORDS = [
    " ",
    *"abcdehlnorst",
    "th",
    "he",
    "the",
    " the",
    "on",
    "ll",
    "llo",
    "aa",
    "aaa",
]
PIECES = [*files.PIECES, *WORDS]
rng = np.random.default_rng(5)
SCORES = [0.0] * len(files.PIECES) + rng.permutation(-np.arange(len(WORDS))).tolist()


def byte_level():
    """GPT-2's printable stand-ins for the 256 bytes."""
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


def gguf_tokenizer(folder, **changes):
    joined = ["\u0120 t", "t h", "\u0120t h", "\u0120th e", "1 2", "1 \u0120"]
    tokens = ["<|endoftext|>", "<|im_start|>", *byte_level()]
    tokens += [pair.replace(" ", "") for pair in joined]
    about = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3, 3] + [1] * (len(tokens) - 2),
        "tokenizer.ggml.merges": joined,
    }
    path = files.write_gguf(folder / "words.gguf", about | changes, {})
    return gguf_llama.read_tokenizer(read_gguf(path), "smollm2")


@pytest.fixture(params=["pieces", "gguf"])
def tokenizer(request, tmp_path):
    if request.param == "gguf":
        return gguf_tokenizer(tmp_path)
    path = files.write_pieces(tmp_path / "words.bin", PIECES, SCORES)
    return llama2c.read_pieces(path, len(PIECES), "stories260k")


@pytest.mark.parametrize("text", [*ODD_TEXTS, " the other\n the", "<0x41><s></s>"])
def test_any_text_comes_back(text, tokenizer):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_end_of_text_is_one_token(tokenizer):
    ids = tokenizer.encode("the<|endoftext|>other<|endoftext|>")
    assert (ids == tokenizer.end_id).sum() == 2
    assert tokenizer.decode([tokenizer.end_id]) == "<|endoftext|>"


def test_tokens_of_no_vocabulary_are_refused(tokenizer):
    for wrong in (-1, tokenizer.vocabulary_size):
        with pytest.raises(KitError, match="Decode with the tokenizer"):
            tokenizer.decode([wrong])


def test_plain_data_is_the_tokenizer_again(tokenizer):
    again = tokenizer_from_dict(tokenizer.to_dict())
    assert again.spec == tokenizer.spec and again.end_id == tokenizer.end_id
    assert again.fingerprint == tokenizer.fingerprint
    text = "the other 123 hello"
    np.testing.assert_array_equal(again.encode(text), tokenizer.encode(text))


def test_a_text_task_takes_it(tokenizer):
    corpus = Corpus("two", ("the hello " * 9, "other " * 9))
    task = TextTask(corpus, tokenizer, context_length=8, validation_fraction=0.3)
    assert task.spec()["tokenizer"] in CHECKPOINTS
    inputs = task.batch(step=0, batch_size=3, seed=0).inputs
    assert inputs.shape == (3, 8) and inputs.max() < task.vocabulary_size


def merged_plainly(text):
    """The rule as llama2.c has it: the best pair first, the leftmost of equals."""
    parts = list(f" {text}")
    best = {piece: score for piece, score in zip(PIECES, SCORES, strict=True)}
    while True:
        pairs = [
            (best[a + b], -i)
            for i, (a, b) in enumerate(zip(parts, parts[1:], strict=False))
            if a + b in best
        ]
        if not pairs:
            return parts
        at = -max(pairs)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def test_merges_follow_the_scores():
    tokenizer = PieceTokenizer(PIECES, SCORES, "test")
    rng = np.random.default_rng(0)
    for _ in range(200):
        text = "".join(rng.choice([*"aathelon "], size=12))
        ids = tokenizer.encode(text)
        assert [PIECES[i] for i in ids] == merged_plainly(text)


def test_characters_without_a_piece_become_bytes():
    tokenizer = PieceTokenizer(PIECES, SCORES, "test")
    ids = tokenizer.encode("\u00e9")
    assert [PIECES[i] for i in ids] == [" ", "<0xC3>", "<0xA9>"]
    assert tokenizer.decode(ids[:-1]) == "\ufffd"


def test_digits_stand_alone_in_smollm(tmp_path):
    """Although "12" is a token, and "1" could merge with the space after it."""
    tokenizer = gguf_tokenizer(tmp_path)
    digits = [tokenizer.decode([i]) for i in tokenizer.encode("12 1 the")]
    assert digits == ["1", "2", " ", "1", " the"]


def test_control_tokens_are_single(tmp_path):
    assert gguf_tokenizer(tmp_path).encode("<|im_start|>the")[0] == 1


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"tokenizer.ggml.model": "llama"}, "model is 'llama', and only 'gpt2'"),
        ({"tokenizer.ggml.pre": "qwen2"}, "pre is 'qwen2', and only 'smollm'"),
    ],
)
def test_other_tokenizers_are_refused(changes, told, tmp_path):
    with pytest.raises(KitError, match=told):
        gguf_tokenizer(tmp_path, **changes)


def test_a_broken_vocabulary_is_refused(tmp_path):
    path = files.write_pieces(tmp_path / "words.bin", PIECES, SCORES)
    whole = path.read_bytes()
    for content in (b"", whole[:-1], whole[:1000], whole + b"\0"):
        path.write_bytes(content)
        with pytest.raises(KitError, match=f"does not hold {len(PIECES)} pieces"):
            llama2c.read_pieces(path, len(PIECES), "test")


OTHERS = [name for name, checkpoint in CHECKPOINTS.items() if not checkpoint.ships]


@pytest.mark.parametrize("name", OTHERS)
def test_a_name_that_is_not_here_says_how_to_get_it(name):
    with pytest.raises(KitError, match=f"{name} is not on this machine.*KIT_DATA"):
        get_tokenizer(name, Corpus("any", ("text",)))
