"""The benchmark compares like with like, and its stored rows were made by it."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import benchmarks.__main__ as main
from benchmarks import kit_gpt
from benchmarks.__main__ import (
    FEWEST,
    LATEST,
    TORCH,
    flops_of,
    make_row,
    rivals,
    show,
)
from benchmarks.cases import BASE, CASES, FEATURES, PAPER, WATCHED, Case
from benchmarks.turns import Peer as Started
from benchmarks.worker import KIT_BASE, KIT_PLAIN
from kit.counts import parameter_counts
from kit.sharpness import SharpnessCallback

NEEDS_TORCH = "the peer needs PyTorch; make bench installs it"
SMALL = Case(blocks=3, width=16, context=6, batch=2, vocabulary=11, steps=1)


@pytest.mark.parametrize("name", CASES)
def test_both_models_have_the_same_parameters(name):
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.peers import torch_gpt

    ours = sum(parameter_counts(kit_gpt.config(CASES[name])).values())
    assert torch_gpt.count_parameters(CASES[name]) == ours


@pytest.mark.parametrize("block", [BASE, *PAPER])
def test_both_models_with_the_same_weights_give_the_same_logits(block):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.peers.torch_gpt import GPT
    from kit.models import build
    from kit.models.build import named_weights

    case = replace(SMALL, block=block)
    model, peer = build(kit_gpt.config(case)), GPT(case)
    weights, rng = named_weights(model), np.random.default_rng(0)
    for weight in weights.values():  # also of those that start at 0 or 1
        change = 0.3 * rng.standard_normal(weight.shape)
        weight.assign(np.asarray(weight) + change.astype("float32"))
    for name, parameter in peer.named_parameters():
        parameter.data = torch.tensor(take(name, weights))
    assert not weights
    tokens = case.batches().inputs[0]
    with torch.no_grad():
        theirs = peer(torch.from_numpy(tokens).long()).numpy()
    np.testing.assert_allclose(model(tokens), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("block", [BASE, *PAPER])
def test_both_models_start_alike(block):
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    from benchmarks.peers.torch_gpt import GPT
    from kit.models import build
    from kit.models.build import named_weights

    case = replace(SMALL, block=block)
    weights = named_weights(build(kit_gpt.config(case)))
    for name, parameter in GPT(case).named_parameters():
        ours, theirs = take(name, weights), parameter.detach().numpy()
        if ours.ndim < 2:
            np.testing.assert_allclose(ours, theirs, rtol=1e-6, err_msg=name)
        np.testing.assert_array_equal(ours == 0, theirs == 0, err_msg=name)


NAMES = {
    "blocks.": "block_",
    ".": "/",
    "embedding/weight": "embedding/embeddings",
    "positions/weight": "positions/table",
    "attention_norm/": "norm_0/",
    "feed_forward_norm/": "norm_1/",
    "/norm/": "/norm_0/",
    "norm/weight": "norm/gamma",
    "norm/bias": "norm/beta",
    "norm_0/weight": "norm_0/gamma",
    "norm_0/bias": "norm_0/beta",
    "norm_1/weight": "norm_1/gamma",
    "norm_1/bias": "norm_1/beta",
    "attention/alpha": "attention/map_alpha",
    "attention/beta": "attention/map_beta",
    "attention/gamma": "attention/map_gamma",
    "attention/value/": "attention/value_",
}


def take(name, weights):
    """Take what a parameter of the peer is in the kit out of the kit's weights."""
    for theirs, ours in NAMES.items():
        name = name.replace(theirs, ours)
    if name.endswith("/value_update"):
        return np.asarray(weights.pop(name)).T
    if not name.endswith("/weight"):
        return np.asarray(weights.pop(name))
    path, matrix = name.removesuffix("/weight").rsplit("/", 1)
    parts = matrix.split("_")  # query, key and value are one matrix there
    matrices = [np.asarray(weights.pop(f"{path}/{part}")) for part in parts]
    if matrix == "down":
        return matrices[0]
    return np.concatenate(matrices, axis=1).T


@pytest.mark.parametrize("name", CASES)
def test_data_are_shifted_by_one_and_fill_the_context(name):
    case = CASES[name]
    inputs, targets = case.batches()
    assert inputs.shape == (case.steps, case.batch, case.context)
    assert inputs.size == case.tokens
    np.testing.assert_array_equal(inputs[..., 1:], targets[..., :-1])
    assert inputs.max() == case.vocabulary - 1


class Peer:
    ready = {"import_seconds": 1.0, "start_to_first_steps_seconds": 2.0}

    def __init__(self, name):
        self.name = name


def turn(rival, ours, theirs):
    seconds = {"kit": ours, rival: theirs}
    return {("matmul", "matmul"): {"seconds": 1.0}} | {
        (name, "train"): {"seconds": value, "peak_megabytes": 100.0}
        for name, value in seconds.items()
    }


def test_a_ratio_is_made_turn_by_turn_and_stands_beside_what_operations_allow():
    pairs = [(1.0, 1.1), (4.0, 4.8), (2.0, 2.6)]
    turns = [turn(KIT_BASE, *pair) for pair in pairs]
    row = make_row("sas-p-512", 2, "train", Peer(KIT_BASE), turns)
    assert row["name"] == "train sas-p-512, 2 cores"
    assert row["ratio_median"] == pytest.approx(1.2)
    assert (row["ratio_min"], row["ratio_max"]) == pytest.approx((1.1, 1.3))
    assert row["bound_by_flops"] * flops_of("sas-p-512", "sas-p") == pytest.approx(
        flops_of("sas-p-512", BASE)
    )
    assert row["paper_ratio"] == 1.16
    ours = make_row("sas-p-512", 2, "train", Peer("kit"), turns)
    assert "ratio_median" not in ours
    same_tokens = ours["tokens_per_second"] / row["tokens_per_second"]
    assert same_tokens == pytest.approx(2.6 / 2.0)
    assert row["gflops"] / ours["gflops"] == pytest.approx(
        row["bound_by_flops"] / same_tokens
    )


@pytest.mark.parametrize("feature", FEATURES)
def test_what_is_added_to_training_is_a_share_of_plain_training(feature):
    case = f"text-{feature}"
    assert rivals(case) == (KIT_PLAIN,) and CASES[case].actions == ("train",)
    pairs = [(1.1, 1.0), (4.0, 4.0), (2.04, 2.0)]
    turns = [turn(KIT_PLAIN, *pair) for pair in pairs]
    row = make_row(case, 1, "train", Peer(KIT_PLAIN), turns)
    assert row["overhead"] == pytest.approx(0.02)
    assert row["overhead_allowed"] == FEATURES[feature]
    assert f"{FEATURES[feature]:.0%} wanted" in show(row)
    same_tokens = make_row(case, 1, "train", Peer("kit"), turns)["tokens_per_second"]
    assert row["tokens_per_second"] / same_tokens == pytest.approx(2.04 / 2.0)


def test_a_turn_holds_one_measurement_of_the_callback_at_its_default_schedule():
    case = CASES["text-sharpness"]
    watch = SharpnessCallback([])
    assert (watch.every, watch.steps) == (case.steps, [])
    assert WATCHED < case.steps


@pytest.mark.parametrize("pairs", [1, FEWEST])
def test_a_trial_is_shown_and_not_stored(pairs, monkeypatch, tmp_path, capsys):
    row = {"name": "sweep", "outside_training": 0.125, "pairs": pairs}
    monkeypatch.setattr(main, "LATEST", tmp_path / "latest.json")
    monkeypatch.setattr(main, "measure", lambda case, pairs: iter([[row]]))
    monkeypatch.setattr(
        sys, "argv", ["benchmarks", "--case", "sweep", "--pairs", f"{pairs}"]
    )
    main.main()
    assert "12% outside training" in (shown := capsys.readouterr().out)
    assert ("A trial" in shown) == (pairs < FEWEST) != ("Written" in shown)
    assert main.LATEST.exists() == (pairs == FEWEST)


def test_no_pairs_are_refused(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--pairs", "0"])
    with pytest.raises(SystemExit, match="--pairs 1 or more"):
        main.main()


STORED = json.loads(LATEST.read_text("utf-8"))


@pytest.mark.parametrize(
    "action, case", [(action, name) for name in CASES for action in CASES[name].actions]
)
def test_stored_rows_of_a_case_cover_all_cores_and_peers(case, action):
    rows = [row for row in STORED if row["name"].startswith(f"{action} {case}, ")]
    names = [f"{action} {case}, {cores}" for cores in ("1 core", "2 cores")]
    compared = {(row["name"], row["peer"]) for row in rows if "ratio_median" in row}
    peers = {*rivals(case)}
    assert compared == {(name, peer) for name in names for peer in peers}
    faster = [row for row in rows if row.get("faster")]
    assert [row["name"] for row in faster] == (names if {*TORCH} & peers else [])
    assert {row["peer"] for row in faster} <= set(TORCH)
    for row in rows:
        if "ratio_median" in row:
            assert row["pairs"] >= FEWEST
            assert row["ratio_min"] <= row["ratio_median"] <= row["ratio_max"]
        if row["peer"] == KIT_BASE:
            flops = flops_of(case, BASE) / flops_of(case, CASES[case].block)
            assert row["bound_by_flops"] == pytest.approx(flops)


def test_the_stored_sweep_tells_its_share_outside_training():
    assert any("outside_training" in row for row in STORED)


def test_a_peer_that_has_ended_is_told(monkeypatch):
    """As when the machine runs out of memory between two turns."""
    script = "print('{}', flush=True); input()"
    start = partial(subprocess.Popen, [sys.executable, "-c", script])
    monkeypatch.setattr(
        "benchmarks.turns.subprocess.Popen", lambda command, **options: start(**options)
    )
    peer = Started("kit 0.23", "shared-512", 1)
    peer.process.kill()
    peer.process.wait()
    with pytest.raises(SystemExit, match=r"kit 0.23 ended early. If memory ran out"):
        peer.turn("train")
