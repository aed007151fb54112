"""What a worker of the capstone study does, on tiny models that add."""

import pytest

from kit.data import Addition
from kit.studies import dense
from kit.studies.capstone.base import (
    FURTHER,
    PRUNED,
    SHARED,
    Scale,
    first_part,
    first_spec,
    further_training,
    name_of,
    together,
)
from kit.studies.capstone.cells import prepare
from kit.training import TrainConfig

TASK = Addition(digits=1, validation_pairs=8)
TINY = Scale(blocks=4, width=16, steps=10, further=10, sequences=4, search=2)
CHOSEN = ((), (SHARED, PRUNED), together())


def spec_of(combination):
    base = first_spec(first_part(combination), TINY)
    base["model"]["context_length"] = TASK.context_length
    base = base | {"task": TASK.spec(), "sources": {}}
    train = further_training(TrainConfig.from_dict(base["train"]), TINY)
    plan = {"sequences": TINY.sequences, "search": TINY.search}
    plan["sparsity"] = 0.375 * (PRUNED in combination)
    plan["share"] = 0.4 * (SHARED in combination)
    return {
        "kind": "combined",
        "base": base,
        "plan": plan,
        "train": train.to_dict(),
    }


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Some arms, and how many first models they needed."""
    found, trained = {}, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KIT_RUNS", str(tmp_path_factory.mktemp("runs")))
        whole_training = dense.Dense._train
        patch.setattr(
            dense.Dense,
            "_train",
            lambda self, *args: trained.append(args[0]) or whole_training(self, *args),
        )
        for combination in CHOSEN:
            run = prepare(spec_of(combination))
            found[name_of(combination)] = run(0, lambda share: None)
        searched = prepare({"kind": "first", **spec_of(())["base"]})
        found["searched"] = searched(0, lambda share: None)
    return found | {"trained": trained}


@pytest.mark.slow
def test_a_first_model_is_trained_once(rows):
    assert rows["trained"] == [0, 0]  # the plain one, and that of all five
    assert all(rows[name_of(each)]["steps"] == TINY.further for each in CHOSEN)


@pytest.mark.slow
def test_the_search_tries_the_training_that_the_others_start_from(rows):
    loss = rows["searched"]["metrics"]["loss"]
    assert loss == rows["plain"]["metrics"]["first_loss"]
    assert rows["searched"]["steps"] == TINY.steps


@pytest.mark.slow
def test_where_nothing_is_taken_away_training_goes_on(rows):
    plain = rows["plain"]["metrics"]
    assert plain["loss_before"] == pytest.approx(plain["first_loss"], rel=1e-5)
    assert plain["loss"] < plain["first_loss"]
    assert rows["plain"]["probes"]["copies"] == {}


@pytest.mark.slow
def test_what_is_taken_away_is_gone_and_counted(rows):
    plain, smaller, five = (rows[name_of(each)] for each in CHOSEN)
    parts, copies = (smaller["probes"][name] for name in ("parts", "copies"))
    assert len(parts) == 1 and len(copies) == 2  # of 4 attentions, each share
    query_and_key = len(copies) * 2 * TINY.width**2
    block = 12 * TINY.width**2 + 2 * TINY.width
    gone = plain["metrics"]["parameters"] - smaller["metrics"]["parameters"]
    pruned = (gone - query_and_key) / (TINY.blocks * block)
    assert pruned == pytest.approx(0.375, abs=0.02)
    assert five["metrics"]["parameters"] < smaller["metrics"]["parameters"]
    assert five["probes"]["copies"]
    before = smaller["metrics"]["loss_before"]
    assert before != pytest.approx(plain["metrics"]["loss_before"])


def test_rates_by_block_stay_in_the_further_training():
    spec = spec_of(together())
    first, further = spec["base"]["train"], spec["train"]
    assert first["block_rates"] == further["block_rates"]
    assert further["learning_rate"] == pytest.approx(first["learning_rate"] * FURTHER)
    assert "VO" not in first["block_rates"]["ratios"]  # SAS-P has none
