"""The README does what it says.

Run: every `kit` line of a block, with a model and a text under the names that it gives
(`make reproduce` at the smallest budget), the Python blocks, `kit hint`, `kit check`.
Only parsed: the other commands in sentences and tables. Only looked up: the targets of
`make`, and the files that links name.
"""

import os
import re
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

import pytest
import typer

from kit import cli
from kit.config import ModelConfig
from kit.data.tokenizers import CharacterTokenizer, write_tokenizer
from kit.models import build
from kit.studies import load, readme

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
SHELL = [
    line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines() if line
]
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
KIT = [line for line in SHELL if line.startswith("kit ")]
MAKE = [line for line in SHELL if line.startswith("make ")]


def run(command, folder, **variables):
    """Run a command in an empty folder; its output if it went well."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_shell_line_is_tested_here():
    assert SHELL and len(SHELL) == len(KIT) + len(MAKE)
    assert {kind for kind, _ in BLOCKS} == {"sh", "python"}


def put_down(names, folder):
    """The files that a line reads: a tiny model, or a text of its characters."""
    text = "it was many and many a year ago, in a kingdom by the sea.\n" * 40
    words = CharacterTokenizer(text)
    for name in names:
        if name.endswith(".txt"):
            (folder / name).write_text(text)
        if name.endswith(".keras"):
            sizes = {"vocabulary_size": words.vocabulary_size, "context_length": 16}
            build(ModelConfig.uniform(4, width=16, **sizes)).save(folder / name)
            write_tokenizer(words, folder / "tokenizer.json")


@pytest.mark.slow
@pytest.mark.parametrize("line", KIT)
def test_kit_command(line, tmp_path):
    put_down(line.split(), tmp_path)
    output = run([sys.executable, "-m", *line.split()], tmp_path, KIT_RUNS="runs")
    assert output.strip()


@pytest.mark.parametrize("line", MAKE)
def test_make_target_exists(line):
    planned = run(["make", "--dry-run", *line.split()[1:]], ROOT)
    expected = {
        "make reproduce": "-m kit reproduce symmetry --budget quick",
        "make test": "-m pytest",
    }
    assert expected[line] in planned


@pytest.mark.slow
def test_make_reproduce_end_to_end(tmp_path):
    """What `make reproduce` calls, at the smallest budget."""
    command = [sys.executable, "-m", "kit", "reproduce", "symmetry"]
    output = run([*command, "--budget", "smoke"], tmp_path, KIT_RUNS="runs")
    assert "C2a" in output
    report = tmp_path / re.search(r"Report: (\S+)", output)[1]
    assert "<html" in report.read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "line, code, told",
    [("hint causal_mask", 0, "hint"), ("check causal_mask", 1, "not done yet")],
)
def test_the_commands_of_a_learner(line, code, told, tmp_path):
    run([sys.executable, "-m", "kit", "start"], tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "kit", *line.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, told in done.stdout) == (code, True), done.stdout


@pytest.mark.slow
def test_python_blocks(tmp_path):
    """One after the other: the last goes on with the data of that before it."""
    assert all(len(block.splitlines()) <= 20 for block in PYTHON)
    lines = run([sys.executable, "-c", "".join(PYTHON)], tmp_path).splitlines()
    found = dict(
        line.rsplit(" ", 1) for line in lines if line.startswith(("base", "bl"))
    )
    assert set(found) == {"base", "block 1: attention_skip 1 → 0"}
    assert all(0 <= float(value) <= 1 for value in found.values())
    rows = {
        name: literal_eval(row)
        for name, _, row in (line.partition(": ") for line in lines)
        if name in ("functional", "subclassed")
    }
    assert {name: {*row} - {"step"} for name, row in rows.items()} == {
        "functional": {"sharpness_embedding", "sharpness_head", "sharpness_other"},
        "subclassed": {"sharpness_matrices", "sharpness_vectors"},
    }
    assert all(row["step"] == 16 and min(row.values()) > 0 for row in rows.values())
    (pruned,) = (line.split() for line in lines if line.startswith("pruned: "))
    assert abs(float(pruned[1]) - 0.5) < 0.01 and pruned[2::2] == ["attention"] * 2
    assert (tmp_path / "smaller.keras").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("path", readme.pages(), ids=lambda path: path.parent.name)
def test_verdicts_are_those_of_the_stored_rows(path):
    text = path.read_text("utf-8")
    assert readme.written(text, readme.pages()[path]) == text
    assert "prefix_length None" not in README


def test_files_that_it_names_exist():
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def inline_commands():
    """Every `kit ...` in a sentence or table, and every line of a block."""
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    return sorted({*re.findall(r"`(kit [a-z][^`]*)`", prose), *KIT})


def test_inline_commands_are_found():
    assert "kit reproduce symmetry --budget full" in inline_commands()
    assert "kit hint ID" in inline_commands()


@pytest.mark.parametrize("line", inline_commands())
def test_the_parser_knows_every_command_and_option(line):
    """Each is parsed, and not run: an unknown command, option or study would raise."""
    name, *arguments = line.split()[1:]
    command = typer.main.get_command(cli.app).commands[name]
    context = command.make_context(name, arguments)
    if "slug" in context.params:
        study = load(context.params["slug"])
        assert (context.params["budget"] or "quick") in study.seeds
