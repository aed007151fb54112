"""Verdicts: right is right, wrong is named, and no trick earns a point."""

import numpy as np
import pytest

from kit.grading.boundary import Outcome, Reply
from kit.grading.compare import error, same
from kit.grading.judge import judge
from kit.grading.launch import launch
from kit.grading.results import Result, score
from tests.grading.toy import HEAD, toy


def by_id(result):
    return {check.id: check for check in result.checks}


def test_right_answers_get_all_points(verdict):
    result = verdict("return x + x")
    assert result.passed and result.outcome is Outcome.PASS
    assert result.earned == result.points == 4
    assert [check.cases_run for check in result.checks] == [1, 3, 1, 1]
    assert all(check.message == "" for check in result.checks)


@pytest.mark.parametrize(
    "body",
    ["import os\nos._exit(0)", "1 / 0", "return", "import nothing_like_it"],
)
def test_a_file_that_does_not_load_earns_nothing(exercise, master, body):
    source = f"{body}\ndef double(x):\n    return 2 * x\n"
    result = judge(exercise, source, known_oracle=master)
    assert result.outcome in (Outcome.IMPORT_ERROR, Outcome.EXITED)
    assert result.earned == 0
    assert all(check.cases_run == 0 for check in result.checks)


def test_forged_results_on_stdout_are_only_text(verdict):
    forged = '{"score": 4, "outcome": "pass", "tests": [{"score": 4}]}'
    result = verdict(f"print('''{forged}''')\nreturn x")
    assert result.earned == 0
    assert forged in result.printed


def test_after_a_hang_other_checks_are_still_run(verdict, hasty):
    body = "while len(x) == 3:\n    pass\nreturn 2 * x"
    checks = by_id(verdict(body, hasty))
    assert checks["values"].outcome is Outcome.TIMEOUT and checks["values"].score == 0
    assert checks["through_the_driver"].cases_run == 1
    assert checks["secret"].cases_run == 1


def test_inputs_are_fresh_in_each_case_and_run(verdict):
    body = "print('saw', repr(x))\nreturn 2 * x"
    runs = [verdict(body).printed for _ in range(2)]
    assert runs[0] != runs[1]
    values = [line for line in runs[0].splitlines() if line.startswith("saw")]
    assert len(set(values)) == len(values)


def test_a_seed_makes_a_run_repeatable(verdict):
    runs = [verdict("print(x)\nreturn x", seed=7) for _ in range(2)]
    assert runs[0].printed == runs[1].printed
    assert [c.message for c in runs[0].checks] == [c.message for c in runs[1].checks]


def test_the_seed_is_drawn_after_loading(exercise, master, monkeypatch):
    events = []
    monkeypatch.setattr("secrets.randbits", lambda bits: events.append("seed") or 1)

    def recording(submission):
        child = launch(submission)
        events.append("loaded")
        return child

    judge(exercise, HEAD, launch=recording, known_oracle=master)
    assert events[:2] == ["loaded", "seed"]


def test_the_driver_comes_without_its_comments(exercise):
    assert "SECRET COMMENT" not in exercise.submission("").driver
    assert "answer.double(answer.double(x))" in exercise.submission("").driver


def test_named_mistakes_are_told(verdict):
    result = verdict("return x * x")
    check = by_id(result)["values"]
    assert check.mistake == "squared"
    assert check.cause == "This is the square."
    for word in ("call", "double(", "returned", "expected", "differs", "3 of 3 cases"):
        assert word in check.message


def test_a_mistake_that_raises_is_told_with_the_learners_line(verdict):
    check = by_id(verdict("y = x\nreturn y.append(y)"))["values"]
    assert check.mistake == "raises"
    assert "line 4, in double: return y.append(y)" in check.message
    assert "child.py" not in check.message


def test_an_unknown_mistake_is_not_given_a_name(verdict):
    check = by_id(verdict("return 2 * x + 1"))["values"]
    assert check.outcome is Outcome.WRONG_VALUE
    assert check.mistake is None


def test_hidden_checks_show_neither_inputs_nor_expectations(verdict):
    body = "print('saw', x)\nif x[0] > 9999: return x + 1\nreturn 2 * x"
    result = verdict(body)
    hidden = by_id(result)["secret"]
    assert hidden.outcome is Outcome.WRONG_VALUE
    shown = hidden.title + hidden.message + hidden.cause + result.printed
    for number in ("12345", "12346", "24691"):
        assert number not in shown


def test_the_result_is_plain_data(verdict):
    import json

    result = verdict("return x * x")
    data = json.loads(json.dumps(result.to_dict()))
    assert data["outcome"] == "wrong_value" and data["mode"] == "practice"
    assert data["checks"][1]["mistake"] == "squared"
    assert len(data["submission_sha256"]) == 64


def test_no_evidence_is_no_pass():
    assert not Result("double", (), 0, "").passed
    assert Result("double", (), 0, "").outcome is Outcome.GRADER_ERROR
    assert score([], [], partial=False) == 0


def test_an_exercise_at_fault_costs_no_points_silently(tmp_path):
    exercise = toy(tmp_path)
    path = exercise.path
    path.write_text(path.read_text().replace("    return 2 * x\n", "    1 / 0\n"))
    from kit.grading.exercises import parse

    result = judge(parse(path), HEAD + "def double(x):\n    return 2 * x\n")
    assert {check.outcome for check in result.checks} == {Outcome.GRADER_ERROR}
    assert "ZeroDivisionError" in result.checks[0].message


@pytest.mark.parametrize(
    "got, want, expected",
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([0.5, 0.0], [0.0, 0.0], 0.5),  # below one: absolute
        ([90.0, 0.0], [100.0, 0.0], 0.1),  # above: relative to the largest
        ([np.inf, 0.0], [np.inf, 0.0], 0.0),
        ([np.nan, 0.0], [np.inf, 0.0], np.inf),
        ([1, 2], [1, 3], np.inf),
    ],
)
def test_errors_are_relative_to_the_largest_value(got, want, expected):
    assert error(np.array(got), np.array(want)) == pytest.approx(expected)


def test_what_was_raised_counts_and_where_does_not():
    a = Reply(Outcome.RAISED, text="ValueError: x\nline 3, in f: g()")
    b = Reply(Outcome.RAISED, text="ValueError: x\nline 9, in f: h()")
    assert same(a, b, 0)
    assert not same(a, Reply(Outcome.RAISED, text="KeyError: x"), 0)
