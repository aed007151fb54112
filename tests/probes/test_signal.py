"""What gets through the layers: probes on known activations, and rank collapse."""

import math

import numpy as np
import pytest

from kit.config import ModelConfig
from kit.data import Addition, Batch
from kit.errors import KitError
from kit.gains import Shaped
from kit.models import build, named_weights
from kit.panels import SIGNAL, signal_panels
from kit.probes.signal import SignalProbe, gains, mean_cosine, signal
from kit.training import TrainConfig, Trainer
from tests.cases import assert_same
from tests.contract import params

BLOCKS, WIDTH, TIME, VOCABULARY = 8, 32, 16, 48


def deep(block, blocks=BLOCKS, **edits):
    sizes = {"width": WIDTH, "vocabulary_size": VOCABULARY, "context_length": TIME}
    return ModelConfig.uniform(blocks, block, **sizes).with_every_block(**edits)


WIRINGS = {
    "pre-ln": deep("pre-ln"),
    "post-ln": deep("post-ln"),
    "parallel": deep("parallel"),
    "v-skip-init": deep("v-skip-init"),
    "sas": deep("sas"),
    "sas-p": deep("sas-p"),
    "sas-p-no-norm": deep("sas-p-no-norm"),
    "sas, shared gains": deep("sas", shape=Shaped(per_head=False)),
    "no attention skip": deep("pre-ln", attention_skip=0.0),
}


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    tokens = rng.integers(VOCABULARY, size=(4, TIME + 1), dtype="int32")
    return Batch(tokens[:, :-1], tokens[:, 1:])


def test_the_cosine_is_the_mean_over_all_pairs():
    x = np.random.default_rng(0).normal(size=(3, 5, 7))
    pairs = [
        sample[i] @ sample[j] / np.linalg.norm(sample[i]) / np.linalg.norm(sample[j])
        for sample in x
        for i in range(5)
        for j in range(5)
        if i != j
    ]
    assert mean_cosine(x) == pytest.approx(np.mean(pairs))
    lengths = np.random.default_rng(1).uniform(0.1, 10, size=(3, 5, 1))
    assert mean_cosine(lengths * x) == pytest.approx(mean_cosine(x))
    assert mean_cosine(np.broadcast_to(x[:, :1], x.shape)) == pytest.approx(1)
    assert mean_cosine(np.eye(6)[None]) == pytest.approx(0)


@pytest.mark.parametrize("shape", [(3, 4), (3, 1, 4)])
def test_a_single_token_has_no_pair(shape):
    with pytest.raises(KitError, match="time >= 2"):
        mean_cosine(np.zeros(shape))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", params(WIRINGS, ["no attention skip", "pre-ln", "sas-p"])
)
def test_only_the_naive_skipless_stack_collapses(name, batch):
    """At the start, over the blocks: without skips attention averages tokens away."""
    cosine = signal(build(WIRINGS[name]), batch.inputs)["cosine"]
    assert len(cosine) == BLOCKS + 1
    if name == "no attention skip":
        assert cosine[0] < 0.1 and cosine[-1] > 0.99
        assert all(
            after > before for before, after in zip(cosine, cosine[1:], strict=False)
        )
    else:
        assert max(cosine) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("mask", ["causal", "full"])
def test_attention_that_is_the_identity_keeps_the_cosines_of_the_norm(mask, batch):
    """The stream of SAS-P moves by its feed-forward alone, which starts small."""
    config = deep("sas-p", feed_forward=None)
    config = ModelConfig.from_dict(config.to_dict() | {"mask": mask})
    norm, found = math.sqrt(1), signal(build(config), batch.inputs)
    np.testing.assert_allclose(found["cosine"][1:], found["cosine"][1], atol=1e-5)
    np.testing.assert_allclose(found["norm"][1:], norm, atol=2e-2)


@pytest.mark.slow
def test_gradient_norms_are_those_of_the_loss(batch):
    """Against central differences along the gradient's own direction, in a block."""
    config = deep("sas", blocks=2)
    probe, model = SignalProbe(config, batch), build(config, seed=3)
    before = {k: np.asarray(w).copy() for k, w in named_weights(model).items()}
    found = probe(model)
    for key, weight in named_weights(model).items():
        np.testing.assert_array_equal(np.asarray(weight), before[key])
    twin = probe.twin
    gradients = dict(
        zip(
            [id(w) for w in twin.trainable_variables],
            twin.optimizer.gradients,
            strict=True,
        )
    )
    for block in (0, 1):
        mine = {
            key: (weight, gradients[id(weight)])
            for key, weight in named_weights(twin).items()
            if key.startswith(f"block_{block}/")
        }
        norm = math.sqrt(sum(float((g**2).sum()) for _, g in mine.values()))
        assert found[f"gradient_{block + 1}"] == pytest.approx(norm, rel=1e-5)
        step = 2e-2
        losses = []
        for sign in (1, -1):
            for key, (weight, gradient) in mine.items():
                weight.assign(before[key] + sign * step * gradient / norm)
            losses.append(float(twin.test_on_batch(batch.inputs, batch.targets)))
        for key, (weight, _) in mine.items():
            weight.assign(before[key])
        slope = (losses[0] - losses[1]) / (2 * step)
        assert slope == pytest.approx(norm, rel=2e-2)


def test_gains_are_all_that_a_model_trains_beside_its_matrices_and_norms():
    model = build(deep("sas-p", blocks=2))
    found = gains(model)
    # alpha, beta and gamma of 4 heads and two branches a block; alpha, beta of a value.
    assert len(found) == 2 * (3 * 4 + 2) + 2
    assert found["block_1/feed_forward_gain"] == pytest.approx(0.3)
    assert gains(build(deep("pre-ln", blocks=1))) == {}


@pytest.mark.slow
def test_probes_watch_a_model_while_it_trains():
    task = Addition(digits=1, validation_pairs=8)
    config = ModelConfig.uniform(
        2, "sas", width=16, vocabulary_size=14, context_length=task.context_length
    )
    quick = TrainConfig(steps=4, batch_size=8, warmup_steps=0, evaluate_every=2)
    probe, trainer = (
        SignalProbe(config, task.validation()),
        Trainer(config, task, quick),
    )
    run = trainer.run(progress=False, observe=lambda model: probe(model) | gains(model))
    alone = trainer.run(progress=False)
    first, last = run.history
    assert first["cosine_2"] != last["cosine_2"]
    assert first["block_0/attention/map_beta/0"] != last["block_0/attention/map_beta/0"]
    assert first["gradient_1"] > 0
    losses = [row["validation_loss"] for row in run.history]
    assert_same(losses, [row["validation_loss"] for row in alone.history])


@pytest.mark.slow
def test_the_figure_shows_the_collapse(batch):
    """What is drawn is what was measured, one line a wiring and panel."""
    chosen = ("pre-ln", "no attention skip", "sas")
    probes = {
        name: [SignalProbe(WIRINGS[name], batch)(build(WIRINGS[name]))]
        for name in chosen
    }
    figure = signal_panels(probes)
    assert [ax.get_title() for ax in figure.axes] == list(SIGNAL.values())
    ends = {line.get_label(): line.get_ydata()[-1] for line in figure.axes[0].lines}
    assert ends["no attention skip"] > 0.99 > 0.1 > ends["sas"]
    assert [ax.get_yscale() for ax in figure.axes] == ["linear", "log", "log"]
    assert np.isnan(figure.axes[2].lines[0].get_ydata()[0])  # the input has no weights
    norms = np.concatenate([line.get_ydata() for line in figure.axes[1].lines])
    low, high = figure.axes[1].get_ylim()
    assert (
        norms.min() / 10 < low < norms.min() and norms.max() < high < 10 * norms.max()
    )
    bare = {
        n: [{k: v for k, v in probes[n][0].items() if "grad" not in k}] for n in chosen
    }
    assert len(signal_panels(bare).axes) == 2
