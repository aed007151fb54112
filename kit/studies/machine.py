"""What a run runs on: cores, memory, accelerator, and versions for the record."""

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kit
from kit.backends import BACKENDS, not_installed
from kit.errors import known
from kit.paths import PACKAGE
from kit.studies import cgroups

MEMORY_PER_WORKER = 1.5 * 2**30
PROBES = {
    "tensorflow": "import tensorflow as t; n = t.config.list_physical_devices('GPU')",
    "jax": "import jax; n = [d for d in jax.devices() if d.platform != 'cpu']",
    "torch": "import torch; n = range(torch.cuda.device_count())",
}


def cores() -> list[int]:
    """Numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def usable_cores() -> int:
    """How many cores' worth of time this process has: fewer than `cores` in a
    container with a quota, but never less than one."""
    quota = cgroups.cpu_quota()
    present = len(cores())
    return present if quota is None else max(1, min(present, int(quota)))


def core_of(worker: int) -> int | None:
    """The core that a worker, counted from 1, is pinned to.

    None under a quota, which is of time and not of cores: every container of a machine
    would choose the same ones.
    """
    present = cores()
    limited = usable_cores() < len(present)
    return None if limited else present[(worker - 1) % len(present)]


def memory() -> float:
    """Bytes of memory that this process may use, as far as the system tells."""
    present = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    limit = cgroups.memory_limit()
    return present if limit is None else min(present, limit)


def default_workers(device: str) -> int:
    """One worker per core that has memory for one; one where there is a GPU."""
    if device != "cpu":
        return 1
    return max(1, min(usable_cores(), int(memory() / MEMORY_PER_WORKER)))


def check_backend(backend: str) -> None:
    """Raise a `KitError` unless the backend is known and installed."""
    known("backend", backend, BACKENDS)
    if importlib.util.find_spec(backend) is None:
        raise not_installed(backend)


def device(backend: str) -> str:
    """ "gpu" if the backend will use one, else "cpu".

    Only asked of the backend, in a process of its own, where a driver is present.
    """
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1")
    if hidden or not Path("/dev/nvidiactl").exists():
        return "cpu"
    probe = f"{PROBES[backend]}; print('devices', len(n))"
    found = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    count = found.stdout.rpartition("devices ")[2].strip()
    return "gpu" if count.isdigit() and int(count) else "cpu"


def gpu_name() -> str | None:
    """Name of the first NVIDIA GPU, if its tools are there to ask."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip().splitlines()[0] if found.stdout.strip() else None


def peak_bytes() -> int:
    """The most memory that this process has had so far.

    Not `ru_maxrss` on Linux, where a process starts with the peak of its parent.

    Example:
        >>> peak_bytes() > 10**6
        True
    """
    try:
        (peak,) = re.findall(
            r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text()
        )
        return int(peak) * 1024
    except (OSError, ValueError):
        import resource  # not on Windows

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def cpu_model() -> str:
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":", 1)[1] for line in lines if "model name" in line]
        return names[0].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


@functools.cache
def source(package: Path = PACKAGE) -> str:
    """Which source of the kit this is: a hash of its modules, alike in clone and wheel.

    Example:
        >>> len(source())
        12
    """
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.parts[0] != "shipped":  # exercises and the like, only in a wheel
            digest.update(f"{name.as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def environment(backend: str, device: str) -> dict[str, Any]:
    """Versions and hardware, as they are stored with every row."""

    def version(package: str) -> str | None:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    on_cpu = backend == "tensorflow" and version("tensorflow") is None
    return {
        "kit": kit.__version__,
        "source": source(),
        "python": platform.python_version(),
        "keras": version("keras"),
        backend: version("tensorflow-cpu" if on_cpu else backend),
        "numpy": version("numpy"),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "gpu": gpu_name() if device == "gpu" else None,
    }
