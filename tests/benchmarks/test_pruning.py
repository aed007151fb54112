"""Both peers prune the same model to the same answer, and rows say what was found."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import kit_pruning, pruning
from benchmarks.__main__ import LATEST, rivals, show
from benchmarks.pruning_cases import PRUNED, PRUNING, SPARSITIES, PruningCase
from kit.counts import flops_per_token
from kit.models import build
from kit.pretrained.llama import llama_config
from kit.pruning import Calibration, two_stage

SMALL = PruningCase(
    blocks=4, width=16, heads=2, vocabulary=23, time=12, sequences=6, search_sequences=3
)


def small_model(kind):
    if kind == "gpt":
        return kit_pruning.spread(build(kit_pruning.config(SMALL)))
    sizes = {"vocabulary_size": 23, "context_length": 12, "width": 16}
    model = build(llama_config(4, 4, 2, 40, norm_epsilon=1e-6, **sizes))
    return kit_pruning.spread(model)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gpt", "llama"])
def test_pytorch_removes_the_same_parts(kind, tmp_path):
    reason = "the peer needs PyTorch; make bench installs it"
    torch = pytest.importorskip("torch", reason=reason)
    from benchmarks.peers import torch_two_stage

    model = small_model(kind)
    tokens = np.random.default_rng(1).integers(23, size=(6, 12)).astype("int32")
    calibration = Calibration(tokens, sequences=6, search_sequences=3)
    smaller, record = two_stage(model, calibration, 0.5)
    kit_pruning.write(model, tokens, tmp_path)
    peer, read = torch_two_stage.read(tmp_path)
    np.testing.assert_array_equal(read.numpy(), tokens)
    left, theirs = torch_two_stage.two_stage(peer, [read[:4], read[4:]], read[:3], 0.5)
    assert theirs["neurons"] == list(record.neurons.values())
    assert theirs["parts"] == [part.block for part in record.parts]
    assert theirs["candidates"] == record.candidates
    ours = [removal.perplexity for removal in record.removals]
    np.testing.assert_allclose(theirs["perplexities"], ours, rtol=1e-5)
    for one, other in ((model, peer), (smaller, left)):
        with torch.inference_mode():
            logits = other(read).numpy()
        np.testing.assert_allclose(one(tokens), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_what_is_timed_has_the_sizes_that_pruning_leaves():
    model = small_model("gpt")
    tokens = np.random.default_rng(1).integers(23, size=(6, 12))
    data = Calibration(tokens, sequences=6)
    for sparsity in SPARSITIES:
        left = two_stage(model, data, sparsity).model.config
        timed = kit_pruning.cut(model, sparsity).config
        assert flops_per_token(timed) == flops_per_token(left)


ANSWER = {
    "neurons": [[0, 1, 3], [1, 2, 3]],
    "parts": [1, 0],
    "perplexities": [7.0, 8.0],
    "candidates": 3,
    "block_evaluations": 60,
}


def test_a_tie_is_the_same_answer_and_anything_else_is_not():
    tie = ANSWER | {"parts": [0, 1], "perplexities": [7.0, 8.001]}
    found = pruning.agreement(tie, ANSWER)
    assert found["perplexity_difference"] == pytest.approx(1.25e-4)
    assert (found["same_attentions"], found["neurons_in_common"]) == (False, 1.0)
    assert pruning.agreement(ANSWER, ANSWER)["same_attentions"]
    for other in ({"perplexities": [7.0, 8.1]}, {"neurons": [[0, 1, 2], [1, 2, 3]]}):
        with pytest.raises(SystemExit, match="not reach the same answer"):
            pruning.agreement(ANSWER | other, ANSWER)


def test_ratios_are_made_turn_by_turn():
    turns = [{"kit": k, "torch": t} for k, t in ((1.0, 1.9), (4.0, 8.0), (2.0, 3.4))]
    kit, torch = (
        pruning.pruning_row("prune-gpt-12", 2, peer, turns, ANSWER)
        for peer in ("kit", "torch")
    )
    assert torch["ratio_median"] == pytest.approx(1.9)
    assert (torch["ratio_min"], torch["ratio_max"]) == pytest.approx((1.7, 2.0))
    assert (kit["seconds"], torch["seconds"]) == (2.0, 3.4)
    assert "ratio_median" not in kit
    kit |= pruning.memory(pruning=140.0, forward=100.0)
    assert "140 MB, 1.40x of a forward pass, up to 1.5x wanted" in show(kit)
    torch |= pruning.agreement(ANSWER, ANSWER) | {"bound_by_flops": 1.7}
    assert "1.8x wanted; the same attentions" in show(torch)


def test_a_pruned_model_stands_beside_the_dense_one():
    turns = [
        {("forward", 0.0): dense, ("forward", 0.5): half}
        for dense, half in ((2.0, 1.0), (3.0, 2.0), (5.0, 2.0))
    ]
    row = pruning.pruned_row("pruned-gpt-12", 1, ("forward", 0.5), turns, 1.9)
    assert row["ratio_median"] == 2.0 and row["bound_by_flops"] == 1.9
    assert row["tokens_per_second"] == PRUNED["pruned-gpt-12"].tokens["forward"] / 2
    assert "without 50.0%" in show(row) and "by operations 1.90x" in show(row)


def test_cases_have_data_for_scores_and_search():
    for case in (PRUNING | PRUNED).values():
        assert case.search_sequences <= case.sequences
        assert case.prompt + case.generated <= case.time
        assert replace(case, time=4096).rows == 1
    assert [rivals(name) for name in (*PRUNING, *PRUNED)] == [("torch",)] * 2 + [()] * 2


STORED = json.loads(LATEST.read_text("utf-8"))


@pytest.mark.parametrize("name", [*PRUNING, *PRUNED])
def test_stored_rows_of_a_case_are_complete(name):
    rows = [row for row in STORED if f"{name}" in row["name"].replace(",", " ").split()]
    cores = len((PRUNING | PRUNED)[name].cores)
    if name in PRUNING:
        assert [row["peer"] for row in rows] == ["kit", "torch"] * cores
        for row in rows[1::2]:
            assert row["perplexity_difference"] <= pruning.SAME
    else:
        assert len(rows) == cores * 2 * len(SPARSITIES)
    for row in rows:
        assert row["pairs"] >= 5
        if "ratio_median" in row:
            assert row["ratio_min"] <= row["ratio_median"] <= row["ratio_max"]
