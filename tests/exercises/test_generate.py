"""What learners get is generated, gives nothing away, and overwrites nothing."""

import json
import random
from functools import cache

import pytest

from kit.cli import main
from kit.errors import KitError
from kit.grading import generate as generator
from kit.grading.exercises import exercises, find
from kit.grading.generate import exercise_file, generate
from kit.grading.leaks import leaks, shipped_text
from kit.paths import shipped

EXERCISES = exercises()
ROOT = shipped("exercises")


@pytest.mark.slow
def test_regenerating_changes_nothing(tmp_path):
    texts = {path.relative_to(tmp_path): t for path, t in generate(tmp_path).items()}
    there = {p.relative_to(ROOT): p.read_text("utf-8") for p in ROOT.rglob("*.py")}
    assert texts == there, "run python -m kit.grading.generate"


@pytest.mark.slow
@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_nothing_given_to_learners_contains_an_answer(exercise):
    assert [found for text in given() if (found := leaks(exercise, text))] == []


@cache
def given():
    """Everything that learners can read."""
    texts = [exercise_file(exercise) for exercise in EXERCISES]
    texts += [shipped_text(exercise) for exercise in EXERCISES]
    return texts + [path.read_text("utf-8") for path in documents()]


def documents():
    """What is written for learners outside of the exercises."""
    home = ROOT.parent
    yield from home.glob("*.md")
    yield from (home / "notebooks").glob("*.ipynb")
    yield from (home / "notebooks").glob("*.py")


def planted(secret):
    """The same secret in all the places where it could slip through."""
    line = next(x for x in secret.splitlines() if "softmax" in x and "return" in x)
    renamed = secret.replace("scores", "s").replace("query", "q").replace("value", "v")
    yield "as a comment", f"# Hint 3\n# {line.strip()}\n"
    yield "in prose", f"Write `{line.strip()}` and you are done."
    yield "with other names", renamed
    cell = {"cell_type": "code", "source": secret.splitlines(keepends=True)}
    yield "in a notebook", json.dumps({"cells": [cell]})
    output = {"cell_type": "code", "source": [], "outputs": [{"text": line}]}
    yield "in an output", json.dumps({"cells": [output]})


def test_the_gate_finds_planted_answers():
    exercise = find("attention")
    for where, text in planted(exercise.reference()):
        assert leaks(exercise, text), where
    for answer in exercise.right:
        assert leaks(exercise, answer.code)


def test_the_generator_refuses_to_give_an_answer_away(tmp_path, monkeypatch):
    def chatty(exercise):
        return exercise_file(exercise) + exercise.reference()

    monkeypatch.setattr(generator, "exercise_file", chatty)
    with pytest.raises(KitError, match="gives away"):
        generate(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_start_never_changes_what_is_there(tmp_path, capsys):
    """Whatever a learner has done to the folder, every byte of it stays."""
    rng = random.Random(0)
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        assert main(["start", str(folder)]) == 0
        paths = sorted(folder.rglob("*.py"))
        for path in paths:
            fate = rng.choice(["edited", "deleted", "kept", "emptied"])
            if fate == "deleted":
                path.unlink()
            elif fate != "kept":
                path.write_bytes(rng.randbytes(40) if fate == "edited" else b"")
        before = {path: path.read_bytes() for path in folder.rglob("*.py")}
        capsys.readouterr()
        assert main(["start", str(folder)]) == 0
        told = capsys.readouterr().out
        assert f"{len(before)} kept" in told
        for path, content in before.items():
            assert path.read_bytes() == content
            assert f"kept  {path}" in told
        assert sorted(folder.rglob("*.py")) == paths


def test_start_does_not_follow_a_link_out_of_the_folder(tmp_path):
    outside = tmp_path / "outside.py"
    link = tmp_path / "work" / EXERCISES[0].relative_path
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    assert main(["start", str(tmp_path / "work")]) == 0
    assert not outside.exists()


def test_start_in_a_file_is_one_line(tmp_path, capsys):
    (tmp_path / "work").write_text("mine")
    assert main(["start", str(tmp_path / "work")]) == 2
    assert "Choose a folder" in capsys.readouterr().err
    assert (tmp_path / "work").read_text() == "mine"
