"""Quotas of containers, read from files as the kernel writes them."""

import pytest

from kit.studies import cgroups

UNLIMITED = "9223372036854771712"  # what version 1 writes for no limit
TWO_CORES, GIB = "200000 100000", 2**30


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Write a fake /proc/self/cgroup and a fake /sys/fs/cgroup."""
    monkeypatch.setattr(cgroups, "ROOT", tmp_path / "cgroup")
    monkeypatch.setattr(cgroups, "OWN", tmp_path / "own")

    def write(own, **files):
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            file = tmp_path / "cgroup" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n")

    return write


def test_version_2(system):
    system(
        "0::/\n",
        **{"cpu.max": TWO_CORES, "memory.max": 3 * GIB, "cpu.stat": "usage_usec 1"},
    )
    assert (cgroups.cpu_quota(), cgroups.memory_limit()) == (2.0, 3 * GIB)


def test_version_2_without_limits(system):
    system("0::/user\n", **{"user/cpu.max": "max 100000", "user/memory.max": "max"})
    assert (cgroups.cpu_quota(), cgroups.memory_limit()) == (None, None)


def test_the_tightest_group_of_all_above_counts(system):
    system(
        "0::/pod/task\n",
        **{"pod/cpu.max": "150000 100000", "pod/task/cpu.max": "max 100000"},
        **{"pod/memory.max": 4 * GIB, "pod/task/memory.max": 2 * GIB},
        **{"other/cpu.max": "1000 100000", "other/memory.max": 1},
    )
    assert (cgroups.cpu_quota(), cgroups.memory_limit()) == (1.5, 2 * GIB)


@pytest.mark.parametrize("folder", ["docker/7f", ""])
def test_version_1(system, folder):
    """The path is the machine's; inside a container the group may be at the root."""
    system(
        "9:memory:/docker/7f\n4:cpu,cpuacct:/docker/7f\n1:name=systemd:/docker/7f\n",
        **{f"cpu,cpuacct/{folder}/cpu.cfs_quota_us": 50000},
        **{f"cpu,cpuacct/{folder}/cpu.cfs_period_us": 100000},
        **{f"memory/{folder}/memory.limit_in_bytes": GIB},
    )
    assert (cgroups.cpu_quota(), cgroups.memory_limit()) == (0.5, GIB)


def test_version_1_without_limits(system):
    system(
        "9:memory:/\n4:cpu:/\n0::/\n",
        **{"cpu/cpu.cfs_quota_us": -1, "cpu/cpu.cfs_period_us": 100000},
        **{"memory/memory.limit_in_bytes": UNLIMITED},
    )
    assert cgroups.cpu_quota() is None
    assert cgroups.memory_limit() == float(UNLIMITED)  # above any machine's memory


@pytest.mark.parametrize("own", ["", "nonsense\n", "0::/\n"])
def test_no_groups_no_limits(system, own):
    system(own)
    assert (cgroups.cpu_quota(), cgroups.memory_limit()) == (None, None)
