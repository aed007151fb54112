"""Texts to learn from: the offline `docs`, known corpora, and any text file."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from kit import paths
from kit.data.files import read_text
from kit.errors import KitError

END_OF_TEXT = "<|endoftext|>"  # alone on a line it ends a document

SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/"
    "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/input.txt"
)
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


@dataclass(frozen=True)
class Corpus:
    """Documents with a name, a source and a fingerprint.

    Args:
        name: A known name, or the path of the file.
        documents: The texts, none empty.
        source: Where the text comes from, and its licence.
        num_validation: If the corpus was published with a validation part, how many
            of the last documents belong to it.

    Example:
        >>> corpus = Corpus("two lines", ("To be,\\n", "or not to be.\\n"))
        >>> corpus.characters, corpus.fingerprint[:8]
        (21, '9e539287')
    """

    name: str
    documents: tuple[str, ...]
    source: str = ""
    num_validation: int | None = None

    @property
    def characters(self) -> int:
        """Number of characters in all documents."""
        return sum(map(len, self.documents))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the documents and of where the validation part begins."""
        content = json.dumps([self.documents, self.num_validation])
        return hashlib.sha256(content.encode()).hexdigest()


def load_corpus(name_or_path: str | Path) -> Corpus:
    """A corpus by its name, or a text file by its path.

    | name | text |
    | --- | --- |
    | `docs` | documentation installed with Python and the kit; needs no download |
    | `tinyshakespeare` | `$KIT_DATA`, the cache, or a download of 1.1 MB |
    | `classic_children` | `$KIT_DATA`: 21 books, with a validation part |
    | `tinystories_sample` | `$KIT_DATA`: 1.7 MB of stories, with a validation part |

    In a file, a line `<|endoftext|>` ends a document.

    Raises:
        KitError: If the name is unknown, the data are not on this machine and cannot
            be had, or the file is missing, empty, binary or not UTF-8.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "rhyme.txt")
        ...     _ = path.write_text("one\\n<|endoftext|>\\ntwo\\n")
        ...     load_corpus(path).documents
        ('one\\n', 'two\\n')
    """
    if str(name_or_path) in CORPORA:
        return CORPORA[str(name_or_path)]()
    path = Path(name_or_path).expanduser()
    if not path.exists():
        raise KitError(
            f"{str(name_or_path)!r} is no corpus and no file",
            f"Known corpora are {', '.join(CORPORA)}; any other text goes by its path",
        )
    return Corpus(str(name_or_path), split_documents(read_text(path)), "a file")


def split_documents(text: str) -> tuple[str, ...]:
    """Documents of a text in which a line `<|endoftext|>` ends each.

    Example:
        >>> split_documents("one\\n<|endoftext|>\\ntwo\\n<|endoftext|>\\n")
        ('one\\n', 'two\\n')
    """
    marker = rf"^{re.escape(END_OF_TEXT)}[ \t]*(?:\n|\Z)"
    documents = re.split(marker, text, flags=re.MULTILINE)
    return tuple(document for document in documents if document.strip())


def found_corpora() -> dict[str, Path | None]:
    """Where each known corpus lies on this machine; `None` if it does not.

    `docs` is always there, once its file is built. Nothing is read or downloaded.
    """
    from kit.data import docs

    return {
        "docs": docs.cache_file(),
        "tinyshakespeare": next(filter(Path.exists, _shakespeare_files()), None),
        **{name: _published_folder(name) for name in PUBLISHED},
    }


def _docs() -> Corpus:
    from kit.data import docs

    source = ", ".join(f"{name} {version}" for name, version in docs.versions().items())
    return Corpus("docs", docs.load_documents(), f"documentation of {source}")


def _shakespeare() -> Corpus:
    for path in _shakespeare_files():
        if path.exists():
            return _checked_shakespeare(path)
    import keras

    cache = paths.cache_dir()
    try:
        path = keras.utils.get_file(
            "tinyshakespeare.txt",
            SHAKESPEARE_URL,
            file_hash=SHAKESPEARE_SHA256,
            cache_subdir="corpora",
            cache_dir=str(cache),
        )
    except Exception as error:  # get_file raises no narrower class when offline
        raise KitError(
            f"tinyshakespeare is not on this machine and its download into {cache} "
            f"failed: {error}",
            "Connect to the internet once, or save the file as "
            "$KIT_DATA/tinyshakespeare/input.txt; the corpus docs needs neither",
        ) from None
    return _checked_shakespeare(Path(path))


def _shakespeare_files() -> list[Path]:
    cached = paths.cache_dir() / "corpora" / "tinyshakespeare.txt"
    data = paths.data_dir()
    return [data / "tinyshakespeare" / "input.txt", cached] if data else [cached]


def _checked_shakespeare(path: Path) -> Corpus:
    text = read_text(path)
    found = hashlib.sha256(text.encode()).hexdigest()
    if found != SHAKESPEARE_SHA256:
        raise KitError(
            f"{path} is not the usual tinyshakespeare: its SHA-256 is {found[:8]}..., "
            f"expected {SHAKESPEARE_SHA256[:8]}...",
            "Delete it to have it downloaded, or load it by its path as another text",
        )
    return Corpus("tinyshakespeare", (text,), "karpathy/char-rnn; public domain")


def _published(name: str) -> Corpus:
    """A corpus that comes with a validation part of its own."""
    folder = _published_folder(name)
    if folder is None:
        raise KitError(
            f"{name} is read from $KIT_DATA, which is {paths.data_dir() or 'not set'}",
            f"Set KIT_DATA to a folder that holds {name}/train.txt and "
            f"{name}/valid.txt, or use the corpus docs",
        )
    train, valid = (
        split_documents(read_text(folder / part)) for part in ("train.txt", "valid.txt")
    )
    return Corpus(name, train + valid, PUBLISHED[name], num_validation=len(valid))


def _published_folder(name: str) -> Path | None:
    data = paths.data_dir()
    return data / name if data and (data / name).is_dir() else None


PUBLISHED = {
    "classic_children": "Standard Ebooks; public domain, editing CC0 1.0",
    "tinystories_sample": "TinyStories (arXiv 2305.07759); CDLA-Sharing-1.0",
}
CORPORA: dict[str, Callable[[], Corpus]] = {
    "docs": _docs,
    "tinyshakespeare": _shakespeare,
    **{name: partial(_published, name) for name in PUBLISHED},
}
