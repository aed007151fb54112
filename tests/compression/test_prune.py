"""`kit prune`: from a file to a smaller model that can be used and pruned again."""

import html
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kit import cli
from kit.compression import commands, costs, outcome
from kit.compression import prune as work
from kit.compression.models import open_model
from kit.config import ModelConfig
from kit.data.corpora import CORPORA, Corpus
from kit.data.tokenizers import CharacterTokenizer, write_tokenizer
from kit.models import build
from kit.pretrained import card
from kit.pruning import METHODS, Calibration, prune, sparsity_of
from tests.cases import assert_same, shake

ROOT = Path(__file__).parent.parent.parent
LETTERS = "abcdefghijklmnopqrstuvwxyz ,.\n"
TEXT = "it was many and many a year ago, in a kingdom by the sea.\n" * 40


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A small model with its tokenizer, and a text, in the current folder."""
    monkeypatch.chdir(tmp_path)
    config = ModelConfig.uniform(
        4, width=16, vocabulary_size=len(LETTERS), context_length=16
    )
    shake(build(config), seed=1).save("gpt.keras")
    write_tokenizer(CharacterTokenizer(LETTERS), "tokenizer.json")
    Path("sea.txt").write_text(TEXT)
    return tmp_path


def kit_prune(*extra, model="gpt.keras", text="sea.txt", out="small"):
    arguments = ["prune", str(model), "--calibration", text, "--out", out, *extra]
    return cli.main(arguments)


def left_in(folder):
    return sorted(path.name for path in Path(folder).rglob("*"))


@pytest.mark.slow
def test_the_model_that_it_saves_is_that_of_the_method(folder, capsys):
    assert kit_prune("--sparsity", "0.375") == 0
    shown = capsys.readouterr().out
    small, old = open_model("small"), open_model("gpt.keras")
    record = json.loads(Path("small/record.json").read_text())
    # By hand, on the first four fifths.
    ids = old.tokenizer.encode(TEXT)
    stream = ids[: len(ids) - round(len(ids) / 5)]
    rows = stream[: len(stream) // 16 * 16].reshape(-1, 16)  # below 2048 tokens: all
    data = Calibration(rows, len(rows), len(rows))
    expected, by_hand = prune(old.model, data, 0.375)
    assert record["record"]["parts"] == [str(part) for part in by_hand.parts]
    assert small.model.config == expected.config
    assert_same(small.model(rows), expected(rows))
    assert small.tokenizer.fingerprint == old.tokenizer.fingerprint
    assert sparsity_of(small.model.config, old.model.config) == pytest.approx(
        0.375, abs=0.01
    )
    # What is told is what was measured.
    after = record["after"]
    assert after["parameters"] == small.model.count_params()
    assert f"{after['parameters']:,}" in shown
    assert f"{after['perplexity']:.4g}" in shown
    assert "the last 20% of sea.txt" in shown
    page = Path("small/page.html").read_text("utf-8")
    assert f"{after['perplexity']:.4g}" in page
    assert page.count("<figure>") == 4
    # Without its marks the command is what was typed.
    again = html.unescape(re.sub("<[^>]+>", "", page[page.index("Do it again") :]))
    assert shlex.join(["kit", *sys.argv[1:]]) + "\n" in again
    # It needs nothing from elsewhere, and says what does it again.
    assert re.findall(r"(?:src|srcset|href)=\"(?!data:)", page) == []
    assert "http" not in re.sub(r"base64,[^\"]+", "", page)


@pytest.mark.slow
def test_a_smaller_model_is_pruned_again_and_loads_in_plain_keras(folder):
    assert kit_prune("--method", "shortgpt", "--sparsity", "0.2") == 0
    assert kit_prune("--method", "stage-1", model="small", out="smaller") == 0
    assert left_in("smaller") == [
        "model.keras",
        "page.html",
        "record.json",
        "tokenizer.json",
    ]
    np.save("ids.npy", np.arange(16)[None])
    code = """
import kit, keras, numpy as np
model = keras.saving.load_model("smaller/model.keras")
np.save("logits.npy", np.asarray(model(np.load("ids.npy"))))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    model = keras.saving.load_model("smaller/model.keras")
    assert len(model.blocks) == 3
    assert_same(np.load("logits.npy"), model(np.load("ids.npy")))


@pytest.mark.slow
def test_a_checkpoint_is_as_good_as_its_card_says_before_it_is_pruned(
    folder, capsys, monkeypatch
):
    """The corpus of its card can calibrate it; of that, only what is new judges it."""
    text = Corpus("docs", ("What a model has read is no test of it.\n" * 400,))
    monkeypatch.setitem(CORPORA, "docs", lambda: text)
    assert kit_prune("--method", "random", model="text-8", text="docs") == 0
    found = json.loads(Path("small/record.json").read_text())
    stated = card("text-8")["held_out"]["loss"]  # of twice as many tokens
    assert found["before"]["loss"] == pytest.approx(stated, abs=0.06)
    assert "text-8 was not trained on" in capsys.readouterr().out
    assert "from the first 80% of docs" in found["texts"]["calibration"]


@pytest.mark.parametrize(
    "extra, told",
    [
        (["--sparsity", "1.5"], "sparsity=1.5 is not"),
        (["--method", "2spp"], "Did you mean '2ssp'?"),
        (["--method", "window", "--alpha", "2"], "unknown setting of 'window'"),
        (["--out", "gpt.keras"], "gpt.keras is a file"),
        (["--out", "gpt.keras/deeper"], "gpt.keras is a file"),
        (["--calibration", "none.txt"], "'none.txt' is no corpus and no file"),
        (["--evaluate", "none.txt"], "'none.txt' is no corpus and no file"),
        (["--evaluate", "short.txt"], "too short to measure anything"),
        (["--calibration", "odd.txt"], "odd.txt: the character vocabulary does not"),
        (["--calibration", "ids.npy"], "holds no token ids"),
        (["--calibration", "large.npy"], "outside the model's vocabulary"),
        (["--calibration", "floats.npy"], "hold float64 numbers"),
        (["--tokenizer", "words.txt"], "words.txt has 4 different characters"),
        (["--tokenizer", "large.json"], "has 31 tokens, and the model"),
        (["--sequences", "0"], "sequences=0"),
        (["--length", "1"], "length=1"),
        (["--rule", "thirds"], "thirds"),
        (["--rule", "9"], "9 of 4 attentions"),
        (["--rule", "²"], "unknown rule '²'"),
        (["--calibration", "uneven.npz"], "(4, 8) and the targets (5, 8)"),
        (["--seed", "-1"], "seed=-1"),
    ],
)
@pytest.mark.slow
def test_bad_input_is_one_line_and_nothing_is_written(extra, told, folder, capsys):
    Path("short.txt").write_text("too short")
    Path("odd.txt").write_text(TEXT + "\u00e9")
    Path("ids.npy").write_text("not an array")
    Path("words.txt").write_text("abcd")
    np.save("large.npy", np.full((8, 16), 99))
    np.save("floats.npy", np.full((8, 16), 0.5))
    ids = np.zeros((5, 8), int)
    np.savez("uneven.npz", inputs=ids[1:], targets=ids)
    write_tokenizer(CharacterTokenizer(LETTERS + "X"), "large.json")
    before = left_in(".")
    assert kit_prune(*extra) == 2
    output, errors = capsys.readouterr()
    assert errors.startswith("error: ") and errors.count("\n") == 1
    assert told in errors
    assert left_in(".") == before


def plain_keras(path):
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, told",
    [
        ("none.keras", "is no file and no checkpoint"),
        ("smolm2", "is no file and no checkpoint"),
        ("sea.txt", "cannot be read as a Keras model"),
        ("half.keras", "cannot be read as a Keras model"),
        ("plain.keras", "holds a Sequential, not a kit model"),
        ("plain.keras", "others can be pruned, not shared"),
        (".", "is no file"),
    ],
)
def test_a_model_that_is_none_is_told(name, told, folder, capsys):
    plain_keras("plain.keras")
    content = Path("gpt.keras").read_bytes()
    Path("half.keras").write_bytes(content[: len(content) // 2])
    assert kit_prune(model=name) == 2
    assert told in capsys.readouterr().err
    assert not Path("small").exists()


def test_what_is_there_is_kept(folder, capsys):
    Path("small").mkdir()
    Path("small/model.keras").write_text("mine")
    assert kit_prune() == 2
    assert "small holds model.keras already" in capsys.readouterr().err
    assert Path("small/model.keras").read_text() == "mine"


@pytest.mark.slow
def test_force_replaces_only_what_the_command_writes(folder):
    Path("small").mkdir()
    for name in ("model.keras", "notes.txt"):
        Path("small", name).write_text("mine")
    assert kit_prune("--force", "--method", "random") == 0
    assert Path("small/notes.txt").read_text() == "mine"
    assert open_model("small").model.config.blocks


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["prune", "costs_of", "save", "render_page"])
def test_ctrl_c_leaves_nothing_half_written(stage, folder, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    if stage == "save":
        monkeypatch.setattr("kit.compression.output.write_tokenizer", interrupted)
    else:
        module = outcome if stage == "render_page" else work
        monkeypatch.setattr(module, stage, interrupted)
    if stage != "prune":
        monkeypatch.setattr(work, "prune", fake_prune)
    if stage in ("save", "render_page"):
        monkeypatch.setattr(work, "costs_of", lambda *_: costs.Costs(1, 1, 1, 0.0))
    assert kit_prune() == 130
    assert "Stopped" in capsys.readouterr().err
    if stage == "render_page":  # the work is not lost
        assert left_in("small") == ["model.keras", "record.json", "tokenizer.json"]
    else:
        assert not Path("small").exists()


def fake_prune(model, *_, **__):
    from kit.pruning import Record

    record = Record("none", 0.0, seconds={"all": 0.0})
    return model, record


@pytest.mark.slow
def test_a_model_without_its_tokenizer_needs_one(folder, capsys):
    Path("tokenizer.json").unlink()
    assert kit_prune() == 2
    assert "Give --tokenizer" in capsys.readouterr().err


def test_the_options_name_every_method():
    assert re.split(", | or ", commands.METHODS) == list(METHODS)
