"""`kit share`: from a file to a model of shared maps that can be used further."""

import json
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from kit import cli
from kit.compression import commands, outcome
from kit.compression import share as work
from kit.compression.models import open_model
from kit.compression.tasks import read_task
from kit.config import ModelConfig
from kit.data.tokenizers import CharacterTokenizer, write_tokenizer
from kit.models import build, generate
from kit.sharing import (
    MEASURES,
    RULES,
    Choice,
    DistillationConfig,
    MapSimilarity,
    Record,
    Savings,
    attend_copy_adjust,
)
from kit.training import token_cross_entropy
from tests.cases import shake

LETTERS = "abcdefghijklmnopqrstuvwxyz ,.\n"
TEXT = "it was many and many a year ago, in a kingdom by the sea.\n" * 40


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small model with its tokenizer, and a text."""
    path = tmp_path_factory.mktemp("saved")
    config = ModelConfig.uniform(
        5, width=16, vocabulary_size=len(LETTERS), context_length=16
    )
    shake(build(config), seed=1).save(path / "gpt.keras")
    write_tokenizer(CharacterTokenizer(LETTERS), path / "tokenizer.json")
    (path / "sea.txt").write_text(TEXT)
    return path


@pytest.fixture
def folder(saved, tmp_path, monkeypatch):
    """A copy of them in the current folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    return tmp_path


def kit_share(*extra, model="gpt.keras", text="sea.txt", out="small"):
    arguments = ["share", str(model), "--data", text, "--out", out, *extra]
    return cli.main(arguments)


def left_in(folder):
    return sorted(path.name for path in Path(folder).rglob("*"))


@pytest.mark.slow
def test_what_it_saves_and_tells_is_what_was_done(folder, capsys):
    assert kit_share("--steps", "8", "--sequences", "2", "--batch-size", "4") == 0
    shown = capsys.readouterr().out
    small, old = open_model("small"), open_model("gpt.keras")
    record = json.loads(Path("small/record.json").read_text())
    losses, choices = record["record"]["losses"], record["record"]["choices"]
    # Who copies, by hand.
    task, _ = read_task(old, "sea.txt")
    how = {"distilling": None, "adjusting": None, "sequences": 2}
    _, by_hand = attend_copy_adjust(old.model, task, 0.4, **how)
    sources = {c["block"]: c["source"] for c in choices if c["source"] is not None}
    assert sources == by_hand.copies and len(sources) == 2
    assert [b.copies_map_from for b in small.model.config.blocks] == [
        sources.get(block) for block in range(5)
    ]
    assert losses["copied"] == pytest.approx(by_hand.losses["copied"], rel=1e-5)
    # What is told is what was measured.
    for model, name in ((old.model, "before"), (small.model, "adjusted")):
        inputs, targets = task.validation()
        loss = float(token_cross_entropy(targets, model(inputs)))
        assert losses[name] == pytest.approx(loss, rel=1e-4)
        assert f"{losses[name]:.4f}" in shown
    assert record["after"]["parameters"] == small.model.count_params()
    saved = old.model.count_params() - small.model.count_params()
    assert record["record"]["saved"] == record["record"]["formula"]
    assert record["record"]["saved"]["parameters"] == saved
    assert f"{saved:,}" in shown and "the last 20% of sea.txt" in shown
    assert record["settings"]["adjusting"]["steps"] == 2
    assert small.tokenizer.fingerprint == old.tokenizer.fingerprint
    page = Path("small/page.html").read_text("utf-8")
    assert f"{losses['distilled']:.4f}" in page
    assert (page.count("<figure>"), page.count("<table>")) == (4, 4)
    assert re.findall(r"(?:src|srcset|href)=\"(?!data:)", page) == []


@pytest.mark.slow
def test_a_trained_model_is_saved_without_its_optimizer(folder):
    few = ["--steps", "2", "--adjust-steps", "1", "--sequences", "2"]
    assert kit_share("--blocks", "2", *few) == 0
    model = keras.saving.load_model("small/model.keras")
    assert not model.compiled
    record = json.loads(Path("small/record.json").read_text())
    assert record["after"]["parameters"] == model.count_params()


@pytest.mark.slow
def test_a_shared_model_is_shared_again(folder):
    none = ["--steps", "0", "--sequences", "2"]
    assert kit_share("--blocks", "2", *none) == 0
    assert left_in("small") == [
        "model.keras",
        "page.html",
        "record.json",
        "tokenizer.json",
    ]
    assert kit_share("--blocks", "1,4", *none, model="small", out="smaller") == 0
    found = open_model("smaller").model.config.blocks
    assert [block.copies_map_from for block in found] == [None, 0, 0, None, 3]
    ids = np.arange(4)[None]
    assert generate(open_model("smaller").model, ids, steps=3).shape == (1, 7)


@pytest.mark.parametrize(
    "extra, told",
    [
        (["--rate", "1"], "rate=1 of 5 blocks"),
        (["--rate", "0.05"], "rate=0.05 of 5 blocks"),
        (["--rule", "most-simular"], "Did you mean 'most-similar'?"),
        (["--measure", "cosin"], "Did you mean 'cosine'?"),
        (["--blocks", "0"], "has none before it"),
        (["--blocks", "1;2"], "'1;2' is no list of blocks"),
        (["--blocks", "²"], "'²' is no list of blocks"),
        (["--seed", "-1"], "error: seed=-1 is not from 0 to 2^64 - 1. Use a seed from"),
        (["--seed", "99999999999999999999999"], "is not from 0 to 2^64 - 1"),
        (["--batch-size", str(10**18)], "this does not fit into memory (Unable"),
        (["--labels", "both"], "labels 'both'"),
        (["--divergence", "back"], "divergence 'back'"),
        (["--weights", "1,2"], "--weights '1,2' is not three numbers. Give such as"),
        (["--weights", "1,2,x"], "--weights '1,2,x' is not three numbers"),
        (["--weights", "1,-2,0"], "soft=-2.0 is not a number from 0"),
        (["--weights", "0,0,0"], "leave nothing to learn"),
        (["--steps", "-1"], " steps=-1"),
        (["--adjust-steps", "-3"], " adjust_steps=-3"),
        (["--blocks", "9"], "no block 9 with an attention map of its own"),
        (["--batch-size", "0"], "batch_size=0"),
        (["--batch-size", "-1", "--steps", "0"], "batch_size=-1"),
        (["--learning-rate", "0"], "learning_rate=0"),
        (["--sequences", "0"], "sequences=0"),
        (["--length", "1"], "length=1"),
        (["--out", "gpt.keras"], "gpt.keras is a file"),
        (["--length", "8", "--data", "rows.npy"], "sequences of 8 and 16 tokens"),
        (["--data", "none.txt"], "'none.txt' is no corpus and no file"),
        (["--data", "short.txt"], "too short to measure anything"),
        (["--data", "large.npy"], "outside the model's vocabulary"),
        (["--data", "floats.npy"], "hold float64 numbers"),
        (["--evaluate", "none.txt"], "'none.txt' is no corpus and no file"),
        (["--tokenizer", "words.txt"], "words.txt has 4 different characters"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(extra, told, folder, capsys):
    Path("short.txt").write_text("too short")
    Path("words.txt").write_text("abcd")
    np.save("large.npy", np.full(900, 99))
    np.save("floats.npy", np.full(900, 0.5))
    np.save("rows.npy", np.ones((20, 16), int))
    before = left_in(".")
    assert kit_share(*extra) == 2
    output, errors = capsys.readouterr()
    assert errors.startswith("error: ") and errors.count("\n") == 1
    assert told in errors
    assert left_in(".") == before


@pytest.mark.parametrize("option", ["--rule", "--measure"])
def test_a_wrong_name_is_told_before_the_model_is_read(option, folder, capsys):
    assert kit_share(option, "random walk", model="none.keras") == 2
    assert f"unknown {option[2:]} 'random walk'" in capsys.readouterr().err


def test_what_is_there_is_kept(folder, capsys):
    Path("small").mkdir()
    Path("small/record.json").write_text("mine")
    assert kit_share() == 2
    assert "small holds record.json already" in capsys.readouterr().err
    assert Path("small/record.json").read_text() == "mine"


@pytest.fixture
def asked(monkeypatch):
    """How the model is to be shared, call by call; nothing is done."""
    found = []

    def looked(*_, **how):
        found.append(how)
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "attend_copy_adjust", looked)
    return found


def test_no_more_sequences_than_the_text_holds(folder, asked):
    np.save("rows.npy", np.ones((20, 16), int))
    for text, count in (("sea.txt", 10**12), ("rows.npy", 10**12), ("sea.txt", 3)):
        assert kit_share("--sequences", str(count), text=text) == 130
    numbers = [how["sequences"] for how in asked]
    assert numbers == [len(TEXT) * 4 // 5 // 16, 16, 3]


def test_what_the_losses_weigh_is_what_was_asked(folder, asked):
    assert kit_share() == 130
    assert kit_share("--weights", "0,0.5,2", "--divergence", "forward") == 130
    assert [how["losses"] for how in asked] == [
        DistillationConfig(),
        DistillationConfig(hidden=0.0, soft=0.5, hard=2.0, divergence="forward"),
    ]


@pytest.mark.parametrize("stage", ["attend_copy_adjust", "save", "render_page"])
def test_ctrl_c_leaves_nothing_half_written(stage, folder, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    if stage == "attend_copy_adjust":
        monkeypatch.setattr(work, stage, interrupted)
    else:
        monkeypatch.setattr(work, "attend_copy_adjust", unchanged)
    if stage == "save":
        monkeypatch.setattr("kit.compression.output.write_tokenizer", interrupted)
    if stage == "render_page":
        monkeypatch.setattr(outcome, stage, interrupted)
    assert kit_share() == 130
    assert "Stopped" in capsys.readouterr().err
    if stage == "render_page":  # the work is not lost
        assert left_in("small") == ["model.keras", "record.json", "tokenizer.json"]
    else:
        assert not Path("small").exists()


def unchanged(model, *_, **__):
    values = {"cosine": np.eye(2)}
    record = Record(
        0.4,
        "random",
        "cosine",
        similarity=MapSimilarity([0, 1], values, values),
        choices=[Choice(0, 1, 1, None, ""), Choice(1, 1, 1, 0, "")],
        saved=Savings(0, 0, 0),
        formula=Savings(0, 0, 0),
        losses={"before": 1.0, "copied": 1.0},
        seconds=dict.fromkeys(["attending", "copying", "all"], 0.0),
    )
    return model, record


def test_the_options_name_every_rule_and_measure():
    assert re.split(", | or ", commands.RULES) == list(RULES)
    assert re.split(", | or ", commands.MEASURES) == list(MEASURES)
