# %% [markdown]
# # All five together
#
# Five papers, five promises. Blocks can be simpler; positions need not be told; every
# kind of block wants a learning rate of its own; layers can share their attention maps;
# neurons and attentions can go. Each was shown on a model that was otherwise as usual.
#
# What if you do all of it to one model? Do five gains add up? No paper says, and none
# had to. You will
#
# 1. make the five changes alone, and put them on one plane of size and loss;
# 2. ask of pairs whether they fight, and put an interval to the answer;
# 3. look at what the stored study says, which has more seeds than you have time;
# 4. make the best model that you can within a budget;
# 5. defend it against a judge who believes nothing.

# %% [markdown] tags=["learners"]
# **How it works.** As in the other notebooks: write each exercise in the cell below it
# and run the check; what you leave out stops nothing. Make the predictions in earnest.
# This one comes last, because every change has its notebook: `simplify`, `symmetry`,
# `sharpness`, `sharing`, `pruning`. There are two exercises, and the second one is
# long. The computer needs about ten minutes.

# %% [markdown] tags=["solved"]
# **These are the answers.** It is the notebook for learners, with both exercises solved
# and the predictions that most people make. It holds no outputs, because they are those
# of the machine that makes them: open it in Jupyter and run all cells, which takes
# about ten minutes. With `KIT_BUDGET=smoke` in the environment everything runs in about
# a minute, and what is trained learns nothing.

# %%
from kit import lesson

budget = lesson.prepare()

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from IPython.display import display

from kit import defence as portfolio
from kit import plots
from kit.grading import check_in_notebook
from kit.models import describe, flops_per_token, transplant
from kit.panels import point_panels
from kit.studies import committed
from kit.studies import load as load_study
from kit.studies.capstone.base import (
    INGREDIENTS,
    PRUNED,
    RATES,
    SHARE,
    SHARED,
    SPARSITY,
    Scale,
    first_part,
    first_training,
    further_training,
    model_of,
    name_of,
    pairs,
    together,
)
from kit.studies.capstone.cells import taken_away
from kit.studies.statistics import mean_interval
from kit.submission import PARAMETERS, save
from kit.training import Trainer
from kit.training.continued import ContinuedTrainer

checks = {}  # what the checks of the exercises said


def passed(*names):
    return all(name in checks and checks[name].passed for name in names)


started = time.perf_counter()
if budget == "smoke":
    print("Budget smoke: training is too short to learn anything. For the real thing,")
    print("start Jupyter without KIT_BUDGET.")

# %% [markdown]
# ## 1. One model, five changes
#
# The text is the documentation that came with the kit, as 512 byte pairs; the plain
# model is that of the notebook on `simplify`, with Pre-LN blocks. Here it is, and what
# it looks like with simplified blocks and without positions:

# %%
task = portfolio.task()
scale = {
    "smoke": Scale(blocks=3, width=16, steps=10, further=10, sequences=4, search=2),
    "quick": Scale(blocks=6, width=48, steps=320, further=160, sequences=64, search=16),
}[budget]


def empty(chosen):
    """The model that is trained, with the vocabulary of the text."""
    return replace(model_of(chosen, scale), vocabulary_size=task.vocabulary_size)


print(describe(empty(first_part(together())), empty(())))

# %% [markdown]
# The order matters. Blocks, positions and learning rates are there from the first step
# on. Sharing and pruning need a trained model, and have to be mended afterwards. So
# *every* model is trained twice: first with what works from the start; then something
# is taken away, or nothing; then it is trained further, for as many tokens in every
# case. What differs between two models is what you changed, and not how long they read.
#
# The ratios of the learning rates multiply the common one by up to ten, so with them it
# is a third of what it is without. (The stored study has searched it for each. You have
# ten minutes.)

# %%
trainers, firsts, runs = {}, {}, {}


def first_model(chosen, seed):
    """A model before anything is taken away; those that start alike share it."""
    start = first_part(chosen)
    if start not in trainers:
        rate = 1e-3 if RATES in start else 3e-3
        how = replace(first_training(start, scale), learning_rate=rate)
        trainers[start] = Trainer(empty(start), task, how)
    if (start, seed) not in firsts:
        model = trainers[start].run(seed).model
        firsts[start, seed] = transplant(model, model.config)
    return firsts[start, seed]


def put_together(chosen, seed=0):
    """Train, take away, train further; what was made before is not made again."""
    key = name_of(chosen), seed
    if key not in runs:
        model = first_model(chosen, seed)
        plan = {"sequences": scale.sequences, "search": scale.search}
        plan["sparsity"] = SPARSITY if PRUNED in chosen else 0.0
        plan["share"] = SHARE if SHARED in chosen else 0.0
        looked_at = task.batch(0, scale.sequences, 20_000 + seed)
        smaller, _ = taken_away(model, looked_at, plan, seed)
        how = further_training(trainers[first_part(chosen)].config, scale)
        trainer = ContinuedTrainer(smaller, task, how, jit_compile=False)
        runs[key] = trainer.go_on(30_000 + seed).run
    return runs[key]


def loss(chosen, seed=0):
    """Held-out loss, in nats per token."""
    return put_together(chosen, seed).metrics["loss"]


# %% tags=["prediction"]
cheapest = "shared"  # which change alone costs the least, or gains the most?
dearest = "pruned"  # and which one costs the most?

# %%
alone = [(name,) for name in INGREDIENTS]
if budget == "smoke":
    alone = [(SHARED,), (PRUNED,)]
effects = {each: loss(each) - loss(()) for each in alone}
print(f"plain: {loss(()):.3f} nats per token")
for (name,), effect in effects.items():
    print(f"{effect:+.3f}  {INGREDIENTS[name]}")
lesson.compare("best alone", cheapest, min(effects, key=effects.get)[0])
lesson.compare("worst alone", dearest, max(effects, key=effects.get)[0])


# %%
def plane(names):
    """Size and loss of what has been made so far."""
    panels = {}
    for title, size in (
        ("parameters", lambda model: model.count_params()),
        ("operations a token", lambda model: flops_per_token(model.config)),
    ):
        panels[title] = {
            name: [(size(runs[name, 0].model) / 1000, runs[name, 0].metrics["loss"])]
            for name in names
        }
    return point_panels(panels, x_label="thousands", y_label="loss, nats per token")


plane(["plain", *map(name_of, alone)])

# %% [markdown]
# Down is better, and left is cheaper. Only what lies below and left of the plain model
# is a gain without a price. Everything else is a bargain, or not, and depends on what
# you need.

# %% [markdown]
# ## 2. Do they fight?
#
# If you know what each of two changes does, what will both do? The simplest guess is
# the sum. Where the guess is wrong the two have to do with each other, and that is
# where a mechanism hides.

# %% exercise="interaction"

# %% [markdown]
# Some guesses, to disagree with. Without skips a block has nothing that carries the
# order of the tokens upwards (`symmetry`), so simplified blocks should mind the loss of
# positions. An attention of SAS-P has no values and no projection; if it copies its
# map, no matrix is left in it. And pruning takes attentions away, while sharing lives
# on them.

# %% tags=["prediction"]
worst_pair = "simplified, no-positions"  # which two fight most?
helping = 2  # and how many of the ten pairs are better together than their sum?

# %%
couples = {"smoke": [(SHARED, PRUNED)], "quick": pairs()}[budget]
beyond = {}
for a, b in couples:
    beyond[a, b] = loss((a, b)) - loss((a,)) - loss((b,)) + loss(())
names = list(INGREDIENTS)
grid = np.full((5, 5), np.nan)
for (name,), effect in effects.items():
    grid[names.index(name), names.index(name)] = effect
for (a, b), found in beyond.items():
    grid[names.index(b), names.index(a)] = found
worst = max(beyond, key=beyond.get)
lesson.compare("the worst pair", worst_pair, ", ".join(worst))
lesson.compare("pairs that help", helping, sum(f < 0 for f in beyond.values()))
plots.heatmap(
    grid,
    names,
    [name.replace("-", "\n") for name in names],
    label="nats per token",
    diverging=True,
    form="+.3f",
    title="alone (diagonal), and beyond the sum (below)",
)

# %% [markdown]
# It looks convincing, as heat maps do. But each of these numbers is made of four runs
# of a single seed, and each run has its luck. Would another seed have given the same
# picture? Here is one of the pairs again, with an interval.

# %% tags=["prediction"]
surely = "yes"  # sharing and pruning: is zero outside the interval?

# %%
seeds = {"smoke": 1, "quick": 3}[budget]
table = np.array(
    [
        [loss(each, seed) for seed in range(seeds)]
        for each in ((), (SHARED,), (PRUNED,), (SHARED, PRUNED))
    ],
    "float32",
)
if seeds == 1:
    print("With one seed there is no interval.")
else:
    if passed("interaction"):
        middle, low, high = interaction(*table)
        print("by your function:")
    else:
        sums = table[3] - table[1] - table[2] + table[0]
        middle, low, high, _ = mean_interval(sums.tolist())
    print(f"sharing and pruning: {middle:+.3f}, from {low:+.3f} to {high:+.3f}")
    lesson.compare("zero is outside", surely, "no" if low <= 0 <= high else "yes")

# %% [markdown]
# How wide would the interval have to be before you no longer said "they fight"? Settle
# that *before* you see it. In the study it is written down: less than 0.02 nats does
# not matter, and effects closer than 0.05 add up.

# %% [markdown]
# ## 3. What five seeds say
#
# The stored study has a larger model, five seeds and a searched learning rate. Its
# claims are not those of a paper. They are guesses that were written down before the
# first run, and some of them are wrong.

# %%
kept_rows = committed("capstone")
if len(kept_rows):
    same = {name: name for name, seed in runs if seed == 0}
    own = lesson.own_results({name: runs[name, 0] for name in same}, empty(()))
    display(lesson.side_by_side_table(own, kept_rows, same, "loss", ".3f"))
    display(lesson.verdict_table(load_study("capstone"), kept_rows))
else:
    print("This copy of the kit holds no stored results; kit reproduce capstone makes")
    print("some in a few minutes, and kit report capstone shows them.")

# %% [markdown]
# ## 4. Yours
#
# Now the budget: a model may have 120,000 parameters, and the plain one has more. You
# have three seeds, and as many minutes as you are willing to wait. Choose what to put
# together. You may also go beyond the list: `scale` sets width, blocks and the steps of
# both trainings, `SHARE` and `SPARSITY` how much is taken. Change them in the cell that
# defines `put_together`, before anything else there, and run it again: that forgets all
# models made before, which would else be taken for those that you ask for now. Then
# give every model that you compare the same.

# %%
mine = ("simplified", "no-positions", "block-rates", "shared", "pruned")  # your choice
if budget == "smoke":
    mine = ("shared", "pruned")

# %% tags=["prediction"]
my_loss = 4.0  # of your model, in nats per token

# %%
SAVED = "capstone-models"
for old in Path(SAVED).glob("seed-*"):  # of an earlier try
    old.unlink()
measured = []
for seed in range(3):
    run = put_together(mine, seed)
    save(run.model, SAVED, seed)
    measured.append(run.metrics["loss"])
Path(SAVED, "losses.json").write_text(json.dumps(measured))
size = put_together(mine).model.count_params()
print(f"{size:,} parameters of {PARAMETERS:,}")
print("held-out losses:", " ".join(f"{found:.3f}" for found in measured))
print(f"{(time.perf_counter() - started) / 60:.1f} minutes since you began")
lesson.compare("loss", my_loss, f"{np.mean(measured):.3f}")
plane(["plain", *map(name_of, alone), name_of(mine)])

# %% [markdown]
# ## 5. Defend it
#
# Everybody can say a number. The judge loads what you saved and computes it again.

# %% exercise="defence"

# %%
if passed("defence"):
    claim = defence(portfolio.new_folder(), *portfolio.windows())
    print("claimed: {:.3f}, from {:.3f} to {:.3f}".format(*claim))
    print(f"measured above: {np.mean(measured):.3f}")

# %% [markdown]
# ## 6. What no judge can see
#
# - **What you left out.** Ten seeds trained and three shown, five combinations tried
#   and the best one kept: the interval knows nothing of it. Say how many you tried.
# - **What you looked at.** The held-out text is the same each time you look. Whoever
#   chooses by it a hundred times has learnt it by heart without training on it once.
# - **What it is for.** 120,000 parameters is a rule of this notebook. On a phone it
#   would be milliseconds, in a data centre a bill.
# - **Whether it lasts.** All this is a small model and a few minutes. Fights may end,
#   and gains may vanish, where models are larger; that is a claim as well, and takes
#   seeds and intervals.
#
# **To think about.** Somebody shows you a model with five new ideas, and it beats the
# old one by 0.05 nats. Which models would you ask to see, to believe that all five are
# needed? How many are that for ten ideas?

# %%
lesson.scoreboard("capstone", checks)

# %% [markdown]
# **Where to go from here.** `kit reproduce capstone` runs the study, and
# `kit/studies/capstone/` is where its strengths are set: what if a tenth is pruned, and
# not three eighths? Write down what you expect; there is a place for it in `claims.py`.
