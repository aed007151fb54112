"""What the sizes of the models alone tell, held against models and stored runs."""

import numpy as np
import pytest

from kit.config import ModelConfig
from kit.models import build
from kit.pruning import Calibration, prune
from kit.studies import committed
from kit.studies.pruning import STUDY
from kit.studies.pruning.sizes import SMOLLM2, gone_of_all, judged


@pytest.mark.parametrize("method", ["2ssp", "blockpruner", "evopress"])
@pytest.mark.parametrize("subject", ["llama", "gpt"])
def test_searches_judge_as_many_models_as_the_formula_says(subject, method):
    rows = committed("pruning").of(f"{subject}-{method}")
    config = ModelConfig.from_dict(rows[0].spec["model"])
    points = [p for row in rows for curve in row.probes["curves"] for p in curve]
    assert len(points) >= 12
    for point in points:
        fewest, most = judged(method, config, point["sparsity"])
        assert fewest <= point["candidates"] <= most
    tried = {point["candidates"] for point in points}
    ends = [judged(method, config, sparsity) for sparsity in (0.125, 0.5)]
    assert min(tried) <= ends[0][1] and max(tried) >= ends[1][0]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["slice", "shortgpt"])
def test_a_pruned_model_has_as_many_parameters_as_the_formula_says(method):
    sizes = {"vocabulary_size": 50, "context_length": 8, "width": 24}
    config = ModelConfig.uniform(
        4, "llama", **sizes, positions="rotary", final_norm="rms"
    )
    dense = build(config)
    tokens = np.random.default_rng(0).integers(50, size=(4, 8))
    smaller, record = prune(dense, Calibration(tokens, sequences=4), 0.5, method)
    assert record.reached == pytest.approx(0.5, abs=0.01)
    gone = 1 - smaller.count_params() / dense.count_params()
    assert gone == pytest.approx(gone_of_all(config, 0.5, method == "slice"), abs=1e-6)


def test_the_card_tells_which_methods_overshoot_and_by_how_much():
    text = " ".join(STUDY.card().split())
    told = "asked for 25.0%, 37.5% and 50.0% of the blocks they remove "
    for method in ("shortgpt", "window"):
        reached = [
            committed("pruning").of(f"smollm2-{method}-{s}")[0].metrics["reached"]
            for s in ("25", "37.5", "50")
        ]
        first, second, third = (f"{share:.1%}" for share in reached)
        assert f"{told}{first}, {second} and {third}." in text


def test_the_card_tells_what_is_gone_of_the_whole_model():
    """SmolLM2 sliced by a quarter keeps 122 million parameters, 108 otherwise."""
    kept = [(1 - gone_of_all(SMOLLM2, 0.25, sliced)) * 134.5 for sliced in (0, 1)]
    assert kept == pytest.approx([108, 122], abs=0.5)
    text = STUDY.card()
    assert "| SmolLM2-135M | 19.7% |" in text
    assert "| SmolLM2-135M, SliceGPT type (one rotation) | 9.2% |" in text
