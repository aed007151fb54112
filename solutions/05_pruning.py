# %% [markdown]
# # How much of a model can go?
#
# A trained model is larger than it need be. Everybody believes that, and it is easily
# shown: take something out, and see what the model says then. It is much less easy to
# say *what* to take out, and to be sure that the clever choice was any better than a
# dull one.
#
# *2SSP: A Two-Stage Framework for Structured Pruning of LLMs* (Sandri and others,
# [arXiv 2501.17771](https://arxiv.org/abs/2501.17771)) makes a model smaller without
# training. First neurons go from the feed-forwards, by a score; then whole attentions
# go, by trial. You will
#
# 1. measure how unsure a model is;
# 2. score neurons, and find out how many of them nobody misses;
# 3. do the surgery, so that the model really is smaller;
# 4. split what has to go between neurons and attentions, and test the rule;
# 5. remove attentions one by one, and race the whole against simpler ways;
# 6. prune while a model trains, which is another thing;
# 7. prune a real model, if there is one on your machine.

# %% [markdown] tags=["learners"]
# **How it works.** Write each exercise in the cell below it and run the check. Whatever
# you leave out stops nothing: the rest of the notebook uses the kit's own functions.
# Hints are folded; open as many as you like. Before a result you are asked for a
# prediction. Make it, in earnest: a wrong prediction is remembered, a read result is
# not.
#
# All exercises take an afternoon, the computer needs a few minutes of it. Tokens and
# losses are the business of the notebook on `symmetry`, optimizers that of `sharpness`.

# %% [markdown] tags=["solved"]
# **These are the answers.** It is the notebook for learners, with every exercise solved
# and the predictions that most people make. It holds no outputs, because they are those
# of the machine that makes them: open it in Jupyter and run all cells, which trains a
# small model and prunes it, dozens of times, in a few minutes. With `KIT_BUDGET=smoke`
# in the environment everything runs in about a minute, and the model learns nothing.

# %%
from kit import lesson

budget = lesson.prepare()

import keras
import numpy as np
from IPython.display import Markdown, display

from kit import plots
from kit.blocks import BlockConfig
from kit.config import ModelConfig
from kit.data import TextTask
from kit.grading import check_in_notebook
from kit.models import activations, flops_per_token, generate, named_weights
from kit.optimizers import AdamW
from kit.panels import line_panels
from kit.pretrained import CHECKPOINTS, found, load
from kit.pretrained import held_out as unseen_by
from kit.pruning import (
    Activity,
    Calibration,
    Evaluator,
    Part,
    Pieces,
    Polynomial,
    PruningCallback,
    allocate,
    attention_share,
    best,
    keep_neurons,
    parts_of,
    prune,
    score_neurons,
    two_stage,
)
from kit.pruning import remove_greedily as kit_remove_greedily
from kit.studies import committed
from kit.studies import load as load_study
from kit.studies.pruning.curves import on_the_curve
from kit.training import Run, TrainConfig, Trainer, token_cross_entropy

checks = {}  # what the checks of the exercises said


def passed(*names):
    return all(name in checks and checks[name].passed for name in names)


if budget == "smoke":
    print("Budget smoke: training is too short to learn anything. For the real thing,")
    print("start Jupyter without KIT_BUDGET.")

# %% [markdown]
# ## 1. Something to cut
#
# The patient is a small LLaMA: RMS norms, rotary positions, SwiGLU, with feed-forwards
# twice as large as its attentions, as in Llama-2. It reads documentation that came with
# Python and its packages, and it is trained here, now. Then it goes on with a piece of
# text: what comes after ▸ is its own.

# %%
task = TextTask(
    "docs",
    {"bpe": 2048},
    context_length=64,
    validation_tokens={"smoke": 1024, "quick": 8192}[budget],
)
depth = {"smoke": 2, "quick": 8}[budget]
small = ModelConfig.uniform(
    depth,
    BlockConfig(norm="rms", feed_forward="swiglu", feed_forward_dim=128),
    width=48,
    vocabulary_size=task.vocabulary_size,
    context_length=task.context_length,
    positions="rotary",
    final_norm="rms",
    initializer_std=0.07,
)
steps = {"smoke": 4, "quick": 600}[budget]
xla = budget == "quick"  # a compiler that pays where much is to be computed
training = TrainConfig(
    steps=steps,
    batch_size=16,
    learning_rate=3e-3,
    warmup_steps=steps // 10,
    final_learning_rate=0.05,
    beta_2=0.95,
    evaluate_every=steps // 2,
)
model = Trainer(small, task, training, jit_compile=xla).run().model


def show_continued(model, text, tokenizer, steps):
    """How a model goes on with a piece of text that it has not seen."""
    start = text[:1, :16]
    tokens = generate(model, start, {"smoke": 1, "quick": steps}[budget])
    words = [tokenizer.decode(part) for part in (tokens[0, :16], tokens[0, 16:])]
    text = " ▸ ".join(" ".join(part.split()) for part in words)
    display(Markdown(f"```text\n{text}\n```"))


show_continued(model, task.validation().inputs, task.tokenizer, 24)

# %% exercise="perplexity"

# %% [markdown]
# All numbers below come from text that the model was not trained on, and that nothing
# was chosen by either. Most are losses, the logarithm of the perplexity: a difference
# of 0.1 means the same everywhere, while a perplexity of 200 that becomes 220 only
# looks worse than one of 20 that becomes 22.

# %%
held_out = task.validation()
calibration = Calibration(
    task.batch(0, 64, seed=99).inputs, sequences=64, search_sequences=16
)


def loss_of(model, pieces=None):
    """Loss on the text that was held out, in nats per token."""
    return Evaluator(model, held_out, pieces=pieces).loss()


dense = loss_of(model)
print(f"held-out loss {dense:.3f}: as unsure as among {np.exp(dense):,.0f} tokens")
print(f"guessing evenly: {task.vocabulary_size:,} tokens")
if passed("perplexity"):
    rows = held_out.inputs[:16]
    whole_rows = np.full(len(rows), rows.shape[1])
    mine = perplexity(np.asarray(model(rows)), rows, whole_rows)
    theirs = np.exp(Evaluator(model, Calibration(rows, 16).batch).loss())
    print("perplexity of the first 16 windows alone,", end=" ")
    print(f"by your function {mine:,.1f}, by the kit's {theirs:,.1f}")

# %% [markdown]
# ## 2. Neurons
#
# Two thirds of a block are feed-forward, so most of what goes has to go there. Each of
# its neurons is a number between two matrices, and the number can be looked at.

# %% exercise="neuron_score"

# %%
weights = named_weights(model)
MATRICES = ("up", "gate", "down")
looked_at = calibration.batch.inputs
hidden_states = activations(model, looked_at, "block_*/feed_forward/hidden")


def scores_of(name):
    """Block -> a score of this name for each neuron."""
    scores = {}
    for block in range(depth):
        layer = f"block_{block}/feed_forward"
        h = hidden_states[f"{layer}/hidden"]
        if name == "l2" and passed("neuron_score"):
            scores[block] = neuron_scores(h, np.ones(h.shape[:2], bool))
        else:
            matrices = {m: np.asarray(weights[f"{layer}/{m}"]) for m in MATRICES}
            scores[block] = score_neurons(name, Activity.of(h), matrices, block=block)
    return scores


sorted_scores = {
    f"block {block}": Run(
        model,
        [{"neuron": i, "score": s} for i, s in enumerate(np.sort(scores)[::-1])],
    )
    for block, scores in scores_of("l2").items()
}
print("scored by", "your function" if passed("neuron_score") else "the kit's function")
plots.learning_curves(
    lesson.own_results(sorted_scores, small),
    "score",
    x="neuron",
    label="score, highest first",
    names={name: name for name in sorted_scores},
)

# %% [markdown]
# If a few neurons did all the work, these lines would fall like a stone. Do they? And
# are they at the same height in all blocks? (2SSP keeps the same number everywhere, so
# it never compares a score with that of another block.)
#
# Now remove the lowest ones. For a quick look it is enough to make zeros of what they
# write.

# %% tags=["prediction"]
free_share = "30 %"  # which share of the neurons can go for 0.05 nats?
at_random = "much worse"  # half of them gone at random: worse than by score, or not?
by_weights = "as good"  # and those with the smallest weights, without any data?

# %%
pieces = Pieces(model)  # compiled once: only weights change
rows_of = {b: np.asarray(weights[f"block_{b}/feed_forward/down"]) for b in range(depth)}


def masked_loss(kept):
    """Held-out loss if the other neurons of each block write nothing."""
    for block, matrix in rows_of.items():
        stays = np.isin(np.arange(matrix.shape[1]), kept[block])
        weights[f"block_{block}/feed_forward/down"].assign(matrix * stays)
    found = loss_of(model, pieces)
    for block, matrix in rows_of.items():
        weights[f"block_{block}/feed_forward/down"].assign(matrix)
    return found


NEURONS = small.blocks[0].feed_forward_dim
GONE = "share that is gone"
shares = {"smoke": [0.25, 0.5], "quick": [0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8]}[budget]
kinds = {
    "l2": "2SSP",
    "weighted": "2SSP, times what the neuron writes with",
    "magnitude": "size of its weights",
    "random": "at random",
    "worst": "2SSP upside down",
}
losses = {}
for kind in kinds:
    scores = scores_of(kind)
    losses[kind] = {0.0: dense}
    for share in shares:
        count = round((1 - share) * NEURONS)
        kept = {block: best(s, count) for block, s in scores.items()}
        losses[kind][share] = masked_loss(kept)
by_share = {
    kind: Run(model, [{GONE: s, "loss": loss} for s, loss in found.items()])
    for kind, found in losses.items()
}
display(
    plots.learning_curves(
        lesson.own_results(by_share, small),
        "loss",
        x=GONE,
        label="loss, nats per token",
        references={"guessing evenly": np.log(task.vocabulary_size)},
        names=kinds,
    )
)
free = [share for share, loss in losses["l2"].items() if loss < dense + 0.05]
lesson.compare("neurons that go for 0.05 nats", free_share, f"{max(free):.0%}")
rises = {kind: found[0.5] - dense for kind, found in losses.items()}
print("half of the neurons gone raises the loss by")
for kind, rise in sorted(rises.items(), key=lambda item: item[1]):
    print(f"  {rise:+.3f}  {kinds[kind]}")
for kind, said in (("random", at_random), ("magnitude", by_weights)):
    measured = f"{rises[kind] - rises['l2']:+.3f} nats against 2SSP"
    lesson.compare(kinds[kind], said, measured)

# %% [markdown]
# (Where two lines of the picture lie on each other, the list below tells them apart.)
#
# The upside-down score is a control that costs nothing: if keeping the *worst* neurons
# were not far worse than chance, the score would mean nothing. And "times what the
# neuron writes with" tests what looks like a hole in the paper's idea. Its score sees
# how loud a neuron is, but not what it writes with. Does it help to multiply the two?

# %% [markdown]
# ## 3. Surgery
#
# Zeros save nothing. A matrix with zeros in it is multiplied like any other, and the
# file is as large as before.

# %% exercise="dense_pair"

# %%
half = {block: best(s, NEURONS // 2) for block, s in scores_of("l2").items()}
smaller = keep_neurons(model, half)
loss = loss_of(smaller)
print(f"masked {masked_loss(half):.4f}, cut {loss:.4f}: the same model")
for name, found_model in (("whole", model), ("cut", smaller)):
    flops = flops_per_token(found_model.config)
    print(
        f"{name:5} {found_model.count_params():9,} parameters {flops:9,} FLOPs a token"
    )
if passed("dense_pair"):
    pair = []
    for name in ("up", "down"):
        matrix = np.asarray(weights[f"block_0/feed_forward/{name}"])
        matrix = matrix if name == "up" else matrix.T  # the kit keeps it transposed
        dense_layer = keras.layers.Dense(matrix.shape[1], use_bias=False)
        dense_layer.build((None, len(matrix)))
        dense_layer.set_weights([matrix])
        pair.append(dense_layer)
    cut = smaller_pair(*pair, np.array(half[0]))
    theirs = named_weights(smaller)
    same = np.array_equal(
        np.asarray(cut[0].kernel), np.asarray(theirs["block_0/feed_forward/up"])
    ) and np.array_equal(
        np.asarray(cut[1].kernel).T, np.asarray(theirs["block_0/feed_forward/down"])
    )
    print(f"your surgery on block 0 and the kit's agree: {'yes' if same else 'no'}")

# %% [markdown]
# Note what does not shrink: the embedding. In a model as small as this one it is most
# of what is left, and "half of the model" means half of the blocks. The official code
# of 2SSP counts like that too. When you compare two papers, look up what each means.

# %% [markdown]
# ## 4. Neurons or attentions?
#
# Attentions can go as well. Each one that does saves its four matrices, and spares some
# neurons in all the blocks. So for a given size there is a family of models, from "no
# attention goes" to "only attentions go", and somewhere a best one.

# %% exercise="allocation"

# %%
lines = {}
for ratio, example in ((2, "Llama-2-7B"), (3, "SmolLM2"), (7, "Qwen2.5-7B")):
    at = np.linspace(0, 0.7, 15)
    history = [{GONE: s, "share": attention_share(ratio, s)} for s in at]
    lines[f"feed-forward {ratio} times as large ({example})"] = Run(model, history)
display(
    plots.learning_curves(
        lesson.own_results(lines, small),
        "share",
        x=GONE,
        label="share of the attentions",
        names={name: name for name in lines},
    )
)
split_by_rule = allocate(small, 0.5)
print(
    f"here, at half the size: {split_by_rule.num_attentions} of {depth} attentions go,"
)
print(f"and {split_by_rule.num_neurons} of {NEURONS} neurons stay in each block")

# %% [markdown]
# The rule knows nothing about the model but three sizes. Is it any good? Make all the
# models of the family, of half the size each, and look.

# %% tags=["prediction"]
best_count = "2"  # with how many attentions gone is the model of half the size best?

# %%
counts = {"smoke": (0, 1), "quick": (0, 1, 2, 3, 4, 5, 6)}[budget]
family = {}
for count in counts:
    found_model, record = two_stage(model, calibration, 0.5, rule=count)
    stays = found_model.config.blocks[0].feed_forward_dim
    family[count] = loss_of(found_model)
    print(f"{count} attentions gone, {stays:3} neurons stay: loss {family[count]:.3f}")
lowest_count = min(family, key=family.get)
lesson.compare("best number of attentions", best_count, lowest_count)
print(f"the rule says {split_by_rule.num_attentions}")
line_panels(
    {"Loss of models of half the size": {"this model": [[*family.values()]]}},
    {"Loss of models of half the size": [*map(str, family)]},
    x_label="attentions that go",
    references={"Loss of models of half the size": {"the whole model": dense}},
)

# %% [markdown]
# The official code has one constant, α = 1.5, for four models of seven and more billion
# parameters; how it was found is not known here. In a model with eight attentions each
# of them may have a job of its own. Whether the rule carries over is a question for
# measurements, and one model is one measurement.

# %% [markdown]
# ## 5. Which attentions?
#
# For neurons a score is enough. For attentions the second stage tries every one, each
# time anew.

# %% exercise="greedy_removal"

# %% tags=["prediction"]
first_to_go = 0  # the attention of which block is missed least?
same_order = "yes"  # do they go in the order of the first look at all of them?

# %%
evaluator = Evaluator(model, calibration.search_batch)
rounds = {"smoke": 1, "quick": 5}[budget]
tried = []


def loss_without(blocks):
    """Loss without some attentions; what was asked is kept for the picture."""
    tried.append(
        (tuple(blocks), evaluator.loss([Part("attention", b) for b in blocks]))
    )
    return tried[-1][1]


before = loss_without([])
tried.clear()
if passed("greedy_removal"):
    order, _ = remove_greedily(loss_without, [*range(depth)], rounds)
    print("searched by your function")
else:
    attentions = parts_of(small, "attention")
    search = kit_remove_greedily(
        evaluator, attentions, lambda gone: len(gone) == rounds
    )
    order = [removal.part.block for removal in search]
    for i, removal in enumerate(search):
        for part, value in removal.candidates.items():
            tried.append(((*order[:i], part.block), float(np.log(value))))
    print("searched by the kit's function")
grid = np.full((rounds, depth), np.nan)
for blocks, value in tried:
    grid[len(blocks) - 1, blocks[-1]] = value - before
display(
    plots.heatmap(
        grid,
        rows=[f"round {i}" for i in range(1, rounds + 1)],
        columns=[f"{block}" for block in range(depth)],
        label="nats above the whole",
        column_label="block whose attention goes next",
        form=".2f",
    )
)
at_first = np.argsort(grid[0], kind="stable")[:rounds].tolist()
print(f"gone, in this order: {order}; by the first look it would be {at_first}")
print(f"{len(tried)} candidates were evaluated")
lesson.compare("first to go", first_to_go, order[0])
lesson.compare(
    "the first look is enough", same_order, "yes" if order == at_first else "no"
)

# %% [markdown]
# Read the picture by columns: how does the price of one attention change as others go?
# (A field is blank where that attention is gone already.) If attentions were
# independent, the prices would add up, and searching again would find nothing new.
# (That it costs more than one look is why people look once.)
#
# Now both stages together, and against rivals: neurons alone; ShortGPT, which removes
# whole blocks that change the stream least; BlockPruner, which removes attentions *or*
# feed-forwards, one by one; and chance.

# %% tags=["prediction"]
best_at_half = "2SSP"  # who has the lowest loss at half the size?
best_at_quarter = "2SSP"  # and with a quarter gone?

# %%
METHODS = {
    "2SSP": "2ssp",
    "neurons only": "stage-1",
    "ShortGPT": "shortgpt",
    "BlockPruner": "blockpruner",
    "chance": "random",
}
if budget == "smoke":
    METHODS = {name: METHODS[name] for name in ("2SSP", "ShortGPT")}
sparsities = {"smoke": [0.5], "quick": [0.25, 0.5]}[budget]
curves = {}
for name, method in METHODS.items():
    curves[name] = {0.0: dense}
    for sparsity in sparsities:
        found_model, record = prune(model, calibration, sparsity, method)
        loss = curves[name][record.reached] = loss_of(found_model)
        seconds = record.seconds["all"]
        print(f"{name:12} {record.reached:.0%} gone, loss {loss:.3f}, {seconds:.1f} s")
race, losses_at = {}, {sparsity: {} for sparsity in sparsities}
for name, curve in curves.items():
    history = [{GONE: s, "loss": loss} for s, loss in curve.items()]
    points = [{"reached": s, "loss": loss} for s, loss in curve.items()]
    for sparsity, found_losses in losses_at.items():
        found_losses[name] = on_the_curve(points, "loss", sparsity)
    at_half = {"validation_loss_at_50%": losses_at[0.5][name]}
    race[name] = Run(model, [*history, history[-1] | at_half])
display(
    plots.learning_curves(
        lesson.own_results(race, small),
        "loss",
        x=GONE,
        label="loss, nats per token",
        names={name: name for name in race},
    )
)
said = {0.25: best_at_quarter, 0.5: best_at_half}
for sparsity, found_losses in losses_at.items():
    print(f"on the curves at {sparsity:.0%}:", end=" ")
    print(", ".join(f"{name} {loss:.3f}" for name, loss in found_losses.items()))
    winner = min(found_losses, key=found_losses.get)
    lesson.compare(f"best at {sparsity:.0%}", said[sparsity], winner)

# %% [markdown]
# Methods that remove whole parts may overshoot: with eight blocks they cannot take a
# quarter and a bit. So compare curves, not points; a method with more gone may be above
# another one and still be no worse. That is why the numbers below the picture, and
# those of the stored study, are read off the lines. (A true curve sags below the
# straight line between two of its points, so this flatters nobody who overshoots.)
#
# If 2SSP did not win, ask why before you shrug. Its rule fixes *how many* attentions go
# before anything is measured, and your picture above tells whether that number was a
# good one here. A search that may choose between both kinds of parts needs no rule.
# (And it has no score for neurons: what would a mixture of the two be?)

# %% [markdown]
# ## 6. Pruning while training
#
# The paper changes no weight. That is what makes it fast, and it is a restriction of
# convenience: after any of these cuts a little training repairs a lot. Then why not
# train *while* cutting, so that what stays can take over from what goes?

# %% exercise="prune_schedule"

# %% exercise="mask_callback"

# %% [markdown]
# A small test of your mask: a network of two layers, an optimizer with a memory, ten
# steps in each call. At the end exactly those neurons should be zero that the schedule
# wants gone.

# %%
if passed("mask_callback"):
    noise = np.random.default_rng(0)
    x = noise.standard_normal((960, 16)).astype("float32")
    y = np.abs(x[:, :4])
    net = keras.Sequential([keras.layers.Dense(32, "relu"), keras.layers.Dense(4)])
    net.build((None, 16))
    net.compile(keras.optimizers.Adam(0.01), "mse", steps_per_execution=10)
    net.optimizer.build(net.trainable_variables)
    schedule = Polynomial(0.75, start=10, end=50, every=1)
    if passed("prune_schedule"):
        schedule = lambda step: share_at(step, 0.0, 0.75, 10, 50, 3)
    writes = net.layers[1].kernel
    net.fit(x, y, batch_size=16, verbose=0, callbacks=[Pruning(writes, schedule)])
    zero = (np.asarray(writes) == 0).all(axis=1)
    print(f"after {int(net.optimizer.iterations)} steps {zero.sum()} of 32 neurons are")
    print(f"zero; the schedule wants {round(0.75 * 32)}")
else:
    print("This cell tests your mask once it is there.")

# %% [markdown]
# In the kit it is `PruningCallback`, for neurons, heads or attentions. Three models get
# the same further training: one is cut before it, one loses the same number of neurons
# along the way, and one is left whole, because further training alone may be what
# helps.

# %% tags=["prediction"]
cut_or_gradual = "gradual"  # half the neurons go: at once, or on the way?
recovered = "50 %"  # how much of the damage does training repair?

# %%
extra = {"smoke": 4, "quick": 200}[budget]
more_text = task.batch(0, 16 * extra, seed=7)


def trained_on(model, *callbacks):
    """The model after some more training, with a new optimizer."""
    model.compile(AdamW(1e-3), token_cross_entropy, jit_compile=xla)
    how = {"batch_size": 16, "shuffle": False, "verbose": 0}
    model.fit(more_text.inputs, more_text.targets, callbacks=[*callbacks], **how)
    return model


def by_activity(model):
    """Scores of the model as it is at that time."""
    found = activations(model, looked_at[:16], "block_*/feed_forward/hidden")
    return {
        block: score_neurons("l2", Activity.of(h), {})
        for block, h in enumerate(found.values())
    }


everything = {block: range(NEURONS) for block in range(depth)}
gradual = PruningCallback(
    Polynomial(0.5, end=extra // 2, every=max(1, extra // 20)), score=by_activity
)
cut_at_once = keep_neurons(model, half)
recovery = {"cut, not trained": loss_of(cut_at_once)}
recovery["cut, then trained"] = loss_of(trained_on(cut_at_once))
trained_on(keep_neurons(model, everything), gradual)
recovery["gradually, in training"] = loss_of(gradual.smaller_model())
if budget != "smoke":
    recovery["whole, trained on"] = loss_of(trained_on(keep_neurons(model, everything)))
print(f"{dense:.3f}  whole, as it was")
for name, loss in recovery.items():
    print(f"{loss:.3f}  {name}")
at_once, slowly = recovery["cut, then trained"], recovery["gradually, in training"]
winner = "cut first" if at_once < slowly else "gradual"
lesson.compare(
    "better", cut_or_gradual, f"{winner}, by {abs(at_once - slowly):.3f} nats"
)
damage = recovery["cut, not trained"] - recovery.get("whole, trained on", dense)
repaired = (recovery["cut, not trained"] - at_once) / damage
lesson.compare("damage that training repairs", recovered, f"{repaired:.0%}")

# %% [markdown]
# Most comparisons of pruning methods are made before any training, because that is
# cheap. Ask of each: would the order be the same after ten minutes of repair?

# %% [markdown]
# ## 7. One run is an anecdote
#
# The stored study has three and more trained models for each method, all nine rivals,
# every split, other scores, other text to calibrate on, a second kind of model,
# addition, and a real checkpoint.

# %%
kept_rows = committed("pruning")
if len(kept_rows):
    whole_models = kept_rows.values("llama", "loss").values()
    print(
        f"The whole model has a loss of {dense:.3f} here, and the kit's have", end=" "
    )
    print(f"{np.mean([*whole_models]):.3f},")
    print(
        "for they are larger and were trained for longer. So compare who is best, and"
    )
    print("how far each is above the whole model. Losses with half of the blocks gone:")
    same_edit = {name: f"llama-{method}" for name, method in METHODS.items()}
    mine = lesson.own_results(race, small)
    display(lesson.side_by_side_table(mine, kept_rows, same_edit, "loss_at_50%", ".3f"))
    display(lesson.verdict_table(load_study("pruning"), kept_rows))
else:
    print("This copy of the kit holds no stored results; kit reproduce pruning makes")
    print("some in a few minutes, and kit report pruning shows them.")

# %% [markdown]
# ## 8. Would you have noticed a bug?
#
# A pruned model is worse, as expected. If the wrong neurons went, or half of each, it
# is worse as well, and nobody knows what it should have been.

# %% exercise="test_pruning"

# %% [markdown]
# ## 9. What no experiment here can decide
#
# - **Size.** This model has hardly more parameters than it can use. Models with
#   billions of them have more to spare, and *what* they can spare may be another thing.
# - **The constant.** α is the same for all four models of the official code, whose
#   feed-forwards are two to seven times as large as their attentions. How it was found
#   is not known here, and the formula does not say where it ends.
# - **What is lost.** Perplexity is a mean over tokens. A model may lose what is rare,
#   names, numbers, another language, at a price that no mean shows.
# - **Speed.** Fewer operations are not fewer seconds. Odd sizes, small matrices and the
#   embedding can eat the gain; measure on the machine that it is for.
# - **The calibration text.** All choices here were made on the kind of text that judged
#   them afterwards. What if the model is used for another kind?
#
# **To think about.** A colleague prunes with a score of her own, keeps the best of five
# calibration sets by held-out loss, and beats 2SSP by 0.02 nats on the same held-out
# text. Which number would you ask for?

# %% [markdown]
# ## 10. A real model
#
# `kit fetch smollm2` gets SmolLM2, 135 million parameters in 30 blocks, trained by
# people who had a reason to make it as good as they could. If it is on this machine, it
# is pruned here, in a few minutes; if not, a small model is that came with the kit.
# Choose how much should go, and with which α; then run it again with others.
#
# What judges the kit's own model is text that it was not trained on, and that came with
# it. What SmolLM2 has read is not known; its text is new to the pruning only.

# %%
REAL = ["smollm2", "text-8"]  # the best first; the last one is always here
if budget == "smoke":
    REAL = REAL[-1:]


def subject():
    """The best checkpoint that is here, a task for it to read, and what judges it."""
    name = next(name for name in REAL if found()[name])
    checkpoint, tokenizer = load(name, context_length=128)
    its_task = TextTask("docs", tokenizer, context_length=128, validation_tokens=2048)
    ships = CHECKPOINTS[name].ships
    judged = unseen_by(name) if ships else its_task.validation()
    return name, checkpoint, its_task, judged


sparsity, alpha = 0.25, 1.5

# %% tags=["prediction"]
times_as_unsure = 1.5  # perplexity after, over perplexity before?

# %%
name, large, its_task, its_held_out = subject()
print(f"{name}: {len(large.blocks)} blocks, {large.count_params():,} parameters")
sequences = its_task.batch(0, 16, seed=99).inputs
pruned, record = two_stage(
    large,
    Calibration(sequences, sequences=16, search_sequences=4),
    sparsity,
    alpha=alpha,
)
stays, of = (m.config.feed_forward_dim(m.config.blocks[0]) for m in (pruned, large))
print(f"{stays} of {of} neurons stay in each block")
print("attentions gone, in this order:", [part.block for part in record.parts])
print(f"{record.candidates} candidates, {record.seconds['all']:.0f} seconds")
print(f"{pruned.count_params():,} parameters are left")

# %%
unsure = []
for when, found_model in (("before", large), ("after", pruned)):
    loss = Evaluator(found_model, its_held_out).loss()
    unsure.append(np.exp(loss))
    print(f"held-out perplexity {when}: {unsure[-1]:,.1f}")
    show_continued(found_model, its_held_out.inputs, its_task.tokenizer, 24)
times = unsure[1] / unsure[0]
lesson.compare("times as unsure", times_as_unsure, f"{times:.2f}")

# %%
lesson.scoreboard("pruning", checks)

# %% [markdown]
# **Where to go from here.** `kit.pruning.prune` has nine rivals under one interface,
# and `two_stage` a record of every candidate that it tried. `kit start` copies the
# exercises into a folder, if you prefer an editor to a notebook. And there is a thing
# that the paper does not do: after the attentions are gone, the neurons hear something
# else. Would scoring them again change which ones stay? Say it before you run it.
