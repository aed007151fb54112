"""Reading text that somebody else wrote, and writing files that are never half done."""

import contextlib
import os
import tempfile
from pathlib import Path

from kit.errors import KitError


def read_text(path: Path) -> str:
    """Text of a UTF-8 file, with plain newlines and without a byte order mark.

    Raises:
        KitError: If the file is missing, a folder, unreadable, empty, binary or not
            UTF-8.
    """
    if path.is_dir():
        raise KitError(f"{path} is a folder", "Name one text file in it")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise KitError(f"{path} does not exist", "Check the path") from None
    except OSError as error:
        raise KitError(
            f"{path} cannot be read: {error.strerror}", "Check its rights"
        ) from None
    if b"\0" in content:
        raise KitError(
            f"{path} is binary: byte {content.index(0)} is zero",
            "Pass plain text, encoded as UTF-8",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise KitError(
            f"{path} is not UTF-8: byte {error.start} (line {line}) is "
            f"0x{content[error.start]:02x}",
            f"Convert it, for example: iconv -f latin1 -t utf-8 {path.name}",
        ) from None
    if not text.strip():
        raise KitError(f"{path} is empty", "Pass a file with text in it")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def write_atomically(path: Path, content: bytes) -> None:
    """Write all of `content` to `path`, or leave what was there.

    Raises:
        KitError: If the folder cannot be written, or the disk is full.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            temporary = file.name
            file.write(content)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise KitError(
            f"{path} cannot be written: {error.strerror}",
            "Make room there, or set KIT_CACHE to a folder that you may write to",
        ) from None
