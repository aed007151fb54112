"""Each rival against its definition, written out on whole models."""

from itertools import product

import numpy as np
import pytest

from kit.data import IGNORED
from kit.errors import KitError
from kit.models import activations, build, named_weights
from kit.pruning import (
    METHODS,
    Calibration,
    NotReached,
    Part,
    allocate,
    parts_of,
    parts_of_blocks,
    prune,
    remove_parts,
    sparsity_of,
)
from kit.pruning.evolution import mutated
from kit.training import token_cross_entropy
from tests.cases import assert_same
from tests.contract import params
from tests.pruning.models import DEPTH, calibration, deep, deep_config

FEW = {"evopress": {"generations": 2, "offspring": 3, "initial": 3}}


def loss_without(model, asked, parts):
    smaller = remove_parts(model, parts)
    inputs, targets = asked.search_batch
    return float(token_cross_entropy(targets, smaller(inputs)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", params(("gpt", "encoder"), ("gpt",)))
@pytest.mark.parametrize("method", params(METHODS, ("shortgpt", "slice")))
def test_every_method_reaches_the_sparsity_and_leaves_the_model(method, kind):
    if method == "slice":
        kind = "llama"  # it is for RMSNorm
    model, config = deep(kind), deep_config(kind)
    before = [np.asarray(w).copy() for w in model.weights]
    settings = FEW.get(method, {})
    smaller, record = prune(model, calibration(config), 0.3, method, **settings)
    rounding = 0.01
    assert record.reached == sparsity_of(smaller.config, config) >= 0.3 - rounding
    assert record.method == method
    assert set(record.perplexity) >= {"before", "after"}
    assert_same(
        np.log(record.perplexity["after"]),
        loss_without(smaller, calibration(config), []),
    )
    for old, weight in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, np.asarray(weight))


def streams(model, tokens):
    names = [f"block_{i}/{end}" for i in range(DEPTH) for end in ("input", "output")]
    found = activations(model, tokens, *names)
    return [found["block_0/input"]] + [
        found[f"block_{index}/output"] for index in range(DEPTH)
    ]


def cosines(x, y):
    """Of each token (sequences, time), in double precision."""
    x, y = x.astype("float64"), y.astype("float64")
    return np.sum(x * y, -1) / np.linalg.norm(x, axis=-1) / np.linalg.norm(y, axis=-1)


def real(config, batch):
    padding = -1 if config.padding_id is None else config.padding_id
    return batch.inputs != padding


@pytest.mark.slow
@pytest.mark.parametrize("kind", params(("gpt", "encoder"), ("encoder",)))
def test_shortgpt_removes_the_blocks_of_least_influence(kind):
    model, config, asked = deep(kind), deep_config(kind), calibration(deep_config(kind))
    x, kept = streams(model, asked.batch.inputs), real(config, asked.batch)
    influence = [1 - cosines(*x[i : i + 2])[kept].mean() for i in range(DEPTH)]
    _, record = prune(model, asked, 0.5, "shortgpt")
    assert_same([*record.part_scores.values()], influence)
    lowest = np.argsort(influence)[: DEPTH // 2]
    assert record.parts == parts_of_blocks(config, lowest)


@pytest.mark.slow
def test_shortgpt_as_compared_with_by_2ssp_reads_the_last_token():
    asked = calibration(deep_config())
    x = streams(deep(), asked.batch.inputs)
    influence = [1 - cosines(*x[i : i + 2])[:, -1].mean() for i in range(DEPTH)]
    _, record = prune(deep(), asked, 0.25, "shortgpt", variant="2ssp")
    assert_same([*record.part_scores.values()], [1.0, *influence[1:]])


@pytest.mark.slow
@pytest.mark.parametrize("kind", params(("gpt", "encoder"), ("encoder",)))
def test_the_window_is_that_of_the_smallest_angle(kind):
    model, config, asked = deep(kind), deep_config(kind), calibration(deep_config(kind))
    x, kept = streams(model, asked.batch.inputs), real(config, asked.batch)
    rows, last = np.arange(len(kept)), [np.flatnonzero(row)[-1] for row in kept]
    angles = [
        np.arccos(cosines(x[i], x[i + 2])[rows, last]).mean() / np.pi
        for i in range(DEPTH - 1)
    ]
    _, record = prune(model, asked, 0.4, "window")
    assert_same([*record.part_scores.values()], angles)
    start = int(np.argmin(angles))
    assert record.parts == parts_of_blocks(config, [start, start + 1])


@pytest.mark.slow
def test_blockpruner_takes_whatever_hurts_least():
    asked, gone = calibration(deep_config()), []
    smaller, record = prune(deep(), asked, 0.3, "blockpruner")
    config = deep_config()
    for part in record.parts:
        left = [each for each in parts_of(config) if each not in gone]
        found = [loss_without(deep(), asked, [*gone, each]) for each in left]
        assert part == left[int(np.argmin(found))]
        gone.append(part)
    before_last = remove_parts(deep(), gone[:-1])
    assert sparsity_of(before_last.config, config) < 0.3 <= record.reached
    assert record.candidates == sum(2 * DEPTH - i for i in range(len(gone)))


@pytest.mark.slow
def test_attention_only_stops_where_attentions_end():
    asked = calibration(deep_config())
    _, record = prune(deep(), asked, 0.3, "attention")
    assert {part.kind for part in record.parts} == {"attention"}
    assert record.candidates == sum(DEPTH - i for i in range(len(record.parts)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "method, settings",
    [
        ("2ssp", {"rule": 0}),
        ("stage-1", {}),
        ("attention", {}),
        ("window", {"num_blocks": 3}),
        ("magnitude", {"alpha": 0.01}),
        ("random", {"alpha": 0.01}),
    ],
)
def test_a_method_that_cannot_meet_a_sparsity_says_so(method, settings):
    """All of the attentions, or all of the neurons, are less than what is asked for."""
    with pytest.raises(NotReached):
        prune(deep(), calibration(deep_config()), 0.95, method, **settings)


@pytest.mark.slow
def test_evopress_removes_no_more_feed_forwards_than_there_are_attentions():
    config = deep_config().with_blocks({0: {"attention": None}})
    with pytest.raises(NotReached, match="as many attentions as feed-forwards"):
        prune(build(config), calibration(config), 0.95, "evopress")


@pytest.mark.slow
def test_stage_1_alone_takes_neurons_alone():
    _, record = prune(deep(), calibration(deep_config()), 0.3, "stage-1")
    kept = allocate(deep_config(), 0.3, "feed-forward").num_neurons
    assert record.parts == []
    assert [len(neurons) for neurons in record.neurons.values()] == [kept] * DEPTH


@pytest.mark.slow
def test_magnitude_takes_the_smallest_weights():
    _, record = prune(deep(), calibration(deep_config()), 0.5, "magnitude")
    weights = {key: np.asarray(w) for key, w in named_weights(deep()).items()}
    sizes = [
        sum(np.sum(w**2) for key, w in weights.items() if f"block_{i}/attention" in key)
        for i in range(DEPTH)
    ]
    smallest = np.argsort(sizes)[: allocate(deep_config(), 0.5).num_attentions]
    assert record.parts == [Part("attention", block) for block in smallest]
    up, down = (weights[f"block_1/feed_forward/{name}"] for name in ("up", "down"))
    scores = np.sum(up**2, axis=0) + np.sum(down**2, axis=0)
    largest = np.argsort(-scores)[: len(record.neurons[1])]
    assert record.neurons[1] == sorted(largest)


@pytest.mark.slow
def test_random_is_another_choice_for_another_seed():
    asked = calibration(deep_config())
    found = [
        prune(deep(), asked, 0.5, "random", seed=seed).record for seed in (0, 0, 1)
    ]
    assert found[0].neurons == found[1].neurons and found[0].parts == found[1].parts
    assert found[0].neurons != found[2].neurons


def test_a_mutation_moves_parts_within_their_kind():
    generator, parts = np.random.default_rng(0), parts_of(deep_config(blocks=6))
    parent = frozenset([*parts[:4], parts[9]])
    apart = []
    for _ in range(200):
        child = mutated(parent, parts, generator)
        for kind in ("attention", "feed_forward"):
            count = [sum(p.kind == kind for p in each) for each in (parent, child)]
            assert count[0] == count[1]
        apart.append(len(parent - child))
    assert set(apart) == {0, 1, 2, 3}
    assert np.mean(np.array(apart) <= 1) > 0.5  # few switches are likelier


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["loss", "divergence"])
def test_evopress_finds_the_best_of_a_small_space(measure):
    """Every choice of one attention and one feed-forward is there at the start."""
    config = deep_config()
    asked = Calibration(calibration(config).batch, 6, 6)
    settings = {"generations": 1, "offspring": 2, "initial": 100, "measure": measure}
    _, record = prune(deep(), asked, 0.2, "evopress", **settings)
    choices = [
        [Part("attention", one), Part("feed_forward", other)]
        for one, other in product(range(DEPTH), repeat=2)
    ]
    found = [_measured(measure, asked, each) for each in choices]
    expected = choices[int(np.argmin(found))]
    assert sorted(record.parts) == sorted(expected)
    assert record.candidates == len(choices) + 2 + 3  # two children and their parent


def _measured(measure, asked, parts):
    if measure == "loss":
        return loss_without(deep(), asked, parts)
    inputs, targets = asked.search_batch
    p, q = (
        np.asarray(model(inputs), "float64")
        for model in (deep(), remove_parts(deep(), parts))
    )
    p, q = (x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in (p, q))
    return np.sum(np.exp(p) * (p - q), axis=-1)[targets != IGNORED].mean()


@pytest.mark.parametrize(
    "method, settings, told",
    [
        ("evopress", {"survivors": (2, 0)}, "survivors\\[1\\]=0"),
        ("evopress", {"survivors": (2.5, 1)}, "survivors\\[0\\]=2.5"),
        ("evopress", {"survivors": 1, "tokens": 2048}, "survivors=1 is not one"),
        ("evopress", {"tokens": (0, 0)}, "tokens\\[0\\]=0"),
        ("evopress", {"tokens": (2048,)}, "one number for each stage"),
        ("evopress", {"survivors": (), "tokens": ()}, "one number for each stage"),
        ("evopress", {"initial": 0}, "initial=0"),
        ("evopress", {"initial_tokens": 0}, "initial_tokens=0"),
        ("evopress", {"offspring": -1}, "offspring=-1"),
        ("evopress", {"generations": 1.5}, "generations=1.5"),
        ("2ssp", {"alpha": "1.5"}, "alpha='1.5'"),
        ("magnitude", {"alpha": True}, "alpha=True"),
        ("window", {"num_blocks": 0}, "num_blocks=0"),
    ],
)
def test_settings_out_of_range_are_told(method, settings, told):
    with pytest.raises(KitError, match=told) as caught:
        prune(deep(), calibration(deep_config()), 0.3, method, **settings)
    assert not isinstance(caught.value, NotReached)


def test_unknown_methods_and_settings_are_errors():
    asked = calibration(deep_config())
    with pytest.raises(KitError, match="Did you mean 'shortgpt'"):
        prune(deep(), asked, 0.3, "short-gpt")
    with pytest.raises(KitError, match="Did you mean 'alpha'"):
        prune(deep(), asked, 0.3, "magnitude", alhpa=2)
    with pytest.raises(KitError, match="unknown variant"):
        prune(deep(), asked, 0.3, "shortgpt", variant="mine")
