"""The kit's own checkpoints are what their cards say, and ship."""

import json
import time

import numpy as np
import pytest

from kit import cli
from kit.data import Addition, Batch
from kit.errors import KitError
from kit.models import generate
from kit.pretrained import (
    CHECKPOINTS,
    card,
    fetching,
    found,
    held_out,
    load,
    load_tokenizer,
)
from kit.pretrained.own import FOLDER
from kit.pretrained.train import RECIPES
from kit.training import Scorer

OWN = [name for name, checkpoint in CHECKPOINTS.items() if checkpoint.ships]
FLOAT32 = 1e-4  # of a loss: sums in another order, on another processor
EPSILON = 2.0**-20  # of a loss near zero, a few float32 roundings of log(1)


def scored(model, batch):
    scorer = Scorer(model)
    scorer.compile(jit_compile=True)  # without it the text takes two minutes
    return scorer.score(Batch(*(np.asarray(part) for part in batch)))


def loss_of(model, batch):
    return float(scored(model, batch).loss[batch.targets >= 0].mean(dtype="float64"))


def test_every_recipe_has_been_followed():
    assert sorted(OWN) == sorted(RECIPES)
    for name in OWN:
        assert card(name)["command"] == f"python -m kit.pretrained.train {name}"


@pytest.mark.parametrize("name", OWN)
def test_the_file_is_that_of_the_card_and_small(name):
    folder = found()[name]
    (file,) = CHECKPOINTS[name].files
    assert fetching.fetch(name) == folder == FOLDER
    assert (folder / file).stat().st_size < 5e6
    assert json.loads((folder / f"{name}.json").read_text("utf-8")) == card(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_its_loss_is_that_of_the_card(name):
    start = time.process_time()
    model, _ = load(name)
    assert time.process_time() - start < 10
    told = card(name)["held_out"]["loss"]
    assert loss_of(model, held_out(name)) == pytest.approx(
        told, rel=FLOAT32, abs=EPSILON
    )
    assert model.count_params() == card(name)["parameters"]


@pytest.mark.slow
def test_it_adds_as_the_card_says():
    told = card("addition-4")
    task = Addition(**{k: v for k, v in told["task"].items() if k != "task"})
    assert task.fingerprint == told["data"]["fingerprint"]
    batch = task.validation()
    for part, shipped in zip(batch, held_out("addition-4"), strict=True):
        np.testing.assert_array_equal(part, shipped)
    model, tokenizer = load("addition-4")
    metrics = task.metrics(scored(model, batch), batch.targets)
    assert tokenizer is None
    assert metrics["exact_match"] == told["held_out"]["exact_match"] >= 0.99


@pytest.mark.slow
def test_the_text_model_has_learnt_and_writes():
    model, tokenizer = load("text-8")
    told = card("text-8")["held_out"]
    counts = (
        np.bincount(held_out("text-8").targets.ravel())
        / held_out("text-8").targets.size
    )
    entropy = -np.sum(counts * np.log(np.maximum(counts, 1e-12)))
    assert told["loss"] < 0.75 * entropy  # of the tokens by themselves
    prompt = tokenizer.encode("The function returns")
    written = tokenizer.decode(generate(model, prompt, steps=8)[0])
    assert written.startswith("The function returns") and len(written) > 25
    assert load_tokenizer("text-8").fingerprint == tokenizer.fingerprint
    assert tokenizer.spec == "text-8"


@pytest.mark.slow
def test_a_shorter_context_is_the_same_model():
    batch = held_out("text-8")
    short = Batch(*(part[:4, :16] for part in batch))
    model, _ = load("text-8", context_length=16)
    whole = loss_of(load("text-8").model, short)
    assert loss_of(model, short) == pytest.approx(whole, rel=FLOAT32)
    with pytest.raises(KitError, match="positions, fewer than"):
        load("text-8", context_length=4096)


def test_addition_has_no_tokenizer():
    with pytest.raises(KitError, match="has no tokenizer"):
        load_tokenizer("addition-4")


def test_they_are_in_the_list(capsys):
    assert cli.main(["fetch"]) == 0
    lines = capsys.readouterr().out
    assert all(f"{name:12} {card(name)['about']}" in lines for name in OWN)
    assert lines.count("ships with the kit") == len(OWN)
