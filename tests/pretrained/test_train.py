"""The command that makes the kit's own checkpoints, on a few steps."""

import numpy as np
import pytest

from kit.data import Addition, TextTask
from kit.data.corpora import Corpus
from kit.errors import KitError
from kit.models import named_weights
from kit.pretrained import train
from kit.pretrained.own import held_out, read_model, read_tokenizer
from kit.training import TrainConfig, Trainer, evaluate

TEXT = Corpus("rhyme", ("one two buckle my shoe, three four shut the door\n" * 60,))
SHORT = TrainConfig(steps=4, batch_size=8, warmup_steps=0, evaluate_every=4)


def recipe(kind):
    task = {
        "text": lambda: TextTask(TEXT, {"bpe": 280}, context_length=16),
        "addition": lambda: Addition(digits=2, validation_pairs=20),
    }[kind]()
    model = train.addition_4().model
    sizes = {"width": 16, "vocabulary_size": task.vocabulary_size}
    model = type(model).uniform(
        2, positions="learned", context_length=task.context_length, **sizes
    )
    return train.Recipe(f"a tiny {kind} model", model, task, SHORT)


@pytest.fixture(params=["text", pytest.param("addition", marks=pytest.mark.slow)])
def made(request, tmp_path, monkeypatch):
    """A recipe, and what making it left."""
    monkeypatch.setenv("KIT_RUNS", str(tmp_path / "runs"))
    tiny = recipe(request.param)
    monkeypatch.setitem(train.RECIPES, "tiny", lambda: tiny)
    folder = tmp_path / "own"
    return tiny, train.make("tiny", folder, progress=False), folder


@pytest.mark.slow
def test_what_is_written_is_what_is_read(made):
    tiny, card, folder = made
    model = read_model("tiny", folder=folder)
    assert evaluate(model, tiny.task) == card["held_out"]
    validation = tiny.task.validation()
    for part, shipped in zip(validation, held_out("tiny", folder), strict=True):
        np.testing.assert_array_equal(part, shipped)
    tokenizer = read_tokenizer("tiny", folder)
    if tokenizer is not None:
        text = TEXT.documents[0]
        np.testing.assert_array_equal(
            tokenizer.encode(text), tiny.task.tokenizer.encode(text)
        )


@pytest.mark.slow
def test_the_weights_are_the_trained_ones_up_to_float16(made):
    tiny, card, folder = made
    run = Trainer(tiny.model, tiny.task, SHORT).run(card["seed"], progress=False)
    mine = named_weights(read_model("tiny", folder=folder))
    for name, weight in named_weights(run.model).items():
        np.testing.assert_allclose(mine[name], weight, rtol=2**-10, atol=1e-7)


def test_the_sizes_of_the_recipes():
    model = train.addition_4().model
    assert len(model.blocks) == 4
    with pytest.raises(KitError, match="Did you mean 'text-8'"):
        train.make("txt-8")
