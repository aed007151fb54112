"""What each position can know, by changing one token at a time."""

from functools import cache

import numpy as np
import pytest

from kit.models import build
from tests.cases import (
    CASES,
    PADDING,
    PREFIX,
    QUICK,
    TIME,
    assert_same,
    case,
    read,
    shake,
    shaken,
    some_tokens,
)
from tests.contract import BFLOAT16, params

UNMOVED, MOVED = 2e-5, 1e-3


def visible(config):
    """(queries, keys): whether the logits at a query may depend on a token."""
    query, key = np.arange(TIME)[:, None], np.arange(TIME)
    if all(block.attention is None for block in config.blocks):
        return query == key
    if config.mask == "full":
        return np.ones((TIME, TIME), bool)
    return (key <= query) | (key < (config.prefix_length or 0))


@pytest.mark.parametrize("name", params(CASES, QUICK))
def test_a_position_moves_exactly_with_what_it_may_see(name):
    config = CASES[name]
    tokens = some_tokens(config, batch=1)
    changed = np.repeat(tokens, TIME + 1, axis=0)
    for key in range(TIME):
        changed[key + 1, key] = (tokens[0, key] + 1) % (config.vocabulary_size - 1)
    logits = read(shaken(name), changed)
    change = np.abs(logits[1:] - logits[0]).max(axis=-1).T / np.abs(logits).max()
    expected = visible(config)
    assert (change[~expected] < UNMOVED).all()
    assert (change[expected] > MOVED).all()


@pytest.mark.parametrize(
    "name", [name for name, config in CASES.items() if config.padding_id is not None]
)
def test_padding_at_the_end_changes_nothing_before_it(name):
    config = CASES[name]
    tokens = some_tokens(config)
    tokens[:, -2:] = PADDING
    logits = read(shaken(name), tokens)[:, :-2]
    assert_same(logits, read(shaken(name), tokens[:, :-2]))


@pytest.mark.parametrize(
    "name", [name for name, config in CASES.items() if config.padding_id is not None]
)
def test_the_vector_of_the_padding_token_reaches_nothing(name):
    """Only its own logit may change, where the head is tied."""
    config = CASES[name]
    model = shake(build(config))
    tokens = some_tokens(config)
    tokens[:, 4] = PADDING
    before = read(model, tokens)
    table = np.asarray(model.embedding.embeddings).copy()
    table[PADDING] += 100
    model.embedding.embeddings.assign(table)
    real = [t for t in range(TIME) if t != 4]
    after = read(model, tokens)
    assert_same(after[:, real, :PADDING], before[:, real, :PADDING])
    assert np.abs(after[:, 4] - before[:, 4]).max() > 1


@cache
def padded(positions, mask, padding_id=PADDING, fused=False):
    config = case(
        positions=positions, mask=mask, padding_id=padding_id, fused_attention=fused
    )
    return shake(build(config))


@pytest.mark.slow
@pytest.mark.parametrize("mask", ["causal", "full"])
@pytest.mark.parametrize("positions", ["none", "rotary", "alibi"])
@pytest.mark.parametrize("fused", [False, True])
def test_padding_in_front_changes_nothing_where_only_distances_count(
    positions, mask, fused
):
    model = padded(positions, mask, fused=fused)
    tokens = some_tokens(model.config)[:, :-2]
    front = np.pad(tokens, ((0, 0), (2, 0)), constant_values=PADDING)
    assert_same(read(model, front)[:, 2:], read(model, tokens))


@pytest.mark.parametrize("mask", ["causal", "full"])
def test_padding_anywhere_changes_nothing_without_positions(mask):
    model = padded("none", mask)
    tokens = some_tokens(model.config)
    tokens[:, [1, 4]] = PADDING
    real = [0, 2, 3, 5, 6]
    assert_same(read(model, tokens)[:, real], read(model, tokens[:, real]))


def test_without_a_padding_id_the_same_token_is_seen():
    """The tests above can fail."""
    model = padded("none", "full", padding_id=None)
    tokens = some_tokens(model.config)
    tokens[:, -1] = PADDING
    change = read(model, tokens)[:, :-1] - read(model, tokens[:, :-1])
    assert np.abs(change).max() > 0.1


@pytest.mark.parametrize(
    "policy",
    ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("name", ["padding", "fused-padding", "sas-p-prefix-padding"])
def test_padding_in_front_is_hidden_in_half_precision_too(policy, name):
    """What hides it is finite there: 0 times NaN would reach the real tokens."""
    config = CASES[name]
    tokens = some_tokens(config)
    tokens[0, : PREFIX + 1] = PADDING
    mixed = build(config, dtype=policy)
    for old, new in zip(shaken(name).weights, mixed.weights, strict=True):
        new.assign(old)
    real = tokens != PADDING
    assert np.isfinite(read(mixed, tokens)).all()
    assert_same(read(mixed, tokens)[real], read(shaken(name), tokens)[real], BFLOAT16)
    other = tokens.copy()
    other[:, -1] = (tokens[:, -1] + 1) % PADDING
    if config.mask != "full":  # not even a row of padding looks ahead
        changed = read(mixed, other)[:, :-1]
        np.testing.assert_array_equal(changed, read(mixed, tokens)[:, :-1])


@pytest.mark.parametrize("mask", ["causal", "prefix"])
def test_a_row_that_starts_with_padding_stays_causal(mask):
    config = case(
        positions="none",
        mask=mask,
        prefix_length=PREFIX if mask == "prefix" else None,
        padding_id=PADDING,
    )
    model = shake(build(config))
    tokens = some_tokens(config)
    tokens[:, : PREFIX + 1] = PADDING
    other = tokens.copy()
    other[:, -1] = (tokens[:, -1] + 1) % PADDING
    assert_same(read(model, other)[:, :-1], read(model, tokens)[:, :-1])
