"""Block by block, and from the first difference on, a model says what it says whole."""

import gc
import weakref

import numpy as np
import pytest

from kit.compiled import compiled, compilers
from kit.data import IGNORED, Batch
from kit.errors import KitError
from kit.models import activations, build
from kit.pruning import Part, parts_of, path, prune, remove_parts, two_stage
from kit.pruning.calibration import Calibration, activities
from kit.pruning.evaluation import Evaluator
from kit.pruning.operation import Operation
from kit.pruning.pieces import Pieces, losses
from kit.pruning.scores import Activity
from kit.training import token_cross_entropy
from tests.cases import CASES, assert_same, case, shake, shaken, some_tokens
from tests.contract import params
from tests.pruning.models import calibration, deep_config, some_data
from tests.pruning.models import deep as deep_model

KINDS = (
    "all-at-once",
    "updated-orthogonal-grouped",
    "mixed-blocks",
    "padding-prefix-alibi",
    "sas-grouped-rotary",
    "sas-p-prefix-padding",
    "fused-padding",
    "parallel-post",
    "post-rms",
    "sinusoidal",
    "untied",
    "full",
    "trained-skips",
    "no-value-or-projection",
    "leaky-relu",
    "last-without-feed-forward",
    "empty-block",
    "no-blocks",
)


def batch_of(config):
    tokens = some_tokens(config)
    targets = np.roll(tokens, -1, axis=1)
    targets[:, ::3] = IGNORED
    return Batch(tokens, targets)


def whole_loss(model, batch):
    return float(token_cross_entropy(batch.targets, model(batch.inputs)))


@pytest.mark.slow
@pytest.mark.parametrize("name", params(KINDS, KINDS[:2]))
def test_the_pieces_are_the_model(name):
    config = CASES[name]
    evaluator = Evaluator(shaken(name), batch_of(config))
    assert_same(evaluator.loss(), whole_loss(shaken(name), batch_of(config)))


@pytest.fixture(scope="module")
def deep():
    return shake(build(case({}, blocks=case().blocks[:1] * 4)), seed=3)


@pytest.mark.slow
def test_a_candidate_is_the_model_without_its_parts(deep):
    batch = batch_of(deep.config)
    evaluator = Evaluator(deep, batch)
    everything = parts_of(deep.config)
    choices = [[], everything[:1], everything[3:6], everything[2:4], everything]
    expected = [whole_loss(remove_parts(deep, gone), batch) for gone in choices]
    assert_same(evaluator.losses(choices), expected)
    assert_same(evaluator.losses(choices[::-1]), expected[::-1])


@pytest.mark.slow
def test_candidates_share_what_they_have_in_common(deep):
    """Without the attention of block i the blocks before it need not be run again."""
    evaluator = Evaluator(deep, batch_of(deep.config))
    evaluator.loss()
    rows = len(batch_of(deep.config).inputs)
    assert evaluator.pieces.evaluations == 4 * rows
    evaluator.losses([[part] for part in parts_of(deep.config, "attention")])
    assert evaluator.pieces.evaluations == (4 + 4 + 3 + 2 + 1) * rows
    evaluator.losses([[Part("attention", 0)]])  # the last one still lies there
    assert evaluator.pieces.evaluations == 14 * rows


@pytest.fixture
def traced(monkeypatch):
    """What was traced, in a list that grows."""
    if not compilers():
        pytest.skip("nothing is traced on this backend")
    found = []

    def counting(function):
        def counted(*arrays):
            found.append(function)
            return function(*arrays)

        return compiled(counted)

    monkeypatch.setattr("kit.pruning.pieces.compiled", counting)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("blocks", params((4, 8), (4,)))
def test_traces_grow_neither_with_depth_nor_with_candidates(blocks, traced):
    """Attention, dense feed-forwards that tell their neurons, narrow ones, a head; and
    attention again for the sequences of the search, which are fewer."""
    model = build(deep_config("gpt", blocks))
    record = two_stage(model, calibration(model.config), 0.5).record
    assert record.candidates > blocks
    assert (len(set(traced)), len(traced)) == (4, 5)


@pytest.mark.slow
def test_what_was_compiled_for_a_model_serves_the_next_pruning(traced):
    model = build(deep_config("gpt"))
    data = calibration(model.config)
    two_stage(model, data, 0.5)
    traced.clear()
    two_stage(model, data, 0.5, score="mean")
    assert traced == []
    two_stage(model, data, 0.3)
    assert len(traced) == 1  # feed-forwards of another width
    prune(model, data, 0.1, "attention")
    assert len(traced) == 1 + 1  # those of the model, which tell nothing


@pytest.mark.slow
def test_what_was_compiled_reads_the_weights_as_they_are_now():
    model, batch = build(deep_config("gpt")), some_data(deep_config("gpt"))
    before = Evaluator(model, batch).loss()
    shake(model, seed=3)
    assert_same(Evaluator(model, batch).loss(), whole_loss(model, batch))
    assert Evaluator(model, batch).loss() != before


@pytest.mark.slow
def test_what_was_compiled_goes_with_its_model():
    """And a smaller model does not hold the one that it was made from."""
    model = build(deep_config("gpt"))
    smaller = two_stage(model, calibration(model.config), 0.5).model
    Pieces(smaller)
    dense = weakref.ref(model)
    del model
    gc.collect()
    assert dense() is None


@pytest.mark.slow
@pytest.mark.parametrize("sequences", [4, 8])
def test_what_gives_the_scores_need_not_be_run_again_to_be_judged(
    sequences, monkeypatch
):
    """The first chunk holds the sequences that judge, or is too small for that."""
    model = deep_model("gpt", 2)
    tokens = some_tokens(model.config, batch=8)
    monkeypatch.setattr("kit.pruning.calibration.TOKENS_AT_ONCE", 4 * tokens.shape[1])
    data = Calibration(tokens, sequences=8, search_sequences=sequences)
    operation = Operation("mine", model, data, sparsity=0.3)
    operation.narrow(num_neurons=8)
    runs = 8 + sequences if sequences == 4 else 8 + 2 * sequences
    assert operation.record.block_evaluations == 2 * runs
    expected = Evaluator(model, data.search_batch).dense()
    assert_same(np.log(operation.record.perplexity["before"]), expected)


@pytest.mark.slow
def test_scores_are_gathered_in_memory_that_does_not_grow(deep, monkeypatch):
    """Of a batch there is one stream, the one that is read and the one that is made;
    what is kept of it is a few numbers for each neuron."""
    monkeypatch.setattr("kit.pruning.calibration.TOKENS_AT_ONCE", 14)
    neurons = deep.config.feed_forward_dim(deep.config.blocks[0])
    tokens = np.tile(some_tokens(deep.config), (4, 1))
    most = []
    for sequences in (2, len(tokens)):
        pieces, streams, alive = Pieces(deep), [], []
        run = pieces.block

        def counting(*arrays, run=run, streams=streams, alive=alive):
            stream, measured = run(*arrays)
            assert all(np.size(part) in (1, neurons) for part in measured)
            streams.append(weakref.ref(stream))
            alive.append(sum(each() is not None for each in streams))
            return stream, measured

        monkeypatch.setattr(pieces, "block", counting)
        activities(pieces, Calibration(tokens, sequences))
        assert len(alive) == 4 * sequences // 2
        most.append(max(alive))
    assert most == [2, 2]


@pytest.mark.slow
def test_an_interrupt_leaves_no_wrong_stream(deep, monkeypatch):
    evaluator = Evaluator(deep, batch_of(deep.config))
    expected = evaluator.losses([[], [Part("attention", 1)]])
    run = evaluator.pieces.block

    def interrupted(index, *rest):
        if index == 3:
            raise KeyboardInterrupt
        return run(index, *rest)

    monkeypatch.setattr(evaluator.pieces, "block", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluator.loss([Part("attention", 0)])
    monkeypatch.undo()
    assert evaluator.losses([[], [Part("attention", 1)]]) == expected


@pytest.mark.slow
def test_divergence_is_that_of_the_predictions(deep):
    batch = batch_of(deep.config)
    evaluator = Evaluator(deep, batch, measure="divergence")
    gone = [Part("feed_forward", 2)]
    dense, other = (
        np.asarray(m(batch.inputs), "float64") for m in (deep, remove_parts(deep, gone))
    )
    p, q = (np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in (dense, other))
    expected = np.sum(p * np.log(p / q), axis=-1)[batch.targets != IGNORED].mean()
    assert evaluator.loss() == 0
    assert_same(evaluator.loss(gone), expected)


@pytest.mark.slow
def test_a_model_of_nan_is_an_error(deep):
    broken = build(deep.config)
    broken.blocks[1].part("feed_forward").up.assign(
        np.full(broken.blocks[1].part("feed_forward").up.shape, np.nan)
    )
    with pytest.raises(KitError, match="own loss"):
        Evaluator(broken, batch_of(deep.config)).dense()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    params(
        ("llama", "parallel", "padding-full-rotary", "first-without-attention"),
        ("llama",),
    ),
)
@pytest.mark.parametrize("positions", ["all", "targets"])
def test_streamed_activity_is_that_of_the_whole_hidden_state(
    name, positions, monkeypatch
):
    """Chunks of two sequences, with padding that does not count."""
    monkeypatch.setattr("kit.pruning.calibration.TOKENS_AT_ONCE", 14)
    config, batch = CASES[name], batch_of(CASES[name])
    kept = np.ones(batch.inputs.shape, bool)
    if config.padding_id is not None:
        batch.inputs[0, 4:] = config.padding_id
        kept = batch.inputs != config.padding_id
    if positions == "targets":
        kept = batch.targets != IGNORED
    calibration = Calibration(batch, sequences=3, positions=positions)
    found = activities(Pieces(shaken(name)), calibration)
    hidden = activations(shaken(name), batch.inputs, "block_*/feed_forward/hidden")
    assert [f"block_{index}/feed_forward/hidden" for index in found] == list(hidden)
    for activity, h in zip(found.values(), hidden.values(), strict=True):
        expected = Activity.of(h, kept)
        assert activity.tokens == kept.sum()
        assert_same(activity.norms, expected.norms)
        assert_same(activity.scatter, expected.scatter)


def test_a_path_without_parts_is_the_head_alone(deep):
    assert path(deep.config, parts_of(deep.config)) == ()
    pieces = Pieces(deep)
    batch = batch_of(deep.config)
    x, _ = pieces.embed(batch.inputs)
    found = pieces.head(losses, x, batch.targets)
    gone = Evaluator(deep, batch).loss(parts_of(deep.config))
    assert_same(gone, found[batch.targets != IGNORED].mean(dtype="float64"))
