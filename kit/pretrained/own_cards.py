"""The cards of the checkpoints that the kit has trained itself, which ship with it."""

import json
from pathlib import Path
from typing import Any

from kit.errors import known
from kit.paths import PACKAGE

FOLDER = PACKAGE / "pretrained" / "own"


def cards(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Name to card, of all in a folder."""
    return {
        path.stem: json.loads(path.read_text("utf-8"))
        for path in sorted(folder.glob("*.json"))
    }


def card(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """How one of the kit's own checkpoints came to be, and what it can do.

    Args:
        name: One of `kit.pretrained.CHECKPOINTS` that ships with the kit.
        folder: Where the files lie.

    Returns:
        `command`, `seed`, `model`, `task` and `train` (what it was made from), `data`
        (the fingerprint of what it learnt from, and the source), `held_out` (its
        metrics on `held_out(name)`), `parameters`, `minutes`, `weights` (the file) and
        `environment`.

    Raises:
        KitError: There is no such checkpoint.

    Example:
        >>> card("text-80")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        kit.errors.KitError: unknown checkpoint of the kit 'text-80'. ...
    """
    found = cards(folder)
    return found[known("checkpoint of the kit", name, found)]


def corpus_of(name: str, folder: Path = FOLDER) -> str | None:
    """The corpus that one of the kit's own checkpoints was trained on; else `None`.

    Example:
        >>> corpus_of("text-8"), corpus_of("addition-4"), corpus_of("gpt.keras")
        ('docs', None, None)
    """
    corpus: str | None = cards(folder).get(name, {}).get("task", {}).get("corpus")
    return corpus
