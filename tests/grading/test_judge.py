"""Verdicts: right is right, wrong is named, and no trick earns a point."""

import numpy as np
import pytest

from kit.grading.boundary import Outcome, Reply
from kit.grading.compare import error, same
from kit.grading.judge import judge
from kit.grading.launch import launch
from kit.grading.oracle import oracle
from kit.grading.results import Result, score
from tests.grading.toy import toy

HEAD = "import numpy as np\n"


@pytest.fixture(scope="module")
def exercise(tmp_path_factory):
    return toy(tmp_path_factory.mktemp("symmetry"))


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """The same with a short limit, for what never ends."""
    return toy(tmp_path_factory.mktemp("symmetry"), seconds=0.3)


@pytest.fixture(scope="module")
def master(exercise):
    with oracle(exercise) as running:
        yield running


@pytest.fixture
def verdict(exercise, master):
    def run(body, exercise=exercise, **options):
        source = body if "def double" in body else f"def double(x):\n{indented(body)}"
        return judge(exercise, HEAD + source, known_oracle=master, **options)

    return run


def indented(body):
    return "\n".join(f"    {line}" for line in body.splitlines())


def by_id(result):
    return {check.id: check for check in result.checks}


def test_right_answers_get_all_points(verdict):
    result = verdict("return x + x")
    assert result.passed and result.outcome is Outcome.PASS
    assert result.earned == result.points == 4
    assert [check.cases_run for check in result.checks] == [1, 3, 1, 1]
    assert all(check.message == "" for check in result.checks)


# Each of these must earn nothing, with this outcome of the check `values`.
LYING_ARRAY = """
class Liar(np.ndarray):
    def __array_function__(self, function, types, args, kwargs):
        return True
    def __eq__(self, other):
        return True

def double(x):
    return np.zeros_like(x).view(Liar)
"""
LYING_OBJECT = """
import sys

class Liar:
    def __array__(self, dtype=None, copy=None):
        frame = sys._getframe()
        while frame:
            for name in ("expected", "want", "desired"):
                if name in frame.f_locals:
                    return np.asarray(frame.f_locals[name])
            frame = frame.f_back
        return np.zeros(3, "float32")

def double(x):
    return Liar()
"""
MEMOISED = """
first = {}

def double(x):
    if x.shape not in first:
        first[x.shape] = np.float32(2) * np.ones(x.shape, "float32")
    return first[x.shape]
"""
FORGED_FRAMES = """
import os
import stat

def double(x):
    for handle in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(handle).st_mode):
                os.write(handle, bytes(4096))
        except OSError:
            pass
    return np.zeros_like(x)
"""
PATCHED = """
import keras
np.allclose = np.array_equal = lambda *args, **kwargs: True
np.testing.assert_allclose = lambda *args, **kwargs: None
np.abs = lambda x: np.zeros_like(x)
keras.ops.softmax = lambda x: x

def double(x):
    return x * 3
"""
CLOCK = """
import time
time.monotonic = time.perf_counter = time.time = lambda: 0.0

def double(x):
    while True:
        pass
"""
TRICKS = {
    "lying array": (LYING_ARRAY, "wrong_value"),
    "lying object": (LYING_OBJECT, "wrong_value"),
    "memoised": (MEMOISED, "wrong_value"),
    "forged frames": (FORGED_FRAMES, "protocol"),
    "patched libraries": (PATCHED, "wrong_value"),
    "frozen clock": (CLOCK, "timeout"),
    "endless loop": ("while True:\n    pass", "timeout"),
    "sleep": ("import time\ntime.sleep(60)", "timeout"),
    "catches everything": (
        "while True:\n    try:\n        while True: pass\n"
        "    except BaseException: pass",
        "timeout",
    ),
    "os._exit(0)": ("import os\nprint('PASSED')\nos._exit(0)", "exited"),
    "kills itself": ("import os\nos.kill(os.getpid(), 9)", "exited"),
    "sys.exit": ("import sys\nsys.exit(0)", "raised"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "raised"),
    "deep recursion": ("return double(x)", "raised"),
    "in place": ("x *= 2\nreturn x", "raised"),
    "in place, forced": ("x.flags.writeable = True\nx *= 2\nreturn x", "raised"),
    "NaN": ("return x * np.nan", "not_finite"),
    "infinity": ("return x + np.inf", "not_finite"),
    "NaN of another shape": ("return np.full(7, np.nan)", "not_finite"),
    "column": ("return 2 * x[:, None]", "wrong_shape"),
    "broadcast to 4 TiB": (
        "return np.broadcast_to(np.float32(1), (1 << 20, 1 << 20))",
        "wrong_shape",
    ),
    "ragged": ("return [[1.0], [1.0, 2.0]]", "wrong_shape"),
    "nothing": ("pass", "wrong_shape"),
    "pair": ("return 2 * x, 2 * x", "wrong_shape"),
    "truth values": ("return x > 0", "wrong_dtype"),
    "complex": ("return 2j * x", "wrong_dtype"),
    "objects": ("return np.array([object()] * len(x))", "wrong_dtype"),
    "text": ("return ['2'] * len(x)", "wrong_dtype"),
    "memory": ("return np.ones(1 << 38)", "memory"),
    "prints without end": ("while True:\n    print('x' * 9999)", "output_limit"),
    "not a function": ("double = 3  # def double", "missing"),
    "another name": ("def duoble(x):  # def double\n    return 2 * x", "missing"),
    "a stub": ("raise NotImplementedError('double is not done yet')", None),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TRICKS)
def test_no_trick_earns_a_point(name, verdict, exercise, hasty):
    body, outcome = TRICKS[name]
    result = verdict(body, hasty if outcome == "timeout" else exercise)
    assert by_id(result)["values"].outcome == (outcome or "not_implemented")
    assert result.earned == 0 and not result.passed


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


SEARCH = """
seen = []

def find(pieces):
    # Side by side these bytes are what is looked for; here each lies on its own.
    first, *rest = [piece.tobytes() for piece in pieces]
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if "r" not in rights or "[v" in line:
                continue
            memory.seek(start)
            data = memory.read(end - start)
            at = data.find(first)
            while at >= 0:
                ends = range(at + 4, at + 4 + 4 * len(rest), 4)
                if all(data[i : i + 4] == piece for i, piece in zip(ends, rest)):
                    return True
                at = data.find(first, at + 1)
    return False

def double(x):
    for old in [old for old in seen if len(old) == 3]:
        print("input found:", find(list(old)))
        print("expected found:", find([2 * value for value in old]))
    seen[:] = [x]
    return np.zeros_like(x)
"""


@pytest.mark.slow
@pytest.mark.skipif("sys.platform != 'linux'", reason="reads /proc")
def test_an_expected_value_never_enters_the_child(verdict):
    # The child looks through all of its own memory, when the judge already knows what
    # was expected for an earlier input. That it finds the input shows that it can look.
    printed = verdict(SEARCH).printed
    assert "input found: True" in printed
    assert "expected found: False" in printed
    assert "expected found: True" not in printed


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
