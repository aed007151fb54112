"""Hidden tokens: BERT's shares, targets on them alone, the same every time."""

import json
import math

import numpy as np
import pytest

from kit.config import ModelConfig
from kit.data import IGNORED, MaskedTextTask, TextTask, task_from_spec
from kit.data.batch import Scores
from kit.data.corpora import Corpus
from kit.errors import KitError
from kit.training import TrainConfig, train
from kit.training.fit import check_fit

# Every token is another character, so that a window is known by its first token.
ROW = Corpus("row", ("".join(chr(0x4E00 + i) for i in range(1000)),))


@pytest.fixture
def task():
    return MaskedTextTask(ROW, context_length=50)


def test_the_hidden_tokens_are_those_of_the_text(task):
    text = TextTask(ROW, context_length=50)
    for step in (0, 7):
        inputs, targets = task.batch(step, 64, seed=1)
        assert inputs.dtype == targets.dtype == np.int32
        plain = text.batch(step, 64, seed=1).inputs
        chosen = targets != IGNORED
        np.testing.assert_array_equal(targets[chosen], plain[chosen])
        np.testing.assert_array_equal(inputs[~chosen], plain[~chosen])
        assert chosen.any(axis=1).all()


@pytest.mark.parametrize("masked", [0.15, 0.5])
def test_shares_are_those_of_bert(masked):
    task = MaskedTextTask(ROW, context_length=50, masked=masked)
    inputs, targets = task.batch(0, 4000, seed=0)
    chosen = targets != IGNORED
    of_chosen = inputs[chosen], targets[chosen]
    shares = {
        "chosen": (chosen, masked),
        "hidden": (of_chosen[0] == task.mask_id, 0.8),
        # One random token in 1000 is the token itself.
        "kept": (of_chosen[0] == of_chosen[1], 0.1 + 0.1 / 1000),
    }
    for name, (found, share) in shares.items():
        error = math.sqrt(share * (1 - share) / found.size)
        assert abs(found.mean() - share) < 5 * error, name
    replaced = (of_chosen[0] != task.mask_id) & (of_chosen[0] != of_chosen[1])
    spread = of_chosen[0][replaced]
    assert (spread.min(), spread.max()) == (0, 999)
    assert not (inputs[~chosen] == task.mask_id).any()


def test_every_place_is_hidden_equally_often(task):
    _, targets = task.batch(0, 8000, seed=0)
    shares = (targets != IGNORED).mean(axis=0)
    assert np.abs(shares - 0.15).max() < 5 * math.sqrt(0.15 * 0.85 / 8000)


def test_batches_are_a_pure_function_of_step_and_seed(task):
    again = MaskedTextTask(ROW, context_length=50)
    again.batch(0, 16, 1)
    for first, second in zip(task.batch(5, 16, 1), again.batch(5, 16, 1), strict=True):
        np.testing.assert_array_equal(first, second)
    for step, seed in ((6, 1), (5, 2)):
        hidden, other = (
            t.batch(*a) for t, a in ((task, (5, 16, 1)), (task, (step, 16, seed)))
        )
        assert ((hidden.targets == IGNORED) != (other.targets == IGNORED)).any()


def test_validation_is_always_the_same_and_never_trained_on(task):
    first, second = task.validation(), task.validation()
    np.testing.assert_array_equal(first.inputs, second.inputs)
    assert first.targets.max() >= 900
    assert task.batch(0, 500, 0).targets.max() < 900


def test_epochs_visit_each_window_once_and_hide_other_tokens_in_each():
    task = MaskedTextTask(ROW, context_length=50, sampling="epoch")
    steps = task.steps_per_epoch(1)
    plain = TextTask(ROW, context_length=50, sampling="epoch")
    assert steps == plain.steps_per_epoch(1)
    windows = [task.batch(step, 1, 0) for step in range(2 * steps)]
    masks = {(w.targets != IGNORED).tobytes() for w in windows}
    assert len(masks) == 2 * steps


def test_metrics_are_over_the_chosen_tokens(task):
    targets = np.array([[3, IGNORED, 5]])
    scores = Scores(np.array([[1.0, 9.0, 3.0]]), np.array([[True, True, False]]))
    metrics = task.metrics(scores, targets)
    assert metrics["loss"] == 2.0 and metrics["token_accuracy"] == 0.5
    assert metrics["perplexity"] == pytest.approx(math.exp(2))


def test_specs_and_fingerprints_tell_tasks_apart(kit_text):
    task = MaskedTextTask(kit_text, context_length=8, masked=0.3)
    spec = json.loads(json.dumps(task.spec()))
    again = task_from_spec(spec | {"fingerprint": task.fingerprint})
    assert again.fingerprint == task.fingerprint
    assert (again.masked, again.mask_id) == (0.3, task.vocabulary_size - 1)
    others = [MaskedTextTask(kit_text, context_length=8), TextTask(kit_text)]
    assert len({task.fingerprint, *(other.fingerprint for other in others)}) == 3


@pytest.fixture
def kit_text(tmp_path):
    path = tmp_path / "rhyme.txt"
    path.write_text("one two buckle my shoe three four open the door\n" * 20)
    return str(path)


@pytest.mark.parametrize("masked", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_outside_0_to_1_is_an_error(masked):
    with pytest.raises(KitError, match="masked=.* is not a number between 0 and 1"):
        MaskedTextTask(ROW, masked=masked)


def config(task, blocks=2, **shared):
    return ModelConfig.uniform(
        blocks,
        width=32,
        vocabulary_size=task.vocabulary_size,
        context_length=task.context_length,
        **{"mask": "full", **shared},
    )


def test_an_encoder_may_read_the_tokens_around_the_hidden_ones(task):
    check_fit(config(task), task, task.validation())
    with pytest.raises(KitError, match="shows the model"):
        text = TextTask(ROW, context_length=50)
        check_fit(config(text), text, text.validation())


@pytest.mark.slow
@pytest.mark.parametrize("block", ["post-ln", "sas-p"])
def test_an_encoder_learns_from_both_sides(block):
    """A hidden letter of a cycle of six is certain, and guessing it costs ln 6."""
    task = MaskedTextTask(Corpus("cycle", ("abcdef" * 1000,)), context_length=12)
    quick = TrainConfig(
        steps=200,
        batch_size=64,
        learning_rate=3e-3,
        warmup_steps=20,
        evaluate_every=200,
    )
    run = train(config(task, block=block), task, quick, progress=False)
    assert run.metrics["loss"] < 0.5 * math.log(6)
