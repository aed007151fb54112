"""Similarities against their definitions, and the null model against drawing it."""

import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from kit.errors import KitError
from kit.sharing import MEASURES, compare_maps

TIME = 6
CAUSAL = np.tril(np.ones((TIME, TIME), bool))


def maps(layers=3, heads=2, time=TIME, std=1.5, sink=0.0, seed=0, causal=True):
    """Softmax of independent normal scores."""
    rng = np.random.default_rng(seed)
    scores = std * rng.standard_normal((layers, heads, time, time))
    scores[..., 0] += sink
    if causal:
        scores = np.where(np.tril(np.ones((time, time), bool)), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def cosine(x, y):
    return np.sum(x * y) / np.linalg.norm(x) / np.linalg.norm(y)


def by_definition(sample, measure, l, m, first_row):  # noqa: E741
    if measure == "cosine":
        return cosine(sample[l].ravel(), sample[m].ravel())
    rows = [
        (sample[l, head, row], sample[m, head, row])
        for head in range(sample.shape[1])
        for row in range(first_row, sample.shape[2])
    ]
    if measure == "rows":
        return np.mean([cosine(x[1:], y[1:]) for x, y in rows])
    return 1 - np.mean([jensenshannon(x, y, base=2) ** 2 for x, y in rows])


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("causal", [True, False])
def test_values_are_the_definitions(measure, causal):
    samples = [maps(seed=seed, causal=causal) for seed in (0, 1)]
    visible = CAUSAL if causal else np.ones_like(CAUSAL)
    found = compare_maps(samples, visible).values[measure]
    first_row = 2 if causal else 0  # rows 0 and 1 see one key beyond column 0 at most
    for l in range(3):  # noqa: E741
        for m in range(3):
            each = [by_definition(s, measure, l, m, first_row) for s in samples]
            assert found[l, m] == pytest.approx(np.mean(each), abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_equal_maps_are_alike_and_no_others(measure):
    one = maps(layers=2)
    found = compare_maps([one[[0, 1, 0]]], CAUSAL).values[measure]
    assert found[0, 2] == pytest.approx(1, abs=1e-12)
    assert found[0, 1] == found[1, 0] < 0.9


def shuffled(sample, rng):
    """Each row beyond column 0 in an order of its own."""
    new = sample.copy()
    for index in np.ndindex(sample.shape[:2]):
        for row in range(2, sample.shape[2]):
            new[index][row, 1 : row + 1] = rng.permutation(
                sample[index][row, 1 : row + 1]
            )
    return new


def test_the_null_model_is_the_mean_of_shuffled_maps():
    sample, rng = maps(sink=2.0), np.random.default_rng(5)
    draws = [compare_maps([shuffled(sample, rng)], CAUSAL).values for _ in range(150)]
    null = compare_maps([sample] * 150, CAUSAL).null  # draws as often, where it does
    for measure in MEASURES:
        found = np.array([draw[measure] for draw in draws])
        error = found.std(axis=0) / np.sqrt(150) + 1e-12
        off = ~np.eye(3, dtype=bool)
        assert (np.abs(found.mean(axis=0) - null[measure]) < 5 * error)[off].all()


SIMULATED = [  # deviation of the scores, of column 0, and the flattened cosine
    (0.5, 0.0, 0.86),
    (1.0, 0.0, 0.59),
    (2.0, 0.0, 0.26),
    (0.5, 5.0, 0.99),
    (1.0, 5.0, 0.94),
    (2.0, 5.0, 0.64),
]


@pytest.mark.parametrize("std, sink, expected", SIMULATED)
def test_chance_explains_independent_maps(std, sink, expected):
    """Sharpness and a sink alone give what is often read as similarity."""
    sample = maps(2, 16, 64, std, sink)
    visible = np.tril(np.ones((64, 64), bool))
    found = compare_maps([sample], visible)
    assert found.values["cosine"][0, 1] == pytest.approx(expected, abs=0.02)
    for measure in MEASURES:
        value, null = found.values[measure][0, 1], found.null[measure][0, 1]
        assert value == pytest.approx(null, abs=0.02)


def test_a_sink_changes_the_flattened_cosine_only():
    rows = [
        compare_maps([maps(sink=sink)], CAUSAL, ["rows"]).values["rows"]
        for sink in (0.0, 5.0)
    ]
    np.testing.assert_allclose(*rows, atol=1e-12)
    flat = [
        compare_maps([maps(sink=sink)], CAUSAL, ["cosine"]).values["cosine"][0, 1]
        for sink in (0.0, 5.0)
    ]
    assert flat[1] > flat[0] + 0.1


def test_pieces_change_nothing():
    whole, rowwise = (
        compare_maps([maps()], CAUSAL, entries_at_once=size) for size in (2**20, 1)
    )
    for matrices, others in zip(whole, rowwise, strict=True):
        for measure in MEASURES:
            np.testing.assert_allclose(matrices[measure], others[measure], atol=1e-12)


def test_memory_does_not_grow_with_the_pairs_of_layers():
    layers, time, at_once = 24, 48, 2**12
    sample = maps(layers, 1, time)
    visible = np.tril(np.ones((time, time), bool))
    compare_maps([sample[:2]], visible, entries_at_once=at_once)  # imports
    tracemalloc.start()
    compare_maps([sample], visible, entries_at_once=at_once)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 8 * at_once + 16 * 8 * layers**2 + 2**17
    assert peak < 8 * layers**2 * time**2 / 10


def test_what_cannot_be_compared_is_an_error():
    with pytest.raises(KitError, match="no attention maps"):
        compare_maps([], CAUSAL)
    with pytest.raises(KitError, match="Did you mean 'cosine'"):
        compare_maps([maps()], CAUSAL, ["cosin"])
    with pytest.raises(KitError, match="2 tokens"):
        compare_maps([maps(time=2)], CAUSAL[:2, :2])
