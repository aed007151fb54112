"""The split of a sparsity, against the tables of the fact file."""

import pytest

from kit.config import BlockConfig, ModelConfig
from kit.counts import block_counts
from kit.errors import KitError
from kit.pruning.allocation import (
    RULES,
    NotReached,
    allocate,
    attention_share,
    block_parameters,
    sparsity_of,
)
from tests.cases import CASES

SPARSITIES = (0.25, 0.375, 0.5)
SHARES = {  # N / B at 12.5, 25, 37.5, 50 and 62.5 %
    1: (0.250, 0.397, 0.520, 0.630, 0.731),
    2: (0.063, 0.157, 0.270, 0.397, 0.534),
    3: (0.016, 0.062, 0.141, 0.250, 0.391),
    4: (0.004, 0.025, 0.073, 0.157, 0.286),
    6: (0.000, 0.004, 0.020, 0.062, 0.153),
}
LLAMAS = {  # width, heads, key and value heads, neurons, blocks
    "Llama-2-7B": (4096, 32, 32, 11008, 32),
    "Mistral-7B-v0.3": (4096, 32, 8, 14336, 32),
    "Qwen2.5-7B": (3584, 28, 4, 18944, 28),
    "Phi-3-medium-14B": (5120, 40, 10, 17920, 40),
}
REMOVED = {  # attentions that go, and per cent of the neurons
    "Llama-2-7B": ((5, 9, 13), (29.7, 42.2, 54.7)),
    "Mistral-7B-v0.3": ((1, 2, 5), (30.2, 44.9, 58.2)),
    "Qwen2.5-7B": ((0, 0, 1), (28.6, 42.9, 56.7)),
    "Phi-3-medium-14B": ((1, 3, 6), (30.4, 44.6, 58.3)),
}
KEPT = {  # attentions that go and neurons that stay, by number of blocks of a GPT
    4: ((1, 1, 2), (384, 287, 255)),
    6: ((1, 2, 2), (362, 309, 212)),
    8: ((1, 2, 3), (352, 287, 223)),
    12: ((2, 3, 5), (362, 287, 234)),
}


def gpt(blocks):
    return ModelConfig.uniform(blocks, width=128, vocabulary_size=65, context_length=64)


def llama(name):
    width, heads, key_value_heads, neurons, blocks = LLAMAS[name]
    block = BlockConfig(
        norm="rms",
        num_heads=heads,
        num_key_value_heads=key_value_heads,
        feed_forward="swiglu",
        feed_forward_dim=neurons,
    )
    return ModelConfig.uniform(
        blocks, block, width=width, vocabulary_size=32_000, context_length=2048
    )


@pytest.mark.parametrize("ratio", SHARES)
def test_the_exponent(ratio):
    sparsities = (0.125, 0.25, 0.375, 0.5, 0.625)
    shares = [round(attention_share(ratio, s), 3) for s in sparsities]
    assert tuple(shares) == SHARES[ratio]


@pytest.mark.parametrize("blocks", KEPT)
def test_what_goes_from_a_gpt(blocks):
    found = [allocate(gpt(blocks), sparsity) for sparsity in SPARSITIES]
    assert tuple(zip(*found, strict=True)) == KEPT[blocks]


@pytest.mark.parametrize("name", REMOVED)
def test_what_goes_from_published_models(name):
    config = llama(name)
    found = [allocate(config, sparsity) for sparsity in SPARSITIES]
    attentions, cuts = REMOVED[name]
    assert tuple(each.num_attentions for each in found) == attentions
    neurons = config.blocks[0].feed_forward_dim
    cut = [round(100 * (1 - each.num_neurons / neurons), 1) for each in found]
    assert tuple(cut) == cuts


@pytest.mark.parametrize("rule", [*RULES, 0, 3])
@pytest.mark.parametrize("sparsity", [0.3, 0.41, 0.5])
def test_the_sparsity_is_met_up_to_the_rounding_of_the_neurons(rule, sparsity):
    base = gpt(12)
    count, kept = allocate(base, sparsity, rule)
    config = base.with_every_block(feed_forward_dim=kept).with_blocks(
        {index: {"attention": None} for index in range(count)}
    )
    counts = block_counts(base, base.blocks[0])
    neuron = counts["FFN"] / 512
    norms = count * counts["Norm"] / 2  # each attention takes its norm along
    error = (sparsity_of(config, base) - sparsity) * block_parameters(base) - norms
    assert abs(error) <= 12 * (neuron / 2 + 1)


def test_nothing_goes_at_sparsity_0():
    for rule in RULES:
        assert allocate(gpt(6), 0, rule) == (0, 512)
    assert sparsity_of(gpt(6), gpt(6)) == 0


def test_halves_are_rounded_to_even():
    """Of 5 and of 7 equal parts a half goes: 2.5 and 3.5 attentions."""
    for blocks, expected in ((5, 2), (7, 4)):
        assert allocate(gpt(blocks), 0.5, "even").num_attentions == expected


def test_alpha_decides_what_the_attentions_bear():
    found = [allocate(gpt(12), 0.5, alpha=alpha) for alpha in (0.75, 1.5, 3)]
    assert [each.num_attentions for each in found] == [2, 5, 8]


@pytest.mark.parametrize(
    "config, sparsity, rule, told",
    [
        (gpt(4), 1.0, "2ssp", "from 0 to below 1"),
        (gpt(4), -0.1, "2ssp", "from 0 to below 1"),
        (gpt(4), float("nan"), "2ssp", "from 0 to below 1"),
        (gpt(4), "half", "2ssp", "from 0 to below 1"),
        (gpt(4), 0.25, "2spp", "Did you mean '2ssp'"),
        (gpt(4), 0.25, 4, "more than sparsity=0.25"),
        (gpt(4), 0.25, 5, "more than sparsity=0.25"),
        (gpt(4), 0.25, -1, "rule=-1 is not a whole number"),
        (gpt(4), 0.25, 0.5, "rule=0.5 is not a whole number"),
        (gpt(4), 0.9, 0, "less than sparsity=0.9"),
        (CASES["first-without-attention"], 0.2, "2ssp", "block 0 has 0 parameters"),
        (CASES["mixed-blocks"], 0.2, "2ssp", "block 1 has"),
        (CASES["no-blocks"], 0.2, "2ssp", "no blocks"),
    ],
)
def test_what_cannot_be_split_is_an_error(config, sparsity, rule, told):
    with pytest.raises(KitError, match=told):
        allocate(config, sparsity, rule)


@pytest.mark.parametrize(
    "sparsity, rule, is_the_sparsity",
    [(0.25, 4, True), (0.9, 0, True), (0.25, "2spp", False), (1.0, "2ssp", False)],
)
def test_a_sparsity_out_of_reach_differs_from_a_mistake(
    sparsity, rule, is_the_sparsity
):
    with pytest.raises(KitError) as caught:
        allocate(gpt(4), sparsity, rule)
    assert isinstance(caught.value, NotReached) == is_the_sparsity


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("alpha", [0, -1.5, "1.5", None, float("nan"), float("inf")])
def test_alpha_is_a_number_above_0(alpha, rule):
    with pytest.raises(KitError, match="finite number above 0"):
        allocate(gpt(4), 0.5, rule, alpha)
