"""The optimizer of a training config, with and without learning rates by block."""

from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from kit.data import Addition
from kit.errors import KitError
from kit.models import build, named_weights
from kit.optimizers import PAPER_RATIOS, AdamW
from kit.rates import HEAD, BlockRates
from kit.training import TrainConfig, Trainer
from kit.training.config import OPTIMIZERS
from kit.training.optimizer import make_optimizer, make_schedule
from tests.cases import CASES

PLAIN = TrainConfig(steps=60, warmup_steps=4, evaluate_every=2)
ONES = BlockRates(dict.fromkeys(PAPER_RATIOS, 1.0))


def test_without_block_rates_the_optimizer_is_the_plain_one():
    assert type(make_optimizer(PLAIN, build(CASES["untied"]))) is AdamW


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant", "wsd"])
@pytest.mark.parametrize("scaling", ["warmup", "peak", "curve"])
def test_the_schedule_is_told_what_a_ratio_multiplies(schedule, scaling):
    config = replace(PLAIN, schedule=schedule, warmup_steps=2)
    plain = make_schedule(config)
    made = make_schedule(replace(config, block_rates=BlockRates(scaling=scaling)))
    assert (made.scaling, made.steps, made.warmup_steps) == (scaling, 60, 2)
    for step in (0, 1, 20, 59):
        assert float(made(step)) == float(plain(step))
    ratio = float(made.rate(59, 4.0)) / float(made(59))
    assert (ratio > 3.9) == (scaling == "curve" or schedule == "constant")


def moved(config, gradient):
    """Weights before a first step with the same gradient everywhere, and after it."""
    model = build(CASES["untied"])
    optimizer = make_optimizer(config, model)
    before = [np.asarray(v).copy() for v in model.trainable_variables]
    optimizer.build(model.trainable_variables)
    optimizer.apply([gradient * ops.ones(v.shape) for v in model.trainable_variables])
    return [
        (old, np.asarray(variable), variable.kit_tag.role)
        for variable, old in zip(model.trainable_variables, before, strict=True)
    ]


CONSTANT = replace(PLAIN, warmup_steps=0, schedule="constant", learning_rate=2.0**-7)


@pytest.mark.slow
@pytest.mark.parametrize("everything", [False, True])
def test_a_gain_decays_only_with_everything(everything):
    """A matrix does in any case; without a gradient, nothing else moves them."""
    model = build(CASES["sas"])
    optimizer = make_optimizer(replace(CONSTANT, decay_everything=everything), model)
    trained = model.trainable_variables
    before = [np.asarray(variable).copy() for variable in trained]
    optimizer.apply([ops.zeros(v.shape) for v in trained])
    for variable, old in zip(trained, before, strict=True):
        changed = np.ravel(np.asarray(variable) != old)[np.ravel(old) != 0]
        assert (changed == (old.ndim == 2 or everything)).all(), variable.path


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_first_step_is_the_rate_and_the_decay(optimizer):
    """Both divide a first gradient by its size; the decay is decoupled."""
    config = replace(CONSTANT, optimizer=optimizer, decay_everything=True)
    rate, decay = config.learning_rate, config.weight_decay
    for old, new, _ in moved(config, 0.5):
        np.testing.assert_allclose(new, old * (1 - rate * decay) - rate, atol=1e-6)


def test_the_second_step_of_lion_has_its_betas():
    """m = (1 - b2) g1, then sign(b1 m + (1 - b1) g2): with g2 = -g1/2 it turns round
    where b1 (1 - b2) < (1 - b1) / 2."""
    for beta_2, turned in ((0.98, True), (0.5, False)):
        config = replace(
            CONSTANT, optimizer="lion", beta_1=0.9, beta_2=beta_2, weight_decay=0
        )
        weight = keras.Variable([0.0])
        model = SimpleNamespace(trainable_variables=[weight])
        optimizer = make_optimizer(config, model)
        optimizer.build([weight])
        for gradient in (1.0, -0.5):
            optimizer.apply([ops.array([gradient])])
        assert float(weight[0]) == (0.0 if turned else -2 * config.learning_rate)


@pytest.mark.parametrize("scale_decay", [True, False])
@pytest.mark.parametrize("everything", [True, False])
def test_matrices_alone_or_all_decay_and_by_block_if_asked(scale_decay, everything):
    rates = BlockRates(PAPER_RATIOS, "peak", scale_decay)
    config = replace(CONSTANT, block_rates=rates, decay_everything=everything)
    for old, new, role in moved(config, 0.0):
        ratio = PAPER_RATIOS[role] if scale_decay else 1.0
        shrunk = 1 - ratio * config.learning_rate * config.weight_decay
        expected = old * shrunk if everything or old.ndim >= 2 else old
        np.testing.assert_allclose(new, expected, rtol=1e-6)


def test_a_role_without_a_ratio_is_named_before_training():
    config = replace(PLAIN, block_rates=BlockRates({"Emb": 10.0}))
    with pytest.raises(KitError, match="no ratio for 'FFN', 'Norm', 'QK', 'VO'"):
        make_optimizer(config, build(CASES["untied"]))


def test_a_head_of_its_own_can_have_a_rate_of_its_own():
    model, ratios = build(CASES["untied"]), {**PAPER_RATIOS, HEAD: 3.0}
    config = replace(CONSTANT, block_rates=BlockRates(ratios))
    labels = make_optimizer(config, model).blocks.labels
    roles = [v.kit_tag.role for v in model.trainable_variables]
    names = [v.name for v in model.trainable_variables]
    (head,) = [i for i, label in enumerate(labels) if label == HEAD]
    assert names[head] == "reverse_embeddings" and roles[head] == "Emb"
    assert labels[:head] + labels[head + 1 :] == tuple(roles[:head] + roles[head + 1 :])
    with pytest.raises(KitError, match="no variable has the label 'Head'"):
        make_optimizer(config, build(CASES["pre-ln"]))  # its head is tied


@pytest.mark.slow
def test_a_run_with_ratio_one_is_the_plain_run_to_the_bit():
    task = Addition(digits=1, validation_pairs=20)
    model = CASES["pre-ln"]
    model = replace(
        model,
        vocabulary_size=task.vocabulary_size,
        context_length=task.context_length,
    )
    config = replace(PLAIN, steps=8, batch_size=8, evaluate_every=4)
    runs = {}
    for name, rates in {"plain": None, "ones": ONES, "paper": BlockRates()}.items():
        peak = rates and replace(rates, scaling="peak")
        rated = replace(config, block_rates=peak)
        trainer = Trainer(model, task, rated, jit_compile=False)
        runs[name] = [trainer.run(seed, progress=False).metrics for seed in (0, 0)]
        weights = named_weights(trainer.model)
        runs[name].append({k: np.asarray(w).copy() for k, w in weights.items()})
        assert runs[name][0] == runs[name][1], "a second run starts afresh"
    for key, value in runs["plain"][2].items():
        np.testing.assert_array_equal(runs["ones"][2][key], value)
    assert runs["paper"][0] != runs["plain"][0]
