"""The three losses against their equations, and the mask."""

import numpy as np
import pytest

from kit.data import IGNORED
from kit.errors import KitError
from kit.sharing import DistillationConfig, distillation_loss
from kit.sharing.losses import hard_loss, hidden_loss, soft_loss

BATCH, TIME, WIDTH, VOCABULARY = 3, 5, 4, 6
RNG = np.random.default_rng(0)


def model(seed):
    """Logits and two streams, as a model gives them."""
    rng = np.random.default_rng(seed)
    streams = [rng.standard_normal((BATCH, TIME, WIDTH)) for _ in range(2)]
    logits = 2 * rng.standard_normal((BATCH, TIME, VOCABULARY))
    return logits.astype("float32"), [each.astype("float32") for each in streams]


STUDENT, TEACHER = model(1), model(2)
TARGETS = RNG.integers(VOCABULARY, size=(BATCH, TIME))
TARGETS[0, :3] = TARGETS[2, -1] = IGNORED
KEPT = TARGETS != IGNORED
ONLY = {
    name: {"hidden": 0.0, "soft": 0.0, "hard": 0.0} | {name: 1.0}
    for name in ("hidden", "soft", "hard")
}


def probabilities(logits):
    weights = np.exp(logits.astype("float64"))
    return weights / weights.sum(axis=-1, keepdims=True)


def loss(student=STUDENT, teacher=TEACHER, targets=TARGETS, **fields):
    config = DistillationConfig(**fields)
    return float(distillation_loss(config, targets, student, teacher))


def test_the_hidden_loss_is_the_mean_square():
    each = [
        np.square(mine - theirs)[KEPT].mean()
        for mine, theirs in zip(STUDENT[1], TEACHER[1], strict=True)
    ]
    assert loss(**ONLY["hidden"]) == pytest.approx(np.mean(each), rel=1e-5)


@pytest.mark.parametrize("divergence", ["reverse", "forward"])
def test_the_soft_loss_is_the_divergence(divergence):
    of, to = probabilities(STUDENT[0]), probabilities(TEACHER[0])
    if divergence == "forward":
        of, to = to, of
    expected = np.sum(of * np.log(of / to), axis=-1)[KEPT].mean()
    found = loss(**ONLY["soft"], divergence=divergence)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("labels", ["teacher", "true"])
def test_the_hard_loss_is_the_cross_entropy_with_the_labels(labels):
    chosen = TEACHER[0].argmax(axis=-1) if labels == "teacher" else TARGETS
    student = probabilities(STUDENT[0])
    picked = np.take_along_axis(student, np.maximum(chosen, 0)[..., None], axis=-1)
    expected = -np.log(picked[..., 0])[KEPT].mean()
    found = loss(**ONLY["hard"], labels=labels)
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_whole_is_the_sum_with_the_weights_of_the_paper():
    parts = [loss(**ONLY[name]) for name in ("hidden", "soft", "hard")]
    assert loss() == pytest.approx(np.dot([0.25, 0.25, 0.5], parts), rel=1e-5)


def test_directions_and_labels_differ():
    assert abs(loss() - loss(divergence="forward")) > 1e-2
    assert abs(loss() - loss(labels="true")) > 1e-2


def test_a_student_like_its_teacher_has_only_labels_to_learn():
    assert loss(TEACHER, **ONLY["hidden"]) == 0
    assert loss(TEACHER, **ONLY["soft"]) == pytest.approx(0, abs=1e-6)
    best = -np.log(probabilities(TEACHER[0]).max(axis=-1))[KEPT].mean()
    assert loss(TEACHER, **ONLY["hard"]) == pytest.approx(best, rel=1e-5)


def changed_at(where):
    """Both models' outputs, other ones at some tokens."""
    rng = np.random.default_rng(9)
    pairs = []
    for logits, streams in (STUDENT, TEACHER):
        new = [each.copy() for each in (logits, *streams)]
        for each in new:
            each[where] += rng.standard_normal(each[where].shape)
        pairs.append((new[0], new[1:]))
    return pairs


@pytest.mark.parametrize("name", ONLY)
@pytest.mark.parametrize("labels", ["teacher", "true"])
def test_tokens_that_do_not_count_change_nothing(name, labels):
    before = loss(**ONLY[name], labels=labels)
    assert loss(*changed_at(~KEPT), **ONLY[name], labels=labels) == before
    assert abs(loss(*changed_at(KEPT), **ONLY[name], labels=labels) - before) > 1e-2


def test_the_mean_is_over_the_tokens_that_count():
    """Not over all: twice the padding is no smaller loss."""
    wider = np.pad(TARGETS, ((0, 0), (0, TIME)), constant_values=IGNORED)
    twice = [
        (np.concatenate([x] * 2, axis=1), [np.concatenate([s] * 2, axis=1) for s in y])
        for x, y in (STUDENT, TEACHER)
    ]
    assert loss(*twice, wider) == pytest.approx(loss(), rel=1e-6)


def test_nothing_that_counts_is_no_loss():
    nothing = np.full_like(TARGETS, IGNORED)
    assert loss(targets=nothing) == 0
    kept = np.zeros((BATCH, TIME), "float32")
    assert float(hidden_loss(STUDENT[1], TEACHER[1], kept)) == 0
    assert float(soft_loss(STUDENT[0], TEACHER[0], kept)) == 0
    assert float(hard_loss(STUDENT[0], TEACHER[0], kept)) == 0


def test_without_shared_maps_there_are_no_streams_to_compare():
    pairs = (STUDENT[0], []), (TEACHER[0], [])
    rest = loss(hidden=0.0)
    assert loss(*pairs) == pytest.approx(rest, rel=1e-6)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"hidden": -1.0}, "hidden=-1.0 is not a number from 0"),
        ({"soft": float("nan")}, "soft=nan"),
        ({"hidden": 0, "soft": 0, "hard": 0}, "leave nothing to learn"),
        ({"divergence": "backward"}, "divergence 'backward'"),
        ({"labels": "both"}, "labels 'both'"),
        ({"alpha": 1.0}, "unknown DistillationConfig field 'alpha'"),
    ],
)
def test_bad_weights_are_an_error(fields, message):
    with pytest.raises(KitError, match=message):
        DistillationConfig(**fields)


def test_plain_data_and_back():
    config = DistillationConfig(soft=0.5, labels="true")
    assert DistillationConfig.from_dict(config.to_dict()) == config
