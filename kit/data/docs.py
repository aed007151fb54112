"""The offline corpus: documentation that is installed with Python and the kit.

Real English of several megabytes without a download: Python's own help topics, and the
docstrings of Keras, NumPy and Matplotlib. The packages are read as source
text, not imported. Code examples, tables and markup are dropped, characters are
folded to ASCII, and a paragraph that occurs twice is kept once.
"""

import ast
import contextlib
import hashlib
import importlib.metadata
import importlib.util
import inspect
import json
import platform
import re
import textwrap
import unicodedata
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from kit.data.files import write_atomically
from kit.errors import KitError
from kit.paths import cache_dir

# When cleaned text changes, raise it and the version of every study that learns docs.
CLEANING_VERSION = "1"
PACKAGES = ("keras", "matplotlib", "numpy")
MIN_DOCUMENT = 200  # characters; shorter documents are a line or two of glue

TYPOGRAPHY = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2026": "..."}
    | {"\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": " - "}
    | {"\u2212": "-", "\u00d7": "x", "\u00a0": " ", "\u2192": "->", "\t": "    "}
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages: the same versions give the same text.

    A fingerprint would be exact, but would need the text to be read before a report
    can be shown, so this is what the keys of cells hold; every cell stores its own
    fingerprint.

    Raises:
        KitError: If a package is not installed.
    """
    installed = {package: _version(package) for package in PACKAGES}
    return {"python": platform.python_version()} | installed


@cache
def _version(package: str) -> str:
    """Asked for by every arm of a study that learns the documentation."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise KitError(
            f"the docs corpus needs the documentation of {package}, "
            "which is not installed",
            f"Run: pip install {package}",
        ) from None


def cache_file() -> Path:
    """Where the documents for the installed versions are kept.

    Raises:
        KitError: If a package is not installed.
    """
    content = versions() | {"cleaning": CLEANING_VERSION}
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return cache_dir() / "corpora" / f"docs-{key[:16]}.json"


def load_documents() -> tuple[str, ...]:
    """The documents, built on first use (about 10 s) and then read from the cache.

    Raises:
        KitError: If a package is not installed, or the cache cannot be written.
    """
    file = cache_file()
    with contextlib.suppress(OSError, ValueError, KeyError):  # none, or a broken one
        cached = json.loads(file.read_text("utf-8"))
        documents = tuple(cached["documents"])
        if cached["sha256"] == _sha256(documents):
            return documents
    documents = build_documents()
    card = {"versions": versions(), "sha256": _sha256(documents)}
    write_atomically(file, json.dumps({**card, "documents": documents}).encode())
    return documents


def build_documents() -> tuple[str, ...]:
    """One cleaned document for each help topic and each source file, in a fixed order.

    The order is that of the SHA-256 of the documents' names, so that every stretch of
    the corpus is a mixture of all sources.
    """
    seen: set[str] = set()
    cleaned = [
        (hashlib.sha256(name.encode()).hexdigest(), clean(text, seen))
        for name, text in _raw_documents()
    ]
    return tuple(
        f"{text}\n" for _, text in sorted(cleaned) if len(text) >= MIN_DOCUMENT
    )


def clean(text: str, seen: set[str] | None = None) -> str:
    r"""Prose of a docstring: ASCII paragraphs, each with a blank line after it.

    Args:
        text: A docstring or help topic.
        seen: Paragraphs to leave out; those of `text` are added to it.

    Example:
        >>> clean("Return a sum.\n\n>>> add(1, 2)\n3\n\nThe same as :func:`~k.total`.")
        'Return a sum.\n\nThe same as `k.total`.'
    """
    seen = set() if seen is None else seen
    text = unicodedata.normalize("NFKD", text.translate(TYPOGRAPHY))
    text = text.encode("ascii", "ignore").decode()
    text = re.sub(r"```.*?(```|\Z)", "", text, flags=re.DOTALL)  # fenced code
    text = re.sub(r":[a-z]+(:[a-z]+)?:`~?\.?", "`", text)  # :func:`~.name` -> `name`
    text = re.sub(r"`+~?\.?(?=\w)|`+", "`", text)
    paragraphs = []
    for block in re.split(r"\n[ ]*(?:\n[ ]*)+", text):
        paragraph = _prose(block)
        if paragraph and paragraph not in seen:
            seen.add(paragraph)
            paragraphs.append(paragraph)
    return "\n\n".join(paragraphs)


def docstrings(source: str) -> Iterator[str]:
    r"""Docstrings in a module's source, and what NumPy adds with `add_newdoc`.

    Example:
        >>> list(docstrings('"A module."\ndef f():\n    "A function."'))
        ['A module.', 'A function.']
    """
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's escape sequences
        tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, documented):
            yield ast.get_docstring(node) or ""
        elif isinstance(node, ast.Call) and _is_add_newdoc(node.func):
            yield from (
                inspect.cleandoc(str(part.value))
                for part in ast.walk(node)
                if isinstance(part, ast.Constant) and "\n" in str(part.value)
            )


def _is_add_newdoc(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id == "add_newdoc"


def _prose(block: str) -> str:
    """The lines of a paragraph that are English, or nothing if few are."""
    lines = []
    for line in textwrap.dedent(block).splitlines():
        if line.lstrip().startswith(">>>"):
            break  # the rest of the paragraph is code and its output
        if re.search("[A-Za-z]", line) and not line.lstrip().startswith(".. "):
            lines.append(line.rstrip())
    paragraph = "\n".join(lines)
    length = max(len(paragraph), 1)
    words = sum(map(len, re.findall("[A-Za-z ]+", paragraph)))
    symbols = len(re.findall(r"[=(){}\[\]<>_|\\^+/#;$@&%]", paragraph))
    return paragraph if words >= 0.8 * length and symbols <= 0.06 * length else ""


def _sha256(documents: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(documents).encode()).hexdigest()


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)  # finds the package, does not import it
    if spec is None or spec.origin is None:
        raise KitError(
            f"the source of {package} is not to be found", f"Run: pip install {package}"
        )
    return Path(spec.origin).parent


def _raw_documents() -> Iterator[tuple[str, str]]:
    """Name and raw text of each document."""
    from pydoc_data.topics import topics

    for topic, text in sorted(topics.items()):
        yield f"python/{topic}", text
    for package in PACKAGES:
        folder = _folder(package)
        for file in sorted(folder.rglob("*.py")):
            name = file.relative_to(folder).as_posix()
            if not re.search(r"(^|/)(tests?/|test_)|_test\.py$", name):
                text = "\n\n".join(docstrings(file.read_text("utf-8")))
                yield f"{package}/{name}", text
