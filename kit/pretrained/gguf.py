"""Reading GGUF, the file format of llama.cpp: metadata, and tensors as float32.

A file is a header, key-value pairs, a table of tensors, and the tensors themselves,
which are read and dequantised one at a time. The package `gguf` reads it too; it takes
1,700 lines and three more packages for that.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from kit.errors import KitError

MAGIC = b"GGUF"
VERSIONS = (2, 3)  # 1 counts in 32 bits; 3 allows big-endian files, which we do not
NUMBERS = {0: "u1", 1: "i1", 2: "u2", 3: "i2", 4: "u4", 5: "i4"}
NUMBERS |= {6: "f4", 7: "?", 10: "u8", 11: "i8", 12: "f8"}
STRING, ARRAY = 8, 9
PIECE = 2**22  # weights
AGAIN = "Fetch the file again"


class Format(NamedTuple):
    """How a tensor type packs its weights."""

    name: str
    weights: int  # in a block
    block: np.dtype
    unpack: Callable[[np.ndarray], np.ndarray]


def _plain(blocks: np.ndarray) -> np.ndarray:
    return blocks["w"].astype("float32", copy=False)


def _q8_0(blocks: np.ndarray) -> np.ndarray:
    """w = d q."""
    return _column(blocks["d"]) * blocks["q"]


def _q4_1(blocks: np.ndarray) -> np.ndarray:
    """w = d q + m; the low nibbles are the first half of the weights."""
    nibbles = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1)
    return _column(blocks["d"]) * nibbles + _column(blocks["m"])


def _column(halves: np.ndarray) -> np.ndarray:
    return halves.astype("float32")[:, None]


def _block(*fields: Any) -> np.dtype:
    return np.dtype(list(fields))


FORMATS = {
    0: Format("F32", 1, _block(("w", "<f4")), _plain),
    1: Format("F16", 1, _block(("w", "<f2")), _plain),
    3: Format("Q4_1", 32, _block(("d", "<f2"), ("m", "<f2"), ("q", "u1", 16)), _q4_1),
    8: Format("Q8_0", 32, _block(("d", "<f2"), ("q", "i1", 32)), _q8_0),
}


@dataclass(frozen=True)
class Entry:
    """One line of the table of tensors.

    Args:
        shape: Outermost axis first: a linear map is (out, in).
        format: How its weights are packed.
        offset: Where they begin, in bytes from the start of the file.
    """

    shape: tuple[int, ...]
    format: Format
    offset: int

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return math.prod(self.shape) // self.format.weights


@dataclass(frozen=True)
class GGUF:
    """A file whose header has been read; `tensor` reads the weights.

    Args:
        path: The file.
        metadata: Its key-value pairs: numbers, strings, lists.
        entries: Its tensors by name.
    """

    path: Path
    metadata: Mapping[str, Any]
    entries: Mapping[str, Entry]

    def about(self, key: str, default: Any = None) -> Any:
        """A value of the metadata.

        Raises:
            KitError: The file does not have it, and there is no default.
        """
        value = self.metadata.get(key, default)
        if value is None:
            raise KitError(f"{self.path} does not tell its {key}", "Pass another file")
        return value

    def entry(self, name: str) -> Entry:
        """The shape and place of a tensor.

        Raises:
            KitError: The file does not have it.
        """
        if name not in self.entries:
            raise KitError(f"{self.path} has no tensor {name!r}", "Pass another file")
        return self.entries[name]

    def tensor(self, name: str) -> np.ndarray:
        """The weights of one tensor, float32, in its shape.

        Raises:
            KitError: The file has no such tensor, or ends before it does.
        """
        entry = self.entry(name)
        return self._unpacked(entry, 0, entry.blocks).reshape(entry.shape)

    def pieces(self, name: str) -> Iterator[np.ndarray]:
        """The same weights a few million at a time, cut along the first axis.

        Raises:
            KitError: As for `tensor`.
        """
        entry = self.entry(name)
        row = math.prod(entry.shape[1:])
        if row % entry.format.weights:
            yield self.tensor(name)
            return
        rows, in_row = max(1, PIECE // row), row // entry.format.weights
        for first in range(0, entry.shape[0], rows):
            count = min(rows, entry.shape[0] - first)
            weights = self._unpacked(entry, first * in_row, count * in_row)
            yield weights.reshape(count, *entry.shape[1:])

    def _unpacked(self, entry: Entry, first: int, count: int) -> np.ndarray:
        block = entry.format.block
        offset = entry.offset + first * block.itemsize
        blocks = np.fromfile(self.path, block, count, offset=offset)
        if len(blocks) < count:
            raise _truncated(self.path)
        return entry.format.unpack(blocks)


def read_gguf(path: str | Path) -> GGUF:
    """The metadata and the table of tensors of a GGUF file.

    Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

    Args:
        path: A file of version 2 or 3 with tensors of type F32, F16, Q4_1 or Q8_0.

    Raises:
        KitError: The file is missing, no GGUF, truncated, or has tensors of another
            type.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        ...     size = file.write(MAGIC + bytes([3, 0, 0, 0]) + bytes(16))
        ...     file.flush()
        ...     read_gguf(file.name).metadata
        {}
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _Reader(path, file).read()
    except (FileNotFoundError, IsADirectoryError):
        raise KitError(f"there is no file {path}", "Check the path") from None


class _Reader:
    """Reads little-endian values in order, and never beyond the end of the file."""

    def __init__(self, path: Path, file: BinaryIO):
        self.path, self.file = path, file
        self.size = path.stat().st_size

    def read(self) -> GGUF:
        magic = self.file.read(len(MAGIC))
        if magic != MAGIC:
            raise KitError(
                f"{self.path} is no GGUF file: it begins with {magic!r}, not {MAGIC!r}",
                "Pass a .gguf file",
            )
        version = self.number("u4")
        if version not in VERSIONS:
            raise KitError(
                f"{self.path} is GGUF of version {version}, which is not read",
                "Pass a little-endian file of version 2 or 3",
            )
        tensors, pairs = self.number("u8"), self.number("u8")
        metadata = dict(self.pair() for _ in range(self.counted(pairs, least=13)))
        table = [self.entry() for _ in range(self.counted(tensors, least=24))]
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1:
            raise KitError(f"{self.path}: general.alignment is {alignment!r}", AGAIN)
        start = math.ceil(self.file.tell() / alignment) * alignment
        entries = {
            name: Entry(shape, format, start + offset)
            for name, shape, format, offset in table
        }
        for entry in entries.values():
            length = entry.blocks * entry.format.block.itemsize
            if entry.offset + length > self.size:
                raise _truncated(self.path)
        return GGUF(self.path, metadata, entries)

    def counted(self, count: int, least: int) -> int:
        """`count`, if the rest of the file has room for as many `least` bytes."""
        if count * least > self.size - self.file.tell():
            raise _truncated(self.path)
        return count

    def numbers(self, kind: str, count: int) -> np.ndarray:
        form = np.dtype(kind).newbyteorder("<")
        length = self.counted(count, form.itemsize) * form.itemsize
        return np.frombuffer(self.file.read(length), form)

    def number(self, kind: str) -> Any:
        return self.numbers(kind, 1)[0].item()

    def string(self) -> str:
        length = self.counted(self.number("u8"), least=1)
        return self.file.read(length).decode("utf-8", "replace")

    def pair(self) -> tuple[str, Any]:
        key = self.string()
        return key, self.value(key, self.number("u4"))

    def value(self, key: str, kind: int) -> Any:
        if kind == STRING:
            return self.string()
        if kind in NUMBERS:
            return self.number(NUMBERS[kind])
        if kind == ARRAY:
            kind, count = self.number("u4"), self.number("u8")
            if kind == STRING:
                return [self.string() for _ in range(self.counted(count, least=8))]
            if kind in NUMBERS:
                return self.numbers(NUMBERS[kind], count).tolist()
        raise KitError(f"{self.path}: {key} has the unknown value type {kind}", AGAIN)

    def entry(self) -> tuple[str, tuple[int, ...], Format, int]:
        name = self.string()
        inner_first = self.numbers("u8", self.number("u4")).tolist()
        kind, offset = self.number("u4"), self.number("u8")
        if kind not in FORMATS:
            known = ", ".join(format.name for format in FORMATS.values())
            raise KitError(
                f"{self.path}: tensor {name!r} is of type {kind}, which is not read",
                f"Pass a file with tensors of type {known}",
            )
        format = FORMATS[kind]
        if not inner_first or inner_first[0] % format.weights:
            raise KitError(
                f"{self.path}: tensor {name!r} of shape {inner_first[::-1]} is not "
                f"made of blocks of {format.weights} weights",
                AGAIN,
            )
        return name, tuple(inner_first[::-1]), format, offset


def _truncated(path: Path) -> KitError:
    return KitError(f"{path} ends too early: it is truncated", AGAIN)
