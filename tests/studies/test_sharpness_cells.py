"""What a worker measures while an arm of the sharpness study trains."""

from functools import cache

import numpy as np
import pytest

from kit.config import ModelConfig
from kit.data import Addition
from kit.models import build
from kit.sharpness import FisherSharpness, labels
from kit.studies.sharpness.arms import ORDER
from kit.studies.sharpness.cells import MEASURED, prepare
from kit.studies.sharpness.measures import BY, agreement, grouped, types_of
from kit.training import TrainConfig, Trainer, token_cross_entropy

pytestmark = pytest.mark.slow

TASK = Addition(digits=1, validation_pairs=8)
MODEL = ModelConfig.uniform(
    1,
    width=8,
    vocabulary_size=TASK.vocabulary_size,
    context_length=TASK.context_length,
    tied_head=False,
)
TRAIN = TrainConfig(steps=20, batch_size=8, warmup_steps=1, evaluate_every=10)
LOOKS = {"steps": [0, 10, 20], "batches": 3, "products": 2}
SPEC = {"model": MODEL.to_dict(), "task": TASK.spec(), "train": TRAIN.to_dict()}


@cache
def looked_at():
    """Two runs of one prepared arm, of the same seed."""
    run = prepare({**SPEC, "looks": LOOKS})
    return [run(1, lambda share: None) for _ in range(2)]


def test_what_is_stored_is_the_sharpness_of_the_model_at_each_step():
    """A run starts afresh, and the batches are those of no training seed."""
    first, second = (run["probes"]["sharpness"] for run in looked_at())
    trainer = Trainer(MODEL, TASK, TRAIN)
    model = trainer.run(1, progress=False).model
    batches = [TASK.batch(i, 8, MEASURED) for i in range(3)]
    for targets in ("sampled", "true"):
        assert [row["step"] for row in second[targets]] == LOOKS["steps"]
        for one, other in zip(first[targets], second[targets], strict=True):
            assert other["values"] == pytest.approx(one["values"], rel=1e-4)
        measure = FisherSharpness(batches, BY, targets, token_cross_entropy)
        for weights, row in ((build(MODEL, seed=1), 0), (model, -1)):
            alone = measure.estimates(weights)
            stored = second[targets][row]["values"]
            assert stored == pytest.approx(
                {name: each.value for name, each in alone.items()}, rel=1e-3
            )


def test_looking_changes_no_training():
    plain = prepare(SPEC)(1, lambda share: None)
    losses = [
        [row["validation_loss"] for row in run["history"]]
        for run in (plain, *looked_at())
    ]
    np.testing.assert_allclose(losses[1:], [losses[0]] * 2, rtol=1e-5)
    assert set(plain["probes"]) == {"data_fingerprint"}


def test_the_metrics_are_those_of_the_stored_values():
    run = looked_at()[0]
    probes, metrics = run["probes"], run["metrics"]
    ends = {
        targets: grouped(rows[-1]["values"], probes["blocks"], "type")
        for targets, rows in probes["sharpness"].items()
    }
    assert metrics["tau_end"] == agreement(ends["sampled"])
    assert metrics["tau_end_true"] == agreement(ends["true"])
    ratio = np.log10(ends["sampled"]["QK"] / ends["sampled"]["Emb"])
    assert metrics["log_QK_over_Emb"] == pytest.approx(ratio)
    flattest = min(ends["sampled"][name] for name in ORDER[1:])
    assert metrics["log_flattest_other_over_Emb"] == pytest.approx(
        np.log10(flattest / ends["sampled"]["Emb"])
    )


def test_the_hessian_has_the_same_types():
    """Each by itself, with the head apart from the embedding."""
    probes = looked_at()[0]["probes"]
    assert set(probes["hessian"]) == {*ORDER, "head", "positions"}
    assert {block["type"] for block in probes["blocks"].values()} == {
        *probes["hessian"]
    }
    model = build(MODEL)
    pairs = set(zip(types_of(model), labels(model, "part"), strict=True))
    assert {part for kind, part in pairs if kind == "Emb"} == {"embedding"}
    for each in probes["hessian"].values():
        assert np.isfinite([each["value"], each["standard_error"]]).all()
