"""`kit doctor`: is this machine ready, and if not, how to mend it."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import typer

import kit
from kit import paths
from kit.backends import BACKENDS, BACKENDS_IN_WORDS, install_command
from kit.errors import KitError

OLDEST, NEWEST = (3, 11), (3, 13)  # Python versions that are tested
LEAST_DISK = 2 * 10**9  # bytes; a full run with its report needs well below
LEAST_MEMORY = 2 * 10**9  # bytes; one training process takes about 1 GB
NO_DATA = "KIT_DATA is not set; docs is made here, tinyshakespeare is downloaded"
PACKAGES = ("keras", "numpy", "scipy", "matplotlib", "tokenizers")
PROBE = """
import json, keras, numpy
backend = keras.backend.backend()
print(json.dumps({
    "backend": backend,
    "version": __import__(backend).__version__,
    "devices": keras.distribution.list_devices() or ["cpu"],
    "three": float(keras.ops.sum(keras.ops.ones(3))),
}))
"""


class Row(NamedTuple):
    """One line of the report; it is a problem if it says how to mend it."""

    name: str
    found: str
    fix: str | None = None


def register(app: typer.Typer) -> None:
    """Add `kit doctor` to the command line."""
    app.command()(doctor)


def doctor() -> None:
    """Check versions, backend, cores, memory, data and write rights."""
    rows = list(checks())
    for row in rows:
        typer.echo(f"{'problem' if row.fix else 'ok':8} {row.name:12} {row.found}")
        if row.fix:
            typer.echo(f"{'':8} {'':12} fix: {row.fix}")
    problems = sum(row.fix is not None for row in rows)
    if problems:
        typer.echo(f"{problems} problem{'s' if problems > 1 else ''} found")
        raise typer.Exit(1)
    typer.echo("All good")


def checks() -> Iterator[Row]:
    """All rows of the report, in the order in which they are shown."""
    yield python()
    for package in PACKAGES:
        yield version(package)
    yield from backend()
    yield cores()
    yield memory()
    yield from data()
    yield from checkpoints()
    yield writable("runs", paths.runs_dir(), "KIT_RUNS")
    yield writable("cache", paths.cache_dir(), "KIT_CACHE")
    yield results()


def python() -> Row:
    """The running Python, which must be a tested one."""
    found = f"{platform.python_version()} ({sys.executable}), kit {kit.__version__}"
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return Row("python", found)
    span = " to ".join(".".join(map(str, version)) for version in (OLDEST, NEWEST))
    return Row("python", found, f"Make the environment with Python {span}")


def version(package: str) -> Row:
    """The installed version of a package that the kit needs."""
    from importlib import metadata  # slow, and kit --help is to be fast

    try:
        return Row(package, metadata.version(package))
    except metadata.PackageNotFoundError:
        return Row(package, "not installed", f"Run pip install {package}")


def backend() -> Iterator[Row]:
    """Whether Keras can compute, tried in a process that may crash."""
    probe = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False
    )
    lines = probe.stdout.strip().splitlines()
    if probe.returncode or not lines:
        yield Row("backend", *_failure(probe.stderr, probe.returncode))
        return
    found = json.loads(lines[-1])
    yield Row("backend", f"{found['backend']} {found['version']}")
    yield accelerator(found["backend"], found["devices"])


def _failure(stderr: str, code: int) -> tuple[str, str]:
    """What went wrong while Keras was imported, and how to mend it."""
    last = (stderr.strip().splitlines() or [f"exit code {code}"])[-1]
    chosen = os.environ.get("KERAS_BACKEND", "tensorflow")
    if "No module named" in last:
        package = last.rpartition("named ")[2].strip("'")
        return (
            last,
            f"Run {install_command(package if package in BACKENDS else chosen)}",
        )
    if "Unable to import backend" in last:
        return last, f"Set KERAS_BACKEND to {BACKENDS_IN_WORDS}"
    return (
        last,
        f"Reinstall with pip install --force-reinstall '.[{chosen}]' in the clone",
    )


def accelerator(backend: str, devices: list[str]) -> Row:
    """The GPU that Keras will use; one that lies idle is a problem."""
    from kit.studies import machine

    used = [device for device in devices if "cpu" not in device.lower()]
    name = machine.gpu_name()
    if used:
        return Row("gpu", f"{name or 'found'}, used by {backend}: {', '.join(used)}")
    if name is None or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return Row("gpu", "none in use, so everything runs on the processor")
    fix = {
        "tensorflow": "Run make setup, or pip install '.[gpu]' in the clone",
        "jax": "Run pip install 'jax[cuda12]'",
    }.get(backend, f"Install a build of {backend} with CUDA")
    return Row("gpu", f"{name}, but {backend} does not see it", fix)


def cores() -> Row:
    """Cores that this process may use; a study runs one worker on each."""
    from kit.studies import machine

    usable, present = machine.usable_cores(), os.cpu_count()
    return Row("cores", f"{usable} of {present}")


def memory() -> Row:
    """Memory that this process may use."""
    from kit.studies import machine

    total = machine.memory()
    found = f"{total / 1e9:.1f} GB"
    if total < LEAST_MEMORY:
        return Row("memory", found, f"Use a machine with {LEAST_MEMORY / 1e9:.0f} GB")
    return Row("memory", found)


def data() -> Iterator[Row]:
    """Texts found in `$KIT_DATA` and in the cache; none is needed."""
    try:
        folder = paths.data_dir()
    except KitError as error:
        yield Row("data", error.what, error.fix)
    else:
        found = f"{folder}: {_contents(folder)}" if folder else NO_DATA
        yield Row("data", found)
    if paths.cache_dir().is_dir():
        yield Row("cached", f"{paths.cache_dir()}: {_contents(paths.cache_dir())}")


def checkpoints() -> Iterator[Row]:
    """Trained models, and where they lie; none is needed."""
    from kit.pretrained import found

    try:
        for name, folder in found().items():
            yield Row(name, str(folder or "not here; see kit fetch"))
    except KitError:
        return  # the row on data tells of it


def _contents(folder: Path) -> str:
    try:
        return ", ".join(sorted(path.name for path in folder.iterdir())) or "empty"
    except PermissionError:
        return "may not be read"


def writable(name: str, folder: Path, variable: str) -> Row:
    """Whether files can be made in a folder, tried, and what room there is."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there) as probe:
            probe.write(b"kit")
    except OSError as error:
        found = f"{folder}: {error.strerror}"
        return Row(name, found, f"Set {variable} to a folder that you may write to")
    free = shutil.disk_usage(there).free
    found = f"{folder.absolute()}, writable, {free / 1e9:.1f} GB free"
    if free < LEAST_DISK:
        return Row(name, found, f"Free some space, or set {variable} to another disk")
    return Row(name, found)


def results() -> Row:
    """The stored results that come with the kit."""
    folder = paths.shipped("results")
    if folder.is_dir():
        return Row("results", f"{folder}: {_contents(folder)}")
    return Row("results", f"{folder} is missing", "Install ablation-kit again")
