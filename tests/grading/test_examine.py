"""Answers for which there is no expected value are examined in the judge."""

import numpy as np

from kit.grading.boundary import Outcome, Reply
from kit.grading.cases import call, floats
from kit.grading.compare import examined
from kit.grading.exercises import find
from kit.grading.report import describe

EXERCISE = find("interaction")


def looked_at(*numbers, outcome=Outcome.ANSWERED, fault=""):
    arrays = (np.array(numbers, "float32"),)
    seen = []
    case = call(
        returns=floats(len(numbers)), examine=lambda array: seen.append(array) or fault
    )
    return examined(case, Reply(outcome, arrays), case.examine), seen


def test_nothing_found_is_a_pass():
    evidence, seen = looked_at(1, 2)
    assert (evidence.outcome, evidence.fault) == (Outcome.PASS, "")
    np.testing.assert_array_equal(seen[0], [1, 2])
    assert not any(line.startswith("found") for line in describe(EXERCISE, evidence, 0))


def test_what_is_found_is_told():
    evidence, _ = looked_at(1, 2, fault="it weighs too much")
    assert evidence.outcome is Outcome.WRONG_VALUE
    assert describe(EXERCISE, evidence, 0)[-1] == "found     it weighs too much"


def test_what_did_not_come_back_is_not_examined():
    for outcome in (Outcome.RAISED, Outcome.NOT_IMPLEMENTED, Outcome.TIMEOUT):
        evidence, seen = looked_at(1, outcome=outcome)
        assert evidence.outcome is outcome and not seen
    evidence, seen = looked_at(np.nan)
    assert evidence.outcome is Outcome.NOT_FINITE and not seen
    assert describe(EXERCISE, evidence, 0)
