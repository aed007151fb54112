"""What a run runs on: cores, memory, accelerator, and versions for the record."""

import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import kit
from kit.errors import KitError

PACKAGES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}
MEMORY_PER_WORKER = 1.5 * 2**30
PROBES = {
    "tensorflow": "import tensorflow as t; n = t.config.list_physical_devices('GPU')",
    "jax": "import jax; n = [d for d in jax.devices() if d.platform != 'cpu']",
    "torch": "import torch; n = range(torch.cuda.device_count())",
}


def cores() -> list[int]:
    """Numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def memory() -> float:
    """Bytes of memory that this process may use, as far as the system tells."""
    limits = [float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))]
    try:
        limits.append(float(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        pass  # not Linux, or no limit ("max")
    return min(limits)


def default_workers(device: str) -> int:
    """One worker per core that has memory for one; one where there is a GPU."""
    if device != "cpu":
        return 1
    return max(1, min(len(cores()), int(memory() / MEMORY_PER_WORKER)))


def check_backend(backend: str) -> None:
    """Raise a `KitError` unless the backend is known and installed."""
    from kit.studies import unknown

    if backend not in PACKAGES:
        raise unknown("backend", backend, PACKAGES)
    if importlib.util.find_spec(PACKAGES[backend]) is None:
        raise KitError(
            f"The backend '{backend}' is not installed",
            f"Run pip install 'ablation-kit[{backend}]'",
        )


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


def cpu_model() -> str:
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":", 1)[1] for line in lines if "model name" in line]
        return names[0].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def environment(backend: str, device: str) -> dict[str, Any]:
    """Versions and hardware, as they are stored with every row."""

    def version(package: str) -> str | None:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    backend_package = PACKAGES[backend]
    if backend == "tensorflow" and version("tensorflow") is None:
        backend_package = "tensorflow-cpu"
    return {
        "kit": kit.__version__,
        "python": platform.python_version(),
        "keras": version("keras"),
        backend: version(backend_package),
        "numpy": version("numpy"),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_model(),
        "cores": len(cores()),
        "gpu": gpu_name() if device == "gpu" else None,
    }
