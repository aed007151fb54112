"""Moving weights into another config: every cut equals a mask."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from kit.errors import KitError
from kit.models import build, named_weights, transplant
from kit.training import token_cross_entropy
from tests.cases import (
    CASES,
    QUICK,
    WIDTH,
    assert_same,
    case,
    case_logits,
    read,
    shake,
    shaken,
    some_tokens,
    weights_of,
)
from tests.contract import params

CUT = 1e-6  # a removed unit is a term of zero in a sum, so only its order changes


@pytest.mark.parametrize("name", params(CASES, QUICK))
def test_the_same_config_gives_identical_logits(name):
    config = CASES[name]
    copy = transplant(shaken(name), config, seed=9)
    np.testing.assert_array_equal(read(copy, some_tokens(config)), case_logits(name))


def test_the_old_model_is_left_alone():
    before = {
        k: np.asarray(v).copy() for k, v in named_weights(shaken("pre-ln")).items()
    }
    new = transplant(shaken("pre-ln"), CASES["pre-ln"])
    shake(new, seed=5)
    for key, variable in named_weights(shaken("pre-ln")).items():
        np.testing.assert_array_equal(np.asarray(variable), before[key])


def silence(model, block, part):
    """Make the output of a part zero by its last matrix."""
    matrix = {"attention": "attention/output", "feed_forward": "feed_forward/down"}
    weight = named_weights(model)[f"block_{block}/{matrix[part]}"]
    weight.assign(np.zeros(weight.shape, "float32"))


@pytest.mark.slow
@pytest.mark.parametrize("part", ["attention", "feed_forward"])
@pytest.mark.parametrize("name", ["pre-ln", "pre-rms", "no-norm", "parallel", "rotary"])
def test_dropping_a_silent_part_changes_nothing(name, part):
    model = shake(build(CASES[name]))
    silence(model, 0, part)
    tokens = some_tokens(model.config)
    smaller = transplant(model, model.config.with_blocks({0: {part: None}}))
    assert smaller.count_params() < model.count_params()
    assert_same(read(smaller, tokens), read(model, tokens), CUT)


def test_dropping_a_silent_block_changes_nothing():
    model = shake(build(CASES["llama"]))
    for part in ("attention", "feed_forward"):
        silence(model, 0, part)
    config = replace(model.config, blocks=model.config.blocks[1:])
    smaller = transplant(model, config, blocks=[1])
    tokens = some_tokens(config)
    assert_same(read(smaller, tokens), read(model, tokens), CUT)


@pytest.mark.parametrize("name", ["relu", "pre-ln", "swiglu", "parallel"])
def test_removing_neurons_is_masking_them(name):
    model = shake(build(CASES[name]))
    kept = [0, 3, 4, 11, 23]
    down = named_weights(model)["block_1/feed_forward/down"]
    masked = np.zeros(down.shape, "float32")
    masked[:, kept] = np.asarray(down)[:, kept]
    config = model.config.with_blocks({1: {"feed_forward_dim": len(kept)}})
    smaller = transplant(model, config, kept={1: {"neurons": kept}})
    down.assign(masked)
    tokens = some_tokens(config)
    assert_same(read(smaller, tokens), read(model, tokens), CUT)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields, heads, key_heads",
    [
        ({}, [1, 3], [1, 3]),
        ({}, [2, 0, 1], [2, 0, 1]),
        ({"num_key_value_heads": 2}, [2, 3], [1]),
        ({"num_key_value_heads": 2}, [0, 3], [0, 1]),
        ({"num_key_value_heads": 1}, [0, 2, 3], [0]),
        ({"head_dim": 6}, [1], [1]),
    ],
)
def test_removing_heads_is_masking_them(fields, heads, key_heads):
    head_dim = fields.get("head_dim", WIDTH // 4)
    model = shake(build(case(fields, positions="rotary")))
    config = model.config.with_blocks(
        {
            0: {
                "num_heads": len(heads),
                "num_key_value_heads": len(key_heads),
                "head_dim": head_dim,
            }
        }
    )
    kept = {0: {"heads": heads, "key_value_heads": key_heads}}
    smaller = transplant(model, config, kept=kept)
    output = named_weights(model)["block_0/attention/output"]
    mask = np.repeat(np.isin(np.arange(4), heads), head_dim)[:, None]
    output.assign(np.asarray(output) * mask)
    tokens = some_tokens(config)
    assert_same(read(smaller, tokens), read(model, tokens), CUT)


@pytest.mark.slow
def test_blocks_can_change_places_and_repeat():
    model = shake(build(CASES["pre-ln"]))
    old = named_weights(model)
    for order in ([1, 0], [1, 1], [0, 1, 0]):
        config = replace(model.config, blocks=model.config.blocks[:1] * len(order))
        new = named_weights(transplant(model, config, blocks=order))
        for key, weight in new.items():
            prefix, _, rest = key.partition("/")
            if prefix.startswith("block_"):
                prefix = f"block_{order[int(prefix[-1])]}"
            np.testing.assert_array_equal(
                np.asarray(weight), np.asarray(old[f"{prefix}/{rest}"])
            )
    there_and_back = transplant(
        transplant(model, model.config, blocks=[1, 0]), model.config, blocks=[1, 0]
    )
    tokens = some_tokens(model.config)
    assert_same(read(there_and_back, tokens), read(model, tokens), CUT)


def test_what_is_new_starts_fresh_and_what_is_left_stays():
    model = shaken("pre-ln")
    config = CASES["swiglu"]
    new, fresh = transplant(model, config, seed=4), build(config, seed=4)
    old = named_weights(model)
    for key, weight in named_weights(new).items():
        source = old[key] if key in old else named_weights(fresh)[key]
        np.testing.assert_array_equal(np.asarray(weight), np.asarray(source))


def test_the_precision_stays():
    model = build(CASES["pre-ln"], dtype="mixed_bfloat16")
    assert transplant(model, model.config).dtype_policy.name == "mixed_bfloat16"


SMALLER = {"feed_forward_dim": 2}
HEADS = ("heads", "key_value_heads")
TWO_HEADS = {"num_heads": 2, "num_key_value_heads": 2, "head_dim": 4}
WRONG = {
    "too many neurons": (SMALLER, {"neurons": [0, 1, 2]}, "3 are kept.*needs 2"),
    "neuron beyond": (SMALLER, {"neurons": [0, 24]}, "index 24 .*24 neurons"),
    "neuron below": (SMALLER, {"neurons": [-1, 0]}, "index -1 .*24 neurons"),
    "neuron twice": (SMALLER, {"neurons": [1, 1]}, "index 1 .*twice"),
    "misspelt": (SMALLER, {"neuron": [0, 1]}, "'neuron'.*Did you mean 'neurons'"),
    "head beyond": (TWO_HEADS, {"heads": [0, 4]}, "index 4 .*4 heads"),
    "growth": ({"feed_forward_dim": 25}, {}, "24 entries.*needs 25"),
    "other head width": ({"num_heads": 2}, {}, "head_dim.*4.*8"),
    "head and key apart": (
        TWO_HEADS,
        {"heads": [0, 1], "key_value_heads": [0, 2]},
        "head 1 .*key_value_head 1",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_cuts_are_one_line_errors(name):
    changes, keep, message = WRONG[name]
    model = shaken("pre-ln")
    config = model.config.with_blocks({1: changes})
    with pytest.raises(KitError, match=message) as caught:
        transplant(model, config, kept={1: keep})
    assert "\n" not in str(caught.value)


def test_grouped_heads_that_lose_their_keys_are_an_error():
    model = shaken("grouped")
    config = model.config.with_blocks({0: {"num_heads": 2, "head_dim": 4}})
    kept = {0: {"heads": [0, 1], "key_value_heads": [0, 1]}}
    with pytest.raises(KitError, match="head 1 .*key_value_head 0"):
        transplant(model, config, kept=kept)


@pytest.mark.parametrize("blocks", [[0], [0, 2], [0, -1], [0, 1, 1]])
def test_wrong_blocks_are_errors(blocks):
    with pytest.raises(KitError, match="does not name an old block"):
        transplant(shaken("pre-ln"), CASES["pre-ln"], blocks=blocks)


def test_kept_names_a_block_that_exists():
    with pytest.raises(KitError, match="kept.*block 2"):
        transplant(shaken("pre-ln"), CASES["pre-ln"], kept={2: {"neurons": [0]}})


@pytest.mark.parametrize("heads", [[1, 0, 2, 3], [3, 2, 1, 0]])
def test_heads_that_are_columns_of_the_stream_stay_where_they_are(heads):
    model = shaken("no-value-or-projection")
    kept = {1: {"heads": heads, "key_value_heads": heads}}
    with pytest.raises(KitError, match="block 1: its heads are columns"):
        transplant(model, model.config, kept=kept)


def test_gains_of_heads_go_with_their_heads():
    """Removing heads of a shaped map is masking their rows of the output matrix."""
    model = shake(build(CASES["shaped"]))
    heads = [3, 1]
    smaller = {"num_heads": 2, "num_key_value_heads": 2, "head_dim": 4}
    config = model.config.with_blocks({1: smaller})
    new = transplant(
        model, config, kept={1: {"heads": heads, "key_value_heads": heads}}
    )
    output = named_weights(model)["block_1/attention/output"]
    mask = np.repeat(np.isin(np.arange(4), heads), 4)[:, None]
    output.assign(np.asarray(output) * mask)
    tokens = some_tokens(config)
    assert_same(read(new, tokens), read(model, tokens), CUT)


@pytest.mark.slow
def test_a_gain_that_heads_share_becomes_the_gain_of_each():
    """And back again, as long as they are equal."""
    each = CASES["shaped"]
    shared = shaken("shaped-shared")
    apart = transplant(shared, each)
    gains = [name for name in named_weights(apart) if "map_" in name]
    assert len(gains) == 6
    for name in gains:
        assert named_weights(shared)[name].shape == ()
        assert named_weights(apart)[name].shape == (4,)
    tokens = some_tokens(each)
    assert_same(read(apart, tokens), read(shared, tokens), CUT)
    again = transplant(apart, shared.config)
    np.testing.assert_array_equal(read(again, tokens), read(shared, tokens))


def test_gains_of_heads_that_differ_cannot_become_one():
    model = shake(build(CASES["shaped"]))
    for weight in named_weights(model).values():
        if "map_" in weight.name:
            weight.assign(np.array([0.5, 0.25, 0.5, 0.5], "float32"))
    config = CASES["shaped-shared"]
    with pytest.raises(KitError, match=r"map_alpha: the gains .*differ \(0.25 to 0.5"):
        transplant(model, config)
    without = config.with_every_block(num_heads=3, num_key_value_heads=3, head_dim=4)
    kept = dict.fromkeys((0, 1), {name: [0, 2, 3] for name in HEADS})
    alpha = named_weights(transplant(model, without, kept=kept))
    assert float(alpha["block_1/attention/map_alpha"]) == 0.5


def test_what_is_left_is_not_drawn_first(monkeypatch):
    """On a real model the draw takes longer than the copy."""
    drawn = []
    module = sys.modules["kit.models.transplant"]
    monkeypatch.setattr(module, "initialise", lambda *given: drawn.append(given[2]))
    transplant(shaken("pre-ln"), CASES["pre-ln"])
    assert drawn == [set()]


@pytest.mark.slow
@pytest.mark.parametrize("trained", ["old", "new"])
def test_training_one_model_leaves_the_other_alone(trained):
    """Also where a backend could let both hold one array."""
    config = CASES["pre-ln"]
    old = shake(build(config))
    new = transplant(old, config)
    moved, rest = (old, new) if trained == "old" else (new, old)
    before = weights_of(rest)
    moved.compile("sgd", token_cross_entropy, jit_compile=True)
    tokens = some_tokens(config)
    for _ in range(2):
        moved.train_on_batch(tokens, np.roll(tokens, -1, axis=1))
    table = "positions/table"
    assert not np.array_equal(named_weights(moved)[table], before[table])
    for key, weight in named_weights(rest).items():
        np.testing.assert_array_equal(weight, before[key])
