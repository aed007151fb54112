"""Shaped attention against the maps themselves."""

import numpy as np
import pytest
from keras import ops

from kit.config import ModelConfig
from kit.gains import SKIP_INIT, Shaped, Trained
from kit.layers import AttentionBias
from kit.layers.shaping import running_sum
from kit.models import activations, build
from tests.cases import (
    MASKED,
    PADDING,
    PREFIX,
    TIME,
    WIDTH,
    assert_same,
    case,
    read,
    shake,
    shaken,
    some_tokens,
)

IN_FRONT = [0, 1, PREFIX + 1, TIME]  # tokens of padding, row by row
KEYS = {"own": None, "grouped": 2}
TAPS = ("block_0/attention/map", "block_0/attention/shaped_map")


def tokens_of(config, padded, time):
    tokens = some_tokens(config)[:, :time]
    if padded and time > 2:
        tokens[0, 1] = tokens[1, -1] = PADDING
    return tokens


def centring_by_hand(config, tokens):
    """C from its definition: uniform over what a query may see; (batch, time, time)."""
    bias = AttentionBias(config.mask, config.prefix_length, config.padding_id)(
        tokens, queries=tokens.shape[1]
    )
    time = tokens.shape[1]
    visible = np.ones((1, 1, time, time)) if bias is None else np.asarray(bias) == 0
    uniform = visible / np.maximum(visible.sum(axis=-1, keepdims=True), 1)
    return np.broadcast_to(uniform[:, 0], (len(tokens), time, time))


@pytest.mark.parametrize("mask", MASKED)
@pytest.mark.parametrize(
    "padded, keys",
    [pytest.param(False, "own", marks=pytest.mark.slow), (True, "grouped")],
)
@pytest.mark.parametrize("fused", [False, True], ids=["by-map", "kernel-friendly"])
def test_both_forms_are_the_sum_of_three_maps(mask, padded, keys, fused):
    """alpha V + beta A V - gamma mean(V) = (alpha I + beta A - gamma C) V."""
    model = mask_model(mask, padded, KEYS[keys], fused_attention=fused)
    config, attention = model.config, model.blocks[0].part("attention")
    gains = [
        np.asarray(getattr(attention.shaping, name).gain)[:, None, None]
        for name in ("alpha", "beta", "gamma")
    ]
    for time in (1, 2, PREFIX, 7):
        tokens = tokens_of(config, padded, time)
        maps = activations(model, tokens, *TAPS)
        softmax, shaped_map = (maps[name].astype("float64") for name in TAPS)
        centre = centring_by_hand(config, tokens)[:, None]
        expected = gains[0] * np.eye(time) + gains[1] * softmax - gains[2] * centre
        assert_same(shaped_map, expected)
        x = model.blocks[0].sub_blocks[0].norm(model.positions(model.embedding(tokens)))
        value = ops.convert_to_numpy(x).reshape(*tokens.shape, 4, WIDTH // 4)
        by_map = np.einsum("bhij,bjhd->bihd", expected, value)
        (output,) = activations(model, tokens, "block_0/attention/output").values()
        assert_same(output, by_map.reshape(x.shape))


def mask_model(mask, padded, key_heads, start=False, **shared):
    block = {
        "shape": Shaped(),
        "value": "identity",
        "projection": "identity",
        "num_key_value_heads": key_heads,
    }
    padding = {"padding_id": PADDING} if padded else {}
    model = build(case(block, **MASKED[mask], **padding, **shared))
    return model if start else shake(model)


@pytest.mark.parametrize("mask", MASKED)
@pytest.mark.parametrize(
    "padded, positions, fused",
    [
        pytest.param(False, "learned", False, marks=pytest.mark.slow),
        (True, "learned", True),
        pytest.param(True, "rotary", False, marks=pytest.mark.slow),
        (True, "alibi", False),
    ],
)
def test_attention_starts_as_the_identity(mask, padded, positions, fused):
    """The norm's output comes out of the attention as it went in."""
    model = mask_model(
        mask, padded, 2, start=True, positions=positions, fused_attention=fused
    )
    for time in (1, 2, 5, 7):
        tokens = tokens_of(model.config, padded, time)
        found = activations(model, tokens, "block_0/input", "block_0/attention/output")
        x = model.blocks[0].sub_blocks[0].norm(found["block_0/input"])
        real = tokens != model.config.padding_id
        output = found["block_0/attention/output"]
        assert_same(output[real], ops.convert_to_numpy(x)[real], 1e-6)


def padded_in_front(config):
    tokens = some_tokens(config, batch=len(IN_FRONT))
    for row, length in zip(tokens, IN_FRONT, strict=True):
        row[:length] = PADDING
    return tokens


@pytest.mark.slow
@pytest.mark.parametrize("mask", MASKED)
def test_both_forms_agree_where_a_query_sees_nothing_but_padding(mask):
    """Its map and its mean are over the padding that it sees."""
    by_map, fused = (
        mask_model(mask, True, 2, fused_attention=fused) for fused in (False, True)
    )
    tokens = padded_in_front(by_map.config)
    assert_same(read(fused, tokens), read(by_map, tokens))


@pytest.mark.parametrize("mask", MASKED)
@pytest.mark.parametrize("fused", [False, True], ids=["by-map", "kernel-friendly"])
def test_a_token_of_padding_comes_out_as_it_went_in_too(mask, fused):
    """So that what it holds does not grow from block to block."""
    model = mask_model(mask, True, 2, start=True, fused_attention=fused)
    tokens = padded_in_front(model.config)
    found = activations(model, tokens, "block_0/input", "block_0/attention/output")
    x = model.blocks[0].sub_blocks[0].norm(found["block_0/input"])
    assert_same(found["block_0/attention/output"], ops.convert_to_numpy(x), 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shaped", "shaped-grouped", "shaped-prefix"])
def test_rows_of_the_shaped_map_sum_to_alpha_plus_beta_minus_gamma(name):
    model, tokens = shaken(name), some_tokens(shaken(name).config)
    shaping = model.blocks[0].part("attention").shaping
    sums = activations(model, tokens, TAPS[1])[TAPS[1]].sum(axis=-1)
    alpha, beta, gamma = (
        np.asarray(getattr(shaping, gain).gain) for gain in ("alpha", "beta", "gamma")
    )
    assert_same(sums, np.broadcast_to((alpha + beta - gamma)[:, None], sums.shape))
    fresh = build(model.config)
    sums = activations(fresh, tokens, TAPS[1])[TAPS[1]].sum(axis=-1)
    np.testing.assert_allclose(sums, 1, atol=1e-6)


@pytest.mark.parametrize("name", ["sas-alibi", "shaped-alibi"])
def test_with_alibi_the_centre_is_the_map_of_zero_scores(name):
    """It is not uniform then, and the identity at the start needs just that C."""
    model = build(case({"shape": Shaped()}, positions="alibi"))
    found = activations(model, some_tokens(model.config), *TAPS)
    assert_same(found[TAPS[1]], np.broadcast_to(np.eye(7), found[TAPS[1]].shape), 1e-6)
    uniform = centring_by_hand(model.config, some_tokens(model.config))[:, None]
    assert np.abs(found[TAPS[0]] - uniform).max() > 0.1


def test_skip_init_is_the_identity_at_the_start_and_has_no_centre():
    model = build(case({"shape": SKIP_INIT}))
    attention = model.blocks[0].part("attention")
    assert not attention.shaping.centred
    assert np.asarray(attention.query).any()
    tokens = some_tokens(model.config)
    found = activations(model, tokens, *TAPS)
    assert_same(found[TAPS[1]], np.broadcast_to(np.eye(7), found[TAPS[1]].shape), 1e-6)
    attention.shaping.beta.gain.assign(np.full(4, 0.5, "float32"))
    found = activations(model, tokens, *TAPS)
    assert_same(found[TAPS[1]], np.eye(7) + 0.5 * found[TAPS[0]])


def test_shared_gains_are_equal_gains_of_all_heads():
    each, shared = shaken_pair()
    for name in ("alpha", "beta", "gamma"):
        gain = getattr(shared.blocks[0].part("attention").shaping, name).gain
        theirs = getattr(each.blocks[0].part("attention").shaping, name).gain
        theirs.assign(np.full(4, float(gain), "float32"))
    tokens = some_tokens(each.config)
    assert_same(*(a for a in (each(tokens), shared(tokens))))


def shaken_pair():
    blocks = [
        case({"shape": Shaped(per_head=per_head)}).blocks[0]
        for per_head in (True, False)
    ]
    configs = [
        ModelConfig(11, 7, 16, blocks=(block,), initializer_std=0.4) for block in blocks
    ]
    each, shared = (build(config) for config in configs)
    shake(shared)
    for old, new in zip(shared.weights, each.weights, strict=True):
        if old.shape == new.shape:
            new.assign(old)
    return each, shared


def test_fixed_gains_are_no_weights():
    fixed = case({"shape": Shaped(1.0, 0.5, 0.5)})
    plain = case()
    count = build(fixed).count_params()
    assert count == build(plain).count_params()
    assert build(case({"shape": Shaped()})).count_params() == count + 2 * 3 * 4
    trained = case({"shape": Shaped(1.0, Trained(0.5), 0.5, per_head=False)})
    assert build(trained).count_params() == count + 2


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 65, 130])
def test_a_running_sum_in_pieces_is_the_running_sum(rows):
    x = np.random.default_rng(rows).normal(size=(2, 3, rows, 5)).astype("float32")
    assert_same(running_sum(x, piece=8), np.cumsum(x, axis=2))
