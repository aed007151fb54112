# %% [markdown]
# # Should every weight learn at the same rate?
#
# One number decides more than any other whether a training run goes well, the learning
# rate. And it is *one* number: the table of a hundred thousand words and the gain of a
# norm take steps of the same size. Why should that be right?
#
# *The Sharpness Disparity Principle* (Wang and others, [arXiv
# 2502.19002](https://arxiv.org/abs/2502.19002)) measured how curved the loss is in each
# part of a Transformer, and found the parts orders of magnitude apart, always in the
# same order. What limits the rate are the sharp parts. So let the flat ones go faster:
# it says that training then needs half the steps. You will
#
# 1. sort the weights of a model by what they do;
# 2. measure how sharp each kind is, while the model learns;
# 3. check the measurement against the true curvature;
# 4. build an optimizer with a rate for each block, and see why the obvious one is none;
# 5. race it, against the rival that papers like to forget.

# %% [markdown] tags=["learners"]
# **How it works.** Write each exercise in the cell below it and run the check. Whatever
# you leave out stops nothing: the rest of the notebook uses the kit's own functions.
# Hints are folded; open as many as you like. Before a result you are asked for a
# prediction. Make it, in earnest: a wrong prediction is remembered, a read result is
# not.
#
# All exercises take an afternoon, the computer needs a few minutes of it. The blocks
# themselves are the business of the notebooks on `symmetry` and `simplify`.

# %% [markdown] tags=["solved"]
# **These are the answers.** It is the notebook for learners, with every exercise solved
# and the predictions that most people make. It holds no outputs, because they are those
# of the machine that makes them: open it in Jupyter and run all cells, which trains
# small models, a dozen times, in a few minutes. With `KIT_BUDGET=smoke` in the
# environment everything runs in about a minute, and the models learn nothing.

# %%
from kit import lesson

budget = lesson.prepare()

from dataclasses import replace

import keras
import numpy as np
from IPython.display import Markdown, display

from kit import plots
from kit.config import ModelConfig
from kit.data import Addition, Batch, TextTask
from kit.grading import check_in_notebook
from kit.models import build
from kit.optimizers import PAPER_RATIOS, WarmUpSchedule, role
from kit.panels import line_panels
from kit.rates import BlockRates
from kit.sharpness import (
    FisherSharpness,
    HessianOperator,
    SharpnessCallback,
    labels,
    parts,
    sharpness,
    top_eigenvalues,
)
from kit.studies import committed, load
from kit.studies.statistics import mean_interval
from kit.training import Run, TrainConfig, Trainer, token_cross_entropy

checks = {}  # what the checks of the exercises said
ORDER = tuple(PAPER_RATIOS)  # flattest first, as the paper has it


def passed(*names):
    return all(name in checks and checks[name].passed for name in names)


if budget == "smoke":
    print("Budget smoke: training is too short to learn anything. For the real thing,")
    print("start Jupyter without KIT_BUDGET.")

# %% [markdown]
# ## 1. What is a block?
#
# Here a block is not a layer. It is all weights that do the same job, in whatever
# layer: the embeddings, queries and keys, values and outputs, the feed-forward, the
# norms.

# %% exercise="variable_groups"

# %% [markdown]
# The model of this notebook is a small LLaMA: RMS norms, rotary positions, SwiGLU, and
# a head of its own. It will read documentation that came with Python and its packages,
# cut into pieces of words.

# %%
task = TextTask("docs", {"bpe": 2048}, context_length=64, validation_tokens=16_384)
depth = {"smoke": 2, "quick": 4}[budget]
small = ModelConfig.uniform(
    depth,
    "llama",
    width=64,
    vocabulary_size=task.vocabulary_size,
    context_length=task.context_length,
    positions="rotary",
    final_norm="rms",
    tied_head=False,
    initializer_std=0.07,
)
model = build(small)
if passed("variable_groups"):
    kinds = [block_type(variable.path) for variable in model.trainable_variables]
    print("sorted by your function:")
else:
    kinds = [role(variable) for variable in model.trainable_variables]
    print("sorted by the kit's function:")
sizes = dict.fromkeys(ORDER, 0)
for kind, variable in zip(kinds, model.trainable_variables, strict=True):
    sizes[kind] += int(np.prod(variable.shape))
for kind, size in sizes.items():
    print(f"{kind:5} {kinds.count(kind):3} variables {size:8,} parameters")

# %% [markdown]
# Few parameters, close to one, hardly moving: it is common knowledge that the **gains
# of the norms** are the flattest weights of all, and you can find it written down. The
# embedding, on the other hand, is what every token goes through. Is it?

# %% tags=["prediction"]
flattest = "Norm"  # which of the five has the least curvature after training?
sharpest = "Emb"  # and which has the most?
order_at_the_start = "yes"  # do untrained weights have the same order?

# %% [markdown]
# ## 2. Sharpness from one gradient
#
# The sharpness of a block is the mean of the curvatures along all of its parameters:
# the trace of its part of the Hessian, over their number. For a few hundred thousand
# parameters nobody writes a Hessian down. But it can be *estimated* from a gradient
# that costs as much as one training step.

# %% exercise="fisher_estimate"

# %% [markdown]
# With this a model can be watched while it learns. Sixteen batches are set aside, and
# every now and then the callback takes one gradient of each.

# %%
steps = {"smoke": 20, "quick": 360}[budget]
seeds = {"smoke": 2, "quick": 3}[budget]
training = TrainConfig(
    steps=steps,
    batch_size=16,
    learning_rate=3e-3,
    warmup_steps=max(1, steps // 50),
    schedule="cosine",
    final_learning_rate=0.05,
    beta_2=0.95,
    evaluate_every=max(steps // 12, 10),
    decay_everything=True,
)
looked_at = [s for s in (0, 10, 30, 100) if s < steps] + [steps]
aside = [task.batch(i, 16, seed=99) for i in range({"smoke": 2, "quick": 16}[budget])]
watch = SharpnessCallback(aside, steps=looked_at, loss=token_cross_entropy)
trainer = Trainer(small, task, training)
runs = {"AdamW": [trainer.run(seed=0, callbacks=[watch])]}
typed = {t: [row[f"sharpness_{t}"] for row in watch.rows] for t in ORDER}

# %%
names = [str(row["step"]) for row in watch.rows]
line_panels(
    {"Sharpness of a block, S(b)": {t: [values] for t, values in typed.items()}},
    {"Sharpness of a block, S(b)": names},
    x_label="step of training",
    log=["Sharpness of a block, S(b)"],
)

# %%
claimed = [(low, high) for i, low in enumerate(ORDER) for high in ORDER[i + 1 :]]
for i, step in enumerate(names):
    found = sorted(ORDER, key=lambda t: typed[t][i])
    agree = sum(typed[low][i] < typed[high][i] for low, high in claimed)
    print(f"step {step:>4}: {' < '.join(found):28} {agree:2} of {len(claimed)} pairs")
start, end = (sorted(ORDER, key=lambda t: typed[t][i]) for i in (0, -1))
lesson.compare("flattest after training", flattest, end[0])
lesson.compare("sharpest after training", sharpest, end[-1])
same = "yes" if start == end else "no"
lesson.compare("the order of the start is that of the end", order_at_the_start, same)
apart = typed[end[-1]][-1] / typed[end[0]][-1]
print(f"at the end {end[-1]} is {apart:,.0f} times as sharp as {end[0]}")
place = f"number {end.index('Norm') + 1} of {len(ORDER)} from the flat end"
print(f"common knowledge has the norms as the flattest; here they are {place}")

# %% [markdown]
# The paper's order is Emb < QK < FFN < VO < Norm, and it is claimed for models that
# have learned something, not for random ones (C1, C2). Before you believe any order,
# three things should be asked.
#
# *What is in the group?* You put the head to the embedding, and here it is a matrix of
# its own. The paper's Emb is the table alone. Both have a row for each token, but every
# token of a batch pulls at all rows of the head, and at one row of the table.

# %%
by_part = FisherSharpness(aside, by="part", loss=token_cross_entropy)
found = by_part(runs["AdamW"][0].model)
tables = {part: found[f"sharpness_{part}"] for part in ("embedding", "head")}
for part, value in tables.items():
    below = sum(found[f"sharpness_{p}"] < value for p in ("Q", "K", "V", "O"))
    print(f"{part:9} {value:.2e}, sharper than {below} of Q, K, V and O")
gap = abs(np.log10(tables["head"] / tables["embedding"]))
print(f"{10**gap:.1f} times apart, and Emb above is the mean of the two")

# %% [markdown]
# *Is it the type, or the depth?* If early layers were sharper than late ones, then
# something that sits early would look sharp. So look at each layer by itself.

# %%
by_layer = FisherSharpness(aside, by="layer/type", loss=token_cross_entropy)
found = by_layer(runs["AdamW"][0].model)
inner = ORDER[1:]
logs = np.log10(
    [[found[f"sharpness_block_{i}/{t}"] for t in inner] for i in range(depth)]
)
display(
    plots.heatmap(
        logs,
        rows=[f"block {i}" for i in range(depth)],
        columns=inner,
        label="log10 of S",
        form=".1f",
        title="Sharpness by layer and type",
    )
)
total = np.sum((logs - logs.mean()) ** 2)
share = {
    what: size * np.sum((logs.mean(axis=axis) - logs.mean()) ** 2) / total
    for what, axis, size in (("type", 0, depth), ("layer", 1, len(inner)))
}
print(f"the type accounts for {share['type']:.0%} of the differences of log S,")
print(f"the layer for {share['layer']:.0%} (C3)")

# %% [markdown]
# *And is it curvature at all?* The estimate is a squared gradient with a theory around
# it. That deserves a section of its own.

# %% [markdown]
# ## 3. Is that really curvature?
#
# The true thing is the Hessian. It cannot be written down, but multiplied by vectors,
# and random vectors are enough for its trace.

# %% exercise="hutchinson"

# %% [markdown]
# Where do the products come from? The kit differentiates twice, in code that has to
# know each backend. It can also be done with nothing but what Keras promises in public.

# %% exercise="recorder"

# %% [markdown]
# Now the cross-check, on a model so small that it costs nothing: one block that adds
# digits, trained for a moment. Three roads to the same numbers.

# %%
sums = Addition(digits=1, validation_pairs=20)
tiny = ModelConfig.uniform(
    1,
    "llama",
    width=16,
    vocabulary_size=sums.vocabulary_size,
    context_length=sums.context_length,
    positions="rotary",
    final_norm="rms",
    tied_head=False,
    initializer_std=0.1,
)
short = {"smoke": 20, "quick": 300}[budget]
brief = TrainConfig(
    short, 64, learning_rate=3e-3, warmup_steps=10, evaluate_every=short // 2
)
small_sums = Trainer(tiny, sums, brief).run().model
batches = [sums.batch(i, 64, seed=1) for i in range(8)]
whole = Batch(*(np.concatenate(arrays) for arrays in zip(*batches, strict=True)))

fisher = FisherSharpness(batches, loss=token_cross_entropy).estimates(small_sums)
hessian = HessianOperator(small_sums, [whole])
samples = {"smoke": 4, "quick": 32}[budget]
true = sharpness(hessian, samples=samples)

# %%
own_road = {}
if passed("recorder", "hutchinson"):
    variables = small_sums.trainable_variables
    small_sums.compile(Recorder(), token_cross_entropy)
    home = np.concatenate([np.ravel(variable) for variable in variables])
    kinds = labels(small_sums)
    groups = np.concatenate(
        [np.full(np.size(v), ORDER.index(k)) for v, k in zip(variables, kinds)]
    )

    def put(flat):
        """Give the model these weights."""
        for variable, piece in zip(variables, hessian.slices, strict=True):
            variable.assign(flat[piece].reshape(variable.shape).astype("float32"))

    def slope(flat):
        """The gradient there, read off your recorder."""
        put(flat)
        small_sums.train_on_batch(whole.inputs, whole.targets)
        return np.concatenate([g.ravel() for g in small_sums.optimizer.gradients])

    signs = np.random.default_rng(0).choice([-1.0, 1.0], (samples, hessian.size))
    times = lambda vector: hessian_times(slope, home, vector, 1e-4)
    error = np.linalg.norm(times(signs[0]) - hessian(signs[0]))
    error = error / np.linalg.norm(hessian(signs[0]))
    print(f"one product of your recorder is {error:.2%} off the kit's")
    traces, errors = block_traces(times, signs, groups)
    put(home)
    sizes = np.bincount(groups)
    own_road = {
        t: f"{trace:.2e} ± {e:.0e}"
        for t, trace, e in zip(ORDER, traces / sizes, errors / sizes)
    }
lines = ["| | Fisher estimate | true trace | your road |", "|---|---|---|---|"]
for t in ORDER:
    cells = [f"{x.value:.2e} ± {x.standard_error:.0e}" for x in (fisher[t], true[t])]
    lines.append(f"| {t} | {cells[0]} | {cells[1]} | {own_road.get(t, 'not yet')} |")
display(Markdown("\n".join(lines)))
orders = [sorted(ORDER, key=lambda t: estimate[t].value) for estimate in (fisher, true)]
same = "the same order" if orders[0] == orders[1] else "different orders"
print(f"the estimate and the true trace have {same}:")
for name, found in zip(("Fisher", "Hessian"), orders, strict=True):
    print(f"{name:8} {' < '.join(found)}")
place = f"number {orders[1].index('Emb') + 1} of {len(ORDER)} from the flat end"
print(f"the embedding, of {sums.vocabulary_size} symbols here, is {place}")

# %% [markdown]
# The two middle columns are different quantities that agree where the model is fitted:
# the Hessian has a second part that comes with the errors that are left. Do they agree
# here, within their standard errors? And does what you built from an optimizer agree
# with what the kit built from two derivatives?
#
# And look where the embedding stands. In a text most rows of the table are not in a
# batch, and have no curvature from it; in a sum every symbol occurs all the time. Part
# of the paper's order is the size of a vocabulary.
#
# A trace is a mean over all directions. What blows up first is the worst one.

# %% exercise="power_iteration"

# %%
if passed("power_iteration"):
    top = {}
    for t, pieces in parts(hessian).items():
        places = np.concatenate([np.arange(p.start, p.stop) for p in pieces])
        block = restricted(hessian, places, hessian.size)
        start = np.random.default_rng(0).standard_normal(len(places))
        top[t] = float(top_eigenvalue(block, start, samples)[0])
    print("largest eigenvalue of each block, by your iteration:")
else:
    top = {t: x.value for t, x in top_eigenvalues(hessian, iterations=samples).items()}
    print("largest eigenvalue of each block, by the kit's iteration:")
for t in sorted(ORDER, key=top.get):
    edge = f"{2 / top[t]:.3g}" if top[t] > 0 else "none"
    print(f"{t:5} {top[t]:9.3g}, and gradient descent would diverge above rate {edge}")

# %% [markdown]
# Mean and maximum need not have the same order. A block of many parameters can be flat
# on the whole, with one direction as steep as any. The paper's argument is about the
# mean; a critic would ask about the maximum.

# %% [markdown]
# ## 4. A rate for each block
#
# Take the order for granted: the flat blocks could go faster. The paper gives them
# ratios that were found once by hand, and kept for all models and texts.

# %%
print("ratios:", ", ".join(f"{t} {ratio:g}" for t, ratio in PAPER_RATIOS.items()))

# %% [markdown]
# How would you do it? The shortest way is to multiply the gradients of the embedding by
# ten before the optimizer sees them.

# %% tags=["prediction"]
steps_grow = "10 times"  # by how much do Adam's steps grow with such gradients?

# %%
growth = {}
for kind in (keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.Lion):
    moved = []
    for louder in (1.0, 10.0):
        weight = keras.Variable(np.zeros(100, "float32"))
        optimizer = kind(1e-3)
        noise = np.random.default_rng(0)
        for _ in range(20):
            gradient = louder * noise.standard_normal(100).astype("float32")
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
        moved.append(np.abs(np.asarray(weight)).mean())
    growth[kind.__name__] = moved[1] / moved[0]
for name, times_as_far in growth.items():
    print(f"{name:5} goes {times_as_far:.1f} times as far with gradients times 10")
lesson.compare("Adam's steps grow", steps_grow, f"{growth['Adam']:.1f} times")

# %% exercise="gradient_scale"

# %% [markdown]
# So the rate has to be multiplied, not the gradient. It sounds like a detail, and it is
# one in which an experiment of a week can drown without a sound.

# %% exercise="blockwise_step"

# %% [markdown]
# In the kit this is one line around any Keras optimizer: `blockwise(optimizer,
# ratios)`. But a learning rate is not a number, it is a curve. Which part of it is
# multiplied?

# %% exercise="block_warmup"

# %%
at = range(0, steps + 1, max(1, steps // 180))
options = {"final": training.final_learning_rate}
curves = {}
for scaling in ("warmup", "peak"):
    schedule = WarmUpSchedule(
        training.learning_rate, steps, training.warmup_steps, scaling=scaling, **options
    )
    for t, ratio in PAPER_RATIOS.items():
        if passed("block_warmup"):
            base = training.learning_rate, steps, training.warmup_steps
            rates = [block_rate(s, ratio, *base, options["final"], scaling) for s in at]
        else:
            rates = [float(schedule.rate(s, ratio)) for s in at]
        history = [{"step": s, "rate": rate} for s, rate in zip(at, rates)]
        curves.setdefault(scaling, {})[t] = Run(model, history)
whose = "yours" if passed("block_warmup") else "the kit's"
lesson.side_by_side(
    {
        f'scaling="{scaling}", {whose}': plots.learning_curves(
            lesson.own_results(found, small),
            "rate",
            label="learning rate",
            names={t: t for t in found},
        )
        for scaling, found in curves.items()
    }
)

# %% [markdown]
# With `"warmup"` all blocks rise with one slope, and the flat ones go on rising: at the
# first step everything learns at the same rate, and at the last one too. The ratio of
# the paper is reached in between, for a while. The official code can do both, and which
# of the two made the published curves could not be found out.

# %% [markdown]
# ## 5. The race
#
# Now train: the same model, the same text in the same order, with plain AdamW and with
# a rate for each block. If the second wins, what has been shown?
#
# Perhaps nothing. Every ratio of the paper is 1 or larger, so its optimizer has larger
# rates *on the whole*. If the base rate was a little low, then anything that raises it
# looks like a discovery. The rival that has to be beaten is plain AdamW with a larger
# rate, for all blocks alike. It is often forgotten.

# %% tags=["prediction"]
blockwise_beats_adamw = "yes"  # is block-wise better at the same base rate?
blockwise_beats_all = "yes"  # and better than all plain rates here?

# %%
arms = {"AdamW": training}
for factor in (2, 4):
    rate = factor * training.learning_rate
    arms[f"AdamW, {factor} × the rate"] = replace(training, learning_rate=rate)
arms["block-wise"] = replace(training, block_rates=BlockRates())
for name, config in arms.items():
    print(name)
    if name not in runs:
        trainer, runs[name] = Trainer(small, task, config), []
        trainer.warm_up()
    done = len(runs[name])
    runs[name] += [trainer.run(seed=seed) for seed in range(done, seeds)]

# %%
mine = lesson.own_results(runs, small)


def ahead(name, seed):
    """A run whose history is its loss minus that of AdamW, same step and seed."""
    pairs = zip(runs[name][seed].history, runs["AdamW"][seed].history, strict=True)
    loss = "validation_loss"
    return Run(
        model,
        [{"step": own["step"], "gap": own[loss] - base[loss]} for own, base in pairs],
    )


gaps = {name: [ahead(name, s) for s in range(seeds)] for name in runs}
display(
    plots.learning_curves(
        mine,
        "validation_loss",
        label="loss, nats per token",
        references={"guessing evenly": np.log(task.vocabulary_size)},
        names={name: name for name in runs},
    ),
    plots.learning_curves(
        lesson.own_results(gaps, small),
        "gap",
        label="loss minus that of AdamW",
        names={name: name for name in runs},
    ),
)
losses = {
    name: np.array([r.metrics["loss"] for r in found]) for name, found in runs.items()
}
lines = ["| | loss | against AdamW, same seeds (95 % interval) |", "|---|---|---|"]
for name, values in losses.items():
    gap = mean_interval(values - losses["AdamW"])
    against = f"{gap.estimate:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
    lines.append(
        f"| {name} | {values.mean():.3f} | {against if name != 'AdamW' else ''} |"
    )
display(Markdown("\n".join(lines)))


def beats(first, second):
    """Whether one arm has the lower loss, beyond what the seeds leave open."""
    gap = mean_interval(losses[first] - losses[second])
    return "yes" if gap.high < 0 else "no" if gap.low > 0 else "undecided"


plain = [name for name in losses if name != "block-wise"]
best = min(plain, key=lambda name: losses[name].mean())
lesson.compare(
    "block-wise beats AdamW", blockwise_beats_adamw, beats("block-wise", "AdamW")
)
lesson.compare(
    "block-wise beats all plain rates", blockwise_beats_all, beats("block-wise", best)
)
gap = mean_interval(losses["block-wise"] - losses["AdamW"])
fair = mean_interval(losses["block-wise"] - losses[best])
display(
    Markdown(
        f"At the base rate, block-wise ends {abs(gap.estimate):.3f} nats "
        f"{'below' if gap.estimate < 0 else 'above'} AdamW. The best plain rate here "
        f"is that of “{best}”; against it the difference is {fair.estimate:+.3f}, with "
        f"{fair.low:+.3f} to {fair.high:+.3f} as the interval of {seeds} seeds. "
        "The second number is the one to go by."
    )
)

# %% [markdown]
# Whatever came out: it came out for one small model, a few hundred steps, ratios that
# were tuned for a model hundreds of times as large, and three seeds. The paper sees
# gains of about 0.05 nats after tens of thousands of steps, and block-wise rates
# *behind* for the first half (C9). In your second picture, who leads early, who late?
#
# To be fair to both sides one would search the base rate of each arm on the same grid.
# That is what the kit's study does.

# %% [markdown]
# ## 6. One run is an anecdote
#
# The stored study has more blocks and steps, a learning rate searched for each arm,
# GPT- and LLaMA-type models, tied and untied heads, reversed ratios, square roots of
# ratios, Lion, and other schedules.

# %%
kept = committed("sharpness")
if len(kept):
    same_edit = {
        "AdamW": "llama-adamw",
        "AdamW, 2 × the rate": "llama-uniform-x2",
        "AdamW, 4 × the rate": "llama-uniform-x4",
        "block-wise": "llama-blockwise",
    }
    display(lesson.side_by_side_table(mine, kept, same_edit, "loss", ".3f"))
    display(lesson.verdict_table(load("sharpness"), kept))
else:
    print("This copy of the kit holds no stored results; kit reproduce sharpness makes")
    print("some in a few minutes, and kit report sharpness shows them.")

# %% [markdown]
# ## 7. Would you have noticed a bug?
#
# An optimizer cannot crash in an interesting way. If it ignores your ratios, multiplies
# gradients instead of steps, or clips every block for itself, the loss goes down all
# the same, and the conclusion is wrong. Write a test that tells, and have it tested.

# %% exercise="test_blockwise"

# %% [markdown]
# ## 8. What no experiment here can decide
#
# - **Size.** With a vocabulary of a hundred thousand most rows of the embedding get no
#   gradient from a batch, and its mean curvature is tiny for that reason alone. With
#   two thousand tokens that is less so, and with the few symbols of an addition it is
#   not so at all.
# - **Length.** The gains of the paper appear in the second half of runs of fifty
#   thousand steps. A run of some hundred steps has no second half in that sense.
# - **Cause.** That flat blocks profit from larger rates does not show that they do so
#   *because* they are flat. Ratios in the reversed order, or the same ratio for all,
#   would have to fail for that; the study has them among its arms.
# - **Adam.** The edge of 2 over the largest eigenvalue is that of gradient descent.
#   Adam divides by the size of gradients, and so has rates of its own for each weight
#   already. What is left to gain after that is an empirical question.
# - **The sharpness of the paper.** Its code for measuring was not published. The
#   estimate here is the one that its text describes; whether it counts tokens or
#   sequences moves all blocks alike, and changes no order.
#
# **To think about.** A colleague tells you that ratios of (1, 1, 1, 1, 1) with twice
# the base rate work as well as those of the paper, on your model. Which single run
# would you ask for, before either of you changes a default?

# %%
lesson.scoreboard("sharpness", checks)

# %% [markdown]
# **Where to go from here.** `kit.optimizers.blockwise` takes any Keras model and any
# optimizer: layers and variables by label, or a function of a variable. `kit start`
# copies the exercises into a folder, if you prefer an editor to a notebook. And there
# is one group that nobody has asked about: what is the sharpness of the *first* block's
# queries, and what would a rate by layer do? Say it before you run it.
