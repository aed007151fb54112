"""What the sizes of the models alone tell, held against models and stored runs."""

import pytest

from kit.config import ModelConfig
from kit.studies import committed
from kit.studies.pruning.sizes import judged


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
