"""The loss and the scores against Keras' own and against plain NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from kit.data import IGNORED, Addition, Batch, token_metrics
from kit.models import build
from kit.training import Scorer, scoring, token_cross_entropy
from tests.cases import CASES, read, shake, some_tokens
from tests.contract import params


@pytest.fixture
def drawn():
    """Targets with some ignored, and logits of a confident model."""
    rng = np.random.default_rng(0)
    targets = rng.integers(-1, 11, (6, 7))
    return targets, 8 * rng.standard_normal((6, 7, 11), dtype="float32")


def by_hand(targets, logits):
    """(batch, time) negative log-likelihoods in float64."""
    logits = logits.astype("float64")
    norm = np.log(np.exp(logits).sum(axis=-1))
    picked = np.take_along_axis(logits, np.maximum(targets, 0)[..., None], -1)[..., 0]
    return norm - picked


def test_the_loss_is_that_of_keras_with_an_ignored_class(drawn):
    reference = keras.losses.SparseCategoricalCrossentropy(True, ignore_class=IGNORED)
    ours = float(token_cross_entropy(*drawn))
    assert ours == pytest.approx(float(reference(*drawn)), rel=1e-6)
    assert ours == pytest.approx(by_hand(*drawn)[drawn[0] != IGNORED].mean(), rel=1e-6)


def test_the_loss_takes_targets_as_keras_hands_them_over(drawn):
    targets, logits = drawn
    as_floats = token_cross_entropy(targets.astype("float32"), logits)
    assert float(as_floats) == float(token_cross_entropy(targets, logits))


def test_ignored_targets_pull_on_nothing(drawn):
    targets, logits = drawn
    other = np.where(targets[..., None] == IGNORED, -logits, logits)
    assert float(token_cross_entropy(targets, other)) == pytest.approx(
        float(token_cross_entropy(*drawn)), rel=1e-6
    )
    nothing = np.full_like(targets, IGNORED)
    assert float(token_cross_entropy(nothing, logits)) == 0


def test_huge_logits_do_not_overflow():
    logits = np.array([[[1e4, -1e4, 0.0]]], "float32")
    assert float(token_cross_entropy(np.array([[0]]), logits)) == 0
    assert float(token_cross_entropy(np.array([[1]]), logits)) == 2e4


def test_bfloat16_logits_are_scored_in_float32(drawn):
    targets, logits = drawn
    rounded = ops.cast(logits, "bfloat16")
    exact = ops.convert_to_numpy(ops.cast(rounded, "float32"))
    assert float(token_cross_entropy(targets, rounded)) == pytest.approx(
        float(token_cross_entropy(targets, exact)), rel=1e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize("together", params([1, 3 * 7, 100 * 7], [3 * 7]))
def test_scores_are_the_same_in_pieces_of_any_size(together, monkeypatch):
    monkeypatch.setattr(scoring, "TOKENS_PER_CALL", together)
    model = shake(build(CASES["pre-ln"]))
    scorer = Scorer(model)
    scorer.compile(run_eagerly=True)
    inputs = some_tokens(model.config, batch=7)
    targets = np.roll(inputs, -1, axis=1)
    targets[::2, 3:] = IGNORED
    scores = scorer.score(Batch(inputs, targets))
    logits = read(model, inputs)
    kept = targets != IGNORED
    expected = by_hand(targets, logits)
    np.testing.assert_allclose(scores.loss[kept], expected[kept], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(
        scores.correct[kept], (logits.argmax(axis=-1) == targets)[kept]
    )
    assert not scores.loss[~kept].any()


def test_a_large_vocabulary_is_scored_in_smaller_pieces(monkeypatch):
    """A call holds its logits, and says when it is done."""
    model = shake(build(CASES["pre-ln"]))
    time, vocabulary = model.config.context_length, model.config.vocabulary_size
    monkeypatch.setattr(scoring, "LOGITS_PER_CALL", 2 * time * vocabulary)
    scorer, seen = Scorer(model), []
    scorer.compile(run_eagerly=True)
    inputs = some_tokens(model.config, batch=6)
    scorer.score(Batch(inputs, inputs), seen.append)
    assert seen == pytest.approx([1 / 3, 2 / 3, 1])


def test_token_metrics_weigh_every_kept_token_equally(drawn):
    targets, logits = drawn
    kept = targets != IGNORED
    losses = np.where(kept, by_hand(targets, logits), np.nan)
    correct = logits.argmax(axis=-1) == targets
    from kit.data import Scores

    metrics = token_metrics(Scores(losses, correct), targets)
    assert metrics["loss"] == pytest.approx(float(token_cross_entropy(*drawn)), 1e-6)
    assert metrics["perplexity"] == pytest.approx(np.exp(metrics["loss"]))
    assert metrics["token_accuracy"] == pytest.approx(correct[kept].mean())


def test_an_infinite_loss_has_a_perplexity_that_json_can_hold():
    from kit.data import Scores

    scores = Scores(np.full((1, 1), 1e6), np.zeros((1, 1), bool))
    assert np.isfinite(token_metrics(scores, np.zeros((1, 1)))["perplexity"])


def test_addition_can_be_scored_whole():
    task = Addition(digits=1, validation_pairs=9)
    config = CASES["rotary"]
    config = type(config)(
        vocabulary_size=task.vocabulary_size,
        context_length=task.context_length,
        width=16,
        blocks=config.blocks,
    )
    scorer = Scorer(build(config))
    scorer.compile(run_eagerly=True)
    validation = task.validation()
    metrics = task.metrics(scorer.score(validation), validation.targets)
    # An untrained model guesses: ln 14 nats.
    assert metrics["loss"] == pytest.approx(np.log(14), abs=0.1)
