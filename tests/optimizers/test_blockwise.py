"""Block-wise optimizers against the plain ones and against closed formulas."""

import keras
import numpy as np
import pytest
from keras import ops

from kit.errors import KitError
from kit.models import build
from kit.optimizers import (
    PAPER_RATIOS,
    BlockSchedule,
    WarmUpSchedule,
    WarmUpStableDecay,
    blockwise,
)
from tests.cases import CASES
from tests.contract import params
from tests.optimizers.blockwise_cases import (
    KINDS,
    OPTIONS,
    RATE,
    RATIO,
    RATIOS,
    SHAPES,
    by_block,
    draws,
    plain,
    steps,
)

NAMED = ("AdamW", "Lion", "Muon", "SGD")
EVERYWHERE_ONE = dict.fromkeys(SHAPES, 1.0)
FEATURES = {
    "clipped values": {"clipvalue": 0.5},
    "clipped norms": {"clipnorm": 0.5},
    "accumulation": {"gradient_accumulation_steps": 2},
    "average": {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3},
    "loss scale": {"loss_scale_factor": 8.0},
    "decay of a schedule": {
        "learning_rate": keras.optimizers.schedules.CosineDecay(RATE, 20)
    },
}


def assert_identical(found, expected):
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.parametrize("name", params(KINDS, NAMED))
def test_ratio_one_is_the_plain_optimizer_to_the_bit(name):
    assert_identical(steps(by_block(name, EVERYWHERE_ONE)), steps(plain(name)))


@pytest.mark.parametrize("name", params(NAMED, ["AdamW"]))
@pytest.mark.parametrize("options", [{"global_clipnorm": 0.5}, *FEATURES.values()])
def test_ratio_one_changes_nothing_with_other_options(name, options):
    assert_identical(
        steps(by_block(name, EVERYWHERE_ONE, **options)), steps(plain(name, **options))
    )


@pytest.mark.parametrize("name", params(KINDS, NAMED))
def test_a_block_learns_as_alone_at_its_own_rate(name):
    found = steps(by_block(name))
    for block, ratio in RATIOS.items():
        alone = plain(name, learning_rate=ratio * RATE)
        assert_identical(found, steps(alone, names=(block,)))


@pytest.mark.parametrize("options", FEATURES.values(), ids=FEATURES)
def test_a_block_learns_as_alone_with_other_options(options):
    found = steps(by_block("AdamW", **options))
    schedule = keras.optimizers.schedules.CosineDecay(RATIO * RATE, 20)
    alone = {**options, "learning_rate": RATIO * RATE}
    if "learning_rate" in options:
        alone = {"learning_rate": schedule}
    assert_identical(found, steps(plain("AdamW", **alone), names=("kernel",)))


def first_step(name, w, g, rate, decay_rate):
    """Decoupled decay (1711.05101), then the first step of the optimizer."""
    step = {
        "SGD": g,
        "Lion": np.sign(g),
        "AdamW": g / (np.abs(g) + 1e-7 / np.sqrt(1 - 0.999)),
    }
    return w * (1 - decay_rate * 0.1) - rate * step[name]


@pytest.mark.parametrize("name", ["AdamW", "Lion", "SGD"])
@pytest.mark.parametrize("scale_decay", [True, False])
def test_one_step_is_its_closed_formula(name, scale_decay):
    weights = steps(by_block(name, scale_decay=scale_decay), count=1)
    start, gradients = draws(0), draws(1)
    for block, ratio in RATIOS.items():
        decay_rate = ratio * RATE if scale_decay else RATE
        expected = first_step(
            name, start[block], gradients[block], ratio * RATE, decay_rate
        )
        np.testing.assert_allclose(weights[block], expected, atol=1e-6)


def test_the_global_norm_is_one_for_all_blocks():
    a, b = keras.Variable([0.0], name="kernel"), keras.Variable([0.0], name="bias")
    ratios = {"kernel": 4.0, "bias": 1.0}
    optimizer = by_block("SGD", ratios, weight_decay=None, global_clipnorm=1.0)
    optimizer.build([a, b])
    optimizer.apply([ops.array([3.0]), ops.array([4.0])])
    moved = [float(a[0]), float(b[0])]
    np.testing.assert_allclose(moved, [-2.4 * RATE, -0.8 * RATE], rtol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_there_is_no_variable_beyond_those_of_the_plain_optimizer(name):
    ours, theirs = by_block(name), plain(name)
    steps(ours, count=1), steps(theirs, count=1)
    assert [v.shape for v in ours.variables] == [v.shape for v in theirs.variables]


class Halving(BlockSchedule):
    """A user's own schedule: ratios lose their effect after the first step."""

    def rate(self, step, ratio):
        return RATE * ops.where(step < 1, ratio, 1.0)

    def get_config(self):
        return {}


@pytest.mark.parametrize(
    "schedule",
    [
        WarmUpSchedule(RATE, 9, 2, "cosine", scaling="warmup"),
        WarmUpSchedule(RATE, 9, 2, "linear", scaling="peak"),
        WarmUpStableDecay(RATE, 9, 2, scaling="plateau"),
        Halving(),
    ],
)
@pytest.mark.parametrize("scale_decay", [True, False])
def test_each_step_has_the_rate_that_the_schedule_says(schedule, scale_decay):
    options = {"learning_rate": schedule, "weight_decay": 0.5}
    found = steps(by_block("SGD", scale_decay=scale_decay, **options), count=9)
    for block, ratio in RATIOS.items():
        w = draws(0)[block]
        for step in range(9):
            rate = float(schedule.rate(step, ratio))
            decay_rate = rate if scale_decay else float(schedule(step))
            w = w * (1 - decay_rate * 0.5) - rate * draws(step + 1)[block]
        np.testing.assert_allclose(found[block], w, rtol=1e-5, atol=1e-6)


def test_a_warm_up_that_does_not_fit_is_told_when_the_optimizer_is_built():
    schedule = WarmUpSchedule(RATE, steps=100, warmup_steps=50)
    with pytest.raises(KitError, match="the warm-up of 'kernel', 4 times 50 steps"):
        steps(by_block("AdamW", learning_rate=schedule))


def slope_of_one(_, outputs):
    return outputs


def one_weight_model(**options):
    """Its gradient is 1 for both variables, whatever they are."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(
        by_block("SGD", {"kernel": 4.0, "bias": 1.0}, weight_decay=None, **options),
        slope_of_one,
        run_eagerly=True,
    )
    model.set_weights([np.zeros((1, 1)), np.zeros(1)])
    return model


@pytest.mark.parametrize(
    "callback, rates",
    [
        (
            keras.callbacks.LearningRateScheduler(lambda epoch: RATE / 2**epoch),
            [1, 1 / 2, 1 / 4],
        ),
        (
            keras.callbacks.ReduceLROnPlateau(
                "loss", factor=0.5, patience=1, mode="max", min_delta=0.0
            ),
            [1, 1, 1 / 2],
        ),
    ],
)
def test_callbacks_move_the_rates_of_all_blocks(callback, rates):
    model = one_weight_model()
    one = np.ones((1, 1), "float32")
    model.fit(one, one, epochs=3, callbacks=[callback], verbose=0)
    kernel, bias = (float(np.ravel(w)[0]) for w in model.get_weights())
    assert kernel == pytest.approx(-4 * RATE * sum(rates))
    assert bias == pytest.approx(-RATE * sum(rates))


@pytest.fixture
def half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_ratios_hold_under_mixed_precision(half_precision):
    """Keras puts its loss scale around the optimizer by itself."""
    model = one_weight_model()
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    model.train_on_batch(np.ones((1, 1)), np.ones((1, 1)))
    moved = [float(np.ravel(w)[0]) for w in model.get_weights()]
    assert moved == [-4 * RATE, -RATE]


@pytest.mark.slow
def test_roles_of_a_kit_model_have_the_ratios_of_the_paper():
    model = build(CASES["untied"])
    optimizer = blockwise(keras.optimizers.SGD(RATE), PAPER_RATIOS)
    variables = model.trainable_variables
    before = [np.asarray(v).copy() for v in variables]
    optimizer.build(variables)
    optimizer.apply([ops.ones(v.shape) for v in variables])
    for variable, old in zip(variables, before, strict=True):
        expected = old - PAPER_RATIOS[variable.kit_tag.role] * RATE
        np.testing.assert_allclose(np.asarray(variable), expected, atol=1e-6)


def test_what_does_not_decay_still_does_not():
    kernel, bias = (keras.Variable(np.ones(2, "float32")) for _ in range(2))
    plain_one = keras.optimizers.AdamW(RATE, weight_decay=0.5)
    plain_one.exclude_from_weight_decay(var_list=[bias])
    optimizer = blockwise(plain_one, {"all": 2.0}, lambda variable: "all")
    optimizer.build([kernel, bias])
    optimizer.apply([ops.zeros(2), ops.zeros(2)])
    np.testing.assert_allclose(np.asarray(kernel), 1 - 2 * RATE * 0.5)
    np.testing.assert_array_equal(np.asarray(bias), 1.0)


@pytest.mark.parametrize("ratio", [-1, 0, float("nan"), float("inf"), "10", True, None])
def test_a_ratio_is_a_number_above_zero(ratio):
    with pytest.raises(KitError, match="the ratio of 'Emb'.* is not a number above 0"):
        blockwise(keras.optimizers.SGD(), {"Emb": ratio})


@pytest.mark.parametrize("ratios", [None, {}, 3.0, [1.0]])
def test_ratios_are_a_mapping(ratios):
    with pytest.raises(KitError, match="is not a mapping of labels to numbers"):
        blockwise(keras.optimizers.SGD(), ratios)


def test_optimizers_that_cannot_be_made_block_wise_say_why():
    with pytest.raises(KitError, match="'adamw' is not a Keras optimizer"):
        blockwise("adamw", RATIOS)
    with pytest.raises(KitError, match="BlockwiseSGD is block-wise already"):
        blockwise(by_block("SGD"), RATIOS)
    with pytest.raises(KitError, match="LossScaleOptimizer holds another optimizer"):
        scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
        blockwise(scaled, RATIOS)
    built = plain("SGD")
    steps(built, count=1)
    with pytest.raises(KitError, match="SGD is built already"):
        blockwise(built, RATIOS)


def test_a_model_of_a_stranger_needs_labels():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="only")])
    optimizer = blockwise(keras.optimizers.SGD(**OPTIONS), PAPER_RATIOS)
    with pytest.raises(KitError, match="no label for .*only/kernel, .*only/bias"):
        optimizer.build(model.trainable_variables)
    assert not optimizer.built


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
def test_a_compiled_step_is_that_of_the_plain_optimizer(name):
    """Through `fit`, with XLA where the backend has it."""

    def trained(optimizer):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((4,), dtype="int32"),
                keras.layers.Embedding(9, 6, name="embedding"),
                keras.layers.Flatten(),
                keras.layers.Dense(5, activation="relu"),
                keras.layers.Dense(3),
            ]
        )
        jit = keras.backend.backend() != "torch"
        model.compile(optimizer, "mse", jit_compile=jit)
        rng = np.random.default_rng(0)
        x, y = rng.integers(0, 9, (40, 4)), rng.standard_normal((40, 3), "float32")
        model.fit(x, y, batch_size=2, shuffle=False, verbose=0)
        return dict(enumerate(model.get_weights()))

    options = {**OPTIONS, "global_clipnorm": 1.0}
    made = blockwise(
        KINDS[name](**options), {"a": 1.0, "b": 1.0}, lambda v: "ab"[v.name == "bias"]
    )
    assert_identical(trained(made), trained(plain(name, global_clipnorm=1.0)))
