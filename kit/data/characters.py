"""Text to token ids and back, one token for each character."""

from functools import cached_property
from typing import Any

import numpy as np

from kit.data.corpora import END_OF_TEXT, Corpus
from kit.data.vocabulary import checked_ids, fingerprint_of
from kit.errors import KitError

MAX_NAMED = 10  # unknown characters that a message names


class CharacterTokenizer:
    """One token for each character; ids follow the order of the code points.

    Args:
        alphabet: The characters, in any order.
        end_of_text: Whether `<|endoftext|>` is one more token, the last.

    Raises:
        KitError: If the alphabet is empty.

    Example:
        >>> tokenizer = CharacterTokenizer("abc", end_of_text=True)
        >>> tokenizer.encode("cab<|endoftext|>")
        array([2, 0, 1, 3], dtype=int32)
        >>> tokenizer.decode([2, 0, 1, 3])
        'cab<|endoftext|>'
    """

    spec = "character"

    def __init__(self, alphabet: str, end_of_text: bool = False):
        if not alphabet:
            raise KitError("the alphabet is empty", "Pass at least one character")
        self.alphabet = "".join(sorted(set(alphabet)))
        self.end_id = len(self.alphabet) if end_of_text else None
        self._code_points = _code_points(self.alphabet)

    @classmethod
    def train(cls, corpus: Corpus) -> "CharacterTokenizer":
        """All characters of the corpus; an end token if it has several documents."""
        alphabet = set().union(*corpus.documents)
        return cls("".join(alphabet), end_of_text=len(corpus.documents) > 1)

    @property
    def vocabulary_size(self) -> int:
        """Number of token ids."""
        return len(self.alphabet) + (self.end_id is not None)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the alphabet."""
        return fingerprint_of(self.to_dict())

    def encode(self, text: str) -> np.ndarray:
        """Token ids of `text`, (length,) int32.

        Raises:
            KitError: If a character is not in the alphabet.
        """
        if self.end_id is None:
            return self._encode_characters(text)
        first, *others = map(self._encode_characters, text.split(END_OF_TEXT))
        end = np.array([self.end_id], "int32")
        return np.concatenate([first, *(x for part in others for x in (end, part))])

    def encode_corpus(self, corpus: Corpus) -> list[np.ndarray]:
        """Token ids of each document, without end tokens."""
        return [self.encode(document) for document in corpus.documents]

    def decode(self, ids: Any) -> str:
        """The text of token ids, any one-dimensional sequence of integers."""
        symbols = [*self.alphabet, END_OF_TEXT]
        return "".join(symbols[i] for i in checked_ids(ids, self.vocabulary_size))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `tokenizer_from_dict` is its inverse."""
        return {
            "kind": "character",
            "alphabet": self.alphabet,
            "end_of_text": self.end_id is not None,
        }

    def _encode_characters(self, text: str) -> np.ndarray:
        codes = _code_points(text)
        ids = np.searchsorted(self._code_points, codes)
        ids = np.minimum(ids, len(self._code_points) - 1)
        unknown = self._code_points[ids] != codes
        if unknown.any():
            characters = sorted(set(map(chr, codes[unknown])))
            named = " ".join(map(repr, characters[:MAX_NAMED]))
            more = len(characters) - MAX_NAMED
            raise KitError(
                f"the character vocabulary does not hold {named}"
                + (f" and {more} more" if more > 0 else ""),
                'Train it on text that has them, or use {"bpe": 512}, which takes any',
            )
        return ids.astype("int32")


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "uint32")
