"""Large batches are judged a few sequences at a time."""

import pytest

from kit.pruning import parts_of, prune
from kit.pruning.calibration import Calibration
from kit.pruning.evaluation import Evaluator
from kit.pruning.operation import Operation
from kit.pruning.pieces import Pieces
from tests.cases import assert_same
from tests.pruning.models import deep, deep_config, some_data


@pytest.fixture
def rows_at_once(monkeypatch):
    """How many sequences each block and each head gets, where two make a chunk."""
    monkeypatch.setattr("kit.pruning.calibration.TOKENS_AT_ONCE", 14)
    seen = {"block": [], "head": []}
    block, head = Pieces.block, Pieces.head

    def seeing_block(self, index, kind, x, *rest):
        seen["block"].append(x.shape[0])
        return block(self, index, kind, x, *rest)

    def seeing_head(self, function, *arrays):
        seen["head"] += [array.shape[0] for array in arrays]
        return head(self, function, *arrays)

    monkeypatch.setattr(Pieces, "block", seeing_block)
    monkeypatch.setattr(Pieces, "head", seeing_head)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["loss", "divergence"])
@pytest.mark.parametrize("kind", ["gpt", "encoder"])
def test_a_batch_is_judged_a_few_sequences_at_a_time(
    kind, measure, rows_at_once, monkeypatch
):
    """Five sequences: two chunks and a half, and the same losses as in one piece."""
    model, batch = deep(kind), some_data(deep_config(kind), 5)
    choices = [[], *([part] for part in parts_of(model.config))]
    evaluator = Evaluator(model, batch, measure)
    found = evaluator.losses(choices)
    evaluations = evaluator.pieces.evaluations
    assert {*rows_at_once["block"]} == {*rows_at_once["head"]} == {1, 2}
    monkeypatch.setattr("kit.pruning.calibration.TOKENS_AT_ONCE", 2**11)
    whole = Evaluator(model, batch, measure)
    assert_same(found, whole.losses(choices))
    assert evaluations == whole.pieces.evaluations
    assert max(rows_at_once["head"]) == 5


@pytest.mark.slow
def test_evopress_judges_a_few_sequences_at_a_time(rows_at_once, monkeypatch):
    model, data = deep("gpt"), Calibration(some_data(deep_config(), 5), 5)
    settings = {"generations": 1, "offspring": 4, "initial": 8, "tokens": (14, 99)}
    judged, judge = [], Operation.judge

    def seeing(self, batch, measure):
        judged.append(len(batch.inputs))
        return judge(self, batch, measure)

    monkeypatch.setattr(Operation, "judge", seeing)
    found = prune(model, data, 0.3, "evopress", **settings).record
    assert {*judged} == {1, 2} and max(rows_at_once["head"]) == 2
    monkeypatch.setattr("kit.pruning.calibration.TOKENS_AT_ONCE", 2**11)
    expected = prune(model, data, 0.3, "evopress", **settings).record
    assert (found.parts, found.candidates) == (expected.parts, expected.candidates)
