"""Who copies from whom."""

import pytest

from kit.config import ModelConfig
from kit.errors import KitError
from kit.models import build, flops_per_token, parameter_counts
from kit.sharing import (
    RULES,
    at_random,
    by_largest_gap,
    by_list,
    choose,
    consecutive,
    copies_at_rate,
    inner_blocks,
    least_similar,
    most_similar,
    saved_by,
    savings_of,
    share,
    shared_config,
)
from tests.cases import CASES, case_logits, read, shaken, some_tokens

# Read off the first figure of 2409.14595, TinyLlama, roughly.
TINYLLAMA = [0.16, 0.75, *[0.77] * 6, *[0.74] * 2, *[0.72] * 10, 0.34, 0.31]
PRINTED = [2, 5, 4, 3, 7, 6, 18, 9, 8, 11, 12, 1, 17, 10, 14, 13, 16]


def test_the_gap_of_the_paper():
    scores = dict(enumerate(TINYLLAMA))
    assert inner_blocks(scores) == list(range(1, 20))
    assert by_largest_gap(scores, 1) == {}


def test_a_low_block_inside_ends_the_inner_blocks():
    """What is left alone lies at the beginning and at the end."""
    scores = dict(enumerate([0.2, 0.8, 0.81, 0.1, 0.82, 0.8, 0.83, 0.3]))
    assert inner_blocks(scores) == [4, 5, 6]


@pytest.mark.parametrize(
    "scores", [{}, {0: 0.5}, {0: 0.1, 1: 0.9, 2: 0.2}, {0: 0.9, 1: 0.1, 2: 0.9}]
)
def test_no_inner_blocks_are_an_error(scores):
    remedy = "Name the blocks, or use the rule most-similar"
    with pytest.raises(KitError, match=f"no two neighbouring blocks.*{remedy}"):
        inner_blocks(scores)


def test_groups_of_two_are_the_list_of_the_small_model():
    assert list(consecutive(range(3, 11), k=2).items()) == [
        (4, 3),
        (6, 5),
        (8, 7),
        (10, 9),
    ]


@pytest.mark.parametrize("count", [5, 9, 17])
def test_printed_lists_copy_from_the_nearest_owner(count):
    copies = by_list(PRINTED[:count], range(22))
    assert set(copies) == set(PRINTED[:count])
    for block, source in copies.items():
        assert source not in copies
        assert all(between in copies for between in range(source + 1, block))


def test_the_order_of_the_scores_is_the_order_of_the_list():
    scores = {block: 0.0 for block in range(22)}
    scores |= {block: 1 - rank / 100 for rank, block in enumerate(PRINTED)}
    assert most_similar(scores, 9) == by_list(PRINTED[:9], range(22))
    ends = set(range(22)) - set(PRINTED) - {0}
    assert set(least_similar(scores, 4)) == ends


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_chooses_as_many_as_it_can(rule):
    scores = dict(enumerate(TINYLLAMA))
    assert choose(scores, 0, rule) == {}
    copies = choose(scores, 9, rule, seed=4)
    assert len(copies) == 9 and shared_config(LLAMA, copies)
    expected = {
        "most-similar": most_similar(scores, 9),
        "largest-gap": by_largest_gap(scores, 2),  # 19 inner blocks
        "least-similar": least_similar(scores, 9),
        "random": at_random(scores, 9, seed=4),
    }
    assert copies == expected[rule]


def test_the_gap_comes_as_near_to_a_number_as_groups_allow():
    scores = dict(enumerate(TINYLLAMA))
    numbers = {k: len(by_largest_gap(scores, k)) for k in range(2, 20)}
    for count in (1, 5, 11, 14, 21):
        found = len(choose(scores, count, "largest-gap"))
        assert abs(found - count) == min(abs(n - count) for n in numbers.values())


def test_the_random_control_never_takes_the_first_block():
    seen = set()
    for seed in range(50):
        copies = at_random(range(6), 3, seed)
        assert len(copies) == 3 and 0 not in copies
        assert shared_config(CONFIG, copies).map_sources()
        seen |= set(copies)
    assert seen == {1, 2, 3, 4, 5}
    assert at_random(range(6), 3, 7) == at_random(range(6), 3, 7)


CONFIG = ModelConfig.uniform(6, width=16, vocabulary_size=11, context_length=7)


LLAMA = ModelConfig.uniform(22, width=16, vocabulary_size=11, context_length=7)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: by_list([0], range(4)), "block 0 .* has none before it"),
        (lambda: by_list([9], range(4)), "no block 9 .* those are 0 to 3"),
        (lambda: by_list([1], [0, 2, 3]), "no block 1 .* those are 0, 2, 3"),
        (lambda: most_similar({0: 1.0, 1: 0.5}, 2), "count=2 is more than the 1"),
        (lambda: choose({0: 1.0, 1: 0.5}, 1, "best"), "unknown rule 'best'"),
        (lambda: at_random(range(3), 3), "count=3 is more than the 2"),
        (lambda: consecutive([1, 2], 0), "k=0"),
        (lambda: copies_at_rate(1.0, range(4)), "rate=1 of 4"),
        (lambda: copies_at_rate(-0.1, range(4)), "rate=-0.1"),
        (lambda: share(build(CONFIG), {1: 2}), "not an earlier block"),
        (lambda: share(build(CONFIG), {2: 1, 3: 2}), "copies the map of block 1"),
        (lambda: savings_of(CASES["copied"], {1: 0}), "copies a map already"),
    ],
)
def test_what_cannot_be_is_an_error(call, message):
    with pytest.raises(KitError, match=message):
        call()


@pytest.mark.parametrize("name", ["pre-ln", "all-at-once", "sas-grouped-rotary"])
def test_one_block_a_group_gives_the_logits_of_the_teacher(name):
    teacher = shaken(name)
    student = share(teacher, consecutive(range(2), k=1))
    tokens = some_tokens(teacher.config)
    assert (read(student, tokens) == case_logits(name)).all()


ALONE = [
    name
    for name, config in CASES.items()
    if len(config.blocks) == 2
    and all(b.attention and b.copies_map_from is None for b in config.blocks)
    and len({b.num_heads for b in config.blocks}) == 1
]


@pytest.mark.parametrize("name", ALONE)
def test_savings_are_the_difference(name):
    config = CASES[name]
    shared = shared_config(config, {1: 0})
    saved = savings_of(config, {1: 0}, time=5)
    counts = [sum(parameter_counts(each).values()) for each in (config, shared)]
    flops = [flops_per_token(each, 5) for each in (config, shared)]
    assert saved.parameters == counts[0] - counts[1] > 0
    assert saved.flops == flops[0] - flops[1] > 0


@pytest.mark.parametrize("name", ["pre-ln", "grouped", "one-key-head", "wide-heads"])
def test_the_cache_saves_what_the_formula_says(name):
    teacher = shaken(name)
    student, tokens = share(teacher, {1: 0}), some_tokens(teacher.config, batch=1)
    entries = []
    for model in (teacher, student):
        cache = model.new_cache()
        model(tokens[:, :2], cache=cache, start=0)
        rooms = [r for layer in cache.layers for r in (layer.key, layer.value)]
        entries.append(sum(np_size(room) for room in rooms if room is not None))
    per_token = (entries[0] - entries[1]) / teacher.config.context_length
    assert per_token == savings_of(teacher.config, {1: 0}).cached > 0


def test_without_a_cache_there_is_none_to_save():
    teacher = shaken("full")
    with pytest.raises(KitError, match="without a cache"):
        teacher.new_cache()
    formula = savings_of(teacher.config, {1: 0}, time=5)
    assert formula.cached == 0 < formula.parameters
    assert saved_by(teacher, share(teacher, {1: 0}), time=5) == formula


def np_size(x):
    size = 1
    for each in x.shape:
        size *= each
    return size
