"""The benchmark compares like with like, and its stored rows were made by it."""

import json

import numpy as np
import pytest

from benchmarks import kit_gpt
from benchmarks.__main__ import LATEST, PEERS
from benchmarks.cases import CASES, STEPS
from kit.counts import parameter_counts


@pytest.mark.parametrize("name", CASES)
def test_both_models_have_the_same_parameters(name):
    pytest.importorskip(
        "torch", reason="the peer needs PyTorch; make bench installs it"
    )
    from benchmarks.peers import torch_gpt

    ours = sum(parameter_counts(kit_gpt.config(CASES[name])).values())
    assert torch_gpt.count_parameters(CASES[name]) == ours


@pytest.mark.parametrize("name", CASES)
def test_data_are_shifted_by_one_and_fill_the_context(name):
    case = CASES[name]
    inputs, targets = case.batches(STEPS[name])
    assert inputs.shape == (STEPS[name], case.batch, case.context)
    np.testing.assert_array_equal(inputs[..., 1:], targets[..., :-1])
    assert inputs.max() == case.vocabulary - 1


def test_stored_rows_cover_every_case_and_peer():
    if not LATEST.exists():
        pytest.skip("benchmarks/latest.json has not been made yet")
    rows = json.loads(LATEST.read_text("utf-8"))
    compared = {(row["name"], row["peer"]) for row in rows if "ratio_median" in row}
    cores = ("1 core", "2 cores")
    names = [f"train {case}, {some}" for case in CASES for some in cores]
    assert compared == {(name, peer) for name in names for peer in PEERS}
    faster = [row["name"] for row in rows if row.get("faster")]
    assert sorted(faster) == sorted(names)
    for row in rows:
        if "ratio_median" in row:
            assert row["pairs"] >= 5
            assert row["ratio_min"] <= row["ratio_median"] <= row["ratio_max"]
    assert any("outside_training" in row for row in rows)
