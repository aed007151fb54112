"""The permutation test, on predictors whose symmetry is known by construction."""

import numpy as np
import pytest

from kit.errors import KitError
from kit.probes.symmetry import INVARIANCE_TOLERANCE, permutation_change

WIDTH, VOCABULARY = 16, 12


def softmax(scores):
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def transformer(num_layers, causal, dtype=np.float64, positions=False, seed=0):
    """Attention layers with skips and random weights, in plain NumPy."""
    rng = np.random.default_rng(seed)
    embedding = rng.normal(size=(VOCABULARY, WIDTH)).astype(dtype)
    order = rng.normal(size=(64, WIDTH)).astype(dtype) * positions
    weights = rng.normal(size=(num_layers, 3, WIDTH, WIDTH)).astype(dtype) / 4

    def predict(tokens):
        x = embedding[tokens] + order[: tokens.shape[1]]
        future = np.triu(np.ones((tokens.shape[1],) * 2, bool), k=1)
        for query, key, value in weights:
            scores = (x @ query) @ np.swapaxes(x @ key, 1, 2) / np.sqrt(dtype(WIDTH))
            scores = np.where(causal & future, dtype(-1e9), scores)
            x = x + softmax(scores) @ x @ value
        return x @ embedding.T

    return predict


@pytest.fixture
def tokens():
    return np.random.default_rng(1).integers(0, VOCABULARY, (32, 8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_full_mask_without_positions_does_not_see_the_order(num_layers, dtype, tokens):
    predict = transformer(num_layers, causal=False, dtype=dtype)
    rounding = 20 * np.finfo(dtype).eps * num_layers
    assert permutation_change(predict, tokens) < min(rounding, INVARIANCE_TOLERANCE)


def test_one_causal_layer_does_not_see_the_order(tokens):
    assert permutation_change(transformer(1, causal=True), tokens) < 1e-14


@pytest.mark.parametrize(
    "predict",
    [
        transformer(2, causal=True),
        transformer(3, causal=True),
        transformer(1, causal=False, positions=True),
    ],
)
def test_two_causal_layers_or_positions_see_the_order(predict, tokens):
    assert permutation_change(predict, tokens) > 1000 * INVARIANCE_TOLERANCE


def test_a_sum_over_the_prompt_changes_by_exactly_nothing(tokens):
    counts = np.eye(VOCABULARY)
    assert permutation_change(lambda t: counts[t].sum(axis=1), tokens) == 0.0


def test_the_change_is_relative_to_the_size_of_the_logits(tokens):
    predict = transformer(2, causal=True)
    change = permutation_change(predict, tokens, rng=3)
    scaled = permutation_change(lambda t: 1000 * predict(t), tokens, rng=3)
    assert scaled == pytest.approx(change, rel=1e-12)


def test_only_the_named_positions_trade_places(tokens):
    seen = []
    permutation_change(lambda t: seen.append(t) or np.ones((32, 1)), tokens, [1, 4, 6])
    for permuted in seen[1:]:
        np.testing.assert_array_equal(
            permuted[:, [0, 2, 3, 5, 7]], seen[0][:, [0, 2, 3, 5, 7]]
        )
        np.testing.assert_array_equal(np.sort(permuted), np.sort(seen[0]))
    assert any((permuted != seen[0]).any() for permuted in seen[1:])


def sum_of_two_digits(tokens):
    """Value of "ab+cd=" with the ids of the digits equal to the digits."""
    return tokens[:, [0, 3]].sum(axis=1) * 10 + tokens[:, [1, 4]].sum(axis=1)


def test_with_a_value_only_permutations_that_change_it_count():
    """A perfect adder ignores swaps of same-place digits, so they must not dilute."""
    tokens = np.random.default_rng(0).integers(0, 10, (64, 6))
    tokens[0, [0, 1, 3, 4]] = 1  # 11 + 11: no permutation changes it
    tokens[1, [0, 1, 3, 4]] = [5, 1, 5, 1]
    compared = []

    def predict(batch):
        compared.append(sum_of_two_digits(batch))
        return np.ones((len(batch), 1))

    permutation_change(predict, tokens, [0, 1, 3, 4], value=sum_of_two_digits)
    original = compared[0]
    for permuted in compared[1:]:
        np.testing.assert_array_equal(np.flatnonzero(permuted == original), [0])


def test_a_value_that_no_permutation_changes_says_so(tokens):
    with pytest.raises(KitError, match="no permutation of positions"):
        permutation_change(
            transformer(1, True), tokens, [0, 1], value=lambda t: t.sum(axis=1)
        )


@pytest.mark.parametrize("last", [7, -1])
def test_the_last_position_may_not_move(last, tokens):
    with pytest.raises(KitError, match="hold the last position, 7"):
        permutation_change(transformer(1, True), tokens, [0, last])


def test_same_seed_same_change(tokens):
    predict = transformer(2, causal=True)
    first = permutation_change(predict, tokens, rng=5)
    assert permutation_change(predict, tokens, rng=5) == first
    assert permutation_change(predict, tokens, rng=6) != first
