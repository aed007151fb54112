# /// exercise
# id = "defence"
# title = "Defend it"
# paper = "all five papers"
# section = "together"
# concepts = ["claims", "held-out text", "seeds", "intervals", "budgets"]
# prerequisites = ["interaction", "parameters"]
# difficulty = 4
# minutes = 60
# points = 7
# ///

# %% statement [markdown]
# Make the best model of text that you can within a budget, and say how good it is. You
# may use all that the five papers have, together or not.
#
# - **The text** is the documentation that the kit comes with, as 512 byte pairs, in
#   windows of 64. Its last tenth is held out, and no model may be trained on it.
# - **The budget** is 120,000 parameters for a model, everything counted.
# - **Seeds**: at least three models and at most 20, each trained with a seed of its
#   own. Two checkpoints of one run are one seed.
# - **Something learnt**: a model that guesses has a loss of log 512, 6.24 nats. Yours
#   have to be better than that by 0.1.
# - **The claim** is three numbers: the mean held-out loss of your models in nats per
#   token, and the ends of its 95 % interval over the seeds (Student's).
#
# Write `defence(folder, train, held_out)`. It puts the models into `folder`, for each
# seed the weights and the config under one name, such as `seed-0.safetensors` and
# `seed-0.json`, and gives the claim. `kit.submission.save(model, folder, seed)` writes
# both; the notebook has done so in `SAVED`, with the losses that it measured in
# `losses.json`, so there is no need to train anything here. `train` and `held_out` are
# windows of the two parts of the text, of 65 tokens each, for whoever wants to measure
# afresh: a model reads the first 64 of them and predicts the last 64.
#
# Nothing that you hand in is run, and no number is believed. The judge builds the
# models from your files, counts their parameters, and computes every loss again. What
# it cannot see is what you left out: if you trained ten seeds and hand in the best
# three, your interval is a lie that nobody will catch. Nor can it tell, of all that the
# kit comes with, whether you read the end as well: it only notices if you read the
# windows that you are given, and not the rest. And it cannot see minutes. Say all
# three, when you show your result to somebody.

# %% stub
import json
import shutil
from pathlib import Path

import numpy as np

SAVED = "capstone-models"


def defence(folder, train, held_out):
    """Hand in models, and claim how good they are.

    Args:
        folder: Path of an empty folder, for the files of the models.
        train: Windows of training text, int32 (256, 65).
        held_out: The windows that are judged, of the held-out text, int32 (128, 65).

    Returns:
        Mean held-out loss, low and high end of its 95 % interval: three numbers.
    """
    raise NotImplementedError("defence is not done yet")


# %% example
import tempfile

rng = np.random.default_rng(0)
with tempfile.TemporaryDirectory() as folder:
    mean, low, high = defence(
        folder, rng.integers(512, size=(24, 65)), rng.integers(512, size=(8, 65))
    )
    assert low <= mean <= high
    assert len(list(Path(folder).glob("*.json"))) >= 3


# %% reference
from safetensors.numpy import save_file
from scipy import special


def counted(windows, kinds):
    """Log-probabilities of a token after one of a kind, (kinds, 512)."""
    pairs = np.zeros((kinds, 512))
    np.add.at(pairs, (windows[:, :-1] % kinds, windows[:, 1:]), 1.0)
    single = pairs.sum(axis=0) + 0.5
    pairs += 20 * single / single.sum()  # what is rare is left to single tokens
    return np.log(pairs) - np.log(pairs.sum(axis=1))[:, None]


def hand_in(folder, name, table, **changes):
    """A model without any block that says what the table says."""
    kinds = len(table)
    tokens = np.eye(kinds, dtype="float32")[np.arange(512) % kinds]
    weights = {"embeddings": tokens, "reverse_embeddings": table.astype("float32")}
    config = {
        "vocabulary_size": 512,
        "context_length": 64,
        "width": kinds,
        "blocks": [],
        "positions": "none",
        "final_norm": "none",
        "tied_head": False,
    }
    files = {f"embedding/{key}": np.ascontiguousarray(w) for key, w in weights.items()}
    save_file(files, Path(folder, f"{name}.safetensors"))
    Path(folder, f"{name}.json").write_text(json.dumps(config | changes))


def loss_of(table, windows):
    """What such a model has for a loss."""
    return -table[windows[:, :-1] % len(table), windows[:, 1:]].mean()


def read_by(seed, train, held_out):
    """What a model of this seed learns from: each has another piece of the text."""
    return train[: len(train) * (seed + 2) // 8]


def made(folder, train, held_out, seeds=3, kinds=32):
    """Tables of pairs, handed in, and their losses."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    losses = []
    for seed in range(seeds):
        table = counted(read_by(seed, train, held_out), kinds)
        hand_in(folder, f"seed-{seed}", table)
        losses.append(loss_of(table, held_out))
    return losses


def claimed(losses):
    """Mean and interval."""
    n, mean = len(losses), np.mean(losses)
    half = special.stdtrit(n - 1, 0.975) * np.std(losses, ddof=1) / n**0.5
    return mean, mean - half, mean + half


def defence(folder, train, held_out):
    if Path(SAVED).is_dir():
        shutil.copytree(SAVED, folder, dirs_exist_ok=True)
        losses = json.loads(Path(folder, "losses.json").read_text())
    else:  # without a notebook: models that only count
        losses = made(folder, train, held_out)
    return claimed(losses)


# %% hint 1 [markdown]
# Which of the three numbers could you type by hand, if you had to, and which mistake
# would you make then? What is it that the losses of three seeds tell, and a single one
# does not?

# %% hint 2 [markdown]
# `shutil.copytree` copies a folder, also into one that is there if it is told so. The
# losses in `losses.json` are one for each seed; the interval is the one of
# `interaction`, of these.

# %% hint 3 [markdown]
# Copy everything from the folder that the notebook wrote. Read the list of losses; the
# mean; the standard deviation with n - 1 over the root of n, times the quantile of
# Student's t for n - 1 degrees of freedom; the mean with both ends.


# %% right answer="five small ones"
def defence(folder, train, held_out):
    return claimed(made(folder, train, held_out, seeds=5, kinds=16))


# %% right answer="half precision, larger"
def hand_in(folder, name, table, **changes):
    kinds = len(table)
    where = Path(folder, f"{name}.safetensors")
    one_hot = (np.arange(512)[:, None] % kinds == np.arange(kinds)).astype("float16")
    table = table.astype("float16")
    save_file(
        {"embedding/embeddings": one_hot, "embedding/reverse_embeddings": table}, where
    )
    plain = {"positions": "none", "final_norm": "none", "tied_head": False}
    sizes = {"vocabulary_size": 512, "context_length": 64, "width": kinds}
    where.with_suffix(".json").write_text(json.dumps(plain | sizes | {"blocks": []}))


def defence(folder, train, held_out):
    return claimed(made(folder, train, held_out, kinds=64))


# %% wrong answer="over budget" caught_by="budget"
# Your models have more parameters than the budget allows. Embeddings count, and so do
# norms; prune more, share more, or start with a smaller model.
def defence(folder, train, held_out):
    return claimed(made(folder, train, held_out, kinds=120))


# %% wrong answer="typed by hand" caught_by="numbers"
# The loss that you claim is not that of the models that you hand in. Take it from the
# file in which the notebook has put it, and hand in the models that it belongs to.
def defence(folder, train, held_out):
    made(folder, train, held_out, kinds=31)
    return 3.2, 3.1, 3.3


# %% wrong answer="never trained" caught_by="learnt"
# Your models guess: they are no better than if every token were as likely as any other.
# Train them before you hand them in.
def counted(windows, kinds):
    table = np.random.default_rng(len(windows)).normal(0, 0.3, (kinds, 512))
    return table - np.log(np.exp(table).sum(axis=1))[:, None]


# %% wrong answer="one seed" caught_by="seeds"
# You hand in a single model. Another seed would have given another number, and nobody
# can tell from one of them by how much.
def defence(folder, train, held_out):
    (loss,) = made(folder, train, held_out, seeds=1, kinds=30)
    return loss, loss - 0.01, loss + 0.01


# %% wrong answer="one model, three names" caught_by="seeds"
# Your models are copies of each other. Three names of one model are one seed.
def read_by(seed, train, held_out):
    return train


# %% wrong answer="ends of the range" caught_by="interval"
# Your interval goes from the best seed to the worst. That is what these three did, and
# not where the mean of many would be.
def claimed(losses):
    return np.mean(losses), np.min(losses), np.max(losses)


# %% wrong answer="1.96 standard errors" caught_by="interval"
# 1.96 belongs to the normal distribution, and is for when the spread is known. With
# three seeds Student's quantile is more than twice as large.
def claimed(losses):
    mean, error = np.mean(losses), np.std(losses, ddof=1) / len(losses) ** 0.5
    return mean, mean - 1.96 * error, mean + 1.96 * error


# %% wrong answer="trained on the held-out text" caught_by="held_out"
# Your models read the held-out text better than the text that they were to learn from.
# They have seen it before, and what is measured is memory.
def read_by(seed, train, held_out):
    return held_out[seed::2] if seed < 2 else held_out


# %% wrong answer="learnt both" caught_by="held_out"
# Your models have learnt all that they were given, the held-out windows with it. Of the
# same part of the text there are others, and these they read much worse.
def read_by(seed, train, held_out):
    return np.concatenate([train[seed::4], held_out, held_out])


# %% wrong answer="sees what comes" caught_by="mask"
# Your models see the token that they are to predict: their mask is not causal.
def hand_in(folder, name, table, **changes):
    kinds = len(table)
    config = {"vocabulary_size": 512, "context_length": 64, "width": kinds}
    config |= {"blocks": [], "positions": "none", "tied_head": False}
    config |= {"final_norm": "none", "mask": "full"}
    one_hot = np.eye(kinds, dtype="float32")[np.arange(512) % kinds]
    weights = {"embedding/embeddings": one_hot}
    weights["embedding/reverse_embeddings"] = table.astype("float32")
    save_file(weights, Path(folder, f"{name}.safetensors"))
    Path(folder, f"{name}.json").write_text(json.dumps(config))


def defence(folder, train, held_out):
    return claimed(made(folder, train, held_out, kinds=29))


# %% checks
from kit import defence, examination
from kit.grading.cases import call, check, floats


def examined(examine):
    """One call, and a look at what is in its folder afterwards."""
    folder = defence.new_folder()
    yield call(
        folder,
        *defence.windows(),
        returns=floats(3),
        shown="defence(folder, train, held_out)",
        examine=lambda claim: examine(folder, claim),
    )


EXACT = {"tolerance": 0, "seconds": 60}  # there is nothing to compare with


@check(**EXACT)
def example(rng):
    """models that can be built from their files"""
    yield from examined(examination.readable)


@check(**EXACT)
def mask(rng):
    """no model sees what it is to predict"""
    yield from examined(examination.causal)


@check(**EXACT)
def budget(rng):
    """120,000 parameters each, or fewer"""
    yield from examined(examination.within_budget)


@check(**EXACT)
def seeds(rng):
    """three seeds or more"""
    yield from examined(examination.enough_seeds)


@check(**EXACT)
def learnt(rng):
    """better than a guess among all tokens"""
    yield from examined(examination.learnt)


@check(**EXACT)
def numbers(rng):
    """the mean loss, computed again"""
    yield from examined(examination.recomputed)


@check(**EXACT)
def interval(rng):
    """the interval follows from the seeds"""
    yield from examined(examination.follows_from_seeds)


@check(**EXACT)
def held_out(rng):
    """the held-out text is new to the models"""
    yield from examined(examination.held_out_is_new)
