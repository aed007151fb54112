import math
from dataclasses import replace

import pytest
from scipy import stats
from toy import results, row

from kit.studies import STUDIES, load
from kit.studies.claims import (
    AllOf,
    Claim,
    Custom,
    Difference,
    Exact,
    SuccessRate,
    Value,
)
from kit.studies.findings import NOT_REPRODUCED, REPRODUCED, UNDECIDED, Finding
from kit.studies.results import Results
from kit.studies.verdicts import judge


@pytest.mark.parametrize("slug", [*STUDIES])
def test_every_statement_can_be_read_alone(slug):
    """In the README each is a line of a table, and a list sorted by verdict has it
    without its neighbours."""
    for claim in load(slug).claims:
        first = claim.statement.split()[0]
        assert not first.islower() or first == "alpha", claim.statement
        assert first not in {"So", "It", "They", "There", "But"}, claim.statement
        assert not claim.statement.endswith(".")


def half_width(deviation, number):
    """Half of the t interval of values with this standard deviation."""
    return stats.t.ppf(0.975, number - 1) * deviation / math.sqrt(number)


# [-d, 0, d] + center: mean `center`, standard deviation d, three seeds.
def three(center, deviation):
    return [center - deviation, center, center + deviation]


@pytest.mark.parametrize("gap, verdict", [(1.01, REPRODUCED), (0.99, UNDECIDED)])
def test_value_at_least_turns_where_the_low_end_meets_the_bound(gap, verdict):
    mean = 0.5 + gap * half_width(0.01, 3)
    finding = Value("a", "accuracy", at_least=0.5)(results(a=three(mean, 0.01)))
    assert finding.verdict == verdict
    assert finding.estimate == pytest.approx(mean)
    assert finding.high - finding.low == pytest.approx(2 * half_width(0.01, 3))
    assert (finding.seeds, finding.runs) == (3, 3)


@pytest.mark.parametrize("gap, verdict", [(1.01, NOT_REPRODUCED), (0.99, UNDECIDED)])
def test_value_at_least_turns_where_the_high_end_meets_the_bound(gap, verdict):
    mean = 0.5 - gap * half_width(0.01, 3)
    finding = Value("a", "accuracy", at_least=0.5)(results(a=three(mean, 0.01)))
    assert finding.verdict == verdict


def test_at_most_mirrors_at_least():
    values = [0.1, 0.3, 0.35, 0.2]
    for bound in (-0.2, 0.0, 0.2, 0.25, 0.4, 0.6):
        upper = Value("a", "accuracy", at_most=bound)(results(a=values))
        mirrored = results(a=[-value for value in values])
        lower = Value("a", "accuracy", at_least=-bound)(mirrored)
        assert upper.verdict == lower.verdict
        assert upper.p_value == pytest.approx(lower.p_value)


def test_equal_values_on_the_bound_meet_it():
    assert Value("a", "accuracy", 1.0)(results(a=[1.0] * 3)).verdict == REPRODUCED
    assert Value("a", "accuracy", 1.1)(results(a=[1.0] * 3)).verdict == NOT_REPRODUCED


def test_verdict_and_p_value_agree():
    """The 95% interval excludes the bound exactly when p < 0.05."""
    for gap in (0.2, 0.9, 0.99, 1.01, 1.1, 5):
        for side in (1, -1):
            mean = 0.5 + side * gap * half_width(0.1, 3)
            finding = Value("a", "accuracy", 0.5)(results(a=three(mean, 0.1)))
            assert (finding.p_value < 0.05) == (finding.verdict != UNDECIDED)


@pytest.mark.parametrize("number", [1, 2])
def test_fewer_than_three_seeds_are_undecided(number):
    found = results(a=[0.99] * number, b=[0.1] * number)
    for test in (
        Value("a", "accuracy", 0.5),
        Difference("a", "b", "accuracy", 0.1),
        SuccessRate(["a"], "accuracy", 0.9, at_most=0.99),
        Exact(["a"], "accuracy", 0.5),
        Custom(lambda r: Finding(REPRODUCED, "Yes.", seeds=number)),
        AllOf([Value("a", "accuracy", 0.5)]),
    ):
        assert test(found).verdict == UNDECIDED
    assert f"{number} seeds" in Exact(["a"], "accuracy", 0.5)(found).sentence


def test_arms_that_were_not_run_are_undecided_by_name():
    for test in (
        Value("b", "accuracy", 0.5),
        Difference("a", "b", "accuracy", 0.1),
        Difference("b", "a", "accuracy", 0.1),
        SuccessRate(["a", "b"], "accuracy", 0.9, at_most=0.99),
        Exact(["a", "b"], "accuracy", 0.5),
    ):
        finding = test(results(a=[0.9] * 3))
        assert finding.verdict == UNDECIDED
        assert "Arm b has not been run" in finding.sentence


def test_a_run_without_a_value_is_not_left_out():
    finding = Value("a", "accuracy", 0.5)(results(a=[0.9, 0.9, 0.9, None]))
    assert finding.verdict == UNDECIDED
    assert "seed 3" in finding.sentence


def test_difference_is_paired():
    """Seeds differ by far more than the arms, which differ alike in every seed."""
    low, high = [0.1, 0.5, 0.9], [0.2, 0.6, 1.001]
    finding = Difference("b", "a", "accuracy", 0.05)(results(a=low, b=high))
    assert finding.verdict == REPRODUCED
    assert finding.estimate == pytest.approx((0.1 + 0.1 + 0.101) / 3)
    assert (finding.seeds, finding.runs) == (3, 6)
    back = Difference("a", "b", "accuracy", 0.05, "less")(results(a=low, b=high))
    assert back.verdict == REPRODUCED
    other = Difference("a", "b", "accuracy", 0.05)(results(a=low, b=high))
    assert other.verdict == NOT_REPRODUCED


def test_difference_smaller_than_the_smallest_effect_is_not_reproduced():
    found = results(a=[0.1, 0.2, 0.3], b=[0.12, 0.221, 0.32])
    assert Difference("b", "a", "accuracy", 0.01)(found).verdict == REPRODUCED
    assert Difference("b", "a", "accuracy", 0.02)(found).verdict == UNDECIDED
    assert Difference("b", "a", "accuracy", 0.05)(found).verdict == NOT_REPRODUCED


def test_difference_says_what_the_design_can_see():
    found = results(a=[0.0] * 5, b=[0.1, 0.2, 0.3, 0.4, 0.5])
    sentence = Difference("b", "a", "accuracy", 0.05)(found).sentence
    # d = 1.6827 for 5 pairs at power 0.8, times the standard deviation of 0.15811.
    assert "design can see: 0.266" in sentence


@pytest.mark.parametrize(
    "shift, verdict",
    [(0.0, REPRODUCED), (0.08, UNDECIDED), (0.2, NOT_REPRODUCED)],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_same_needs_the_whole_interval_inside(shift, verdict, sign):
    found = results(a=[0.0] * 3, b=three(sign * shift, 0.01))
    finding = Difference("b", "a", "accuracy", 0.1, "same")(found)
    assert finding.verdict == verdict
    assert (finding.p_value < 0.05) == (verdict != UNDECIDED)


def test_success_rate_counts_a_diverged_run_as_a_failure():
    found = results(a=[0.99, 1.0, None], b=[0.995, 0.5, 1.0])
    finding = SuccessRate(["a", "b"], "accuracy", 0.99, at_least=0.9)(found)
    assert finding.estimate == pytest.approx(4 / 6)
    assert (finding.seeds, finding.runs) == (3, 6)
    assert "4 of 6 runs reach accuracy 0.99" in finding.sentence


def test_success_rate_does_not_count_a_good_value_of_a_run_that_diverged_later():
    rows = [row("a", seed, 1.0) for seed in range(4)]
    rows.append(row("a", 4, 1.0, status="diverged"))
    finding = SuccessRate(["a"], "accuracy", 0.99, at_least=0.5)(Results(rows))
    assert finding.estimate == 0.8


def test_success_rate_of_five_in_five_by_wilson_and_exactly():
    found = results(a=[1.0] * 5)
    half = SuccessRate(["a"], "accuracy", 0.99, at_least=0.5)
    assert half(found).verdict == REPRODUCED  # Wilson's low end is 0.566
    exact = SuccessRate(["a"], "accuracy", 0.99, at_least=0.5, interval="exact")
    assert exact(found).verdict == UNDECIDED  # Clopper and Pearson's is 0.478
    never = SuccessRate(["a"], "accuracy", 0.99, at_most=0.5)
    assert never(found).verdict == NOT_REPRODUCED


def test_exact_needs_every_run():
    assert Exact(["a"], "accuracy", at_most=0.2)(results(a=[0.1, 0.2, 0.0])) == Finding(
        REPRODUCED,
        "3 of 3 runs have accuracy at most 0.2; the extreme is 0.2.",
        estimate=0.2,
        low=0.0,
        high=0.2,
        seeds=3,
        runs=3,
        brief="3 of 3 runs",
    )
    finding = Exact(["a", "b"], "accuracy", 0.2)(results(a=[0.3] * 3, b=[0.3, 0.1, 1]))
    assert (finding.verdict, finding.estimate) == (NOT_REPRODUCED, 0.1)
    assert finding.sentence.startswith("5 of 6 runs")


def test_all_of_takes_the_weakest_part():
    found = results(a=[0.9, 0.9, 0.901])
    yes, no = Value("a", "accuracy", 0.5), Value("a", "accuracy", 0.95)
    unsure = Value("a", "accuracy", 0.9003)
    assert AllOf([yes, yes])(found).verdict == REPRODUCED
    assert AllOf([yes, unsure])(found).verdict == UNDECIDED
    assert AllOf([unsure, no, yes])(found).verdict == NOT_REPRODUCED
    assert AllOf([AllOf([unsure, yes]), yes])(found).brief.count("at worst") == 1
    finding = AllOf([yes, unsure])(found)
    assert finding.p_value == unsure(found).p_value
    assert finding.runs == 6
    assert "at least 0.5" in finding.sentence and "at least 0.9." in finding.sentence


def test_several_claims_are_corrected_by_holm():
    """Alone each claim has p = 0.04, which is too much for the least of three."""
    deviation = 0.1
    edge = stats.t.ppf(1 - 0.04 / 2, 2) * deviation / math.sqrt(3)
    found = results(a=three(0.5 + edge, deviation))
    claim = Claim("C", "", "", Value("a", "accuracy", 0.5))
    assert judge([claim], found)[0].verdict == REPRODUCED
    assert judge([claim], found)[0].p_value == pytest.approx(0.04)
    three_verdicts = judge([claim] * 3, found)
    assert {verdict.verdict for verdict in three_verdicts} == {UNDECIDED}
    assert three_verdicts[0].p_value == pytest.approx(0.12)
    assert "among 3 tested claims" in three_verdicts[0].sentence
    exact = Claim("D", "", "", Exact(["a"], "accuracy", 0.1))
    assert judge([claim, exact, exact], found)[0].verdict == REPRODUCED


def test_a_verdict_is_json_even_without_an_interval():
    claim = Claim("C", "what", "where", Value("a", "accuracy", 0.5), "how sure")
    (verdict,) = judge([claim], results(a=[0.7]))
    fields = verdict.to_dict()
    assert list(fields)[:4] == ["claim", "verdict", "estimate", "low"]
    assert (fields["low"], fields["high"], fields["estimate"]) == (None, None, 0.7)
    assert fields["source"] == "where" and fields["evidence"] == "how sure"


def test_tests_without_meaning_are_refused():
    with pytest.raises(ValueError, match="exactly one"):
        Value("a", "accuracy", 0.5, 0.6)(results(a=[1.0]))
    with pytest.raises(ValueError, match="above 0"):
        Difference("a", "b", "accuracy", 0.0)
    with pytest.raises(ValueError, match="sideways"):
        Difference("a", "b", "accuracy", 0.1, "sideways")


def test_the_interval_of_a_share_ends_at_0_and_1():
    values = [0.1, 0.95, 0.99]
    shares = Value("a", "accuracy", at_least=0.5)(results(a=values))
    assert (shares.low, shares.high) == (0.0, 1.0)
    assert "(95% interval 0 to 1)" in shares.sentence
    rows = [
        replace(each, metrics={"loss": each.metrics["accuracy"]})
        for each in results(a=values).rows
    ]
    losses = Value("a", "loss", at_least=0.5)(Results(rows))
    assert losses.low < 0 and losses.high > 1
    assert (shares.verdict, shares.p_value) == (losses.verdict, losses.p_value)
    # Beyond any share lies no bound, but the verdict is that of the whole interval.
    assert Value("a", "accuracy", at_least=-0.1)(results(a=values)).verdict == UNDECIDED


def test_the_difference_of_shares_stays_between_minus_1_and_1():
    found = results(a=[0.0, 0.9, 0.1], b=[1.0, 0.0, 0.9])
    finding = Difference("b", "a", "accuracy", 0.1)(found)
    assert (finding.low, finding.high) == (-1.0, 1.0)
    assert "-1 to +1" in finding.sentence
    assert "This design can see no difference, however large." in finding.sentence
    same = Difference("b", "a", "accuracy", 0.1, "same")(found)
    assert (same.low, same.high, same.verdict) == (-1.0, 1.0, UNDECIDED)


def test_one_run_of_a_share_has_no_interval_still():
    finding = Value("a", "accuracy", at_least=0.5)(results(a=[0.9]))
    assert (finding.low, finding.high) == (-math.inf, math.inf)


@pytest.mark.parametrize(
    "arm, minus, verdict",
    [
        ([0.01, 0.02, 0.012], [0.01, 0.02, 0.012], UNDECIDED),  # floor against floor
        ([0.41, 0.42, 0.412], [0.01, 0.02, 0.012], UNDECIDED),  # better, but failing
        ([0.91, 0.92, 0.912], [0.01, 0.02, 0.012], REPRODUCED),
        ([0.01, 0.02, 0.012], [0.91, 0.92, 0.912], NOT_REPRODUCED),
        ([0.91, 0.92, 0.912], [0.91, 0.92, 0.912], NOT_REPRODUCED),
    ],
)
def test_two_arms_that_both_fail_tell_nothing(arm, minus, verdict):
    found = results(a=arm, b=minus)
    finding = Difference("a", "b", "accuracy", 0.1, one_reaches=0.5)(found)
    assert finding.verdict == verdict
    both_fail = max(*arm, *minus) < 0.5
    assert ("Both fail" in finding.sentence) == both_fail
    if both_fail:
        assert finding.p_value == 1.0  # it counts among the tested claims


def test_a_finding_has_its_number_in_a_few_words():
    found = results(a=[0.2, 0.2, 0.2], b=[0.6, 0.6, 0.6])
    briefs = [
        Value("a", "accuracy", at_least=0.5, form=".0%")(found).brief,
        Difference("b", "a", "accuracy", 0.1, form=".1f")(found).brief,
        SuccessRate(["a", "b"], "accuracy", 0.5, at_least=0.1)(found).brief,
        Exact(["a", "b"], "accuracy", at_least=0.5)(found).brief,
    ]
    assert briefs == [
        "mean accuracy 20%",
        "accuracy +0.4",
        "3 of 6 runs",
        "3 of 6 runs",
    ]
