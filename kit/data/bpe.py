"""Text to token ids and back by byte-level byte-pair encoding, as in GPT-2."""

import contextlib
import io
import json
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kit.data.corpora import END_OF_TEXT, Corpus
from kit.data.files import write_atomically
from kit.data.vocabulary import checked_ids, fingerprint_of
from kit.errors import KitError
from kit.paths import cache_dir

NUM_BYTES = 256
BROKEN = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)


class ByteLevelBPETokenizer:
    """Byte-pair encoding over bytes, as in GPT-2: it can encode any text.

    Args:
        tokenizer: A byte-level tokenizer of the `tokenizers` library.
        spec: What `get_tokenizer` makes it from: `{"bpe": size}`, with the size that
            was asked for, or the name of a checkpoint.
    """

    def __init__(self, tokenizer: Any, spec: str | dict[str, int]):
        self._tokenizer = tokenizer
        self.spec = spec
        self.end_id = tokenizer.token_to_id(END_OF_TEXT)

    @classmethod
    def train(cls, corpus: Corpus, size: int) -> "ByteLevelBPETokenizer":
        """Merge the most frequent pairs of the corpus until `size` tokens are there.

        Trained once for a corpus and size, and then read from the cache.

        Raises:
            KitError: If `size` is below 257 (all bytes and the end token), or the
                cache cannot be written.
        """
        if size <= NUM_BYTES:
            raise KitError(
                f"a byte-level vocabulary of {size!r} tokens cannot hold the "
                f"{NUM_BYTES} bytes and {END_OF_TEXT}",
                "Ask for 257 or more, for example 512",
            )
        name = f"bpe-{corpus.fingerprint[:16]}-{size}.json"
        file = cache_dir() / "tokenizers" / name
        if file.exists():
            with contextlib.suppress(Exception):  # a broken file: train again
                return cls(load_tokenizer(file.read_text("utf-8")), {"bpe": size})
        tokenizer = _train(corpus, size)
        write_atomically(file, tokenizer.to_str().encode())
        return cls(tokenizer, {"bpe": size})

    @property
    def vocabulary_size(self) -> int:
        """Number of token ids."""
        return self._tokenizer.get_vocab_size()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the vocabulary and the merges, and of how words are cut."""
        content = self.to_dict()["tokenizer"]
        decides = {name: content["model"][name] for name in ("vocab", "merges")}
        if isinstance(self.spec, str):  # the trained ones all cut alike
            decides["pre_tokenizer"] = content["pre_tokenizer"]
        return fingerprint_of(decides)

    def encode(self, text: str) -> np.ndarray:
        """Token ids of `text`, (length,) int32."""
        return np.array(self._tokenizer.encode(text).ids, "int32")

    def encode_corpus(self, corpus: Corpus) -> list[np.ndarray]:
        """Token ids of each document, without end tokens; cached, for it takes seconds.

        Raises:
            KitError: If the cache cannot be written.
        """
        name = f"{corpus.fingerprint[:16]}-{self.fingerprint[:16]}.npz"
        file = cache_dir() / "tokens" / name
        with contextlib.suppress(*BROKEN):
            return _read_documents(file)
        encodings = self._tokenizer.encode_batch_fast(list(corpus.documents))
        documents = [np.array(encoding.ids, "int32") for encoding in encodings]
        write_atomically(file, _pack_documents(documents))
        return documents

    def decode(self, ids: Any) -> str:
        """The text of token ids; pieces of a character become U+FFFD."""
        ids = checked_ids(ids, self.vocabulary_size)
        return self._tokenizer.decode(ids, skip_special_tokens=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `tokenizer_from_dict` is its inverse."""
        content = json.loads(self._tokenizer.to_str())
        return {"kind": "bpe", "spec": self.spec, "tokenizer": content}


def _train(corpus: Corpus, size: int) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus.documents, trainer)
    return tokenizer


def load_tokenizer(content: str) -> Any:
    """A tokenizer of the `tokenizers` library from its own JSON."""
    from tokenizers import Tokenizer

    return Tokenizer.from_str(content)


def _pack_documents(documents: list[np.ndarray]) -> bytes:
    packed = io.BytesIO()
    lengths = [len(document) for document in documents]
    np.savez(packed, ids=np.concatenate(documents), lengths=np.array(lengths))
    return packed.getvalue()


def _read_documents(file: Path) -> list[np.ndarray]:
    with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as packed:
        return np.split(packed["ids"], np.cumsum(packed["lengths"])[:-1])
