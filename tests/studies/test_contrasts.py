"""Sums of arms: against `Difference`, and with each verdict."""

import pytest
from toy import results

from kit.studies.claims import Difference
from kit.studies.contrasts import Contrast
from kit.studies.findings import NOT_REPRODUCED, REPRODUCED, UNDECIDED

NOISE = (0.0, 0.01, -0.01, 0.005)
METRIC = "accuracy"


def arms(**means):
    """Rows of four seeds around a mean: an effect that all arms share, and noise."""
    shared = (0.3, -0.2, 0.1, 0.0)
    return results(
        **{
            name: [mean + s + NOISE[(i + k) % 4] for k, s in enumerate(shared)]
            for i, (name, mean) in enumerate(means.items())
        }
    )


@pytest.mark.parametrize("direction", ["greater", "less", "no more", "same"])
def test_a_contrast_of_two_arms_is_their_difference(direction):
    rows = arms(a=1.0, b=0.5)
    contrast = Contrast("gap", {"a": 1, "b": -1}, METRIC, 0.1, direction)(rows)
    difference = Difference("a", "b", METRIC, 0.1, direction)(rows)
    for name in ("verdict", "estimate", "low", "high", "p_value", "seeds"):
        assert getattr(contrast, name) == getattr(difference, name)


@pytest.mark.parametrize(
    ("deep", "verdict"), [(2.0, REPRODUCED), (1.0, NOT_REPRODUCED), (1.12, UNDECIDED)]
)
def test_the_growth_of_a_gap(deep, verdict):
    rows = arms(a=1.0, base=0.5, a_deep=deep, base_deep=0.5)
    weights = {"a_deep": 1, "base_deep": -1, "a": -1, "base": 1}
    finding = Contrast("growth of the gap", weights, METRIC, 0.1)(rows)
    assert finding.verdict == verdict
    assert finding.estimate == pytest.approx(deep - 1.0, abs=0.05)
    assert "growth of the gap" in finding.sentence


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [(0.5, REPRODUCED), (1.0, REPRODUCED), (1.3, NOT_REPRODUCED), (1.1, UNDECIDED)],
)
def test_no_more_allows_less_and_a_little_above(mean, verdict):
    finding = Difference("a", "b", METRIC, 0.1, "no more")(arms(a=mean, b=1.0))
    assert finding.verdict == verdict
    assert "at most +0.1" in finding.sentence


def test_the_interval_of_a_sum_of_shares_ends_where_the_sum_can_be():
    rows = results(a=[1.0, 0.0, 0.9], b=[0.9, 0.1, 1.0])
    finding = Contrast("both", {"a": 1, "b": 2}, METRIC, 0.1)(rows)
    assert (finding.low, finding.high) == (0.0, 3.0)
    finding = Contrast("gap", {"a": 0.5, "b": -0.5}, METRIC, 0.1)(
        results(a=[1.0, 0.0, 0.9], b=[0.0, 1.0, 0.0])
    )
    assert (finding.low, finding.high) == (-0.5, 0.5)


def test_a_contrast_needs_all_its_arms_and_every_number():
    test = Contrast("gap", {"a": 1, "b": -1}, METRIC, 0.1)
    assert "b has not been run" in test(results(a=[1.0, 2.0, 3.0])).sentence
    lost = test(results(a=[1.0, 2.0, 3.0], b=[1.0, None, 1.0]))
    assert lost.verdict == UNDECIDED and "seed 1" in lost.sentence
