"""Generation: the cache changes nothing, sampling follows the softmax."""

import numpy as np
import pytest
from scipy import stats

from kit.errors import KitError
from kit.models import build, generate
from tests.cases import (
    CASES,
    PADDING,
    PREFIX,
    QUICK,
    TIME,
    assert_same,
    case,
    case_logits,
    causal_cases,
    read,
    shake,
    shaken,
    some_tokens,
)
from tests.contract import params


def cached_logits(model, tokens, chunks):
    cache, start, pieces = model.new_cache(), 0, []
    for size in chunks:
        piece = tokens[:, start : start + size]
        pieces.append(np.asarray(model(piece, cache=cache, start=start)))
        start += size
    return np.concatenate(pieces, axis=1)


CAUSAL = causal_cases()


@pytest.mark.parametrize("name", params(CAUSAL, set(QUICK) & set(CAUSAL)))
def test_cached_logits_are_the_logits(name):
    config = CASES[name]
    tokens = some_tokens(config)
    first = config.prefix_length or 1
    chunks = [first, 1, 1, TIME - first - 2]
    assert_same(cached_logits(shaken(name), tokens, chunks), case_logits(name))


def test_the_cache_knows_padding():
    tokens = some_tokens(CASES["padding"])
    tokens[:, 2] = PADDING
    model = shaken("padding")
    assert_same(cached_logits(model, tokens, [1] * TIME), read(model, tokens))


def test_a_full_mask_has_no_cache():
    """Its tokens would attend to room that nothing was written to."""
    with pytest.raises(KitError, match='mask="full".*whole sequence'):
        shaken("full").new_cache()


def rollout(model, tokens, steps):
    """Greedy decoding in its plainest form."""
    for _ in range(steps):
        window = tokens[:, -model.config.context_length :]
        best = read(model, window)[:, -1].argmax(axis=-1)
        tokens = np.concatenate([tokens, best[:, None]], axis=1)
    return tokens


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["pre-ln", "rotary", "grouped", "alibi", "prefix", "full", "all-at-once"]
)
def test_greedy_is_the_argmax_rollout_also_beyond_the_context(name):
    model, prompt = shaken(name), some_tokens(CASES[name])[:, :PREFIX]
    steps = TIME + 2 - PREFIX
    expected = rollout(model, prompt, steps)
    for use_cache in (True, False):
        result = generate(model, prompt, steps, use_cache=use_cache)
        assert result.dtype == np.int32
        np.testing.assert_array_equal(result, expected)


def test_a_prompt_longer_than_the_context_is_read_from_its_end():
    model = shaken("pre-ln")
    long = np.tile(some_tokens(CASES["pre-ln"]), (1, 3))
    short = generate(model, long[:, -TIME:], 2)
    np.testing.assert_array_equal(generate(model, long, 2)[:, -2:], short[:, -2:])


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [1e-3, 1.0, 50.0])
def test_one_of_the_likeliest_one_is_greedy(temperature):
    model, prompt = shaken("pre-ln"), some_tokens(CASES["pre-ln"])[:, :2]
    sampled = generate(model, prompt, 4, temperature=temperature, top_k=1, seed=5)
    np.testing.assert_array_equal(sampled, generate(model, prompt, 4))


@pytest.mark.parametrize("temperature", [1e-6, 1e-60, 1e-320])
def test_a_tiny_temperature_is_greedy(temperature):
    model, prompt = shaken("pre-ln"), some_tokens(CASES["pre-ln"])[:, :2]
    sampled = generate(model, prompt, 4, temperature=temperature, seed=5)
    np.testing.assert_array_equal(sampled, generate(model, prompt, 4))


@pytest.mark.parametrize("temperature, top_k", [(1.0, None), (2.5, None), (2.5, 4)])
def test_sampling_follows_the_softmax(temperature, top_k):
    """With a fixed seed, so the test cannot fail by chance once it has passed."""
    model, draws = shaken("pre-ln"), 20_000
    prompt = some_tokens(CASES["pre-ln"])[:1, :2]
    logits = read(model, prompt)[0, -1].astype("float64") / temperature
    if top_k:
        logits[np.argsort(logits)[:-top_k]] = -np.inf
    expected = (
        draws * np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    )
    drawn = generate(
        model, np.repeat(prompt, draws, axis=0), 1, temperature, top_k, seed=1
    )[:, -1]
    counts = np.bincount(drawn, minlength=len(logits))
    assert not counts[expected == 0].any()
    usual = expected >= 5  # the rule of thumb for the chi-square test
    rare = [counts[~usual].sum(), expected[~usual].sum()]
    observed = [*counts[usual], rare[0]][: usual.sum() + (rare[1] > 0)]
    wanted = [*expected[usual], rare[1]][: usual.sum() + (rare[1] > 0)]
    assert len(wanted) > 3
    assert stats.chisquare(observed, wanted, sum_check=False).pvalue > 0.001


def test_ties_do_not_widen_the_choice():
    """A model whose logits are all equal still chooses among k tokens only."""
    model = build(case(initializer_std=0.0))
    prompt = np.zeros((500, 1), "int32")
    drawn = generate(model, prompt, 1, temperature=1.0, top_k=3, seed=0)[:, -1]
    assert len(np.unique(drawn)) == 3


@pytest.mark.slow
def test_seeds_decide_what_is_sampled():
    model, prompt = shaken("pre-ln"), np.zeros((8, 1), "int32")
    first, same, other = (
        generate(model, prompt, 5, temperature=3.0, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_no_steps_give_the_prompt_and_one_prompt_needs_no_batch():
    model = shaken("pre-ln")
    assert generate(model, [1, 2], 0).tolist() == [[1, 2]]
    assert generate(model, [1, 2], 3).shape == (1, 5)


def test_progress_counts_steps():
    seen = []
    generate(shaken("pre-ln"), [1], 3, progress=seen.append)
    assert seen == [1, 2, 3]


BAD = {
    "no tokens": (np.zeros((2, 0), "int32"), {}, "shape .2, 0."),
    "no prompts": (np.zeros((0, 3), "int32"), {}, "shape .0, 3."),
    "three axes": (np.zeros((1, 2, 3), "int32"), {}, "shape .1, 2, 3."),
    "token beyond": ([[0, 11]], {}, "token 11 .*vocabulary of 11"),
    "token below": ([[0, -1]], {}, "token -1 .*vocabulary of 11"),
    "not whole": ([[0.5, 1]], {}, "float64.*whole numbers"),
    "text": ("12+34=", {}, "whole numbers"),
    "negative steps": ([[0]], {"steps": -1}, "steps=-1"),
    "negative temperature": ([[0]], {"temperature": -1.0}, "temperature=-1"),
    "temperature nan": ([[0]], {"temperature": float("nan")}, "temperature=nan"),
    "top 0": ([[0]], {"top_k": 0}, "top_k=0.*1 to 11"),
    "top 12": ([[0]], {"top_k": 12}, "top_k=12.*1 to 11"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_a_one_line_error(name):
    tokens, changes, message = BAD[name]
    with pytest.raises(KitError, match=message) as caught:
        generate(shaken("pre-ln"), tokens, **{"steps": 2, **changes})
    assert "\n" not in str(caught.value)


def test_a_prompt_inside_the_prefix_is_an_error():
    with pytest.raises(KitError, match="2 tokens, the model's prefix 3"):
        generate(shake(build(CASES["prefix"])), [[1, 2]], 1)
