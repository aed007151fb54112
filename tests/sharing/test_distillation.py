"""A student learns from a teacher that stays as it is."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from kit.config import ModelConfig
from kit.data import IGNORED, Addition
from kit.errors import KitError
from kit.models import activations, build, named_weights
from kit.optimizers import AdamW
from kit.sharing import (
    STAGE,
    Distillation,
    DistillationConfig,
    DistillingTrainer,
    adjust,
    consecutive,
    distil,
    distillation_loss,
    keras_distiller,
    last_of_groups,
    share,
)
from kit.training import trainer as training
from tests.cases import BLOCK, TIME, case, shake, some_tokens, weights_of

DEEP = case(blocks=(BLOCK,) * 4)
COPIES = {1: 0, 3: 2}


def pair(config=DEEP, copies=COPIES):
    teacher = shake(build(config))
    return shake(share(teacher, copies), seed=3, size=0.1), teacher


def data(config=DEEP, ignored=0):
    tokens = some_tokens(config, batch=4)
    targets = np.roll(tokens, -1, axis=1)
    targets[:, TIME - ignored :] = IGNORED
    return tokens, targets


def loss_of(both, tokens, targets):
    return float(both.compute_loss(x=tokens, y=targets, y_pred=both(tokens)))


@pytest.mark.slow
def test_the_streams_are_those_after_each_group():
    student, teacher = pair()
    tokens, targets = data()
    assert last_of_groups(student.config) == [1, 3]
    assert last_of_groups(DEEP) == []
    names = ("block_1/output", "block_3/output")
    outputs = [
        (model(tokens), [activations(model, tokens, name)[name] for name in names])
        for model in (student, teacher)
    ]
    config = DistillationConfig()
    expected = float(distillation_loss(config, targets, *outputs))
    found = loss_of(Distillation(student, teacher, config), tokens, targets)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_the_teacher_stays_and_the_student_learns():
    student, teacher = pair(case({"dropout": 0.3}, blocks=(BLOCK,) * 4))
    old = {
        model: [np.asarray(w).copy() for w in model.trainable_weights]
        for model in (student, teacher)
    }
    both = Distillation(student, teacher, DistillationConfig())
    both.compile(AdamW(1e-2, weight_decay=0.1), run_eagerly=True)
    both.train_on_batch(*data())
    for before, weight in zip(old[teacher], teacher.trainable_weights, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), before)
    moved = [
        np.abs(np.asarray(weight) - before).max()
        for before, weight in zip(old[student], student.trainable_weights, strict=True)
    ]
    assert min(moved) > 0 and len(moved) == len(old[teacher]) - 2 * len(COPIES)
    assert teacher.trainable and teacher.trainable_weights


def test_weights_of_samples_are_an_error():
    """They would be left out without a word."""
    model = build(case())
    both = Distillation(model, model, DistillationConfig())
    with pytest.raises(KitError, match="sample_weight.*with the target -1"):
        both.compute_loss(*data(case()), None, sample_weight=np.ones((4, TIME)))


@pytest.mark.slow
def test_the_teacher_is_in_inference_mode():
    """Dropout of the teacher is off while that of the student is on."""
    config = case().with_every_block(dropout=0.5)
    teacher = shake(build(config))
    student = shake(share(teacher, {1: 0}))
    both = Distillation(student, teacher, DistillationConfig())
    tokens, targets = data(config)
    still = both(tokens)
    losses = {float(both.compute_loss(tokens, targets, still)) for _ in range(3)}
    assert len(losses) == 1
    noisy = {loss_of_training(both, tokens, targets) for _ in range(3)}
    assert len(noisy) == 3


def loss_of_training(both, tokens, targets):
    y_pred = both(tokens, training=True)
    return float(both.compute_loss(x=tokens, y=targets, y_pred=y_pred))


def test_student_and_teacher_share_no_variable():
    student, teacher = pair()
    assert not {id(w) for w in student.weights} & {id(w) for w in teacher.weights}


@pytest.mark.slow
def test_tokens_after_the_last_that_counts_change_nothing():
    both = Distillation(*pair(), DistillationConfig())
    tokens, targets = data(ignored=2)
    other = tokens.copy()
    other[:, -2:] = (tokens[:, -2:] + 1) % DEEP.vocabulary_size
    before = loss_of(both, tokens, targets)
    assert loss_of(both, other, targets) == pytest.approx(before, rel=1e-6)
    other[:, 0] = (tokens[:, 0] + 1) % DEEP.vocabulary_size
    assert abs(loss_of(both, other, targets) - before) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "copies, losses",
    [
        (COPIES, {"divergence": "reverse"}),
        (COPIES, {"divergence": "forward"}),
        (COPIES, {"hidden": 0.0}),
        ({}, {}),  # no streams to compare
    ],
)
def test_with_every_token_keras_gives_the_same_loss(copies, losses):
    config = DistillationConfig(**losses)
    student, teacher = pair(copies=copies)
    tokens, targets = data()
    ours = loss_of(Distillation(student, teacher, config), tokens, targets)
    theirs = keras_distiller(student, teacher, config)
    assert loss_of(theirs, tokens, targets) == pytest.approx(ours, rel=1e-5)


@pytest.mark.slow
def test_with_every_token_keras_trains_the_same():
    trained, (start, _) = [], pair()
    for make, loss in ((Distillation, None), (keras_distiller, "mse")):
        student, teacher = pair()
        both = make(student, teacher, DistillationConfig())
        both.compile(keras.optimizers.SGD(0.01), loss=loss, run_eagerly=True)
        both.train_on_batch(*data())
        trained.append(named_weights(student))
    for key, weight in named_weights(start).items():
        ours, theirs = (np.asarray(each[key]) - np.asarray(weight) for each in trained)
        assert np.abs(ours).max() > 0
        np.testing.assert_allclose(theirs, ours, atol=1e-3 * np.abs(ours).max())


@pytest.mark.slow
def test_forward_is_the_loss_that_keras_calls_logits_distillation():
    student, teacher = pair()
    tokens, targets = data()
    theirs = keras.distillation.LogitsDistillation(
        temperature=1.0, loss=keras.losses.KLDivergence()
    )
    config = DistillationConfig(0.0, 1.0, 0.0, divergence="forward")
    ours = loss_of(Distillation(student, teacher, config), tokens, targets)
    found = float(theirs.compute_loss(teacher(tokens), student(tokens)))
    assert found == pytest.approx(ours, rel=1e-4)


@pytest.mark.slow
def test_keras_cannot_leave_tokens_out():
    """The limit that `kit.sharing.distil` is there for."""
    student, teacher = pair()
    ours = Distillation(student, teacher, DistillationConfig())
    theirs = keras_distiller(student, teacher)
    tokens, targets = data()
    _, masked = data(ignored=3)
    assert abs(loss_of(ours, tokens, masked) - loss_of(ours, tokens, targets)) > 1e-3
    assert loss_of(theirs, tokens, masked) == loss_of(theirs, tokens, targets)
    y_pred = theirs(tokens)
    none = np.zeros(targets.shape, "float32")
    weighted = theirs.compute_loss(tokens, targets, y_pred, sample_weight=none)
    assert float(weighted) == loss_of(theirs, tokens, targets) > 0


@pytest.mark.slow
def test_keras_compares_layers_of_functional_models_only_and_freezes_the_teacher():
    student, teacher = pair()
    by_name = keras.distillation.FeatureDistillation(
        teacher_layer_name="block_1", student_layer_name="block_1"
    )
    with pytest.raises(ValueError, match="appear to be subclassed"):
        keras.distillation.Distiller(teacher, student, [by_name])
    keras_distiller(student, teacher)
    assert not teacher.trainable_weights


@pytest.mark.parametrize("make", [Distillation, keras_distiller])
def test_no_streams_to_compare_and_nothing_else_to_learn_is_an_error(make):
    model, other = build(case()), build(case())
    hidden = DistillationConfig(hidden=1.0, soft=0.0, hard=0.0)
    with pytest.raises(KitError, match="shares no maps.* Give soft or hard a weight"):
        make(model, other, hidden)


@pytest.mark.slow
def test_models_that_do_not_fit_are_an_error():
    student, teacher = pair()
    for other, message in (
        (case(), "blocks=4 and the teacher 2"),
        (replace(DEEP, vocabulary_size=12), "vocabulary_size=11 and the teacher 12"),
        (replace(DEEP, context_length=6), "reads 6 tokens, fewer than the student's 7"),
    ):
        unfit = build(other)
        with pytest.raises(KitError, match=message):
            Distillation(student, unfit, DistillationConfig())
        with pytest.raises(KitError, match=message):
            keras_distiller(student, unfit)
    with pytest.raises(KitError, match='labels="true" is no loss between two'):
        keras_distiller(student, teacher, DistillationConfig(labels="true"))


TASK = Addition(digits=1, reverse_answer=True, validation_pairs=20)
SMALL = ModelConfig.uniform(
    4, width=32, vocabulary_size=14, context_length=TASK.context_length
)


@pytest.mark.slow
def test_large_streams_are_no_divergence(monkeypatch):
    """L_I has the scale of the streams; what must stay in bounds is the model."""
    teacher = shake(build(SMALL))
    for key, weight in named_weights(teacher).items():
        if key.endswith(("attention/output", "feed_forward/down")):
            weight.assign(100 * np.asarray(weight))
    student = share(teacher, COPIES)
    stage = replace(STAGE, steps=2, evaluate_every=1, batch_size=8, warmup_steps=0)
    trainer = DistillingTrainer(student, teacher, TASK, stage, jit_compile=False)
    run = trainer.go_on(progress=False).run
    ceiling = training.DIVERGED * np.log(SMALL.vocabulary_size)
    assert run.history[-1]["loss"] > ceiling > run.metrics["loss"]
    assert run.status == "finished"
    monkeypatch.setattr(training, "DIVERGED", 0.1)
    assert trainer.go_on(progress=False).run.status == "diverged"


@pytest.mark.slow
def test_the_teacher_survives_ctrl_c(monkeypatch):
    """On JAX, Keras has taken its weights away when a step begins."""
    teacher = shake(build(SMALL))
    before = weights_of(teacher)
    trainer = DistillingTrainer(share(teacher, COPIES), teacher, TASK, STAGE)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer.learner, "make_train_function", lambda: None)
    monkeypatch.setattr(trainer.learner, "train_function", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.go_on(progress=False)
    for key, weight in weights_of(teacher).items():
        np.testing.assert_array_equal(weight, before[key])


@pytest.mark.slow
def test_stage_1_learns_from_the_teacher_and_stage_2_from_the_data():
    teacher = shake(build(SMALL))
    weights = [np.asarray(weight).copy() for weight in teacher.weights]
    student = share(teacher, consecutive([1, 2, 3], k=3))
    stage = replace(STAGE, steps=60, evaluate_every=30, batch_size=64)
    stage = replace(stage, learning_rate=1e-3)
    first = distil(student, teacher, TASK, stage, progress=False)
    config = DistillationConfig()
    distances = [
        loss_of(Distillation(each, teacher, config), *TASK.validation())
        for each in (student, first.model)
    ]
    assert distances[1] < 0.9 * distances[0]
    second = adjust(first.model, TASK, stage, progress=False)
    assert second.before["loss"] == pytest.approx(first.after["loss"], rel=1e-4)
    assert second.after["loss"] < 0.9 * second.before["loss"]
    assert second.model.config == student.config
    assert set(named_weights(second.model)) == set(named_weights(student))
    for before, weight in zip(weights, teacher.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), before)
