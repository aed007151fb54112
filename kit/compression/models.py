"""A trained model by its name or path, with the tokenizer that it was trained with."""

from pathlib import Path
from typing import NamedTuple

import keras

from kit.data.corpora import load_corpus
from kit.data.tokenizers import (
    CharacterTokenizer,
    Tokenizer,
    get_tokenizer,
    read_tokenizer,
)
from kit.errors import KitError
from kit.models import Transformer
from kit.pretrained import CHECKPOINTS, load, load_tokenizer

MODEL, TOKENIZER = "model.keras", "tokenizer.json"
NUM_BYTES = 256  # byte-pair encoding has more tokens than that


class Trained(NamedTuple):
    """A trained model, and what its token ids stand for.

    Args:
        name: As the user called it.
        model: A kit model.
        tokenizer: `None` where nothing says what the ids stand for.

    Example:
        >>> Trained("gpt.keras", model=None, tokenizer=None).name
        'gpt.keras'
    """

    name: str
    model: Transformer
    tokenizer: Tokenizer | None


def open_model(name: str, tokenizer: str | None = None) -> Trained:
    """A checkpoint by its name, or a kit model by the path of its `.keras` file.

    A checkpoint brings its tokenizer. Beside a file, `tokenizer.json` is taken, which
    `kit.data.tokenizers.write_tokenizer` writes.

    Args:
        name: A name of `kit.pretrained.CHECKPOINTS`, a file, or a folder that holds
            `model.keras`.
        tokenizer: Takes the place of the one that is found: such a JSON file, a
            checkpoint's name, or the text that the model was trained on, as the name of
            a corpus or a path. Its characters are the vocabulary then, or a byte-pair
            encoding of the model's size is trained on it once more.

    Raises:
        KitError: There is no such model, it is not one of the kit, or the tokenizer
            does not fit it.

    Example:
        >>> open_model("no such file.keras")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        kit.errors.KitError: 'no such file.keras' is no file and no checkpoint. ...
    """
    found: Tokenizer | None = None
    beside = None
    if name in CHECKPOINTS:
        model, found = load(name)
    else:
        path = _path_of(name)
        model, beside = _read_model(path), path.with_name(TOKENIZER)
        found = read_tokenizer(beside) if beside.exists() and not tokenizer else None
    size = model.config.vocabulary_size
    if tokenizer:
        found = _tokenizer_of(tokenizer, size)
    if found is not None and found.vocabulary_size > size:
        raise KitError(
            f"the tokenizer {tokenizer or beside} has {found.vocabulary_size} tokens, "
            f"and the model {name} knows {size}",
            "Give the tokenizer that it was trained with: --tokenizer",
        )
    return Trained(name, model, found)


def _path_of(name: str) -> Path:
    path = Path(name).expanduser()
    path = path / MODEL if path.is_dir() else path
    if not path.is_file():
        raise KitError(
            f"{name!r} is no file and no checkpoint",
            f"Known checkpoints are {', '.join(CHECKPOINTS)}; any other model goes by "
            "the path of its .keras file",
        )
    return path


def _read_model(path: Path) -> Transformer:
    try:
        model = keras.saving.load_model(path, compile=False)
    # A file can be broken in as many ways as there are formats.
    except Exception as error:
        raise KitError(
            f"{path} cannot be read as a Keras model ({type(error).__name__})",
            "Give a .keras file that model.save(...) wrote",
        ) from error
    if not isinstance(model, Transformer):
        raise KitError(
            f"{path} holds a {type(model).__name__}, not a kit model",
            "Give one that kit.models.build made; others can be pruned, not shared, "
            "in Python, by way of kit.pruning.FunctionalModel",
        )
    return model


def _tokenizer_of(source: str, size: int) -> Tokenizer:
    """A file, a checkpoint's own, or that of a text for a vocabulary of this size."""
    if source in CHECKPOINTS:
        return load_tokenizer(source)
    if Path(source).suffix == ".json":
        return read_tokenizer(Path(source).expanduser())
    corpus = load_corpus(source)
    found: Tokenizer = CharacterTokenizer.train(corpus)
    characters = found.vocabulary_size
    if characters != size and size > NUM_BYTES:
        found = get_tokenizer({"bpe": size}, corpus)
    if found.vocabulary_size != size:
        raise KitError(
            f"{source} has {characters} different characters, and the model knows "
            f"{size} tokens",
            f"Give the text that it was trained on, or its {TOKENIZER}",
        )
    return found
