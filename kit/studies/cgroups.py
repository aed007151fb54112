"""What a container may use: quotas of Linux control groups, version 2 and version 1.

A process is limited by its own group and by every group above it, and a container
may see its group at the root. So every level is asked, and the lowest answer counts.
"""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def cpu_quota() -> float | None:
    """Cores' worth of time that this process may use, or None without a quota."""
    quotas = []
    for folder in _folders("cpu"):
        quota, period = _numbers(folder / "cpu.max", 2)  # version 2
        if quota is None:  # version 1
            (quota,) = _numbers(folder / "cpu.cfs_quota_us", 1)
            (period,) = _numbers(folder / "cpu.cfs_period_us", 1)
        if quota and period and quota > 0:  # version 1 writes -1 for no quota
            quotas.append(quota / period)
    return min(quotas, default=None)


def memory_limit() -> float | None:
    """Bytes of memory that this process may use, or None without a limit."""
    limits = [
        limit
        for folder in _folders("memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        for limit in _numbers(folder / name, 1)
        if limit is not None
    ]
    return min(limits, default=None)


def _folders(controller: str) -> Iterator[Path]:
    """The folders of this process's groups for a controller, and of all above them."""
    try:
        lines = OWN.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, group = line.partition(":")
        controllers, _, path = group.partition(":")
        if controllers and controller not in controllers.split(","):
            continue  # a version 1 hierarchy of something else
        for mount in (ROOT / controllers, ROOT / "unified", ROOT / controller):
            inner = mount / path.lstrip("/")
            yield from (at for at in (inner, *inner.parents) if at.is_relative_to(ROOT))


def _numbers(file: Path, count: int) -> list[float | None]:
    """The first numbers in a file; None for each that is missing or "max"."""
    try:
        words = file.read_text().split()
    except OSError:
        words = []
    numbers = [float(word) if word.lstrip("-").isdigit() else None for word in words]
    return [*numbers, *[None] * count][:count]
