"""Tokenizers by name: characters, byte-pair encoding, or that of a checkpoint."""

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kit.data.bpe import ByteLevelBPETokenizer, load_tokenizer
from kit.data.characters import CharacterTokenizer
from kit.data.corpora import Corpus
from kit.data.files import read_text
from kit.data.pieces import PieceTokenizer
from kit.errors import KitError

__all__ = [
    "ByteLevelBPETokenizer",
    "CharacterTokenizer",
    "PieceTokenizer",
    "Tokenizer",
    "get_tokenizer",
    "read_tokenizer",
    "tokenizer_from_dict",
    "write_tokenizer",
]


class Tokenizer(Protocol):
    """All tokenizers: `decode(encode(text)) == text` for all text they can encode."""

    @property
    def spec(self) -> str | dict[str, int]:
        """What `get_tokenizer` makes it from."""
        ...

    @property
    def vocabulary_size(self) -> int:
        """Number of token ids."""
        ...

    @property
    def end_id(self) -> int | None:
        """Id of `<|endoftext|>`; None if the vocabulary has no such token."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what decides the ids."""
        ...

    def encode(self, text: str) -> np.ndarray:
        """Token ids of `text`, (length,) int32."""
        ...

    def encode_corpus(self, corpus: Corpus) -> list[np.ndarray]:
        """Token ids of each document, without end tokens."""
        ...

    def decode(self, ids: Any) -> str:
        """The text of token ids."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        ...


def get_tokenizer(spec: str | dict[str, int], corpus: Corpus) -> Tokenizer:
    """A tokenizer for a corpus: `"character"`, or `{"bpe": 2048}` for a size of 2048.

    The name of a checkpoint, such as `"smollm2"`, is its own tokenizer, whatever the
    corpus; see `kit.pretrained`.

    Raises:
        KitError: If `spec` is none of these, or the checkpoint is not on this machine.

    Example:
        >>> corpus = Corpus("a line", ("to be or not to be",))
        >>> get_tokenizer("character", corpus).vocabulary_size
        7
    """
    if spec == "character":
        return CharacterTokenizer.train(corpus)
    if isinstance(spec, dict) and spec.keys() == {"bpe"}:
        return ByteLevelBPETokenizer.train(corpus, spec["bpe"])
    if isinstance(spec, str):
        from kit.pretrained import CHECKPOINTS, load_tokenizer  # they build on this

        if spec in CHECKPOINTS:
            return load_tokenizer(spec)
    raise KitError(
        f"unknown tokenizer {spec!r}",
        'Use "character", {"bpe": 2048} for 2048 tokens, or a checkpoint\'s name',
    )


def tokenizer_from_dict(content: dict[str, Any]) -> Tokenizer:
    """The inverse of a tokenizer's `to_dict`.

    Raises:
        KitError: If `content` is not of one of the three kinds.

    Example:
        >>> content = CharacterTokenizer("abc").to_dict()
        >>> tokenizer_from_dict(content).encode("cab").tolist()
        [2, 0, 1]
    """
    if content.get("kind") == "character":
        return CharacterTokenizer(content["alphabet"], content["end_of_text"])
    if content.get("kind") == "bpe":
        tokenizer = load_tokenizer(json.dumps(content["tokenizer"]))
        return ByteLevelBPETokenizer(tokenizer, content["spec"])
    if content.get("kind") == "pieces":
        return PieceTokenizer(content["pieces"], content["scores"], content["spec"])
    raise KitError(
        f"a tokenizer of kind {content.get('kind')!r}, expected character, bpe or "
        "pieces",
        "Pass what a tokenizer's to_dict returned",
    )


def write_tokenizer(tokenizer: Tokenizer, path: str | Path) -> None:
    """Write a tokenizer to a JSON file.

    As `tokenizer.json` beside a model's `.keras` file it is found by the commands that
    read the model.

    Args:
        tokenizer: Of any kind.
        path: Of the file; its folder is made if it is missing.

    Raises:
        KitError: The file cannot be written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "tokenizer.json")
        ...     write_tokenizer(CharacterTokenizer("abc"), file)
        ...     read_tokenizer(file).decode([2, 0, 1])
        'cab'
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(tokenizer.to_dict()) + "\n", encoding="utf-8")
    except OSError as error:
        raise KitError(
            f"{path} cannot be written: {error.strerror}", "Choose another place"
        ) from None


def read_tokenizer(path: str | Path) -> Tokenizer:
    """The tokenizer that `write_tokenizer` wrote to a file.

    Args:
        path: Of the file.

    Raises:
        KitError: The file is missing or holds something else.

    Example:
        >>> read_tokenizer("no such file.json")
        Traceback (most recent call last):
        ...
        kit.errors.KitError: no such file.json does not exist. Check the path.
    """
    text = read_text(Path(path))
    try:
        return tokenizer_from_dict(json.loads(text))
    # The library behind byte-pair encoding raises nothing more precise.
    except Exception as error:
        raise KitError(
            f"{path} holds no tokenizer of the kit",
            "Write one with kit.data.tokenizers.write_tokenizer",
        ) from error
