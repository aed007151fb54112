"""Text to token ids and back by pieces with scores, as in SentencePiece."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from kit.data.corpora import END_OF_TEXT, Corpus
from kit.data.vocabulary import checked_ids, fingerprint_of

BYTE = re.compile(r"<0x([0-9A-F]{2})>")
SPECIAL = 3  # <unk>, <s>, </s>
BEGIN = 1  # <s>


class PieceTokenizer:
    """Byte-pair encoding of characters, in the order of scores (Llama, llama2.c).

    A space is put in front of the text. Then the two neighbours that make the piece
    with the highest score become one, until there are none. A character that is no
    piece becomes its UTF-8 bytes.

    The vocabulary has no `<|endoftext|>`. Its models saw `<s>` in front of each text,
    which in a stream of texts is the token between two of them, so that token is meant
    by it, and a text is generated from `end_id`.

    Args:
        pieces: `<unk>`, `<s>`, `</s>`, then the bytes `<0x00>` to `<0xFF>`, then the
            others, with a plain space for a space.
        scores: One for each piece.
        spec: What `get_tokenizer` makes it from.

    Example:
        >>> pieces = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256))]
        >>> pieces += [" ", "a", "b", "ab"]
        >>> tokenizer = PieceTokenizer(pieces, [0.0] * len(pieces), "ab")
        >>> [pieces[i] for i in tokenizer.encode("abc")]
        [' ', 'ab', '<0x63>']
        >>> tokenizer.decode(tokenizer.encode("abc"))
        'abc'
    """

    end_id = BEGIN

    def __init__(self, pieces: Sequence[str], scores: Sequence[float], spec: str):
        self.pieces, self.scores, self.spec = list(pieces), list(scores), spec
        self._bytes = [_bytes_of(piece) for piece in self.pieces]

    @property
    def vocabulary_size(self) -> int:
        """Number of token ids."""
        return len(self.pieces)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the pieces and their scores."""
        return fingerprint_of({"pieces": self.pieces, "scores": self.scores})

    def encode(self, text: str) -> np.ndarray:
        """Token ids of `text`, (length,) int32."""
        ids: list[int] = []
        for number, part in enumerate(text.split(END_OF_TEXT)):
            ids += [self.end_id] * (number > 0)
            ids += self._merger.encode(f" {part}").ids if part else []
        return np.array(ids, "int32")

    def encode_corpus(self, corpus: Corpus) -> list[np.ndarray]:
        """Token ids of each document, without end tokens."""
        return [self.encode(document) for document in corpus.documents]

    def decode(self, ids: Any) -> str:
        """The text of token ids, without the space in front of each text."""
        texts = [bytearray()]
        for token in checked_ids(ids, self.vocabulary_size):
            if token == self.end_id:
                texts.append(bytearray())
            else:
                texts[-1] += self._bytes[token]
        return END_OF_TEXT.join(
            text.decode("utf-8", "replace").removeprefix(" ") for text in texts
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `tokenizer_from_dict` is its inverse."""
        return {
            "kind": "pieces",
            "pieces": self.pieces,
            "scores": self.scores,
            "spec": self.spec,
        }

    @cached_property
    def _merger(self) -> Any:
        from tokenizers import Tokenizer, models

        model = models.BPE(
            vocab={piece: i for i, piece in enumerate(self.pieces)},
            merges=self._merges(),
            byte_fallback=True,
            unk_token=self.pieces[0],
        )
        return Tokenizer(model)

    def _merges(self) -> list[tuple[str, str]]:
        """All pairs of pieces that make a piece, those of the highest score first."""
        others = [
            (-self.scores[i], i)
            for i, piece in enumerate(self.pieces)
            if i >= SPECIAL and not BYTE.fullmatch(piece)
        ]
        known = {self.pieces[i] for _, i in others}
        splits = (
            (piece[:cut], piece[cut:])
            for piece in (self.pieces[i] for _, i in sorted(others))
            for cut in range(1, len(piece))
        )
        return [pair for pair in splits if known.issuperset(pair)]


def _bytes_of(piece: str) -> bytes:
    byte = BYTE.fullmatch(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.encode()
