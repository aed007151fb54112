"""From a checkpoint's files to a kit model and its tokenizer."""

from typing import NamedTuple

from kit.data.tokenizers import Tokenizer
from kit.errors import KitError
from kit.models import Transformer
from kit.pretrained import gguf_llama, llama2c, own
from kit.pretrained.catalogue import CHECKPOINTS, folder_of
from kit.pretrained.gguf import read_gguf


class Pretrained(NamedTuple):
    """A trained model and the tokenizer that it was trained with; a model that adds
    numbers has none, and reads what `kit.data.Addition` writes.

    Example:
        >>> Pretrained(model=None, tokenizer=None)._fields
        ('model', 'tokenizer')
    """

    model: Transformer
    tokenizer: Tokenizer | None


def load(name: str, context_length: int | None = None) -> Pretrained:
    """A checkpoint as a kit model with float32 weights, and its tokenizer.

    Args:
        name: One of `kit.pretrained.CHECKPOINTS`.
        context_length: Longest sequence that the model is to read; by default the one
            that it was trained for (8192 for `smollm2`, 512 for `stories260k`).

    Raises:
        KitError: There is no such checkpoint, it is not on this machine (the message
            says how to get it), or a file is broken.

    Example:
        >>> load("smolm2")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        kit.errors.KitError: unknown checkpoint 'smolm2'. Did you mean 'smollm2'? ...
    """
    folder = folder_of(name)
    if CHECKPOINTS[name].ships:
        return Pretrained(
            own.read_model(name, context_length), own.read_tokenizer(name)
        )
    if name == "stories260k":
        path = folder / "stories260K.bin"
        return Pretrained(
            llama2c.read_model(path, name, context_length), load_tokenizer(name)
        )
    (file,) = CHECKPOINTS[name].files
    gguf = read_gguf(folder / file)
    return Pretrained(
        gguf_llama.read_model(gguf, name, context_length),
        gguf_llama.read_tokenizer(gguf, name),
    )


def load_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of a checkpoint, without its model.

    Raises:
        KitError: As for `load`.

    Example:
        >>> load_tokenizer("stories")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        kit.errors.KitError: unknown checkpoint 'stories'. ...
    """
    folder = folder_of(name)
    if CHECKPOINTS[name].ships:
        found = own.read_tokenizer(name)
        if found is None:
            raise KitError(
                f"{name} has no tokenizer", "Use kit.data.Addition, as its card says"
            )
        return found
    if name == "stories260k":
        return llama2c.read_pieces(folder / "tok512.bin", 512, name)
    (file,) = CHECKPOINTS[name].files
    return gguf_llama.read_tokenizer(read_gguf(folder / file), name)
