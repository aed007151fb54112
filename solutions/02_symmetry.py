# %% [markdown]
# # How does a Transformer know the order of its words?
#
# *Dog bites man* and *man bites dog* hold the same three words. To tell them apart a
# Transformer is given **positional encoding**: a mark on every token that says where it
# stands. So take the marks away. Does the model become blind to order?
#
# Most people say yes. They are wrong, and the interesting part is *who* tells the
# model. This notebook follows one short paper, *Breaking Symmetry When Training
# Transformers* (Zuo and Guerzhoy, [arXiv
# 2402.05969](https://arxiv.org/abs/2402.05969)). You will
#
# 1. build attention and the causal mask;
# 2. measure when a model is blind to order, and find one place where almost everybody
#    guesses wrong;
# 3. compute, without training anything, how well a blind model can add;
# 4. train models and see which of them pass that mark;
# 5. test a claim that its own authors took back.

# %% [markdown] tags=["learners"]
# **How it works.** Write each exercise in the cell below it and run the check. Whatever
# you leave out stops nothing: the rest of the notebook uses the kit's own functions.
# Hints are folded; open as many as you like. Before a result you are asked for a
# prediction. Make it, in earnest: a wrong prediction is remembered, a read result is
# not.
#
# All exercises take an afternoon, the computer needs a few minutes of it.

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
from kit.data import Addition
from kit.grading import check_in_notebook
from kit.labels import difference_label
from kit.models import activations, build, generate
from kit.probes.ceilings import bayes_ceilings, best_invariant_answer
from kit.probes.symmetry import (
    INVARIANCE_TOLERANCE,
    permutation_change,
    token_from_slice,
)
from kit.studies import committed, load
from kit.studies.symmetry.bounds import luckiest_share
from kit.studies.symmetry.families import largest
from kit.training import TrainConfig, train

checks = {}  # what the checks of the exercises said


def passed(*names):
    return all(name in checks and checks[name].passed for name in names)


def predict(model):
    """The model as a function from NumPy arrays to NumPy arrays."""
    return lambda tokens: np.asarray(model(tokens))


if budget == "smoke":
    print("Budget smoke: training is too short to learn anything. For the real thing,")
    print("start Jupyter without KIT_BUDGET.")

# %% [markdown]
# ## 1. The only place where tokens meet
#
# A Transformer turns every token into a vector and sends these vectors through a stack
# of blocks. Norms, feed-forward parts and skips treat each position by itself.
# Only **attention** moves anything from one position to another. If a model knows about
# order, it must have learned it there.
#
# Two things decide what a position gets: the *mask* says at whom it may look, and the
# *scores* say how much it takes from each of them. Start with the mask.

# %% exercise="causal_mask"

# %% exercise="attention"

# %% [markdown]
# Here is a trick to see what attention does: use the identity matrix as values. Then
# row $i$ of the output *is* the set of weights that position $i$ gives to the others.

# %%
symbols = list("123+456=")
time = len(symbols)
query, key = np.random.default_rng(0).normal(size=(2, time, 4)).astype("float32")

if passed("causal_mask", "attention"):
    weights = attention(query, key, np.eye(time, dtype="float32"), causal_mask(time))
    whose = "Your attention, under your mask"
else:
    one_block = ModelConfig.uniform(1, vocabulary_size=14, context_length=time)
    tokens = np.array([[1, 2, 3, 10, 4, 5, 6, 11]])
    maps = activations(build(one_block), tokens, "block_0/attention/map")
    weights = maps["block_0/attention/map"][0, 0]
    whose = "The kit's attention, until yours is right"

plots.heatmap(
    weights,
    rows=symbols,
    columns=symbols,
    row_label="position that looks",
    column_label="position that is looked at",
    limits=(0, 1),
    form=".2f",
    title=whose,
)

# %% [markdown]
# Read it row by row. Each row adds up to one, and everything right of the diagonal is
# zero. The first row has no choice: the first token sees itself and nothing else. The
# last row sees everything: for *that* position, the causal mask hides nothing at all.
# Remember both rows.
#
# A real model does this several times at once, in heads.

# %% exercise="heads"

# %% [markdown]
# ## 2. A bag of tokens
#
# Put the tokens of a sentence into the rows of a matrix $X$, without any marks of
# position, and let a permutation matrix $P$ shuffle the rows. A softmax that works row
# by row does not care in which order rows or columns come, and $P^\top P = I$. So
#
# $$
# \mathrm{attention}(PX)
# = \mathrm{softmax}\!\left(\frac{PX\,W_Q W_K^\top X^\top P^\top}{\sqrt d}\right)
#   P X W_V
# = P\,\mathrm{softmax}\!\left(\frac{X W_Q W_K^\top X^\top}{\sqrt d}\right)
#   \underbrace{P^\top P}_{I}\, X W_V
# = P\,\mathrm{attention}(X).
# $$
#
# Shuffled in, shuffled out, otherwise unchanged: attention is **permutation
# equivariant**. So is everything that works on each row alone, and so is any stack of
# such parts, however deep.
#
# Now let the last token stay where it is and shuffle the others. The last row of the
# output does not change at all, and that is the row from which the next token is
# predicted. Without positions and without a mask, a Transformer sees the last token and
# a **bag** of all tokens before it. That is the theorem of the paper (C1).
#
# A mask is added inside the softmax, and the proof needs $P M P^\top = M$. A causal
# mask does not do us that favour. So, says the paper, if a model without positions ever
# learns a task in which order matters, the causal mask must have told it (C2).
#
# You need not believe a theorem that you can measure.

# %% exercise="permutation_test"

# %% [markdown]
# Let us use it: on two blocks with random weights, without positions, once with a full
# mask and once with a causal one.

# %%
few_tokens = np.array([3, 1, 4, 2, 11])


def random_model(blocks, mask, skip=1.0):
    """Random weights, large enough that nothing hides behind rounding."""
    config = ModelConfig.uniform(
        blocks,
        vocabulary_size=14,
        context_length=12,
        width=64,
        positions="none",
        mask=mask,
        initializer_std=0.125,
    )
    skips = {"attention_skip": skip, "feed_forward_skip": skip}
    return build(config.with_blocks(dict.fromkeys(range(blocks), skips)))


for mask in ("full", "causal"):
    model = random_model(2, mask)
    if passed("permutation_test"):
        change = largest_change(predict(model), few_tokens)
        print(f"your test, two blocks, {mask} mask: {float(change):.1e}")
    else:
        change = permutation_change(predict(model), few_tokens[None])
        print(f"the kit's test, two blocks, {mask} mask: {change:.1e}")

# %% [markdown]
# The full mask leaves the rounding of float32 numbers, the causal one a real change.
# Now the prediction that almost everybody gets wrong. Take the causal mask, random
# weights, and no positions.

# %% tags=["prediction"]
one_causal_block = "yes"  # does ONE causal block notice the order? "yes" or "no"
two_without_skips = "no"  # do TWO, when all skips are taken away? "yes" or "no"

# %%
prompts = Addition(start=True).validation().inputs[:32, :9]
variants = [(mask, skip) for mask in ("full", "causal") for skip in (1.0, 0.0)]
changes = {}
for mask, skip in variants:
    for blocks in (1, 2, 3):
        model = random_model(blocks, mask, skip)
        change = permutation_change(predict(model), prompts)
        changes[mask, skip, blocks] = max(change, 1e-9)

display(
    plots.heatmap(
        [[np.log10(changes[m, s, b]) for b in (1, 2, 3)] for m, s in variants],
        rows=[f"{m} mask{'' if s else ', no skips'}" for m, s in variants],
        columns=["1 block", "2 blocks", "3 blocks"],
        label="log10 of the change",
        limits=(-8, 0),
        form=".1f",
        title="Change when earlier tokens trade places",
    )
)


def notices(*variant):
    return "yes" if changes[variant] > INVARIANCE_TOLERANCE else "no"


lesson.compare("one causal block notices", one_causal_block, notices("causal", 1.0, 1))
lesson.compare("two without skips", two_without_skips, notices("causal", 0.0, 2))

# %% [markdown]
# The numbers are powers of ten, relative to the size of the logits: about $-6$ is what
# float32 rounding leaves, so it means *no change at all*.
#
# **One causal block is as blind as a full mask.** Go back to the picture of the mask:
# the last row hides nothing. Everybody else is restricted in what they see, but in a
# model with one block nobody ever asks them what they saw. The last position mixes the
# tokens themselves, and they bear no mark.
#
# **Two blocks are not blind.** Now the last position reads what the *other* positions
# wrote down in the first block, and position $j$ could only write about tokens
# $1 \ldots j$. For *dog bites man* these are the bags {dog}, {dog, bites}, {dog, bites,
# man}. One bag says nothing about order. A chain of bags, each inside the next, says
# everything: the difference between neighbours is the token at that place.
#
# So "the causal mask breaks the symmetry" needs five more words: *from the second block
# on*. That sharpening is ours, not the paper's. And the symmetry is just as broken
# without skips; keep that in mind for part 5.

# %% [markdown]
# ## 3. How well can one add without knowing the order?
#
# To see what blindness costs one needs a task in which order is everything. In
# `123+456=` the place of a digit decides what it is worth, so the paper takes 3-digit
# addition. The answer is written lowest digit first, as one computes it.
#
# Two tools come first: the loss, and the data.

# %% exercise="token_loss"

# %% exercise="addition_batch"

# %%
task = Addition(reverse_answer=True, start=True)
operands = np.array([123, 7, 950]), np.array([456, 15, 50])
if passed("addition_batch"):
    inputs, targets = addition_batch(*operands, digits=3)
    whose = "your sequences"
else:
    inputs, targets = task.encode(*operands)
    whose = "the kit's sequences"
print(f"{whose}, and what has to be predicted (· does not count):\n")
for row, wanted in zip(np.asarray(inputs), np.asarray(targets), strict=True):
    shown = "".join("·" if target < 0 else str(target) for target in wanted)
    print(f"  {task.text(row).removeprefix('<end>'):12} {shown[-11:]}")

# %% [markdown]
# The kit's models also read a start token in front. It helps nobody to tell positions:
# it is one more token in the bag, the same in every bag.
#
# Now the question of this part. A blind model is asked `123+456=`, and sees the digits
# 1 to 6 in a bag. What is the best it can do, if it is as clever as can be?

# %% tags=["prediction"]
best_share = "50 %"  # share of sums that the best blind model gets right

# %% exercise="ceiling"

# %%
ceilings = bayes_ceilings(digits=3, reverse=True)
blind_answer = int(best_invariant_answer(np.array(123), np.array(456)))
lesson.compare("best blind model", best_share, f"{ceilings.exact_match:.2%}")
if passed("ceiling"):
    share, bags = ceiling(2, 10)
    print(f"Your enumeration, two digits: {float(share):.2%} of {int(bags)} bags.")
display(
    Markdown(
        f"All {ceilings.num_pairs:,} sums fall into {ceilings.num_multisets:,} bags. "
        f"The best blind rule answers {blind_answer} to 123+456, because no other "
        f"result is as frequent among sums of these digits. Over all pairs it is "
        f"right in **{ceilings.exact_match:.2%}**. Its loss, digit by digit with the "
        f"true answer so far in the bag, cannot fall below "
        f"**{ceilings.cross_entropy:.3f} nats**; guessing digits evenly costs "
        f"{np.log(10):.3f}."
    )
)

# %% [markdown]
# Nothing was trained and nothing was fitted. Every model that is blind to order stays
# below the first number and above the second, whatever its size and however long it
# trains. These are *bounds*, not forecasts: they say what can be known from a bag, and
# a small network may well find out less. But whoever passes one of them has seen the
# order, or has a leak.

# %% [markdown]
# ## 4. Train
#
# A model is a list of blocks, and an ablation is an edit of that list. The base has two
# causal blocks and learned positions. One edit takes the positions away, another takes
# a block away as well.

# %%
base = ModelConfig.uniform(
    2,
    width=64,
    vocabulary_size=task.vocabulary_size,
    context_length=task.context_length,
    initializer_std=0.1,
)
blind = replace(base, positions="none")
one_block = replace(blind, blocks=blind.blocks[:1])

steps = {"smoke": 20, "quick": 1000}[budget]
training = TrainConfig(
    steps=steps,
    batch_size=128,
    learning_rate=4e-3,
    schedule="linear",
    warmup_steps=steps // 10,
    evaluate_every=max(steps // 20, 10),
    target_metric="exact_match",
    target_value=0.999,
)
models = {"positions": base, "no positions": blind, "one block": one_block}
for name, config in models.items():
    print(f"{name:15} {difference_label(config, base)}")

# %% [markdown]
# You have all you need to predict the outcome: the theorem, the picture of part 2 and
# the two numbers of part 3.

# %% tags=["prediction"]
learns_blind = "no"  # two causal blocks, no positions: do they learn to add?
one_block_reaches = "50 %"  # exact match of one causal block without positions

# %%
runs = {}
for name, config in models.items():
    # For one block a few hundred steps are enough to see where it stays.
    length = training if name != "one block" else replace(training, steps=steps // 2)
    print(name)
    runs[name] = train(config, task, length)

# %%
mine = lesson.own_results(runs, base)
most = {
    f"most that a blind model can do: {ceilings.exact_match:.2%}": ceilings.exact_match
}
least = {
    f"least loss of a blind model: {ceilings.cross_entropy:.3f}": ceilings.cross_entropy
}
display(
    plots.learning_curves(
        mine, "validation_exact_match", label="exact match", references=most
    ),
    plots.learning_curves(
        mine,
        "validation_loss",
        label="loss, nats per answer digit",
        references=least,
    ),
)
final = {name: run.metrics for name, run in runs.items()}
learned = "yes" if final["no positions"]["exact_match"] > 0.99 else "no"
reached = f"{final['one block']['exact_match']:.2%}"
lesson.compare("two blocks without positions learn", learns_blind, learned)
lesson.compare("one block reaches", one_block_reaches, reached)

# %% [markdown]
# Exact match asks for four digits at once. It is worth looking at them one by one, each
# predicted with the true digits before it. The first row is not a model: it is the best
# that counting can do with a bag.

# %%
digits = ["units", "tens", "hundreds", "thousands"]


def accuracies(*names):
    """Accuracy of each answer digit: of the best blind rule, then of these runs."""
    metrics = [runs[name].metrics for name in names]
    trained = [[m[f"digit_{k}_accuracy"] for k in range(len(digits))] for m in metrics]
    return plots.heatmap(
        [ceilings.digit_accuracies, *trained],
        rows=["best blind rule", *names],
        columns=digits,
        label="accuracy",
        limits=(0, 1),
        form=".3f",
        title="Accuracy of each answer digit",
    )


accuracies("one block", "no positions", "positions")

# %% [markdown]
# And some whole answers.

# %%
sums = task.validation().inputs[:6, : task.prompt_length]
first = [int(task.text(row[1:4])) for row in sums]
second = [int(task.text(row[5:8])) for row in sums]
table = ["| sum | right | " + " | ".join(models) + " | best blind rule |"]
table += ["|" + "---|" * (len(models) + 3)]
answers = {
    name: generate(run.model, sums, steps=task.answer_length)[:, task.prompt_length :]
    for name, run in runs.items()
}
best = best_invariant_answer(np.array(first), np.array(second))
for i, (a, b) in enumerate(zip(first, second, strict=True)):
    told = [task.text(answers[name][i][::-1]) for name in models]
    cells = [f"{a}+{b}", f"{a + b:04d}", *told, f"{best[i]:04d}"]
    table.append("| " + " | ".join(f"`{cell}`" for cell in cells) + " |")
display(Markdown("\n".join(table)))

# %% [markdown]
# Does training change who is blind? Measure the trained models with the test of part 2,
# and the one-block model with your own loss.

# %%
for name, run in runs.items():
    change = permutation_change(predict(run.model), sums)
    print(f"{name:15} {change:.1e}")

held_out = task.validation()
if passed("token_loss"):
    logits = predict(runs["one block"].model)(held_out.inputs)
    loss = float(token_loss(logits, held_out.targets))
    print(f"{'one block, your loss':27} {loss:.3f}")
print(f"{'one block, loss of the kit':27} {final['one block']['loss']:.3f}")
print(f"{'what counting allows':27} {ceilings.cross_entropy:.3f}")

# %%
pairs = task.validation_pairs
luck = luckiest_share(ceilings.exact_match, pairs) - ceilings.exact_match
left = final["one block"]["loss"] - ceilings.cross_entropy
display(
    Markdown(
        f"One block stays {left:.2f} nats above the least loss of a blind model. "
        + (
            "The best blind rule is an intricate one, and nobody promised that a small "
            "network finds it."
            if left > 0.05
            else "It has found nearly all that a bag can tell."
        )
        + f" (On {pairs:,} held-out sums luck lifts a blind model by more than "
        f"{100 * luck:.1f} points above its bound once in a thousand times.)"
    )
)

# %% [markdown]
# One block with a causal mask cannot be trained out of its blindness: the proof does
# not ask for its weights. Two blocks *can* know the order. Whether they come to use it
# is a question to training, and your curve is one answer. So C2 has become two
# statements. *A blind model cannot*: proven, with a number. *A causal model without
# positions can*: to be measured. You have done it once.

# %% [markdown]
# ## 5. And the skips, the residual connections?
#
# The paper goes on to ask how such a model keeps its knowledge of order through many
# blocks. Its idea (C3): the stack above input position $k$, a *slice*, goes on speaking
# about token $k$, and skips help, because they copy the slice's own
# content upwards. Two observations are reported for it. Both are second-hand here, for
# the experiments could be read only in a summary:
#
# - **C4** Take the skips away in several consecutive blocks, and training fails.
#   Taking away a few is tolerated.
# - **C5** Without them, the correlations between the activations of two layers lie less
#   on the diagonal: slices no longer keep to themselves.
#
# And then **C6**. The abstract of the first version says that the paper demonstrates
# evidence for the idea. The abstract of the second version says that no definitive
# evidence was found. The authors withdrew their own claim, which takes more character
# than making one. Why might C4 not be evidence?
#
# Because deep networks without skips are hard to train *anyway*: signals and
# gradients die on the way. That was why skips were invented. So a failure alone
# says nothing about positions. It takes a **control**: remove the same skips from a
# model that *has* positions. If this one fails too, positions were not the reason.

# %% exercise="ablation"

# %% [markdown]
# Take both skips of both blocks, once from the model without positions and once
# from the control.

# %% tags=["prediction"]
learns_without_skips = "no"  # no positions, no skips: does it learn to add?
control_learns = "yes"  # learned positions, no skips: does it learn to add?

# %%
if passed("ablation"):
    changes = edits(0, 2, 1)
    control = base.with_blocks(changes["blocks"])
    no_skips = replace(control, positions=changes["positions"])
else:
    bare = replace(base.blocks[0], attention_skip=0.0, feed_forward_skip=0.0)
    control = replace(base, blocks=(bare, bare))
    no_skips = replace(control, positions="none")
models = {"no skips": no_skips, "control": control}
for name, config in models.items():
    print(f"{name}: {difference_label(config, base)}")
    runs[name] = train(config, task, training)

# %%
mine = lesson.own_results(runs, base)
display(
    plots.learning_curves(
        mine.select(["no positions", "no skips", "control"]),
        "validation_exact_match",
        list(runs),  # so that each model keeps its colour
        label="exact match",
        references=most,
    )
)


def solved(run):
    return "yes" if run.metrics["exact_match"] > 0.99 else "no"


lesson.compare("learns without skips", learns_without_skips, solved(runs["no skips"]))
lesson.compare("the control learns", control_learns, solved(runs["control"]))

# %% [markdown]
# Before you conclude anything, look at the digits again.

# %%
display(accuracies("no skips", "control"))
metrics = runs["no skips"].metrics
above = [
    digit
    for k, (digit, bound) in enumerate(
        zip(digits, ceilings.digit_accuracies, strict=True)
    )
    if metrics[f"digit_{k}_accuracy"] > bound + 0.05
]
print(f"no skips: {metrics['exact_match']:.1%} exact, loss {metrics['loss']:.3f}")
print(f"it beats every blind model at: {', '.join(above) or 'no digit'}")

known, guessed = 2, 2  # digits of an imagined model: sure of some, ignorant of others
half_way = guessed * np.log(10) / (known + guessed)
display(
    Markdown(
        f"This is why one looks. Imagine a model that is sure of {known} digits and "
        f"guesses the other {guessed}: it is right in {0.1**guessed:.0%} of the sums, "
        f"far *below* the {ceilings.exact_match:.2%} of a blind model, and yet no "
        f"blind model could do what it does. Its loss is {half_way:.3f} nats, beside "
        f"the blind floor of {ceilings.cross_entropy:.3f}, by pure coincidence. Exact "
        "match would have sold you an unfinished model as a blind one."
    )
)

# %% [markdown]
# So three stories fit a run that "fails to converge":
#
# - without skips the slices lose their positions (the idea of version 1);
# - without skips training is slow at *everything*, and the harder task, working out
#   the order, comes last;
# - the run was stopped on a landing of the stairs. Digits are learned one after the
#   other, and each takes its time.
#
# A control that learns speaks against the second story, at this size, learning rate and
# seed. Against the third speaks only a longer run. Against the first speak digits that
# no blind model gets right so often: the study at the end counts such runs (C6c).
#
# C3 and C5 can be looked at, too. How well can a simple readout tell the token at one
# place from the activations at another? If every slice speaks of its own token, the
# diagonal stands out. And since you know by now that a picture without a control is
# worth little: the first one is a model that was never trained.

# %%
places = [1, 2, 3, 5, 6, 7]  # digits of the operands: the symbols are always the same
names = ["a 100", "a 10", "a 1", "b 100", "b 10", "b 1"]
looked_at = {"never trained": build(blind)}
looked_at |= {name: runs[name].model for name in ("no positions", "no skips")}
pictures = {}
for name, model in looked_at.items():
    layer = activations(model, held_out.inputs, "block_1/output")["block_1/output"]
    pictures[name] = plots.heatmap(
        token_from_slice(layer[:, places], held_out.inputs[:, places]),
        rows=names,
        columns=names,
        row_label="token at",
        column_label="read from the last block at",
        label="accuracy",
        limits=(0, 1),
        form=".2f",
    )
display(lesson.side_by_side(pictures))

# %% [markdown]
# Look at the model that was never trained: a diagonal there owes nothing to training. A
# skip copies the embedding upwards *by construction*. So a strong
# diagonal in a trained model does not show that training made it, let alone that the
# model needs it to know the order. (The paper correlated activations of different
# layers. How exactly could not be found out, and a correlation misses whatever a block
# keeps in another basis; the readout here does not.)

# %% [markdown]
# ## 6. One run is an anecdote
#
# Yours were two blocks and one seed. The kit's stored study trains a deeper model with
# several seeds, and removes skips in one block, in neighbouring blocks and in
# blocks spread out. Here is yours beside it, drawn by the same code. In its last two
# rows all skips of all blocks are gone.

# %%
kept = committed("symmetry")
if len(kept):
    same_edit = {
        "positions": "A-learned",
        "no positions": "B-none",
        "one block": "C-one-block",
        "no skips": largest("G-", kept),
        "control": largest("I-", kept),
    }
    depth = max(len(row.spec["model"]["blocks"]) for row in kept.rows)
    titles = "yours, 2 blocks", f"the kit's, {depth} blocks"
    display(lesson.side_by_side_table(mine, kept, same_edit, "exact_match", ".1%"))
    curves = [
        plots.learning_curves(
            results,
            "validation_exact_match",
            list(arms),
            label="exact match",
            references=most,
        )
        for results, arms in ((mine, same_edit), (kept, same_edit.values()))
    ]
    display(lesson.side_by_side(dict(zip(titles, curves, strict=True))))
else:
    print("This copy of the kit holds no stored results; kit reproduce symmetry makes")
    print("some in a few minutes, and kit report symmetry shows them.")

# %% [markdown]
# Do the last two rows tell the same story in both columns? If they do not, neither is
# wrong: a control speaks for the depth, the learning rate and the patience with which
# it was run. That is the whole difficulty of C6 in one table.
#
# Each claim was written down as code before it was judged: what is measured, in which
# models, and how large an effect has to be. The verdict follows from the interval over
# seeds. *Undecided* is a legal outcome, and *not reproduced* is a result.

# %%
if len(kept):
    display(lesson.verdict_table(load("symmetry"), kept))
else:
    print("No verdicts without stored results.")

# %% [markdown]
# ## 7. Would you have noticed a bug?
#
# A claim was retracted here, and you have met a dozen ways in which code can be wrong
# without a crash: a mask that is off by one, a loss over the wrong tokens, a prompt
# that leaks its answer. Each of them would have given you curves, and a conclusion.
# What stands between you and a false discovery is a test that can fail. So write one,
# and have it tested.

# %% exercise="test_attention"

# %% [markdown]
# ## 8. What no experiment here can decide
#
# - **The theorem needs none.** When the table of part 2 shows nothing but rounding, it
#   tests our code, not the mathematics. If it had not, we would have looked for the
#   bug.
# - **Can is not does.** Two causal blocks can tell the order, and a model that passes
#   the bound does use it. *How* is not settled by its accuracy. Bags within bags are
#   one possibility; a later paper by the same group,
#   [2501.00073](https://arxiv.org/abs/2501.00073), points to another, that neighbours
#   become more alike than strangers.
# - **To read something out is not to show its use.** A probe finds the position in the
#   activations; whether the model looks there is another question.
# - **A failure has no reason written on it.** When training without skips fails, it
#   may have lost the positions, or the signal, or only its learning rate. Controls rule
#   out reasons one at a time. They never rule out the last one, that you have not
#   thought of the right reason.
# - **The paper's own numbers.** Only the abstracts and introductions of its two
#   versions could be read; how wide its models were, how long they trained and how well
#   they added is unknown to us. Our study can agree or disagree with its *statements*,
#   not with its tables.
# - **Language.** Fixed places, twelve symbols, sums of two numbers: that is what makes
#   an exact ceiling possible, and what makes it a poor stand-in for prose.
#
# **To think about.** Suppose that you could run one more experiment to tell the two
# explanations of part 5 apart: *skips keep positions* and *skips make training
# possible*. What would you change, which outcome would speak for which, and what result
# would make you give up the one that you like better?

# %%
lesson.scoreboard("symmetry", checks)

# %% [markdown]
# **Where to go from here.** `kit reproduce symmetry` runs the whole study on this
# machine in a few minutes and writes a report. `kit start` copies the exercises into a
# folder, if you prefer an editor to a notebook. And the list of blocks is yours: what
# will the test of part 2 show for two causal blocks of which the *first* has no
# attention (`{0: {"attention": None}}`)? Say it before you run it.
