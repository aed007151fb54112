import math

import numpy as np
import pytest

from kit.studies import statistics

# Student (1908), extra hours of sleep, as in R: t.test(extra ~ group, paired = TRUE).
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]


def test_t_interval_and_p_value_of_students_sleep_data():
    estimate, low, high, number = statistics.mean_interval(SLEEP)
    assert number == 10
    assert estimate == pytest.approx(1.58)
    assert (low, high) == pytest.approx((0.7001142, 2.4598858), abs=1e-7)
    p_value = 2 * statistics.t_test(SLEEP, 0.0, "greater")
    assert p_value == pytest.approx(0.002833, abs=1e-6)


def test_the_two_sides_of_a_t_test_add_up_to_one():
    greater = statistics.t_test(SLEEP, 1.0, "greater")
    assert greater + statistics.t_test(SLEEP, 1.0, "less") == pytest.approx(1.0)


def test_one_value_has_no_interval_and_equal_values_one_of_no_width():
    assert statistics.mean_interval([2.0])[1:3] == (-math.inf, math.inf)
    assert statistics.mean_interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0, 3)
    assert statistics.t_test([2.0, 2.0], 2.0, "greater") == 0.0
    assert statistics.t_test([2.0, 2.0], 2.1, "greater") == 1.0


def test_bca_interval_of_a_large_sample_equals_the_t_interval():
    values = np.random.default_rng(0).normal(3.0, 1.0, 400)
    by_t = statistics.mean_interval(values)
    by_bca = statistics.mean_interval(values, method="bca")
    assert by_bca[1:3] == pytest.approx(by_t[1:3], abs=0.01)
    assert by_bca == statistics.mean_interval(values, method="bca")


def test_bca_interval_leans_to_the_long_tail():
    values = np.random.default_rng(1).exponential(size=60)
    mean, low, high, _ = statistics.mean_interval(values, method="bca")
    assert high - mean > mean - low


def test_interval_method_is_checked():
    with pytest.raises(ValueError, match="'t' or 'bca'"):
        statistics.mean_interval([1.0, 2.0], method="z")


# Newcombe (1998), Statistics in Medicine 17, table I: methods 3 and 5.
@pytest.mark.parametrize(
    "successes, runs, wilson, exact",
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_success_intervals_of_newcombe(successes, runs, wilson, exact):
    for method, expected in (("wilson", wilson), ("exact", exact)):
        found = statistics.success_interval(successes, runs, method=method)
        assert found.estimate == successes / runs
        assert found[1:3] == pytest.approx(expected, abs=5.1e-5)


def test_success_test_is_the_binomial_tail():
    expected = 0.9**5
    assert statistics.success_test(5, 5, 0.9, "greater") == pytest.approx(expected)
    assert statistics.success_test(0, 5, 0.1, "less") == pytest.approx(expected)


@pytest.mark.parametrize("pairs, effect", [(33.36713118, 0.5), (14.30276, 0.8)])
def test_smallest_detectable_difference_of_published_sample_sizes(pairs, effect):
    """Cohen's medium and large effect, as G*Power gives them: 34 and 15 pairs."""
    found = statistics.smallest_detectable_difference(2.0, pairs)
    assert found == pytest.approx(2.0 * effect, rel=1e-5)


@pytest.mark.parametrize("pairs, quantile", [(2, 12.706205), (5, 2.776445)])
def test_smallest_detectable_difference_is_seen_in_four_of_five_experiments(
    pairs, quantile
):
    effect = statistics.smallest_detectable_difference(1.0, pairs)
    rng = np.random.default_rng(0)
    samples = rng.normal(effect, 1.0, (20_000, pairs))
    half = quantile * samples.std(axis=1, ddof=1) / math.sqrt(pairs)
    seen = np.abs(samples.mean(axis=1)) > half
    assert seen.mean() == pytest.approx(0.8, abs=0.01)


def test_smallest_detectable_difference_without_spread_or_pairs():
    assert statistics.smallest_detectable_difference(0.0, 5) == 0.0
    assert statistics.smallest_detectable_difference(1.0, 1) == math.inf


def test_holm_by_hand():
    assert statistics.holm([0.04, 0.01, 0.03, 0.005]) == pytest.approx(
        [0.06, 0.03, 0.06, 0.02]
    )
    assert statistics.holm([]) == []
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]


def test_paired_differences_use_common_seeds_in_order():
    first, second = {2: 5.0, 0: 1.0, 7: 9.0}, {0: 0.5, 2: 1.0}
    assert statistics.paired_differences(first, second) == [0.5, 4.0]
