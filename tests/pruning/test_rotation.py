"""A rotation changes nothing, and a flat stream loses nothing."""

import numpy as np
import pytest

from kit.errors import KitError
from kit.models import build, named_weights
from kit.pruning import NotReached, Pieces, prune
from kit.pruning.rotation import narrower, principal_axes, rotated
from tests.cases import CASES, assert_same, case, read, shake, some_tokens
from tests.contract import params
from tests.pruning.models import calibration, deep, deep_config

RMS = {
    "llama": deep_config("llama"),
    "learned positions": case({"norm": "rms"}, final_norm="rms"),
    "parallel": case({"norm": "rms", "wiring": "parallel"}, final_norm="rms"),
    "half skips": case({"norm": "rms", "attention_skip": 0.5}, final_norm="rms"),
}


def model_of(name):
    return shake(build(RMS[name]), seed=1)


def some_axes(width, columns):
    square = np.random.default_rng(0).standard_normal((width, width))
    return np.linalg.qr(square)[0][:, :columns]


@pytest.mark.slow
@pytest.mark.parametrize("name", params(RMS, ("llama",)))
def test_a_rotation_changes_nothing(name):
    model = model_of(name)
    turned = rotated(model, some_axes(16, 16))
    tokens = some_tokens(RMS[name])
    assert_same(read(turned, tokens), read(model, tokens), 1e-5)


@pytest.mark.slow
def test_what_the_stream_never_uses_can_go():
    """All that is written lies in 9 of 16 dimensions, somewhere."""
    model, axes = model_of("learned positions"), some_axes(16, 9)
    for key, weight in named_weights(model).items():
        name = key.rpartition("/")[2]
        if name in ("embeddings", "table", "output"):
            weight.assign(np.asarray(weight) @ axes @ axes.T)
        elif name == "down":
            weight.assign(axes @ axes.T @ np.asarray(weight))
    asked = calibration(model.config)
    found = principal_axes(Pieces(model), asked)[:, :9]
    np.testing.assert_allclose(found @ found.T, axes @ axes.T, atol=1e-5)
    tokens = some_tokens(model.config)
    assert_same(read(rotated(model, found), tokens), read(model, tokens), 1e-5)


@pytest.mark.slow
def test_the_method_narrows_the_stream_to_the_sparsity():
    smaller, record = prune(
        deep("llama"), calibration(deep_config("llama")), 0.3, "slice"
    )
    assert smaller.config.width == 11  # the most of 16 that is at most 70 per cent
    assert record.reached == pytest.approx(1 - 11 / 16)
    same, record = prune(deep("llama"), calibration(deep_config("llama")), 0, "slice")
    tokens = some_tokens(deep_config("llama"))
    assert record.reached == 0
    assert_same(read(same, tokens), read(deep("llama"), tokens), 1e-5)


@pytest.mark.slow
def test_a_sparsity_beyond_a_stream_of_width_1_is_told():
    """Of 16 columns the last one holds a sixteenth of the parameters."""
    model, asked = deep("llama"), calibration(deep_config("llama"))
    narrowest, record = prune(model, asked, 0.93, "slice")
    assert narrowest.config.width == 1 and record.reached >= 0.93
    with pytest.raises(NotReached, match="93.8%"):
        prune(model, asked, 0.94, "slice")


@pytest.mark.parametrize("name", ["pre-ln", "post-rms", "sas"])
def test_other_norms_are_refused(name):
    with pytest.raises(KitError, match="Use another method"):
        rotated(build(CASES[name]), some_axes(16, 16))
    with pytest.raises(KitError, match="Use another method"):
        prune(deep(), calibration(deep_config()), 0.3, "slice")


def test_heads_and_neurons_keep_their_sizes():
    block = narrower(RMS["llama"], 11).blocks[0]
    assert (block.head_dim, block.feed_forward_dim) == (4, 48)
