"""Addition: true equations, an exact split, targets where they belong."""

import json
import statistics
import time
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from kit.data import IGNORED, PAD, Addition, Scores
from kit.errors import KitError

STREAM = 100_000
VARIANTS = [
    Addition(
        digits=digits,
        zero_padding=padding,
        reverse_answer=reverse,
        loss_on=loss_on,
        protocol=protocol,
        validation_pairs=40,
    )
    for digits, padding, reverse, loss_on, protocol in product(
        (1, 2, 3),
        (True, False),
        (True, False),
        ("answer", "all"),
        ("sequence", "next_token"),
    )
    if not (loss_on == "all" and protocol == "next_token")
]
VARIANTS += [
    Addition(start=True, validation_pairs=40, loss_on="all"),
    Addition(start=True, validation_pairs=40, zero_padding=False),
    Addition(start=True, validation_pairs=40, protocol="next_token"),
]
SEQUENCES = [task for task in VARIANTS if task.protocol == "sequence"]


def name(task):
    parts = [f"{task.digits}", "padded" if task.zero_padding else "ragged"]
    parts += ["reversed"] * task.reverse_answer + ["start"] * task.start
    parts += [task.loss_on, task.protocol]
    return "-".join(parts)


every = pytest.mark.parametrize("task", VARIANTS, ids=name)
every_sequence = pytest.mark.parametrize("task", SEQUENCES, ids=name)


def equation(task, inputs, targets):
    """(a, b, sum) as read from a row's text, and the answer's text."""
    last = targets[-1:][targets[-1:] != IGNORED]  # none where the row ends early
    whole = task.text(np.concatenate([inputs, last]))
    whole = whole.removeprefix("<end>" * task.start).removesuffix("<end>")
    question, answer = whole.split("=")
    digits = answer[::-1] if task.reverse_answer else answer
    return *map(int, question.split("+")), int(digits), answer


def pairs(task, batch):
    """(count, 2) operands of a batch of whole sequences."""
    rows = zip(batch.inputs, batch.targets, strict=True)
    return np.array([equation(task, *row)[:2] for row in rows])


def numbers(task, batch):
    """The same, vectorised, for zero-padded sequences."""
    powers = 10 ** np.arange(task.digits)[::-1]
    a = batch.inputs[:, : task.digits] @ powers
    b = batch.inputs[:, task.digits + 1 : 2 * task.digits + 1] @ powers
    return np.stack([a, b], axis=1)


@every_sequence
def test_every_row_is_a_true_equation(task):
    for batch in (task.batch(0, 300, seed=1), task.validation()):
        for inputs, targets in zip(*batch, strict=True):
            a, b, total, answer = equation(task, inputs, targets)
            assert a + b == total
            assert a < task.limit and b < task.limit
            if task.zero_padding:
                assert len(answer) == task.digits + 1
            elif not task.reverse_answer:
                assert answer == str(total)


@every_sequence
def test_targets_are_the_next_tokens(task):
    inputs, targets = task.batch(3, 200, seed=0)
    assert inputs.dtype == targets.dtype == np.int32
    assert inputs.shape == targets.shape == (200, task.context_length)
    following = np.concatenate([inputs[:, 1:], targets[:, -1:]], axis=1)
    kept = targets != IGNORED
    np.testing.assert_array_equal(targets[kept], following[kept])
    equals = np.argmax([[task.text([t]) == "=" for t in row] for row in inputs], axis=1)
    answer = np.arange(task.context_length) >= equals[:, None]
    real = answer if task.loss_on == "answer" else np.ones_like(answer)
    if not task.zero_padding:
        length = (inputs != PAD).sum(axis=1) + (targets[:, -1] != IGNORED)
        real = real & (np.arange(task.context_length) < length[:, None] - 1)
    np.testing.assert_array_equal(kept, real)


def test_a_known_sum_reads_as_expected():
    task = Addition(digits=3)
    inputs, targets = task.encode([123], [456])
    assert task.text(inputs[0]) + task.text(targets[0][-1:]) == "123+456=0579"
    task = Addition(digits=3, zero_padding=False, reverse_answer=True)
    inputs, targets = task.encode([7], [993])
    assert task.text(inputs[0]) == "7+993=0001<end>"
    assert task.text(targets[0][targets[0] != IGNORED]) == "0001<end>"


@every
def test_a_batch_is_a_function_of_step_and_seed(task):
    first = task.batch(5, 32, seed=2)
    for again in (task.batch(5, 32, seed=2), replace(task).batch(5, 32, seed=2)):
        np.testing.assert_array_equal(first.inputs, again.inputs)
        np.testing.assert_array_equal(first.targets, again.targets)
    for other in (task.batch(6, 32, seed=2), task.batch(5, 32, seed=3)):
        assert (first.inputs != other.inputs).any()
    validation = task.validation()
    np.testing.assert_array_equal(validation.inputs, replace(task).validation().inputs)


@pytest.mark.slow
@pytest.mark.parametrize("digits", [2, 3])
def test_no_held_out_pair_or_its_mirror_is_ever_streamed(digits):
    task = Addition(digits=digits, validation_pairs=1000)
    held = {tuple(sorted(pair)) for pair in numbers(task, task.validation()).tolist()}
    assert len(held) == 1000  # different pairs, also when turned round
    streamed = numbers(task, task.batch(0, STREAM, seed=0))
    assert len(streamed) == STREAM
    assert not held & {tuple(sorted(pair)) for pair in streamed.tolist()}


def test_the_stream_is_uniform_over_what_is_left():
    task = Addition(digits=1, validation_pairs=15)
    held = numbers(task, task.validation())
    held = {(a, b) for pair in held.tolist() for a, b in (pair, pair[::-1])}
    streamed = numbers(task, task.batch(0, STREAM, seed=4)) @ [10, 1]
    counts = np.bincount(streamed, minlength=100).reshape(10, 10)
    left = [pair for pair in product(range(10), repeat=2) if pair not in held]
    assert counts.sum() == sum(counts[pair] for pair in left)
    assert stats.chisquare([counts[pair] for pair in left]).pvalue > 0.001


def test_everything_but_one_pair_can_be_held_out():
    task = Addition(digits=1, validation_pairs=54)
    streamed = {tuple(sorted(p)) for p in numbers(task, task.batch(0, 99, 0)).tolist()}
    assert len(streamed) == 1


@pytest.mark.slow
@pytest.mark.parametrize("padding", [True, False])
def test_a_fixed_set_has_exactly_its_pairs(padding):
    task = Addition(
        digits=2, zero_padding=padding, validation_pairs=300, training_pairs=500
    )
    found = {tuple(p) for p in pairs(task, task.batch(0, 20_000, seed=1)).tolist()}
    assert len(found) == 500
    assert len({tuple(sorted(pair)) for pair in found}) == 500
    other = {tuple(p) for p in pairs(task, task.batch(7, 20_000, seed=9)).tolist()}
    assert found == other  # the set belongs to the task, not to the seed of a run
    held = {tuple(sorted(p)) for p in pairs(task, task.validation()).tolist()}
    assert len(held) == 300
    assert not held & {tuple(sorted(pair)) for pair in found}


def test_training_and_validation_can_use_up_every_pair():
    task = Addition(digits=1, validation_pairs=20, training_pairs=35)
    seen = {tuple(sorted(p)) for p in numbers(task, task.batch(0, 5000, 0)).tolist()}
    seen |= {tuple(sorted(p)) for p in numbers(task, task.validation()).tolist()}
    assert len(seen) == 55


def test_the_split_has_a_seed_of_its_own():
    base = Addition(validation_pairs=50)
    other = replace(base, split_seed=1)
    assert (base.validation().inputs != other.validation().inputs).any()


@pytest.mark.parametrize("digits", [1, 3, 5, 9])
def test_any_number_of_digits_works(digits):
    task = Addition(digits=digits, validation_pairs=5)
    highest = task.limit - 1
    inputs, targets = task.encode([highest], [highest])
    assert equation(task, inputs[0], targets[0])[2] == 2 * highest
    assert task.batch(0, 8, 0).inputs.max() < task.vocabulary_size


def test_fingerprints_tell_tasks_apart():
    prints = [task.fingerprint for task in VARIANTS]
    prints += [replace(VARIANTS[0], split_seed=1).fingerprint]
    prints += [replace(VARIANTS[0], training_pairs=3).fingerprint]
    assert len(set(prints)) == len(prints)
    assert replace(VARIANTS[0]).fingerprint == VARIANTS[0].fingerprint


@every
def test_a_spec_makes_the_task_again(task):
    spec = task.spec()
    assert spec.pop("task") == "addition"
    assert Addition(**spec) == task


NEXT_TOKEN = [task for task in VARIANTS if task.protocol == "next_token"]


@pytest.mark.parametrize("task", NEXT_TOKEN, ids=name)
def test_next_token_reads_nothing_beyond_its_one_target(task):
    inputs, targets = task.batch(0, 500, seed=0)
    whole = replace(task, protocol="sequence").batch(0, 500, seed=0)
    kept = targets != IGNORED
    assert (kept.sum(axis=1) == 1).all()
    place = kept.argmax(axis=1)[:, None]
    after = np.arange(task.context_length) > place
    assert (inputs[after] == PAD).all()
    np.testing.assert_array_equal(inputs[~after], whole.inputs[~after])
    np.testing.assert_array_equal(targets[kept], whole.targets[kept])


@pytest.mark.parametrize("task", NEXT_TOKEN, ids=name)
def test_next_token_learns_all_slots_of_a_row_equally_often(task):
    inputs, targets = task.batch(0, 20_000, seed=0)
    whole = replace(task, protocol="sequence").batch(0, 20_000, seed=0)
    slots = (whole.targets != IGNORED).sum(axis=1)
    slot = np.argmax(targets != IGNORED, axis=1) - np.argmax(
        whole.targets != IGNORED, axis=1
    )
    for number in np.unique(slots):
        counts = np.bincount(slot[slots == number], minlength=number)
        assert len(counts) == number
        if counts.sum() > 100:
            assert stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize("task", NEXT_TOKEN, ids=name)
def test_next_token_validation_holds_every_answer_token_once(task):
    inputs, targets = task.validation()
    whole = replace(task, protocol="sequence").validation()
    shape = (task.validation_pairs, task.answer_length, task.context_length)
    by_pair = targets.reshape(shape)
    assert ((by_pair != IGNORED).sum(axis=1) <= 1).all()
    np.testing.assert_array_equal(by_pair.max(axis=1), whole.targets)
    for row, target in zip(inputs, targets, strict=True):
        if (target != IGNORED).any():
            assert (row[np.argmax(target != IGNORED) + 1 :] == PAD).all()


def scores_of(task, wrong_rows=(), wrong_slots=()):
    """Scores of a model that errs in some slots of some pairs, and their targets."""
    targets = task.validation().targets
    kept = targets != IGNORED
    by_pair = kept.reshape(task.validation_pairs, -1)
    slot = np.cumsum(by_pair, axis=1) - 1
    wrong = by_pair & np.isin(slot, wrong_slots)
    wrong &= np.isin(np.arange(task.validation_pairs), wrong_rows)[:, None]
    correct = (kept & ~wrong.reshape(kept.shape)) | ~kept
    return Scores(np.where(correct, 0.5, 2.0), correct), targets


@every
def test_metrics_count_pairs_and_slots(task):
    perfect = task.metrics(*scores_of(task))
    assert perfect["exact_match"] == perfect["token_accuracy"] == 1
    assert perfect["loss"] == 0.5
    assert perfect["perplexity"] == pytest.approx(np.exp(0.5))
    metrics = task.metrics(*scores_of(task, range(10), [0]))
    assert metrics["exact_match"] == 0.75
    assert metrics["digit_0_accuracy"] == 0.75
    assert metrics["digit_0_loss"] == pytest.approx(0.75 * 0.5 + 0.25 * 2.0)
    assert metrics["digit_1_accuracy"] == 1


@every
def test_metrics_ignore_what_is_ignored(task):
    scores, targets = scores_of(task, [3, 4], [1])
    ignored = targets == IGNORED
    noisy = Scores(
        np.where(ignored, np.nan, scores.loss), np.where(ignored, False, scores.correct)
    )
    assert task.metrics(noisy, targets) == task.metrics(scores, targets)


def test_metrics_leave_out_a_digit_that_no_answer_has():
    """One short sum: there is no fifth answer token to be right about."""
    tasks = (
        Addition(zero_padding=False, validation_pairs=1, split_seed=s)
        for s in range(99)
    )
    task = next(task for task in tasks if pairs(task, task.validation()).sum() < 1000)
    metrics = task.metrics(*scores_of(task))
    slots = int((task.validation().targets != IGNORED).sum())
    assert slots < task.answer_length
    assert [key for key in metrics if key.endswith("_accuracy")] == [
        "token_accuracy",
        *(f"digit_{slot}_accuracy" for slot in range(slots)),
    ]


@pytest.mark.parametrize("padding", [True, False])
@pytest.mark.parametrize("protocol", ["sequence", "next_token"])
def test_a_batch_of_256_takes_less_than_a_millisecond(padding, protocol):
    """The median of many; it is far less on an idle machine."""
    task = Addition(zero_padding=padding, protocol=protocol)
    task.batch(0, 256, 0)

    def seconds(step):
        start = time.thread_time()
        task.batch(step, 256, 0)
        return time.thread_time() - start

    assert statistics.median(map(seconds, range(200))) < 1e-3


BAD = {
    "digits 0": ({"digits": 0}, "digits=0 is not a positive whole number"),
    "digits 10": ({"digits": 10}, "digits=10 is not in 1 to 9"),
    "digits 1.5": ({"digits": 1.5}, "digits=1.5"),
    "digits 3.0": ({"digits": 3.0}, "digits=3.0 is not a positive whole number"),
    "half a pair": ({"validation_pairs": 2.5}, "validation_pairs=2.5"),
    "true pairs": ({"training_pairs": True}, "training_pairs=True"),
    "seed in words": ({"split_seed": "one"}, "split_seed='one'"),
    "flag in words": ({"start": "yes"}, "start='yes' is not a truth value"),
    "no validation": ({"validation_pairs": 0}, "validation_pairs=0"),
    "no training": ({"training_pairs": 0}, "training_pairs=0"),
    "all held out": (
        {"digits": 1, "validation_pairs": 55},
        "56 pairs were asked for.* has 55",
    ),
    "too many": (
        {"digits": 1, "validation_pairs": 20, "training_pairs": 36},
        "56 pairs were asked for.* has 55",
    ),
    "unknown protocol": ({"protocol": "next-token"}, "Did you mean 'next_token'"),
    "unknown loss": ({"loss_on": "answers"}, "Did you mean 'answer'"),
    "clash": ({"protocol": "next_token", "loss_on": "all"}, "clashes with loss_on"),
    "negative seed": ({"split_seed": -1}, "split_seed=-1"),
}


@pytest.mark.parametrize("key", BAD)
def test_bad_settings_are_one_line_errors(key):
    fields, message = BAD[key]
    with pytest.raises(KitError, match=message) as caught:
        Addition(**fields)
    assert "\n" not in str(caught.value)


def test_numpy_integers_are_whole_numbers():
    sizes = {"digits": 2, "validation_pairs": 10, "training_pairs": 20}
    numpy = {name: np.int64(value) for name, value in sizes.items()}
    task = Addition(**numpy, split_seed=np.uint8(3))
    plain = Addition(**sizes, split_seed=3)
    assert task == plain and json.dumps(task.spec()) == json.dumps(plain.spec())


@pytest.mark.parametrize(
    "operands",
    [([1000], [1]), ([1], [-1]), ([1, 2], [3]), ([1.5], [2]), (1, 2), ([[1]], [[2]])],
)
def test_operands_out_of_range_are_errors(operands):
    with pytest.raises(KitError, match="operands"):
        Addition(digits=3).encode(*operands)


@pytest.mark.parametrize("step, seed", [(0, -1), (-1, 0)])
def test_a_negative_seed_is_an_error(step, seed):
    with pytest.raises(KitError, match="=-1"):
        Addition().batch(step, 4, seed)
