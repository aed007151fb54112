"""Schedules against their closed formulas, for every meaning of a ratio."""

import keras
import numpy as np
import pytest

from kit.errors import KitError
from kit.optimizers import AdamW, BlockSchedule, WarmUpSchedule, WarmUpStableDecay

PEAK, STEPS, FINAL = 0.5, 60, 0.2
RATIOS = (0.5, 1.0, 4.0, 10.0)


def cosine_form(step, warmup, decay, scaling="curve", ratio=1.0):
    """Warm-up of one straight line, then the decay from the peak of the block."""
    warmup = warmup * ratio if scaling == "warmup" else warmup
    peak = ratio * PEAK
    end = FINAL * (peak if scaling == "curve" else PEAK)
    if step < warmup:
        return peak * (step + 1) / max(warmup, 1)
    done = min((step - warmup) / max(STEPS - warmup, 1), 1)
    left = {"cosine": (1 + np.cos(np.pi * done)) / 2, "linear": 1 - done, "constant": 1}
    return end + (peak - end) * left[decay]


def wsd_form(step, warmup, scaling="curve", ratio=1.0):
    """Four straight lines between the named steps."""
    warmup = warmup * ratio if scaling == "warmup" else warmup
    peak = ratio * PEAK
    middle = PEAK if scaling in ("warmup", "plateau") else peak
    end = FINAL * (peak if scaling == "curve" else PEAK)
    knots = [STEPS / 3, 2 * STEPS / 3, STEPS]
    fallen = np.interp(step, knots, [peak, middle, end])
    return fallen * min((step + 1) / max(warmup, 1), 1)


@pytest.mark.parametrize("decay", ["cosine", "linear", "constant"])
@pytest.mark.parametrize("scaling", WarmUpSchedule.scalings)
@pytest.mark.parametrize("warmup", [0, 1, 6])
def test_the_warm_up_schedule_is_its_closed_form(decay, scaling, warmup):
    schedule = WarmUpSchedule(PEAK, STEPS, warmup, decay, FINAL, scaling)
    steps = np.array([*range(0, 70, 3), warmup, warmup - 1, STEPS - 1, STEPS])
    for ratio in RATIOS:
        expected = [cosine_form(at, warmup, decay, scaling, ratio) for at in steps]
        np.testing.assert_allclose(schedule.rate(steps, ratio), expected, rtol=2e-5)


@pytest.mark.parametrize("scaling", WarmUpStableDecay.scalings)
@pytest.mark.parametrize("warmup", [0, 1, 2])
def test_wsd_is_its_closed_form(scaling, warmup):
    schedule = WarmUpStableDecay(PEAK, STEPS, warmup, FINAL, scaling)
    steps = np.arange(70)
    for ratio in RATIOS:
        expected = [wsd_form(at, warmup, scaling, ratio) for at in steps]
        np.testing.assert_allclose(schedule.rate(steps, ratio), expected, rtol=2e-5)


def test_blocks_warm_up_with_one_slope_and_end_at_one_rate():
    """The numbers of the official scripts: 1000 of 50000 steps, Emb 10 times."""
    schedule = WarmUpSchedule(6e-4, 50_000, 1000, "cosine", 1 / 20)
    for step in (0, 500, 999):
        assert float(schedule.rate(step, 10.0)) == pytest.approx(float(schedule(step)))
    assert float(schedule.rate(9_999, 10.0)) == pytest.approx(6e-3)
    assert float(schedule.rate(30_000, 10.0)) == pytest.approx((6e-3 + 3e-5) / 2)
    assert float(schedule.rate(50_000, 10.0)) == pytest.approx(3e-5)
    assert float(schedule(50_000)) == pytest.approx(3e-5)


def test_the_three_ways_of_wsd_differ_where_the_official_code_does():
    step = {"end of second": 2 * STEPS // 3, "middle of third": 5 * STEPS // 6}
    rates = {
        scaling: [
            float(WarmUpStableDecay(PEAK, STEPS, 0, FINAL, scaling).rate(at, 4.0))
            for at in step.values()
        ]
        for scaling in WarmUpStableDecay.scalings
    }
    uniform = [PEAK, PEAK * (1 + FINAL) / 2]
    np.testing.assert_allclose(rates["warmup"], uniform, 1e-5)
    np.testing.assert_allclose(rates["plateau"], uniform, 1e-5)
    np.testing.assert_allclose(rates["peak"], [4 * PEAK, PEAK * (4 + FINAL) / 2], 1e-5)
    np.testing.assert_allclose(rates["curve"], np.multiply(uniform, 4), 1e-5)


@pytest.mark.parametrize("kind", [WarmUpSchedule, WarmUpStableDecay])
@pytest.mark.parametrize("step", [0, 3, 30, 50, 60])
def test_ratio_one_is_the_plain_schedule_to_the_bit(kind, step):
    rates = {
        float(kind(PEAK, STEPS, 5, scaling=scaling).rate(step, 1.0))
        for scaling in kind.scalings
    }
    assert rates == {float(kind(PEAK, STEPS, 5)(step))}


def test_the_cosine_is_that_of_keras():
    ours = WarmUpSchedule(PEAK, STEPS, 10, "cosine", final=FINAL)
    theirs = keras.optimizers.schedules.CosineDecay(PEAK, STEPS - 10, alpha=FINAL)
    for step in range(10, 70):
        assert float(ours(step)) == pytest.approx(float(theirs(step - 10)), rel=1e-5)


def test_a_warm_up_has_to_end():
    schedule = WarmUpSchedule(PEAK, STEPS, 10)
    schedule.check("Emb", 6.0)
    with pytest.raises(KitError, match="'Emb', 7 times 10 steps, does not end within"):
        schedule.check("Emb", 7.0)
    WarmUpSchedule(PEAK, STEPS, 10, scaling="peak").check("Emb", 7.0)
    with pytest.raises(KitError, match="'Emb', 2.5 times 10 steps.*within 20 of"):
        WarmUpStableDecay(PEAK, STEPS, 10).check("Emb", 2.5)
    with pytest.raises(KitError, match="'ratio 1'"):
        WarmUpStableDecay(PEAK, STEPS, 21)


def test_an_unknown_scaling_is_refused():
    with pytest.raises(KitError, match="scaling: 'peek'. Did you mean 'peak'"):
        WarmUpSchedule(PEAK, STEPS, scaling="peek")
    with pytest.raises(KitError, match="'plateau'"):
        WarmUpSchedule(PEAK, STEPS, scaling="plateau")


@pytest.mark.parametrize(
    "schedule",
    [
        WarmUpSchedule(PEAK, STEPS, 10, "linear", FINAL, "peak"),
        WarmUpStableDecay(PEAK, STEPS, 4, FINAL, "plateau"),
    ],
)
def test_schedules_survive_the_config_of_an_optimizer(schedule):
    again = AdamW.from_config(AdamW(schedule).get_config())._learning_rate
    assert isinstance(again, BlockSchedule)
    assert again.get_config() == schedule.get_config()
    assert float(again.rate(30, 4.0)) == float(schedule.rate(30, 4.0))
