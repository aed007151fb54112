"""The simplified blocks of 2311.01906: published sizes, and what they start as."""

from dataclasses import replace

import numpy as np
import pytest

from kit.blocks import BlockConfig
from kit.config import ModelConfig
from kit.gains import Trained
from kit.labels import difference_label
from kit.models import activations, build, parameter_counts
from kit.presets import BLOCK_PRESETS
from tests.cases import MASKED, assert_same, preset_case, read, some_tokens

SIMPLIFIED = ("sas", "sas-p", "sas-p-no-norm")


def matrices(config):
    """Parameters without norms, positions and gains."""
    counts = parameter_counts(replace(config, positions="none"))
    return sum(counts[role] for role in ("Emb", "QK", "VO", "FFN"))


def sized(name, blocks=6, width=128, vocabulary=65, heads=4):
    sizes = {"width": width, "vocabulary_size": vocabulary, "context_length": 128}
    config = ModelConfig.uniform(blocks, name, **sizes)
    return config.with_every_block(num_heads=heads)


@pytest.mark.parametrize("name", SIMPLIFIED)
def test_blocks_lose_half_of_the_attention_but_for_one_matrix(name):
    assert matrices(sized("pre-ln")) == 1_187_968
    assert matrices(sized(name)) == 1_007_744


@pytest.mark.parametrize(
    "name, published",
    [("pre-ln", 166.6e6), ("parallel", 166.6e6), ("sas", 145.9e6), ("sas-p", 145.9e6)],
)
def test_published_sizes(name, published):
    """CodeParrot: 18 blocks of 768, a vocabulary of 50K and GPT-2's 1024 positions."""
    config = sized(name, blocks=18, width=768, vocabulary=50_000, heads=12)
    total = matrices(config) + 1024 * 768
    assert total == pytest.approx(published, abs=0.05e6)


@pytest.mark.slow
@pytest.mark.parametrize("mask", MASKED)
def test_sas_and_sas_p_start_as_the_same_function(mask):
    """Because their attention starts as the identity."""
    shared = {"norm": "rms", "feed_forward_skip": 1.0}
    serial = preset_case("sas", **MASKED[mask]).with_every_block(**shared)
    shared["feed_forward_skip"] = 0.0
    parallel = preset_case("sas-p", **MASKED[mask]).with_every_block(**shared)
    tokens = some_tokens(serial)
    sas, sas_p = build(serial), build(parallel)
    for block in sas_p.blocks:  # the serial form sees the norm of a normed input
        block.sub_blocks[0].norm.epsilon = 1e-12
    for block in sas.blocks:
        for sub_block in block.sub_blocks:
            sub_block.norm.epsilon = 1e-12
    assert_same(read(sas, tokens), read(sas_p, tokens))
    naive = build(preset_case("v-skip-init", **MASKED[mask]))
    assert np.abs(read(naive, tokens) - read(sas, tokens)).max() > 1e-2


@pytest.mark.parametrize("name", [*SIMPLIFIED, "v-skip-init"])
def test_attention_has_no_skip(name):
    """A block whose attention gives nothing passes nothing on but its feed-forward."""
    model = build(preset_case(name))
    tokens = some_tokens(model.config)
    block = model.blocks[1]
    (gain,) = (
        g for s in block.sub_blocks for g in s.gains if g.name == "attention_gain"
    )
    gain.gain.assign(0.0)
    names = ("block_1/output", "block_1/feed_forward/output")
    found = activations(model, tokens, *names)
    feed_forward_gain = Trained(None).start_of(2)
    assert_same(found[names[0]], feed_forward_gain * found[names[1]])


@pytest.mark.parametrize("name", SIMPLIFIED)
def test_labels_name_a_preset_instead_of_its_many_fields(name):
    base = sized("pre-ln")
    value = "value identity → (trained from 1) identity + (trained from 1) update"
    label = f"all blocks: {name}; block 0: {value}"
    if name == "sas-p-no-norm":  # its first block has a norm
        label = f"block 0: sas-p, {value}; blocks 1-5: {name}"
    assert difference_label(sized(name), base) == label
    edited = sized(name).with_every_block(feed_forward="relu")
    assert "feed_forward gelu → relu" in difference_label(edited, base)


def test_labels_of_small_presets_stay_as_they_were():
    base = sized("pre-ln")
    assert difference_label(sized("parallel"), base) == (
        "all blocks: wiring serial → parallel"
    )
    assert BLOCK_PRESETS["pre-ln"] == BlockConfig()
