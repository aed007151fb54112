"""What is saved is saved as a whole, and the disk is looked at before the work."""

import json
import math
import os
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from kit.compression import output
from kit.errors import KitError
from kit.models import build
from tests.cases import CASES

Disk = namedtuple("Disk", "total used free")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights_is_refused_at_once(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(KitError, match="no right to write"):
        output.check_output(tmp_path / "locked" / "new")


def test_a_full_disk_is_told_before_the_work(tmp_path, monkeypatch):
    model = build(CASES["pre-ln"])
    output.check_space(tmp_path / "new" / "deeper", model)
    monkeypatch.setattr(output.shutil, "disk_usage", lambda _: Disk(9, 9, 9e6))
    with pytest.raises(KitError, match="9 MB left"):
        output.check_space(tmp_path / "new" / "deeper", model)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_leaves_the_old_files(tmp_path, monkeypatch):
    def full(self, *_, **__):
        raise OSError(28, "No space left on device")

    (tmp_path / "model.keras").write_text("old")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(KitError, match="No space left"):
        output.save(tmp_path, build(CASES["pre-ln"]), None, {})
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    assert (tmp_path / "model.keras").read_bytes() == b"old"


def test_a_record_is_plain_json(tmp_path):
    record = {"scores": {0: np.float32([1, 2])}, "perplexity": math.inf, "n": (1, None)}
    output.save(tmp_path / "new", build(CASES["pre-ln"]), None, record)
    assert json.loads((tmp_path / "new" / "record.json").read_text()) == {
        "scores": {"0": [1.0, 2.0]},
        "perplexity": None,
        "n": [1, None],
    }
