"""The folder that a smaller model is saved in: whole, or not at all."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kit.compression.models import MODEL, TOKENIZER
from kit.data.tokenizers import Tokenizer, write_tokenizer
from kit.errors import KitError
from kit.models import Transformer, transplant
from kit.studies.results import plain

RECORD, PAGE = "record.json", "page.html"
FILES = (MODEL, TOKENIZER, RECORD, PAGE)
ELSEWHERE = "Choose another folder with --out"
SPARE = 20e6  # bytes for all but the weights


def check_output(folder: Path, force: bool = False) -> None:
    """Raise a `KitError` if a model cannot be saved there; makes nothing.

    Args:
        folder: Where to.
        force: Take the place of what a former run left there.

    Example:
        >>> check_output(Path(__file__))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        kit.errors.KitError: nothing can be saved in ...output.py is a file. ...
    """
    there = _existing(folder)
    if not there.is_dir():
        raise KitError(
            f"nothing can be saved in {folder}: {there} is a file", ELSEWHERE
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise KitError(
            f"nothing can be saved in {folder}: no right to write to {there}", ELSEWHERE
        )
    taken = [name for name in FILES if (folder / name).exists()]
    if taken and not force:
        raise KitError(
            f"{folder} holds {', '.join(taken)} already",
            f"{ELSEWHERE}, or add --force to replace them",
        )


def check_space(folder: Path, model: Transformer) -> None:
    """Raise a `KitError` if there is no room for the model, before the work begins."""
    there = _existing(folder)
    needed = 4 * model.count_params() + SPARE
    free = shutil.disk_usage(there).free
    if free < needed:
        raise KitError(
            f"{folder} has {free / 1e6:.0f} MB left, and the model may need "
            f"{needed / 1e6:.0f} MB",
            f"Free some space. {ELSEWHERE}",
        )


def save(
    folder: Path,
    model: Transformer,
    tokenizer: Tokenizer | None,
    record: Mapping[str, Any],
) -> None:
    """Write the model, its tokenizer and the record of how it came to be.

    Args:
        folder: Made if it is missing.
        model: Loads again with `keras.saving.load_model` after `import kit`;
            without the optimizer that trained it.
        tokenizer: Goes beside it, so that a command finds it again.
        record: Plain data; what is not finite is written as null.

    Raises:
        KitError: The folder cannot be written; nothing is left there then.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(Path(folder, "new"), build(config), None, {"sparsity": 0.0})
        ...     sorted(path.name for path in Path(folder, "new").iterdir())
        ['model.keras', 'record.json']
    """
    with staged(folder) as new:
        if model.compiled:  # an optimizer's state is twice as large as the weights
            model = transplant(model, model.config)
        model.save(new / MODEL)
        if tokenizer is not None:
            write_tokenizer(tokenizer, new / TOKENIZER)
        text = json.dumps(plain(record), indent=1, allow_nan=False)
        (new / RECORD).write_text(text + "\n", encoding="utf-8")


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A new folder to write to; its files move to `folder` if all goes well.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with staged(Path(folder)) as new:
        ...         _ = (new / "one.txt").write_text("1")
        ...     [path.name for path in Path(folder).iterdir()]
        ['one.txt']
    """
    made = not folder.exists()
    staging = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
        yield staging
        for file in sorted(staging.iterdir()):
            os.replace(file, folder / file.name)
    except OSError as error:
        raise KitError(
            f"{folder} cannot be written: {error.strerror or error}", ELSEWHERE
        ) from error
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        if made and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
