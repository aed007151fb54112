import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from toy import study

from kit.errors import KitError
from kit.studies import machine


def test_workers_are_limited_by_cores_memory_and_a_gpu(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: list(range(16)))
    monkeypatch.setattr(machine.cgroups, "cpu_quota", lambda: None)
    monkeypatch.setattr(machine, "memory", lambda: 64 * 2**30)
    assert machine.default_workers("cpu") == 16
    assert machine.default_workers("gpu") == 1
    monkeypatch.setattr(machine, "memory", lambda: 4 * 2**30)
    assert machine.default_workers("cpu") == 2
    monkeypatch.setattr(machine, "memory", lambda: 2**20)
    assert machine.default_workers("cpu") == 1


@pytest.mark.parametrize("quota, usable", [(None, 4), (8.0, 4), (2.5, 2), (0.5, 1)])
def test_a_quota_limits_workers_and_leaves_them_unpinned(monkeypatch, quota, usable):
    monkeypatch.setattr(machine, "cores", lambda: [2, 3, 6, 7])
    monkeypatch.setattr(machine, "memory", lambda: 64 * 2**30)
    monkeypatch.setattr(machine.cgroups, "cpu_quota", lambda: quota)
    assert machine.usable_cores() == machine.default_workers("cpu") == usable
    pinned = [machine.core_of(worker) for worker in range(1, 6)]
    assert pinned == ([2, 3, 6, 7, 2] if usable == 4 else [None] * 5)


def test_a_limit_of_memory_is_respected(monkeypatch):
    monkeypatch.setattr(machine.cgroups, "memory_limit", lambda: None)
    present = machine.memory()
    monkeypatch.setattr(machine.cgroups, "memory_limit", lambda: present / 2)
    assert machine.memory() == present / 2
    monkeypatch.setattr(machine.cgroups, "memory_limit", lambda: 9.2e18)
    assert machine.memory() == present


def test_cores_are_those_of_this_process():
    assert machine.cores() == sorted(os.sched_getaffinity(0))
    assert (
        0 < machine.memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    )


@pytest.mark.parametrize(
    "driver, hidden, answer, device",
    [
        (True, None, "noise\ndevices 2\n", "gpu"),
        (True, None, "devices 0\n", "cpu"),
        (True, None, "", "cpu"),  # the backend could not be imported
        (True, "", "devices 2\n", "cpu"),
        (True, "-1", "devices 2\n", "cpu"),
        (False, None, "devices 2\n", "cpu"),
    ],
)
def test_device_is_a_gpu_only_if_the_backend_sees_one(
    monkeypatch, driver, hidden, answer, device
):
    monkeypatch.setattr(Path, "exists", lambda path: driver)
    monkeypatch.setattr(
        subprocess, "run", lambda *a, **k: SimpleNamespace(stdout=answer)
    )
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert machine.device("tensorflow") == device


def test_environment_names_versions_and_nothing_of_the_user():
    found = machine.environment("tensorflow", "cpu")
    assert {
        "kit",
        "source",
        "python",
        "keras",
        "tensorflow",
        "numpy",
        "cpu",
        "cores",
    } <= set(found)
    text = str(found)
    assert str(Path.home()) not in text and os.uname().nodename not in text


def test_the_source_is_named_by_what_its_modules_say(tmp_path):
    def written(folder, **modules):
        for name, text in modules.items():
            path = tmp_path / folder / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return machine.source(tmp_path / folder)

    first = written("clone", a="x = 1", deep__b="y = 2")
    assert written("wheel", a="x = 1", deep__b="y = 2", shipped__c="z = 3") == first
    others = [
        written("edited", a="x = 2", deep__b="y = 2"),
        written("moved", a="x = 1", deeper__b="y = 2"),
        written("renamed", b="x = 1", deep__a="y = 2"),
        written("more", a="x = 1", deep__b="y = 2", c=""),
    ]
    assert len({first, *others}) == 5
    assert machine.source() == machine.environment("jax", "cpu")["source"]


def test_the_source_is_no_part_of_a_key(monkeypatch):
    before = [cell.key for cell in study().cells("smoke")]
    monkeypatch.setattr(machine, "source", lambda: "another")
    assert [cell.key for cell in study().cells("smoke")] == before
    assert machine.environment("jax", "cpu")["source"] == "another"


def test_an_unknown_backend_is_refused():
    with pytest.raises(KitError, match="unknown backend 'theano'"):
        machine.check_backend("theano")


@pytest.mark.slow
def test_a_process_does_not_start_with_the_peak_of_its_parent():
    held = np.ones(40_000_000)  # 320 MB
    code = "from kit.studies.machine import peak_bytes; print(peak_bytes())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert int(found.stdout) < held.nbytes < machine.peak_bytes()
