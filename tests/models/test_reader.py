"""What generation compiles gives the logits of the model, and is made once."""

from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest

from kit.compiled import compiled, compilers
from kit.config import ModelConfig
from kit.errors import KitError
from kit.layers import Collector
from kit.models import build, generate
from kit.models.reader import PAYS_FROM, SHORTEST, Reader, reader_of, settle
from tests.cases import (
    CASES,
    TIME,
    assert_same,
    case_logits,
    causal_cases,
    read,
    shake,
    shaken,
    some_tokens,
)
from tests.contract import params, save_and_load

# Between them these hold all that depends on the position of a token.
QUICK = ("copied-grouped-rotary", "sas-p-prefix-padding")
MORE = (
    "pre-ln",
    "sinusoidal",
    "no-positions",
    "fused-grouped-alibi",
    "padding-prefix-alibi",
    "sas-p-fused",
    "shaped-alibi",
    "copied-from-afar",
    "mixed-blocks",
    "no-blocks",
)
FEW, MANY = PAYS_FROM
NEEDS_TWO = pytest.mark.skipif(
    len(compilers()) < 2, reason="the backend has one way to compile, or none"
)


def read_on(reader, tokens, chunks, ahead):
    """The logits after each chunk, (batch, chunks, vocabulary_size)."""
    start, state, pieces = 0, None, []
    for size in chunks:
        piece = tokens[:, start : start + size]
        logits, state = reader(piece, start, state, ahead)
        pieces.append(logits)
        start += size
    return np.stack(pieces, axis=1)


@pytest.mark.parametrize(
    "ahead", [1, *PAYS_FROM], ids=["one-by-one", "compiled", "compiled-for-long"]
)
@pytest.mark.parametrize("name", params(QUICK + MORE, QUICK))
def test_what_is_read_in_pieces_is_what_is_read_at_once(name, ahead):
    tokens = some_tokens(CASES[name])
    chunks = [5, *[1] * (TIME - 5)]  # a prompt whose length is no power of two
    found = read_on(Reader(shaken(name), TIME), tokens, chunks, ahead)
    assert_same(found, case_logits(name)[:, 4:])


def test_a_case_of_every_position_and_mask_is_among_them():
    configs = [CASES[name] for name in QUICK + MORE]
    assert set(QUICK + MORE) <= set(causal_cases())
    for field in ("positions", "mask"):
        known = {getattr(config, field) for config in CASES.values()} - {"full"}
        assert {getattr(config, field) for config in configs} == known


@NEEDS_TWO
@pytest.mark.parametrize("name", params(QUICK + MORE, QUICK))
def test_one_compilation_serves_every_position(name):
    reader, tokens = Reader(shaken(name), TIME), some_tokens(CASES[name])
    _, state = reader(tokens[:, :3])
    seconds = []
    for start in range(3, TIME):
        began = perf_counter()
        token = tokens[:, start : start + 1]
        _, state = reader(token, start, state, ahead=MANY)
        seconds.append(perf_counter() - began)
    assert np.median(seconds[1:]) < seconds[0] / 10


LONG = replace(CASES["copied"], context_length=2 * FEW)
STEPS = LONG.context_length - 1


@pytest.fixture
def made(monkeypatch):
    """The values of `xla` that were compiled with."""
    made = []

    def record(function, xla, *rest):
        made.append(xla)
        return compiled(function, xla, *rest)

    monkeypatch.setattr("kit.models.reader.compiled", record)
    return made


@pytest.fixture(scope="module")
def model():
    """One that has generated for long, and so was compiled for one token."""
    model = shake(build(LONG))
    generate(model, [1], STEPS)
    return model


@NEEDS_TWO
def test_a_step_is_compiled_once_and_short_runs_use_it(made):
    model = shake(build(LONG))
    generate(model, [2], STEPS)
    generate(model, [2], STEPS)
    generate(model, [2, 3, 4], STEPS - 2)
    assert made == [False]


@NEEDS_TWO
def test_nothing_is_compiled_for_a_few_tokens(made):
    model = shake(build(LONG))
    generate(model, [1], FEW)
    assert made == []
    generate(model, [1], 2)
    assert made == [False]


@NEEDS_TWO
def test_what_very_many_tokens_are_for_is_compiled_once_more(made):
    reader, token = Reader(shake(build(LONG)), 4), np.ones((1, 1), "int32")
    for ahead in (FEW, MANY - 2):
        reader(token, ahead=ahead)
    assert made == [False]
    for ahead in (MANY - 2, MANY, 1):
        reader(token, ahead=ahead)
    assert made == [False, True]
    Reader(reader.model, 4)(token, ahead=MANY)
    assert made == [False, True, True]


def test_what_is_compiled_sees_new_weights(model):
    before = generate(model, [1], STEPS)
    shake(model, seed=3)
    after = generate(model, [1], STEPS)
    np.testing.assert_array_equal(after, generate(model, [1], STEPS, use_cache=False))
    assert (after != before).any()


def test_what_is_compiled_for_long_sees_new_weights_and_any_whole_numbers():
    model = shake(build(LONG))
    settle(model, np.ones((1, 1), "int64"), STEPS)
    before = generate(model, [1], STEPS)
    shake(model, seed=3)
    after = generate(model, np.ones((1, 1), "int64"), STEPS)
    np.testing.assert_array_equal(after, generate(model, [1], STEPS, use_cache=False))
    assert (after != before).any()


@pytest.mark.parametrize("ahead", [1, FEW])
def test_there_has_to_be_room_for_what_is_read(ahead):
    reader = Reader(shake(build(LONG)), 4)
    with pytest.raises(KitError, match="5 tokens do not fit into 4 positions"):
        reader(np.ones((1, 5), "int32"), ahead=ahead)
    with pytest.raises(KitError, match="5 tokens do not fit"):
        reader(np.ones((1, 1), "int32"), start=4, ahead=ahead)


def test_activations_can_be_collected_while_tokens_are_generated(model):
    with Collector("block_1/attention/map") as collector:
        generate(model, [1], STEPS)
    (attention_map,) = collector.values.values()
    assert tuple(attention_map.shape) == (1, 4, 1, LONG.context_length)


def test_a_model_that_has_generated_is_saved_as_before(model, tmp_path):
    again = save_and_load(model, tmp_path / "model.keras")
    tokens = some_tokens(model.config)
    assert_same(read(again, tokens), read(model, tokens))


@pytest.mark.slow
def test_what_is_read_beyond_the_context_is_compiled_too():
    model, steps = shake(build(CASES["copied"])), TIME + FEW
    cached, fresh = (
        generate(model, [[1], [2]], steps, use_cache=use) for use in (True, False)
    )
    np.testing.assert_array_equal(cached, fresh)


def test_lengths_of_one_power_of_two_share_what_is_compiled():
    sizes = {"vocabulary_size": 9, "width": 8}
    model = build(ModelConfig.uniform(1, context_length=200, **sizes))
    found = {length: reader_of(model, length).length for length in (1, 64, 65, 129)}
    assert found == {1: SHORTEST, 64: 64, 65: 128, 129: 200}
    assert reader_of(model, 66) is reader_of(model, 127)
