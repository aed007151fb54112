"""What the tokenizers have in common."""

import hashlib
import json
from typing import Any

import numpy as np

from kit.errors import KitError


def checked_ids(ids: Any, vocabulary_size: int) -> list[int]:
    """`ids` as integers.

    Raises:
        KitError: If one of them is no token of the vocabulary.
    """
    ids = np.asarray(ids, dtype="int64")
    if ids.size and not (0 <= ids.min() and ids.max() < vocabulary_size):
        raise KitError(
            f"token ids from {ids.min()} to {ids.max()}, expected 0 to "
            f"{vocabulary_size - 1}",
            "Decode with the tokenizer that the ids were made with",
        )
    return ids.tolist()


def fingerprint_of(content: dict[str, Any]) -> str:
    """SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
