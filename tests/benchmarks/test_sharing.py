"""Both peers share the same maps to the same logits, and rows say what was found."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import kit_pruning, kit_sharing, sharing
from benchmarks.__main__ import LATEST, rivals, show
from benchmarks.sharing_cases import MODELS, PAPER, RATES, SHARING, SharingCase
from kit.counts import flops_per_token
from kit.models import build, generate
from kit.pretrained.llama import llama_config
from kit.sharing import savings_of, share, shared_config
from tests.models.test_copying import tinyllama

SMALL = SharingCase(
    blocks=5, width=16, head_dim=8, vocabulary=23, time=12, sequences=2, batch=1
)


def small_model(kind):
    if kind == "gpt":
        return kit_sharing.dense_model(SMALL)
    sizes = {"vocabulary_size": 23, "context_length": 12, "width": 16}
    model = build(llama_config(5, 4, 2, 40, norm_epsilon=1e-6, **sizes))
    return kit_pruning.spread(model)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gpt", "llama"])
def test_pytorch_shares_the_same_maps(kind, tmp_path):
    reason = "the peer needs PyTorch; make bench installs it"
    torch = pytest.importorskip("torch", reason=reason)
    from benchmarks.peers import torch_sharing

    model = small_model(kind)
    kit_sharing.write(model, SMALL, tmp_path)
    copies = kit_sharing.copies(len(model.blocks), RATES[1])
    logits = {}
    for name, ours in (("0", model), (str(RATES[1]), share(model, copies))):
        peer, tokens = torch_sharing.read(tmp_path, name)
        tokens = tokens[:, :-1]
        theirs = torch_sharing.generate(peer, tokens[:, :4], steps=6)
        np.testing.assert_array_equal(generate(ours, tokens[:, :4], 6), theirs)
        with torch.inference_mode():
            logits[name] = peer(tokens).numpy()
        np.testing.assert_allclose(ours(tokens), logits[name], rtol=1e-4, atol=1e-5)
    fused, _ = torch_sharing.read(tmp_path, "fused")
    with torch.inference_mode():
        np.testing.assert_allclose(fused(tokens), logits["0"], rtol=1e-4, atol=1e-5)
    assert np.abs(logits["0"] - logits[str(RATES[1])]).max() > 1e-2


@pytest.mark.slow
def test_both_peers_do_the_same_work(tmp_path):
    """As it is timed; of training steps it shows in the logits afterwards."""
    pytest.importorskip(
        "torch", reason="the peer needs PyTorch; make bench installs it"
    )
    from benchmarks.peers import torch_sharing

    case = replace(SMALL, prompt=4, generated=6, steps=2)
    kit_sharing.write(kit_sharing.dense_model(case), case, tmp_path)
    name = str(RATES[1])
    for use in case.tokens:
        _, ours = kit_sharing.prepare(case, name, use)
        _, theirs = torch_sharing.prepare(case, name, use, tmp_path)
        before = ours["logits"]()
        done = [each[use]() for each in (ours, theirs)]
        if use != "train":
            np.testing.assert_allclose(*done, rtol=1e-4, atol=1e-5)
        after = [each["logits"]() for each in (ours, theirs)]
        change = np.abs(after[0] - before).max()
        assert (change > 1e-3) == (use == "train")
        np.testing.assert_allclose(*after, rtol=1e-4, atol=1e-5 + 0.01 * change)


@pytest.mark.slow
@pytest.mark.parametrize("use", ["forward", "generate", "train"])
def test_the_kit_does_what_is_timed_without_pytorch_too(use):
    case = replace(SMALL, blocks=2, prompt=4, generated=6, steps=2)
    shape = {"forward": (2, 12, 23), "generate": (1, 10)}
    about, actions = kit_sharing.prepare(case, str(RATES[1]), use)
    before = actions["logits"]()
    done = actions[use]()
    if use in shape:
        assert np.shape(done) == shape[use]
    change = np.abs(actions["logits"]() - before).max()
    assert (change > 1e-3) == (use == "train")
    dense = kit_sharing.config(case)
    assert about["flops"] < flops_per_token(dense, case.time)


def test_of_22_blocks_as_many_copy_as_in_the_paper():
    counts = [len(kit_sharing.copies(22, rate)) for rate in RATES]
    assert counts == [5, 9, 17]
    assert kit_sharing.copies(22, 0.0) == {}


@pytest.mark.parametrize("use", ["forward", "generate", "train"])
def test_the_bound_is_what_the_formula_of_savings_leaves(use):
    config, copies = kit_sharing.config(SMALL), kit_sharing.copies(5, 0.41)
    time = 64 if use == "generate" else SMALL.time
    saved = savings_of(config, copies, time).flops
    shared = share(build(config), copies).config
    after = kit_sharing.operations(shared, SMALL, use, room=64)
    assert after == flops_per_token(config, time) - saved


def turns_of(seconds):
    return [
        {
            peer: {"seconds": each[turn], "peak_megabytes": 100.0}
            for peer, each in seconds.items()
        }
        for turn in range(3)
    ]


SECONDS = {
    "kit 0": [2.0, 4.0, 2.4],
    "kit 0.41": [1.0, 4.0, 2.0],
    "kit fused": [1.5, 5.0, 3.0],
    "torch 0.41": [2.0, 6.0, 5.0],
    "torch 0": [1.0, 1.0, 1.0],
    "torch fused": [1.0, 1.0, 1.0],
}
FLOPS = {"kit 0": 130, "kit 0.41": 100, "kit fused": 130}


def row_of(peer, use="generate"):
    return sharing.make_row("shared-256", use, 2, peer, turns_of(SECONDS), FLOPS)


def test_ratios_are_made_turn_by_turn():
    row = row_of("kit 0.41")
    assert row["name"] == "sharing generate of shared-256, 2 cores"
    assert row["ratio_median"] == pytest.approx(1.2)
    assert (row["ratio_min"], row["ratio_max"]) == (1.0, 2.0)
    assert row["bound_by_flops"] == 1.3
    assert row["beside_fused"] == 1.5
    assert row["paper_ratio"] == 1.15
    assert row["tokens_per_second"] == SHARING["shared-256"].tokens["generate"] / 2
    text = show(row)
    for part in ("41% copied", "1.20x of none", "operations 1.30x", "GPU 1.15x"):
        assert part in text
    assert "paper_ratio" not in row_of("kit 0.41", "forward")
    assert "ratio_median" not in row_of("kit 0")
    assert "bound_by_flops" not in row_of("kit fused")
    assert row_of("torch 0.41")["kit_ratio"] == 2.0
    assert "kit is 2.00x as fast" in show(row_of("torch 0.41"))


def test_logits_that_differ_end_the_benchmark(tmp_path):
    np.save(tmp_path / "kit 0.npy", np.array([1.0, -2.0]))
    np.save(tmp_path / "torch fused.npy", np.array([1.0, -2.001]))
    found = sharing.difference(tmp_path, "torch fused")
    assert found == pytest.approx(5e-4)
    np.save(tmp_path / "torch 0.npy", np.array([1.0, -2.1]))
    with pytest.raises(SystemExit, match="torch 0 differ"):
        sharing.difference(tmp_path, "torch 0")


@pytest.mark.parametrize("name", SHARING)
def test_cases_fit_their_context_and_have_rivals(name):
    case = SHARING[name]
    assert case.prompt + case.generated <= case.time
    assert rivals(name) == ("torch",)
    trained = sharing.peers_of(case, "train")
    assert "kit 0" in trained and ("torch 0" in trained) == case.all_train
    tokens = kit_sharing.draw_tokens(case, 65)
    assert len(tokens) >= max(case.sequences, case.steps * case.batch)
    assert tokens.shape[1] == case.time + 1


def test_the_paper_has_every_rate():
    for published in PAPER.values():
        assert tuple(published) == RATES
    assert set(map(str, RATES)) < set(MODELS)


def test_what_products_allow_the_paper_is_what_the_readme_says():
    model = tinyllama()
    shared = [shared_config(model, kit_sharing.copies(22, rate)) for rate in RATES]
    allowed = [flops_per_token(model) / flops_per_token(each) for each in shared]
    first, *others, last = (f"{bound:.2f}x" for bound in allowed)
    reported = [f"{ratio:.2f}x" for ratio in PAPER["train"].values()]
    text = " ".join((LATEST.parent / "README.md").read_text("utf-8").split())
    assert f"{first}, {others[0]} and {last} in training" in text
    assert "reports {}, {} and {}.".format(*reported) in text


STORED = json.loads(LATEST.read_text("utf-8"))


@pytest.mark.parametrize("name", SHARING)
def test_stored_rows_of_a_case_are_complete(name):
    rows = [row for row in STORED if f" of {name}," in row["name"]]
    case = SHARING[name]
    expected = [
        (cores, peer)
        for cores in case.cores
        for use in case.tokens
        for peer in sharing.peers_of(case, use)
    ]
    assert [f"{row['peer']} {row['model']}" for row in rows] == [p for _, p in expected]
    for row in rows:
        assert row["pairs"] >= 5 and row["logits_difference"] <= sharing.SAME
        if "ratio_median" in row:
            assert row["ratio_min"] <= row["ratio_median"] <= row["ratio_max"]
