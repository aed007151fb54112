# %% [markdown]
# # How much of a block can go?
#
# A Transformer block holds attention, a feed-forward part, two norms, two skips, and
# four square matrices in the attention alone. Why all of that? Mostly because it was
# in the first model that worked. Few have dared to ask each part to leave.
#
# *Simplifying Transformer Blocks* (He and Hofmann, [arXiv
# 2311.01906](https://arxiv.org/abs/2311.01906)) asks them all, one after the other:
# skips, value and projection matrices, the order of the two halves, the norms. Each
# time something breaks, it finds out why, and puts in the smallest thing that mends it.
# You will
#
# 1. see what a skip is for, before any training;
# 2. build an attention that does not need one;
# 3. find out why two of its four matrices can be left away;
# 4. put together blocks with fewer skips, and with none;
# 5. train them, and look at what the remaining numbers do.

# %% [markdown] tags=["learners"]
# **How it works.** Write each exercise in the cell below it and run the check. Whatever
# you leave out stops nothing: the rest of the notebook uses the kit's own functions.
# Hints are folded; open as many as you like. Before a result you are asked for a
# prediction. Make it, in earnest: a wrong prediction is remembered, a read result is
# not.
#
# All exercises take an afternoon, the computer needs a few minutes of it. Attention
# itself, heads and masks are exercises of the notebook on `symmetry`; here they are
# taken for granted.

# %% [markdown] tags=["solved"]
# **These are the answers.** It is the notebook for learners, with every exercise solved
# and the predictions that most people make. It holds no outputs, because they are those
# of the machine that makes them: open it in Jupyter and run all cells, which trains
# five small models in a few minutes. With `KIT_BUDGET=smoke` in the environment
# everything runs in about a minute, and the models learn nothing.

# %%
from kit import lesson

budget = lesson.prepare()

from dataclasses import replace

import numpy as np
from IPython.display import Markdown, display

from kit import plots
from kit.config import ModelConfig
from kit.counts import flops_per_token, parameter_counts
from kit.data import Batch, TextTask
from kit.grading import check_in_notebook
from kit.labels import difference_label
from kit.models import activations, build, describe
from kit.panels import signal_panels
from kit.probes.signal import SignalProbe, gains, signal
from kit.studies import committed, load
from kit.training import TrainConfig, Trainer

checks = {}  # what the checks of the exercises said


def passed(*names):
    return all(name in checks and checks[name].passed for name in names)


if budget == "smoke":
    print("Budget smoke: training is too short to learn anything. For the real thing,")
    print("start Jupyter without KIT_BUDGET.")

# %% [markdown]
# ## 1. What is a skip for?
#
# The usual block, called Pre-LN, adds each of its branches to the stream:
#
# $$
# \hat X = X + \mathrm{attention}(\mathrm{norm}(X)), \qquad
# X_\mathrm{out} = \hat X + \mathrm{feed\ forward}(\mathrm{norm}(\hat X)).
# $$
#
# Take the first skip away, and only what comes through the attention goes on. An
# attention map is a set of averages. One average is harmless; averages of averages of
# averages are all the same number.
#
# There is a measure for it that needs no training at all.

# %% exercise="rank_collapse"

# %% [markdown]
# Now a stack of twelve blocks with random weights. The naive one is the usual block
# without its first skip, and nothing else is changed.

# %% tags=["prediction"]
alike_after = "12 blocks"  # naive: after which block is the mean cosine above 0.9?

# %%
DEPTH = {"smoke": 6, "quick": 12}[budget]
TIME, VOCABULARY = 32, 64


def stack(preset, **edits):
    """Small blocks of a preset, with some fields changed in all of them."""
    sizes = {"width": 64, "vocabulary_size": VOCABULARY, "context_length": TIME}
    config = ModelConfig.uniform(DEPTH, preset, initializer_std=0.07, **sizes)
    return config.with_every_block(**edits)


random = np.random.default_rng(0)
batch = Batch(*random.integers(VOCABULARY, size=(2, 8, TIME), dtype="int32"))
naive = stack("pre-ln", attention_skip=0.0)

model = build(naive)
if passed("rank_collapse"):
    names = [f"block_{i}/output" for i in range(DEPTH)]
    layers = activations(model, batch.inputs, *names)
    cosines = np.asarray(mean_cosines(np.stack([layers[name] for name in names])))
    whose = "your measure"
else:
    cosines = np.array(signal(model, batch.inputs)["cosine"][1:])
    whose = "the kit's measure"
print(f"naive, {whose}:", " ".join(f"{cosine:.2f}" for cosine in cosines))
above = np.flatnonzero(cosines > 0.9)
found = f"block {above[0] + 1}" if len(above) else "never"
lesson.compare("all tokens are alike after", alike_after, found)

# %%
wirings = {"Pre-LN": stack("pre-ln"), "naive": naive}
signals = {name: [SignalProbe(c, batch)(build(c))] for name, c in wirings.items()}
signal_panels(signals)

# %% [markdown]
# The tokens of the naive stack soon point the same way, whatever the text says. This is
# **rank collapse**. Note what is *not* wrong with it: its stream neither dies out nor
# explodes, and gradients do arrive at the first block. A look at sizes would find this
# model in good health. But whatever a late block learns, it learns from tokens that all
# say the same.
#
# So the skip has a job: it lets the tokens of a block stay different from each other.
# The question of the paper is whether only a skip can do that job.

# %% [markdown]
# ## 2. A skip inside the attention
#
# Let the attention itself begin as *do nothing*. If its map were the identity at the
# start, tokens would come through unmixed, and training could then learn to mix as much
# as it likes. That is **shaped attention**, from an earlier paper
# ([2306.17759](https://arxiv.org/abs/2306.17759)).

# %% exercise="shaped_map"

# %% [markdown]
# Here are the three terms at work: a softmax, and the shaped map that is made of it
# when the gain of the identity is 1, that of the softmax 0.5, and that of the mean 0.2.

# %%
time = 8
mask = np.tril(np.ones((time, time), bool))
scores = np.random.default_rng(1).normal(size=(time, time)) * 1.5
softmax = np.where(mask, np.exp(scores), 0.0)
softmax = (softmax / softmax.sum(axis=1, keepdims=True)).astype("float32")
strengths = [np.full(1, gain, "float32") for gain in (1.0, 0.5, 0.2)]

maps = {"softmax": softmax}
if passed("shaped_map"):
    shaped = shaped_map(softmax[None, None], mask, *strengths)
    maps["your shaped map"] = np.asarray(shaped)[0, 0]
else:
    config = stack("sas").with_blocks({0: {"num_heads": 1}})
    name = "block_0/attention/shaped_map"
    start = activations(build(config), batch.inputs[:, :time], name)[name]
    maps["the kit's shaped map, as it starts"] = start[0, 0]
pictures = {
    title: plots.heatmap(
        values,
        row_label="position that looks",
        column_label="position that is looked at",
        limits=(-1.5, 1.5),
        diverging=True,
        form="z.1f",
    )
    for title, values in maps.items()
}
display(lesson.side_by_side(pictures))

# %% [markdown]
# Its rows may hold negative numbers, and add up to *alpha + beta − gamma* instead of 1:
# it is no average any more, and that is the point. When the scores are zero and all
# gains are 1, the last two terms cancel, and what is left is the identity. The paper
# starts there, with a query matrix of zeros.
#
# A fast kernel never shows us its map, but it is not needed either.

# %% exercise="prefix_mean"

# %% [markdown]
# Does it do the job of the skip? The same probe, with the skip around the attention
# gone and the attention shaped.

# %%
wirings["shaped, no skip"] = stack("v-skip-init")
signals |= {
    name: [SignalProbe(config, batch)(build(config))]
    for name, config in wirings.items()
    if name not in signals
}
signal_panels(signals)

# %% [markdown]
# Nothing collapses. So training should be as good as with the skip? The paper tried,
# and it was clearly worse (C1). Something else was lost with the skip.

# %% [markdown]
# ## 3. Matrices that want to stay where they are
#
# With a skip, a token passes two roads: around the attention untouched, and through it,
# turned by the value matrix and again by the projection. Without the skip the second
# road is the only one, and each step of training turns every token of every layer. The
# suspicion: these two matrices move too much.
#
# The paper tests it with one equation: write each of them as its start plus a change,
# and turn the change down. If less change is better, they would rather stand still.

# %% exercise="weight_duality"

# %% [markdown]
# You have just shown that a smaller gain of the change *is* a smaller learning rate for
# these matrices. In the paper the loss falls the smaller it gets (C2), and when the
# model may choose the gain itself, it takes it to almost zero in nearly all layers
# (C3). So why train the matrices at all? And if they need no training, why not make
# them the one matrix that costs nothing: the identity.

# %% exercise="identity_values"

# %% [markdown]
# Two of four matrices are gone, with their products. (One is kept: the value matrix of
# the first block, which helps a little.) With the skip *in place*, by the way, the
# paper finds the opposite: there, values of identity cost something (C4). A part is
# never needed or superfluous by itself. It depends on what else is there.

# %% [markdown]
# ## 4. Fewer skips, and none
#
# What is left has a name: the **S**implified **A**ttention **S**ub-block, SAS.

# %% exercise="sas"

# %% [markdown]
# One skip is left, around the feed-forward. Remove it, and training suffers again (C6).
# But there is another way: let the two halves stand side by side. The attention begins
# as the identity, so it can be the skip of its neighbour.

# %% exercise="sas_p"

# %% [markdown]
# SAS has a skip and runs its halves one after the other, SAS-P has none and runs them
# side by side. Two different functions?

# %% tags=["prediction"]
same_at_the_start = "no"  # with the same weights, do SAS and SAS-P start equal?

# %%
serial, parallel = build(stack("sas"), seed=0), build(stack("sas-p"), seed=0)
outputs = [np.asarray(model(batch.inputs)) for model in (serial, parallel)]
difference = np.abs(outputs[0] - outputs[1]).max() / np.abs(outputs[0]).max()
print(f"largest difference of the logits: {difference:.1e} of the largest logit")
equal = "yes" if difference < 1e-3 else "no"
lesson.compare("SAS and SAS-P start equal", same_at_the_start, equal)

# %% [markdown]
# What is saved? The paper trained 18 blocks of width 768. Counting needs no GPU.

# %% exercise="parameters"

# %%
sizes = {"width": 768, "vocabulary_size": 50_000, "context_length": 1024}
paper = {name: ModelConfig.uniform(18, name, **sizes) for name in ("pre-ln", "sas")}
for name, config in paper.items():
    if passed("parameters"):
        count = num_parameters(name, 18, 768, 3072, 50_000, positions=1024, tied=True)
        whose = "your count"
    else:
        counts = parameter_counts(config)
        count = sum(counts[role] for role in ("Emb", "QK", "VO", "FFN"))
        whose = "the kit's count"
    print(f"{name:8} {count / 1e6:.1f} million parameters in matrices ({whose})")
saved = 1 - flops_per_token(paper["sas"]) / flops_per_token(paper["pre-ln"])
print(f"operations per token: {saved:.0%} fewer")

# %% [markdown]
# ## 5. Train
#
# A model is a list of blocks, and each of these blocks is a preset. Look at what the
# edits are, in the words of the kit.

# %%
task = TextTask("docs", {"bpe": 2048}, context_length=64, validation_tokens=16_384)
sizes = {
    "width": 64,
    "vocabulary_size": task.vocabulary_size,
    "context_length": task.context_length,
}
blocks = {"smoke": 2, "quick": 4}[budget]


def small(preset):
    """Some blocks of a preset."""
    return ModelConfig.uniform(blocks, preset, initializer_std=0.07, **sizes)


base = small("pre-ln")
models = {
    "Pre-LN": base,
    "naive": base.with_every_block(attention_skip=0.0),
    "SAS": small("sas"),
    "SAS-P": small("sas-p"),
    "no norms": small("sas-p-no-norm"),
}
print(describe(models["SAS-P"], base))

# %% [markdown]
# The text is documentation that came with Python and its packages, cut into pieces of
# words. All five models see the same pieces in the same order, and have the same
# learning rate. Is that fair? It is the rate that suits Pre-LN, so the comparison leans
# its way; the study at the end gives every block a search of its own.

# %% tags=["prediction"]
sas_loses = "yes"  # is SAS worse than Pre-LN by more than 0.1 nats?
naive_loses = "yes"  # and the naive block?
best_without_norms = "no"  # do the blocks without norms come out ahead?

# %%
steps = {"smoke": 20, "quick": 480}[budget]
training = TrainConfig(
    steps=steps,
    batch_size=16,
    learning_rate=3e-3,
    schedule="linear",
    final_learning_rate=0.0,
    warmup_steps=steps // 20,
    evaluate_every=max(steps // 12, 10),
)
runs = {}
for name, config in models.items():
    print(name)
    trainer = Trainer(config, task, training)
    trainer.warm_up()  # compile first, so that the seconds are those of training
    runs[name] = trainer.run()

# %%
mine = lesson.own_results(runs, base)
even = np.log(task.vocabulary_size)
display(
    plots.learning_curves(
        mine,
        "validation_loss",
        label="loss, nats per token",
        references={f"guessing evenly: {even:.2f}": even},
        names={name: name for name in runs},
    ),
    plots.learning_curves(
        mine,
        "validation_loss",
        x="seconds",
        label="loss, nats per token",
        names={name: name for name in runs},
    ),
)
loss = {name: run.metrics["loss"] for name, run in runs.items()}
lesson.compare(
    "SAS loses by more than 0.1",
    sas_loses,
    "yes" if loss["SAS"] - loss["Pre-LN"] > 0.1 else "no",
)
lesson.compare(
    "the naive block loses by more than 0.1",
    naive_loses,
    "yes" if loss["naive"] - loss["Pre-LN"] > 0.1 else "no",
)
ahead = "yes" if loss["no norms"] == min(loss.values()) else "no"
lesson.compare("without norms comes out ahead", best_without_norms, ahead)

# %%
lines = ["| | loss | parameters | seconds of training |", "|---|---|---|---|"]
for name, run in runs.items():
    parameters = sum(parameter_counts(models[name]).values())
    lines.append(
        f"| {name} | {loss[name]:.3f} | {parameters:,} | {run.training_seconds:.0f} |"
    )
display(Markdown("\n".join(lines)))

# %% [markdown]
# Two curves, two questions. Per *step*, a block is good if it learns much from each
# batch. Per *second*, it may learn a little less from each and still win, because it
# has less to compute. The paper's headline, 16 % faster, is about the second. How much
# faster depends on the width, the length of the text and the machine: at this width
# most of the time goes elsewhere.
#
# Then look inside. Every head has three gains. Where did they go?

# %%
found = gains(runs["SAS"].model)
terms = {"alpha": "identity", "beta": "softmax", "gamma": "mean"}
heads = base.blocks[0].num_heads
places = [(block, head) for block in range(len(base.blocks)) for head in range(heads)]
table = [
    [found[f"block_{block}/attention/map_{term}/{head}"] - 1 for term in terms]
    for block, head in places
]
plots.heatmap(
    table,
    rows=[f"block {block}, head {head}" for block, head in places],
    columns=[f"{term} ({what})" for term, what in terms.items()],
    limits=(-0.2, 0.2),
    diverging=True,
    form="+.2f",
    title="How far the gains of SAS have moved from 1",
)

# %% [markdown]
# None of them went to zero in the paper, and if none did here: the identity is not a
# crutch for the first steps but a part of what the model has become. The skip was not
# removed, one might say. It was made a citizen of the attention.
#
# And the signal, in trained models. Compare the naive one with its state at the start:
# what has become of the gradients of its first blocks?

# %%
held_out = task.validation()
looked_at = Batch(held_out.inputs[:16], held_out.targets[:16])
trained = {
    name: [SignalProbe(models[name], looked_at)(run.model)]
    for name, run in runs.items()
}
signal_panels(trained)

# %% [markdown]
# ## 6. One run is an anecdote
#
# Yours were four blocks and one seed. The kit's stored study has six and twelve blocks,
# several seeds, a learning rate searched for each arm, encoders that fill in masked
# tokens, and the experiments on values and projections that were only told here.

# %%
kept = committed("simplify")
if len(kept):
    same_edit = {
        "Pre-LN": "A-pre-ln",
        "naive": "C-naive",
        "SAS": "F-sas",
        "SAS-P": "G-sas-p",
        "no norms": "H-no-norm",
    }
    display(lesson.side_by_side_table(mine, kept, same_edit, "loss", ".3f"))
    arms = list(same_edit.values())
    names = {arm: name for name, arm in same_edit.items()}
    curves = {
        f"yours, {blocks} blocks": plots.learning_curves(
            mine, "validation_loss", list(same_edit), names={n: n for n in same_edit}
        ),
        "the kit's, 6 blocks": plots.learning_curves(
            kept, "validation_loss", arms, names=names
        ),
    }
    display(lesson.side_by_side(curves))
    display(lesson.verdict_table(load("simplify"), kept))
else:
    print("This copy of the kit holds no stored results; kit reproduce simplify makes")
    print("some in a few minutes, and kit report simplify shows them.")

# %% [markdown]
# ## 7. Would you have noticed a bug?
#
# Shaped attention passes the test that everybody writes first, *it starts as the
# identity*, with almost any mistake in it. Write a test that it cannot pass by
# accident, and have it tested.

# %% exercise="test_shaped"

# %% [markdown]
# ## 8. What no experiment here can decide
#
# - **Depth.** The paper trains 18 blocks, and 72. Collapse grows with every block, and
#   what four of them forgive need not be forgiven by forty.
# - **Length.** Its runs see hundreds of millions of tokens. What costs a little early
#   may cost nothing late, or the other way round.
# - **Speed.** 16 % was measured on a GPU at width 768. Which part of a step is matrix
#   products, and which is not, is a property of the machine.
# - **Removed is not unnecessary.** The identity in the map *is* a skip, and the gain of
#   the feed-forward is tuned to the depth. A part can go if its job is done elsewhere:
#   that is what was shown.
#
# **To think about.** In SAS the norm stands on the main road: no token reaches the next
# block without it. In Pre-LN the stream itself is never normalised. Which of the two
# would you expect to care more about the size of the initial weights, and how would you
# find out with one probe and no training?

# %%
lesson.scoreboard("simplify", checks)

# %% [markdown]
# **Where to go from here.** `kit reproduce simplify` runs the deciding arms on this
# machine in a few minutes and writes a report. `kit start` copies the exercises into a
# folder, if you prefer an editor to a notebook. And there is one edit that the paper
# does not try: what becomes of SAS-P if only every *second* block lacks its skips? Say
# it before you run it.
