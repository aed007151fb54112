"""`kit list`, `kit start`, `kit check` and `kit hint` from a learner's chair."""

import pytest

from kit.cli import main
from kit.grading.boundary import Outcome
from kit.grading.exercises import exercises, find
from kit.grading.render import render
from kit.grading.results import CheckResult, Result


@pytest.fixture
def folder(tmp_path, capsys):
    path = tmp_path / "work"
    assert main(["start", str(path)]) == 0
    capsys.readouterr()
    return path


@pytest.fixture
def kit(capsys):
    def run(*arguments):
        code = main(list(map(str, arguments)))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def solve(folder, *names, code=None):
    for name in names:
        exercise = find(name)
        path = folder / exercise.relative_path
        path.write_text(code or exercise.reference(), "utf-8")


@pytest.mark.slow
def test_a_right_answer_exits_with_0(folder, kit):
    solve(folder, "causal_mask")
    code, out, _ = kit("check", "causal_mask", "--dir", folder)
    assert code == 0
    assert "1 of 1 points" in out and "FAIL" not in out


def test_a_stub_exits_with_1_and_says_so(folder, kit):
    code, out, _ = kit("check", "attention", "--dir", folder)
    assert code == 1
    assert "not done yet" in out and "kit hint attention" in out


def test_a_wrong_answer_exits_with_1_and_says_why(folder, kit):
    wrong = next(w for w in find("attention").wrong if w.name == "no scale")
    solve(folder, "attention", code=wrong.code)
    code, out, _ = kit("check", "attention", "--dir", folder)
    assert code == 1
    assert "square root of the head's width" in " ".join(out.split())
    assert out.count("square root") == 1, "the cause is told once"


def test_every_failure_without_a_known_cause_is_told():
    failed = [
        CheckResult(
            name, name, False, Outcome.WRONG_VALUE, 0.0, 1.0, 1, 0, 0.1, f"{name} was"
        )
        for name in ("mean", "interval")
    ]
    result = Result("interaction", tuple(failed), 0, "")
    text = "\n".join(line.text for line in render(result, find("interaction")))
    assert "mean was" in text and "interval was" in text and "cause" not in text


@pytest.mark.slow
def test_everything_at_once(folder, kit):
    names = [exercise.id for exercise in exercises()]
    solve(folder, *names)
    code, out, _ = kit("check", "--dir", folder)
    assert code == 0
    assert f"{len(names)} of {len(names)} exercises right" in out
    (folder / find(names[0]).relative_path).unlink()
    code, out, _ = kit("check", "--dir", folder)
    assert code == 1 and "is not there" in out
    code, out, _ = kit("check", "symmetry", "--dir", folder)
    assert code == 1


def test_list_recomputes_the_state(folder, kit):
    solve(folder, "causal_mask")
    solve(folder, "heads", code="def split_heads(x, num_heads):\n    return x\n")
    (folder / find("attention").relative_path).unlink()
    code, out, _ = kit("list", "--dir", folder)
    states = {line.split()[0]: line for line in out.splitlines() if line.split()}
    assert code == 0
    assert states["causal_mask"].rstrip().endswith("right")
    assert "0/4 checks" in states["heads"]
    assert "not started" in states["attention"]
    assert "not done yet" in states["token_loss"]
    solve(folder, "causal_mask", code="def causal_mask(time):\n    return time\n")
    assert "right" not in kit("list", "--dir", folder)[1].split("attention")[0]


def test_list_of_nothing(tmp_path, kit):
    code, out, _ = kit("list", "--dir", tmp_path)
    assert code == 0
    assert out.count("not started") == len(exercises())
    assert all(exercise.title in out for exercise in exercises()), "in 80 columns"
    papers = [line.strip() for line in out.splitlines() if len(line.split()) == 1]
    assert papers == list(dict.fromkeys(e.slug for e in exercises()))


def test_hints_come_one_at_a_time(kit):
    exercise = find("heads")
    told = [kit("hint", "heads", "--level", level)[1] for level in (1, 2, 3)]
    for level, text in enumerate(told, start=1):
        for other in (1, 2, 3):
            assert (exercise.hint(other) in text) == (other == level)
    assert kit("hint", "heads")[1] == told[0]
    assert "--level 2" in told[0] and "--level" not in told[2]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["check", "atention"], "Did you mean 'attention'?"),
        (["hint", "atention"], "Did you mean 'attention'?"),
        (["hint", "attention", "--level", "4"], "--level"),
        (["check", "attention"], "kit start"),
        (["check", "--dir", "notes.txt"], "'notes.txt' is a file"),
        (["list", "--dir", "notes.txt"], "'notes.txt' is a file"),
        (["list", "--dir", "none"], "none does not exist. Run kit start none first"),
    ],
)
def test_mistakes_are_one_line(arguments, said, kit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").touch()
    code, out, err = kit(*arguments)
    assert code == 2
    assert said in err and len(err.splitlines()) == 1 and out == ""


def test_a_file_that_is_not_text_is_one_line(folder, kit):
    (folder / find("attention").relative_path).write_bytes(b"\xff\xfe\x00")
    code, _, err = kit("check", "attention", "--dir", folder)
    assert code == 2
    assert "UTF-8" in err and len(err.splitlines()) == 1


def test_a_syntax_error_is_told_with_its_line(folder, kit):
    solve(folder, "attention", code="def attention(:\n")
    code, out, _ = kit("check", "attention", "--dir", folder)
    assert code == 1
    assert "SyntaxError" in out and "02_attention.py" in out and "line 1" in out


def test_no_colour_no_codes(folder, kit):
    solve(folder, "causal_mask", code="def causal_mask(time):\n    return time\n")
    assert "\x1b" not in kit("check", "causal_mask", "--dir", folder)[1]
