"""Masks that hold at every step, and the smaller model that they stand for."""

import numpy as np
import pytest

from kit.config import ModelConfig
from kit.data import Addition
from kit.errors import KitError
from kit.models import build, transplant
from kit.optimizers import SGD, AdamW
from kit.pruning import (
    Constant,
    OneShot,
    Polynomial,
    PruningCallback,
    units_of,
    without_units,
)
from kit.training import TrainConfig, Trainer, token_cross_entropy
from tests.cases import CASES, assert_same, read, shaken, some_tokens
from tests.pruning.models import deep, deep_config

STEPS, ROWS = 12, 2


def fitted(callbacks=(), steps=range(STEPS), model=None, per_execution=1, **options):
    """A model after some steps on the same data; decay and momentum pull at zeros."""
    if model is None:
        model = transplant(deep(), deep_config())
    if not model.compiled:
        optimizer = AdamW(1e-2, weight_decay=0.1)
        options = {"steps_per_execution": per_execution, **options}
        model.compile(optimizer, token_cross_entropy, **options)
    tokens = some_tokens(model.config, batch=ROWS * STEPS)
    rows = slice(ROWS * steps.start, ROWS * steps.stop)
    model.fit(
        tokens[rows],
        np.roll(tokens, -1, axis=1)[rows],
        batch_size=ROWS,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
    )
    return model


def is_zero(units):
    """(units,) whether all that a unit writes with is zero."""
    return units.sizes() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, granularity, gone",
    [
        ("pre-ln", "neuron", 0.5),
        ("pre-ln", "head", 0.5),
        ("grouped", "head", 0.5),
        ("parallel", "attention", 0.5),
        ("llama", "neuron", 0.25),
    ],
)
def test_the_smaller_model_says_what_the_masked_one_says(name, granularity, gone):
    model = transplant(shaken(name), CASES[name])
    pruning = PruningCallback(OneShot(gone), granularity)
    fitted([pruning], model=model)
    masks = pruning.removed
    assert np.mean([*masks.values()]) == gone
    for units in units_of(model, granularity):
        np.testing.assert_array_equal(is_zero(units), masks[units.block] == 1)
    smaller = pruning.smaller_model()
    assert smaller.count_params() < model.count_params()
    tokens = some_tokens(model.config)
    assert_same(read(smaller, tokens), read(model, tokens), 1e-5)


@pytest.mark.slow
def test_masks_hold_inside_a_call_of_several_steps():
    """With one step a call and with four the training is the same."""
    one, four = (
        fitted([PruningCallback(OneShot(0.5))], per_execution=per_execution)
        for per_execution in (1, 4)
    )
    for left, right in zip(one.get_weights(), four.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-5)


@pytest.mark.slow
def test_what_is_gone_has_no_part_in_training():
    """Training with a mask from the start is training the smaller model."""
    pruning = PruningCallback(OneShot(0.5), score=lambda model: spread)
    spread = {index: np.arange(48.0)[::-1] % 7 for index in range(4)}
    masked = fitted([pruning])
    removed = pruning.removed
    fresh = transplant(deep(), deep_config())
    alone = fitted(model=without_units(fresh, "neuron", removed))
    tokens = some_tokens(masked.config)
    assert_same(read(alone, tokens), read(masked, tokens), 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("overwrite", [None, 3])
@pytest.mark.parametrize("step", [4, STEPS])
def test_masks_hold_where_the_weights_become_their_averages(step, overwrite):
    """Keras writes them over the weights at the end of `fit`, or every few steps."""
    model = transplant(deep(), deep_config())
    averages = {"use_ema": True, "ema_overwrite_frequency": overwrite}
    model.compile(AdamW(1e-2, weight_decay=0.1, **averages), token_cross_entropy)
    pruning = PruningCallback(OneShot(0.5, step))
    fitted([pruning], model=model)
    for units in units_of(model, "neuron"):
        assert is_zero(units).sum() == 24
        np.testing.assert_array_equal(is_zero(units), pruning.removed[units.block] == 1)
    tokens = some_tokens(model.config)
    assert_same(read(pruning.smaller_model(), tokens), read(model, tokens), 1e-5)


@pytest.mark.slow
def test_averages_of_what_stays_are_those_without_a_mask():
    spread = {index: np.arange(48.0) for index in range(4)}
    found = []
    for share in (0.5, 0.0):
        model = transplant(deep(), deep_config())
        model.compile(SGD(0.0, use_ema=True), token_cross_entropy)
        callback = PruningCallback(OneShot(share, 2), score=lambda model: spread)
        found.append(fitted([callback], model=model))
    for half, whole in zip(*(units_of(m, "neuron") for m in found), strict=True):
        assert (half.sizes()[:24] == 0).all()
        np.testing.assert_allclose(half.sizes()[24:], whole.sizes()[24:], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("per_execution", [1, 4])
def test_a_schedule_prunes_step_by_step(per_execution):
    schedule = Polynomial(0.75, start=2, end=10, every=4, initial=0.25)
    pruning = PruningCallback(schedule)
    fitted([pruning], per_execution=per_execution)
    due = {1: [2, 6, 10], 4: [4, 8, 12]}[per_execution]
    assert [row["step"] for row in pruning.rows] == due
    expected = [round(schedule(step) * 48) / 48 for step in due]
    assert_same([row["removed"] for row in pruning.rows], expected)


@pytest.mark.slow
@pytest.mark.parametrize("compiled_again", [False, True])
def test_a_trained_model_is_pruned_from_where_it_is(compiled_again):
    """Step 0 of the schedule is the first of the fit that has the callback."""
    model = fitted(steps=range(3))
    if compiled_again:
        model.compile(AdamW(1e-2), token_cross_entropy)
    begin = int(model.optimizer.iterations)
    schedule = Polynomial(0.75, start=0, end=4, every=2)
    pruning = PruningCallback(schedule)
    fitted([pruning], range(3, 9), model)
    due = [0, 2, 4]
    assert [row["step"] for row in pruning.rows] == [begin + step for step in due]
    expected = [round(schedule(step) * 48) / 48 for step in due]
    assert_same([row["removed"] for row in pruning.rows], expected)
    for units in units_of(model, "neuron"):
        assert is_zero(units).sum() == 36


@pytest.mark.slow
def test_a_second_fit_counts_on():
    schedule = Constant(0.5, start=4, end=8, every=4)
    pruning = PruningCallback(schedule)
    model = fitted([pruning], range(3))
    fitted([pruning], range(3, STEPS), model)
    assert [row["step"] for row in pruning.rows] == [4, 8]


@pytest.mark.slow
@pytest.mark.parametrize("compiled_again", [False, True])
@pytest.mark.parametrize("callback", ["the same", "a new one", "none"])
def test_what_is_gone_stays_gone_in_later_training(compiled_again, callback):
    pruning = PruningCallback(OneShot(0.5))
    model = fitted([pruning], range(4))
    gone = pruning.removed
    if compiled_again:
        model.compile(AdamW(1e-2, weight_decay=0.1), token_cross_entropy)
    count = len(model.optimizer.variables)
    later = {
        "the same": [pruning],
        "a new one": [PruningCallback(OneShot(0.75, step=99))],
        "none": [],
    }[callback]
    fitted(later, range(4, 8), model)
    for units in units_of(model, "neuron"):
        np.testing.assert_array_equal(is_zero(units), gone[units.block] == 1)
    for each in later:
        assert np.mean([*each.removed.values()]) == 0.5
    if not compiled_again:
        assert len(model.optimizer.variables) == count


@pytest.mark.slow
def test_two_kinds_of_units_of_one_weight_are_refused():
    model = fitted([PruningCallback(OneShot(0.5), "head")], range(1))
    with pytest.raises(KitError, match="4 units are masked already"):
        PruningCallback(OneShot(0.5), "attention").attach(model)


@pytest.mark.slow
def test_an_interrupted_run_goes_on():
    schedule = Polynomial(0.75, start=0, end=10, every=5)
    whole = PruningCallback(schedule)
    expected = fitted([whole], run_eagerly=True)
    first = fitted([PruningCallback(schedule)], range(7), run_eagerly=True)
    state = [np.asarray(v) for v in (*first.weights, *first.optimizer.variables)]

    again = fitted(steps=range(1), run_eagerly=True)
    pruning = PruningCallback(schedule)
    pruning.attach(again)
    variables = (*again.weights, *again.optimizer.variables)
    for variable, value in zip(variables, state, strict=True):
        variable.assign(value)
    fitted([pruning], range(7, STEPS), again)
    for left, right in zip(again.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    for block, mask in whole.removed.items():
        np.testing.assert_array_equal(pruning.removed[block], mask)


def with_the_trainer(pruning, directory=None, observe=None):
    """A run of 8 steps that prunes at 0, 3 and 6."""
    task = Addition(digits=1, validation_pairs=8)
    config = ModelConfig.uniform(
        2, width=8, vocabulary_size=14, context_length=task.context_length
    )
    every = TrainConfig(steps=8, batch_size=4, warmup_steps=0, evaluate_every=2)
    options = {"directory": directory, "observe": observe, "progress": False}
    return Trainer(config, task, every).run(1, callbacks=[pruning], **options)


@pytest.mark.slow
@pytest.mark.parametrize("evaluations", [1, 3])
def test_a_run_of_the_trainer_goes_on_in_another_process(tmp_path, evaluations):
    whole = PruningCallback(Polynomial(0.75, start=0, end=6, every=3, initial=0.25))
    expected = with_the_trainer(whole).model.get_weights()

    def kill(model):
        seen.append(model)
        if len(seen) > evaluations:
            raise KeyboardInterrupt
        return {}

    seen = []
    with pytest.raises(KeyboardInterrupt):
        with_the_trainer(PruningCallback(whole.schedule), tmp_path, kill)
    pruning = PruningCallback(whole.schedule)
    run = with_the_trainer(pruning, tmp_path)
    assert [row["step"] for row in pruning.rows] == [
        row["step"] for row in whole.rows if row["step"] >= 2 * evaluations
    ]
    for left, right in zip(run.model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(left, right)
    for block, mask in whole.removed.items():
        np.testing.assert_array_equal(pruning.removed[block], mask)
    read_back = PruningCallback(whole.schedule)  # of a run that is finished
    with_the_trainer(read_back, tmp_path)
    assert read_back.smaller_model().config == whole.smaller_model().config


@pytest.mark.slow
def test_attentions_go_where_they_are_smallest():
    model = transplant(deep(), deep_config())
    scores = {index: np.array([size]) for index, size in enumerate((3.0, 1, 4, 2))}
    pruning = PruningCallback(OneShot(0.5), "attention", lambda model: scores)
    fitted([pruning], range(1), model, run_eagerly=True)
    assert [int(mask[0]) for mask in pruning.removed.values()] == [0, 1, 0, 1]
    blocks = pruning.smaller_model().config.blocks
    assert [block.attention for block in blocks] == ["softmax", None, "softmax", None]


def test_heads_that_share_their_keys_go_together():
    model = shaken("grouped")
    units = units_of(model, "head")
    assert [each.count for each in units] == [2, 2]
    smaller = without_units(model, "head", {0: np.array([1, 0])})
    assert smaller.config.blocks[0].num_heads == 2
    assert smaller.config.blocks[0].key_value_heads == 1


def test_schedules_start_and_end_where_they_say():
    for schedule in (
        OneShot(0.5, 3),
        Constant(0.5, 3, 20, 7),
        Polynomial(0.5, 3, 20, 7, 0.1, 2.0),
    ):
        steps = [step for step in range(30) if schedule.next_step(step) == step]
        assert steps == ([3] if isinstance(schedule, OneShot) else [3, 10, 17, 20])
        assert schedule(2) == 0 and schedule(20) == schedule(99) == 0.5
        assert schedule.next_step(21) is None
    shares = [Polynomial(0.5, 0, 10)(step) for step in range(11)]
    assert shares == sorted(shares) and shares[5] == 0.5 * (1 - 0.5**3)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: OneShot(1.5),
        lambda: Constant(0.5, start=10, end=5),
        lambda: Constant(0.5, every=0),
        lambda: Polynomial(0.5, power=0),
        lambda: Polynomial(0.5, initial=0.6),
        lambda: units_of(shaken("pre-ln"), "layer"),
        lambda: units_of(shaken("no-attention"), "head"),
        lambda: units_of(shaken("no-value-or-projection"), "head"),
        lambda: PruningCallback(OneShot(0.5)).attach(build(deep_config())),
    ],
)
def test_mistakes_are_told(mistake):
    with pytest.raises(KitError):
        mistake()
