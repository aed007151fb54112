"""The three steps in one are the three steps one after the other."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from kit.config import ModelConfig
from kit.data import PAD, Addition
from kit.errors import KitError
from kit.models import build, named_weights, transplant
from kit.sharing import (
    ADJUSTING,
    STAGE,
    DistillationConfig,
    adjust,
    attend_copy_adjust,
    distil,
    echoatt,
    map_similarity,
    match_heads,
    most_similar,
    share,
    shared_config,
    stage,
)
from kit.training import token_cross_entropy
from tests.cases import (
    ABSENT,
    assert_same,
    case,
    read,
    shake,
    some_tokens,
    weights_of,
)

TASK = Addition(digits=1, reverse_answer=True, validation_pairs=20)
SIZES = {"width": 16, "vocabulary_size": 14, "context_length": TASK.context_length}
FIVE = ModelConfig.uniform(5, **SIZES)
NONE = {"distilling": None, "adjusting": None, "sequences": 2}


@pytest.fixture(scope="module")
def teacher():
    return shake(build(FIVE))


@pytest.fixture(scope="module")
def copied(teacher):
    """Two of five copy, and nothing is trained."""
    return attend_copy_adjust(teacher, TASK, 0.4, **NONE)


@pytest.fixture
def no_xla(monkeypatch):
    """Judge without compiling anything."""
    fast = lambda model, task, report=None: {"loss": loss_of(model)}  # noqa: E731
    monkeypatch.setattr(echoatt, "evaluate", fast)


def loss_of(model):
    inputs, targets = TASK.validation()
    return float(token_cross_entropy(targets, model(inputs)))


@pytest.mark.slow
def test_without_training_it_is_the_choice_and_the_copy(teacher, copied):
    model, record = copied
    tokens = TASK.batch(0, 2, 0).inputs
    similarity = map_similarity(teacher, tokens)
    copies = most_similar(similarity.scores(), 2)
    assert record.copies == copies and record.reached == 0.4
    inputs = TASK.validation().inputs
    np.testing.assert_array_equal(
        read(model, inputs), read(share(teacher, copies), inputs)
    )
    assert record.losses["before"] == pytest.approx(loss_of(teacher), rel=1e-5)
    assert record.losses["copied"] == pytest.approx(loss_of(model), rel=1e-5)
    assert record.saved == record.formula and record.saved.cached == 2 * 16
    for choice in record.choices:
        assert choice.similarity == similarity.scores()[choice.block]
        assert choice.null == similarity.null_scores()[choice.block]
    words = {choice.block: choice.why for choice in record.choices}
    assert words.pop(0) == "no block before it has a map"
    assert {b for b, why in words.items() if why == "among the most similar"} == {
        *copies
    }


def test_at_rate_0_nothing_changes(teacher, no_xla):
    model, record = attend_copy_adjust(teacher, TASK, 0.0, **NONE)
    inputs = TASK.validation().inputs
    np.testing.assert_array_equal(read(model, inputs), read(teacher, inputs))
    assert record.copies == {} and record.saved == (0, 0, 0)
    assert record.losses["before"] == record.losses["copied"]


def test_named_blocks_take_the_place_of_the_rate(teacher, no_xla):
    _, record = attend_copy_adjust(teacher, TASK, blocks=[4, 2], **NONE)
    assert record.copies == {2: 1, 4: 3}
    assert (record.rule, record.rate) == ("named", None)
    assert [choice.why for choice in record.choices][1:] == ["not named", "named"] * 2


@pytest.mark.slow
def test_a_task_with_padding_is_no_obstacle(no_xla):
    """Numbers of one digit or two: the end of most sequences is padding."""
    task = Addition(digits=2, zero_padding=False, validation_pairs=20)
    sizes = SIZES | {"context_length": task.context_length, "padding_id": PAD}
    model = shake(build(ModelConfig.uniform(5, **sizes)))
    assert (task.batch(0, 2, 0).inputs == PAD).any()
    shared, record = attend_copy_adjust(model, task, 0.4, match=True, **NONE)
    assert len(record.copies) == 2 and record.saved == record.formula
    inputs = task.validation().inputs
    expected = share(model, record.copies, record.heads)
    np.testing.assert_array_equal(read(shared, inputs), read(expected, inputs))


def test_a_shared_model_is_shared_further(teacher, no_xla):
    """What copied goes on copying, and follows its source where that copies too."""
    model = share(teacher, {2: 1, 4: 3})
    more = attend_copy_adjust(model, TASK, 0.8, **NONE).record
    assert more.copies == dict.fromkeys([1, 2, 3, 4], 0)
    assert more.saved == more.formula and more.saved.cached == 2 * 16
    words = {choice.block: choice.why for choice in more.choices}
    assert (words[2], words[4]) == ("copied block 1 before", "copied block 3 before")
    with pytest.raises(KitError, match="rate=0.4 of 5 .* are 2, and 2 copy already"):
        attend_copy_adjust(model, TASK, 0.4, **NONE)
    everything = share(teacher, dict.fromkeys([1, 2, 3, 4], 0))
    with pytest.raises(KitError, match="no more can copy"):
        attend_copy_adjust(everything, TASK, 0.8, **NONE)
    with pytest.raises(KitError, match="block 4 copies the map of block 3 already"):
        attend_copy_adjust(model, TASK, blocks=[1, 4], **NONE)


def test_heads_of_a_block_that_follows_stay_with_their_maps():
    """Renaming the heads of a block and of its copy changes nothing that is matched."""
    config = case(blocks=case().blocks[:1] * 3).with_blocks({2: {"copies_map_from": 1}})
    model, tokens = shake(build(config)), some_tokens(config, batch=8)
    order = {"heads": [2, 0, 3, 1], "key_value_heads": [2, 0, 3, 1]}
    renamed = transplant(model, config, kept={1: order, 2: order})
    assert_same(read(renamed, tokens), read(model, tokens))
    matched = [
        read(share(each, {1: 0}, match_heads(each, {1: 0}, tokens)), tokens)
        for each in (model, renamed)
    ]
    assert_same(*matched)
    assert shared_config(config, {1: 0}).map_sources() == [0, 0, 0]


@pytest.mark.parametrize(
    "how, message",
    [
        ({"rate": 0.05}, "rate=0.05 of 5 blocks with attention are 0"),
        ({"rate": 1.0}, "rate=1 of 5"),
        ({"rule": "most-alike"}, "unknown rule 'most-alike'"),
        ({"measure": "cos"}, "Did you mean 'cosine'"),
        ({"sequences": 0}, "sequences=0"),
        ({"blocks": [0]}, "block 0 cannot copy a map: it has none before it"),
        ({"blocks": [7]}, "no block 7 with an attention map .* are 0 to 4"),
    ],
)
def test_what_cannot_be_is_an_error(how, message, teacher):
    with pytest.raises(KitError, match=message):
        attend_copy_adjust(teacher, TASK, **(NONE | how))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"mask": "full"}, 'mask="full" shows the model the token at position'),
        ({"vocabulary_size": 12}, "the model's vocabulary_size=12 is below the task's"),
        ({"context_length": 3, "positions": "none"}, "context_length=3 is below"),
    ],
)
def test_a_task_that_does_not_fit_is_told_before_anything_is_judged(change, message):
    model = build(ModelConfig.uniform(2, **(SIZES | change)))
    with pytest.raises(KitError, match=message):
        attend_copy_adjust(model, TASK, 0.5, **NONE)


def test_a_model_of_one_attention_is_an_error():
    edits = {block: ABSENT for block in range(4)}
    with pytest.raises(KitError, match="1 blocks of the model have an attention"):
        attend_copy_adjust(build(FIVE.with_blocks(edits)), TASK, **NONE)


@pytest.mark.parametrize("steps", [1, 7, 50, 60, 200, 211])
def test_a_stage_is_evaluated_a_few_times_and_at_its_end(steps):
    config = stage(steps, batch_size=3, learning_rate=1e-2)
    assert 1 <= steps // config.evaluate_every <= 10
    assert (config.steps, config.batch_size, config.learning_rate) == (steps, 3, 1e-2)


def test_the_second_stage_is_a_quarter_of_the_first():
    assert 4 * ADJUSTING.steps == STAGE.steps  # 2409.14595, table 6: epochs 1 and 0.25
    assert stage(STAGE.steps) == STAGE


QUICK = replace(
    STAGE, steps=20, batch_size=32, learning_rate=3e-3, warmup_steps=0, evaluate_every=5
)


@pytest.mark.slow
def test_with_training_it_is_the_three_steps_one_after_the_other(teacher):
    old = {k: np.asarray(w).copy() for k, w in named_weights(teacher).items()}
    losses = DistillationConfig(divergence="forward", labels="true")
    bars, told = [], []

    @contextmanager
    def progress(name):
        bars.append(name)
        yield lambda share: told.append((name, share))

    how = {"distilling": QUICK, "adjusting": QUICK, "losses": losses, "sequences": 2}
    model, record = attend_copy_adjust(
        teacher, TASK, 0.4, seed=3, match=True, progress=progress, **how
    )
    # By hand.
    tokens = TASK.batch(0, 2, 3).inputs
    copies = most_similar(map_similarity(teacher, tokens).scores(), 2)
    heads = match_heads(teacher, copies, tokens)
    first = distil(
        share(teacher, copies, heads),
        teacher,
        TASK,
        QUICK,
        losses,
        seed=3,
        progress=False,
    )
    second = adjust(first.model, TASK, QUICK, seed=3, progress=False)
    for key, weight in named_weights(second.model).items():
        np.testing.assert_allclose(
            np.asarray(named_weights(model)[key]), np.asarray(weight), atol=1e-5
        )
    assert record.heads == heads
    assert list(record.losses) == ["before", "copied", "distilled", "adjusted"]
    assert record.losses["distilled"] == pytest.approx(first.after["loss"], rel=1e-4)
    assert record.losses["adjusted"] == pytest.approx(loss_of(model), rel=1e-4)
    assert [row["step"] for row in record.history["adjusted"]] == [5, 10, 15, 20]
    assert bars == ["attending", "copying", "judging", "distilling", "adjusting"]
    assert {name for name, share in told if share == 1} == {*bars}
    assert sum(record.seconds[bar] for bar in bars) <= record.seconds["all"]
    for key, weight in named_weights(teacher).items():
        np.testing.assert_array_equal(np.asarray(weight), old[key])


@pytest.mark.slow
def test_the_model_survives_ctrl_c_while_it_is_judged():
    """On JAX, Keras has taken its weights away then."""
    model = shake(build(FIVE))
    before = weights_of(model)

    @contextmanager
    def progress(name):
        yield interrupted if name == "judging" else lambda share: None

    def interrupted(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attend_copy_adjust(model, TASK, 0.4, progress=progress, **NONE)
    for key, weight in weights_of(model).items():
        np.testing.assert_array_equal(weight, before[key])


@pytest.mark.slow
def test_training_that_diverges_is_an_error(teacher):
    wild = replace(QUICK, learning_rate=1e9, clip_norm=None)
    with pytest.raises(KitError, match="diverged: .* Use a lower learning rate"):
        attend_copy_adjust(teacher, TASK, **(NONE | {"adjusting": wild}))
