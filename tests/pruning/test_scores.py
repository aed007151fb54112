"""Scores against their definitions in NumPy."""

import numpy as np
import pytest

from kit.errors import KitError
from kit.pruning.scores import SCORES, WITHOUT_DATA, Activity, best, score_neurons

RNG = np.random.default_rng(0)
HIDDEN = RNG.standard_normal((6, 5, 4)) + [0.0, 1.0, 5.0, 0.0]
HIDDEN[:, :, 3] = 0.0  # a dead neuron
KEPT = RNG.random((6, 5)) < 0.7
KEPT[:, 0] = True
MATRICES = {name: RNG.standard_normal((3, 4)) for name in ("up", "gate", "down")}


def by_definition(hidden, kept):
    """Each score of a list of sequences of unequal length."""
    sequences = [h[k] for h, k in zip(hidden, kept, strict=True)]
    tokens = np.concatenate(sequences)
    norms = np.mean([np.linalg.norm(h, axis=0) for h in sequences], axis=0)
    weights = np.concatenate([*MATRICES.values()])
    return {
        "l2": norms,
        "l1": np.mean([np.abs(h).sum(axis=0) for h in sequences], axis=0),
        "mean": np.abs(tokens.mean(axis=0)),
        "max": np.abs(tokens).max(axis=0),
        "variance": tokens.var(axis=0),
        "weighted": norms * np.linalg.norm(MATRICES["down"], axis=0),
        "magnitude": np.linalg.norm(weights, axis=0),
        "worst": -norms,
    }


@pytest.mark.parametrize("name", sorted({*SCORES} - {"random"}))
def test_a_score_is_its_definition_batch_by_batch(name):
    padded = np.where(KEPT[..., None], HIDDEN, np.inf)  # padding may hold anything
    pieces = [
        Activity.of(padded[rows], KEPT[rows])
        for rows in (slice(0, 1), slice(1, 4), slice(4, 6))
    ]
    activity = pieces[0] + pieces[1] + pieces[2]
    expected = by_definition(HIDDEN, KEPT)[name]
    found = score_neurons(name, activity, MATRICES)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_a_far_mean_costs_the_variance_no_digits():
    """Sums of squares would: float32 keeps seven digits, and the mean has four."""
    far = Activity.of(HIDDEN[:3] + 1000) + Activity.of(HIDDEN[3:] + 1000)
    found = score_neurons("variance", far, MATRICES)
    np.testing.assert_allclose(found, HIDDEN.var(axis=(0, 1)), rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("name", sorted({*SCORES} - {"random"}))
def test_permuted_neurons_have_permuted_scores(name):
    order = [2, 0, 3, 1]
    moved = {key: matrix[:, order] for key, matrix in MATRICES.items()}
    there = score_neurons(name, Activity.of(HIDDEN[..., order]), moved)
    here = score_neurons(name, Activity.of(HIDDEN), MATRICES)
    np.testing.assert_allclose(there, here[order], rtol=1e-6)


@pytest.mark.parametrize("name", sorted({*SCORES} - {*WITHOUT_DATA, "worst"}))
def test_a_dead_neuron_goes_first(name):
    found = score_neurons(name, Activity.of(HIDDEN), MATRICES)
    assert found[3] == 0
    assert 3 not in best(found, 3)


def test_random_scores_are_those_of_their_seed_and_block():
    def scores(seed, block):
        activity = Activity.of(HIDDEN)
        return tuple(score_neurons("random", activity, MATRICES, seed, block))

    assert scores(1, 2) == scores(1, 2)
    assert len({scores(1, 2), scores(2, 1), scores(1, 1)}) == 3


def test_the_first_of_equals_stay():
    assert best(np.array([1.0, 2.0, 1.0, 1.0]), 3) == [0, 1, 2]
    assert best(np.zeros(5), 2) == [0, 1]
    assert best(np.zeros(5), 0) == []


def test_bad_scores_are_errors():
    with pytest.raises(KitError, match="Did you mean 'l2'"):
        score_neurons("l22", Activity.of(HIDDEN), MATRICES)
    with pytest.raises(KitError, match="not finite"):
        score_neurons("l2", Activity.of(HIDDEN * np.nan), MATRICES)
