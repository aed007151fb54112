# %% [markdown]
# # Does every layer have to look for itself?
#
# In each layer of a Transformer every token decides anew whom to attend to. Look at the
# maps of neighbouring layers, and many seem to decide the same. Then why not let one
# layer decide, and the next few copy?
#
# *EchoAtt: Attend, Copy, then Adjust* (Rajabzadeh and others, [arXiv
# 2409.14595](https://arxiv.org/abs/2409.14595)) does that with trained models in three
# steps: find out which layers attend alike, take queries and keys away from those that
# can copy, and repair the damage with the old model as a teacher. It reports models
# that are faster, smaller *and better*. You will
#
# 1. measure how alike layers are;
# 2. ask how alike they would be by chance, which the paper does not;
# 3. build a layer that copies, and see what copying costs, layer by layer;
# 4. choose who copies, and race the choice against chance;
# 5. count what is saved;
# 6. repair the model, against the rival of just training on;
# 7. find out where "better" comes from;
# 8. look into a real model, if there is one on your machine.

# %% [markdown] tags=["learners"]
# **How it works.** Write each exercise in the cell below it and run the check. Whatever
# you leave out stops nothing: the rest of the notebook uses the kit's own functions.
# Hints are folded; open as many as you like. Before a result you are asked for a
# prediction. Make it, in earnest: a wrong prediction is remembered, a read result is
# not.
#
# All exercises take an afternoon, the computer needs a few minutes of it. Attention is
# the business of the notebook on `symmetry`, counting parameters that of `simplify`.

# %% [markdown] tags=["solved"]
# **These are the answers.** It is the notebook for learners, with every exercise solved
# and the predictions that most people make. It holds no outputs, because they are those
# of the machine that makes them: open it in Jupyter and run all cells, which takes a
# few minutes. With `KIT_BUDGET=smoke` in the environment everything runs in about a
# minute, and what is trained learns nothing.

# %%
from kit import lesson

budget = lesson.prepare()

from dataclasses import replace

import numpy as np
from IPython.display import Markdown, display
from scipy.stats import spearmanr

from kit import plots
from kit.blocks import BlockConfig
from kit.config import ModelConfig
from kit.data import Batch, TextTask
from kit.data.corpora import found_corpora
from kit.grading import check_in_notebook
from kit.models import (
    activations,
    build,
    named_weights,
    parameter_counts,
    transplant,
)
from kit.panels import line_panels, matrix_panels
from kit.pretrained import found, load
from kit.sharing import (
    STAGE,
    DistillationConfig,
    adjust,
    at_random,
    by_largest_gap,
    compare_maps,
    consecutive,
    copies_at_rate,
    distil,
    inner_blocks,
    least_similar,
    map_similarity,
    most_similar,
    savings_of,
    share,
)
from kit.sharing import losses as kit_losses
from kit.studies import committed
from kit.studies import load as load_study
from kit.training import Run, token_cross_entropy

checks = {}  # what the checks of the exercises said


def passed(*names):
    return all(name in checks and checks[name].passed for name in names)


if budget == "smoke":
    print("Budget smoke: training is too short to learn anything. For the real thing,")
    print("start Jupyter without KIT_BUDGET.")

# %% [markdown]
# ## 1. Attend
#
# The patient comes with the kit: a GPT of eight blocks that has read documentation of
# Python and its packages for nine minutes. You need not train anything.

# %%
TIME = 64
model, tokenizer = load("text-8", context_length=TIME)
if budget == "smoke":  # its first blocks will do
    model = transplant(model, replace(model.config, blocks=model.config.blocks[:5]))
windows = {"smoke": 4, "quick": 48}[budget]
task = TextTask(
    "docs", tokenizer, context_length=TIME, validation_tokens=windows * TIME
)
depth = len(model.blocks)
held_out = task.validation()


def loss_of(model, batch=held_out):
    """Loss on text that was held out, in nats per token."""
    return float(token_cross_entropy(batch.targets, model(batch.inputs)))


whole = loss_of(model)
print(f"{depth} blocks, {model.count_params():,} parameters, held-out loss {whole:.3f}")

# %%
sample = held_out.inputs[: {"smoke": 2, "quick": 16}[budget]]
by_name = activations(model, sample, "block_*/attention/map")
maps = np.stack([*by_name.values()], axis=1)  # samples, layers, heads, time, time
FIRST = 10
read = " ".join(tokenizer.decode(sample[0, :FIRST]).split())
display(Markdown(f"The first {FIRST} tokens: `{read}`"))
matrix_panels(
    {
        f"block {block}": maps[0, block, :, :FIRST, :FIRST].mean(axis=0)
        for block in (1, 3, 4)
    },
    ticks=[str(place) for place in range(FIRST)],
    columns=3,
    label="attention, mean of the heads",
    row_label="token",
    column_label="attends to",
)

# %% [markdown]
# Each row is a token, its colours say where it looks: itself and what comes before.
# These have something in common. Put a number on it.

# %% exercise="map_similarity"

# %% tags=["prediction"]
neighbours_alike = 0.8  # what is the mean cosine of two blocks that follow each other?
untrained_alike = 0.1  # and that of two blocks of a model that was never trained?

# %%
visible = np.tril(np.ones((TIME, TIME), bool))


def similarity_of(maps, measure="cosine"):
    """How alike the layers are: by your function, or else the kit's."""
    if passed("map_similarity"):
        own = {"cosine": flat_similarity, "rows": row_similarity}
        return np.asarray(own[measure](maps))
    return compare_maps(maps, visible, [measure]).values[measure]


def beside(matrix):
    """Mean over the pairs of layers that follow each other."""
    return float(np.diagonal(matrix, 1).mean())


alike = similarity_of(maps)
print("compared by", "your function" if passed("map_similarity") else "the kit's")
display(
    plots.heatmap(
        alike,
        label="cosine of the flattened maps",
        row_label="block",
        column_label="block",
        limits=(0, 1),
        form=".2f",
    )
)
lesson.compare("neighbours", neighbours_alike, f"{beside(alike):.2f}")
rows_alike = similarity_of(maps, "rows")
print(f"row by row, without column 0: {beside(rows_alike):.2f}")

# %% [markdown]
# In the paper's figures inner layers of TinyLlama are at 0.69 to 0.77, those of a LLaMA
# with 13 billion parameters above 0.8. "Redundant", one would like to say. Before that,
# measure the same thing where nothing can be redundant, because nothing was learnt.

# %%
fresh = build(model.config, seed=1)
fresh_maps = activations(fresh, sample[:4], "block_*/attention/map")
fresh_maps = np.stack([*fresh_maps.values()], axis=1)
measured = f"{beside(similarity_of(fresh_maps)):.2f}"
lesson.compare("neighbours in an untrained model", untrained_alike, measured)

# %% [markdown]
# ## 2. Alike by chance
#
# An untrained layer attends to everything equally. So do all the others: their maps are
# equal without having anything to say to each other. A cosine of maps measures three
# things at once: how flat they are, how much goes to the first token, and, last, whom
# they attend to. Only the third is a reason to copy.

# %% exercise="null_model"

# %% tags=["prediction"]
chance_alike = 0.3  # mean cosine of neighbours, with who attends to whom forgotten?
most_is_chance = "no"  # is more than half of the similarity there by chance?

# %%


def null_of(maps):
    """The same by chance: by your function, or else the kit's."""
    if passed("null_model"):
        return np.asarray(null_similarity(maps))
    return compare_maps(maps, visible, ["cosine"]).null["cosine"]


def beyond(matrix, null):
    """The part of what chance leaves open."""
    if passed("null_model"):
        return np.asarray(excess(matrix, null))
    return (matrix - null) / np.maximum(1 - null, 1e-9)


chance = null_of(maps)
above_chance = beyond(alike, chance)
np.fill_diagonal(above_chance, np.nan)
display(
    matrix_panels(
        {"cosine": alike, "by chance": chance, "beyond chance": above_chance},
        ticks=[str(block) for block in range(depth)],
        columns=3,
        label="1 is the same map",
        row_label="block",
        column_label="block",
    )
)
lesson.compare("neighbours, by chance", chance_alike, f"{beside(chance):.2f}")
more = "yes" if beside(chance) > 0.5 * beside(alike) else "no"
lesson.compare("more than half is chance", most_is_chance, more)

# %%


def means(matrix):
    """For each layer the mean over the others."""
    return ((matrix.sum(axis=1) - 1) / (len(matrix) - 1)).tolist()


lines = {
    "text-8": [means(alike)],
    "its null model": [means(chance)],
    "untrained": [means(similarity_of(fresh_maps))],
}
title = "Mean similarity with the other blocks"
line_panels(
    {title: lines},
    {title: [str(block) for block in range(depth)]},
    x_label="block",
    limits={title: (0, 1.05)},
)

# %% [markdown]
# This is the paper's Figure 1 with two lines more. Read it again with them: which of
# the differences between blocks are differences in *whom* they attend to? A block can
# stand out only because it is sharper than the others.

# %% [markdown]
# ## 3. Copy
#
# However that may be, there is a test that needs no interpretation: let a layer copy,
# and look at the loss.

# %% exercise="shared_block"

# %%
if passed("shared_block"):
    # A kit model of nothing but attention, whose second and third block copy the first.
    bare = BlockConfig(norm="none", feed_forward=None, num_heads=2)
    sizes = {"width": 16, "vocabulary_size": 14, "context_length": 12}
    trio = ModelConfig.uniform(
        3, bare, positions="none", final_norm="none", initializer_std=0.4, **sizes
    ).with_blocks({1: {"copies_map_from": 0}, 2: {"copies_map_from": 0}})
    three = build(trio, seed=0)
    streams = activations(three, np.arange(12)[None], "block_0/input", "block_2/output")
    named = named_weights(three)

    def heads_of(name, block, axis):
        """A matrix of a block, with heads as an axis of its own in front."""
        matrix = np.asarray(named[f"block_{block}/attention/{name}"])
        return np.stack(np.split(matrix, 2, axis=axis))

    group = shared_group(
        streams["block_0/input"],
        heads_of("query", 0, axis=1),
        heads_of("key", 0, axis=1),
        np.stack([heads_of("value", block, axis=1) for block in range(3)]),
        np.stack([heads_of("output", block, axis=0) for block in range(3)]),
    )
    same = np.allclose(group, streams["block_2/output"], atol=1e-4)
    print(f"your group of three layers and the kit's agree: {'yes' if same else 'no'}")
else:
    print("This cell compares your group of layers with the kit's once it is there.")

# %% [markdown]
# In the kit a copy is one entry of the list of blocks, `copies_map_from=3`, and `share`
# makes the model in which it is so: every weight of the old one but the queries and
# keys of those that copy. Now each block but the first copies from the one before it,
# one at a time.

# %% tags=["prediction"]
dearest = 1  # copying from the block before: which block costs most?
similarity_tells = "yes"  # do blocks that are more like the one before cost less?

# %%
singles = range(1, depth) if budget != "smoke" else (1, 4)
cost = {block: loss_of(share(model, {block: block - 1})) - whole for block in singles}
pairs = {
    "Nats above the whole model": list(cost.values()),
    "Cosine with the block before": [alike[b, b - 1] for b in cost],
    "Beyond chance": [above_chance[b, b - 1] for b in cost],
}
display(
    line_panels(
        {name: {"each block copies the one before": [v]} for name, v in pairs.items()},
        dict.fromkeys(pairs, [str(block) for block in cost]),
        x_label="block that copies",
        references={"Beyond chance": {"chance": 0.0}},
    )
)
lesson.compare("dearest", dearest, max(cost, key=cost.get))
if len(cost) > 2:
    costs, *measures = pairs.values()
    ranks = [spearmanr(costs, measure).statistic for measure in measures]
    told = "yes" if ranks[0] < -0.5 else "no"
    lesson.compare("more alike, less cost", similarity_tells, told)
    print(f"rank correlation of cost with the cosine {ranks[0]:+.2f}, with what is")
    print(f"beyond chance {ranks[1]:+.2f} (-1: the more alike, the cheaper, always)")

# %% [markdown]
# Seven points are few: by chance alone their rank correlation lies between -0.75 and
# 0.75 in 19 of 20 cases. The stored study has more models. But note
# the size of what copying costs, in nats: this is the price of maps that are "alike".
#
# Part of it has a simple reason. Head 2 of one layer and head 2 of the next have
# nothing in common but their number, and the values of a head were trained for its own
# map.

# %% [markdown]
# ## 4. Who copies?
#
# The paper's rule for choosing, with the gaps in it filled.

# %% exercise="largest_gap"

# %%
block_scores = dict(enumerate(means(alike)))
own_rule = passed("map_similarity", "largest_gap")
print("chosen by", "your functions" if own_rule else "the kit's")
try:
    if own_rule:
        inner = [int(layer) for layer in inner_layers(scores(alike))]
        whose = np.asarray(sources(depth, inner, 2)).tolist()
        copies = {
            block: source for block, source in enumerate(whose) if block != source
        }
    else:
        inner, copies = inner_blocks(block_scores), by_largest_gap(block_scores, 2)
    print(f"inner blocks: {inner}; in pairs: {copies}")
    print(f"copy-only loss {loss_of(share(model, copies)):.3f}, whole {whole:.3f}")
except ValueError as problem:
    print(f"here the rule has no answer: {problem}")

# %% [markdown]
# The lists that the paper prints for TinyLlama look like another rule: the most similar
# layers copy, in that order. It does not say from which; we take the nearest earlier
# one that does not copy. Neither rule is compared with anything. So compare: the most
# similar blocks; the *least* similar ones; those that are most alike beyond chance; the
# first neighbours from block 1 on, in pairs or larger groups; and blocks drawn at
# random.

# %% tags=["prediction"]
best_choice = "most similar"  # which choice costs least with three blocks that copy?
worse_by_chance = "much worse"  # three blocks drawn at random: worse than most similar?

# %%
COPYING = "blocks that copy"
counts = {"smoke": (3,), "quick": (1, 2, 3, 5)}[budget]
draws = {"smoke": 1, "quick": 3}[budget]


def groups_of_neighbours(count):
    """The first `count` copies of pairs, then triples, from block 1 on."""
    inside = range(1, depth)
    k = next(k for k in range(2, depth) if len(consecutive(inside, k)) >= count)
    return dict(list(consecutive(inside, k).items())[:count])


beyond_scores = dict(enumerate(np.nanmean(above_chance, axis=1).tolist()))
choices = {
    "most similar": [lambda count: most_similar(block_scores, count)],
    "least similar": [lambda count: least_similar(block_scores, count)],
    "most beyond chance": [lambda count: most_similar(beyond_scores, count)],
    "neighbours": [groups_of_neighbours],
    "at random": [
        lambda count, seed=seed: at_random(range(depth), count, seed)
        for seed in range(draws)
    ],
}
rises = {
    name: [
        {0: 0.0} | {n: loss_of(share(model, rule(n))) - whole for n in counts}
        for rule in rules
    ]
    for name, rules in choices.items()
}
ABOVE = "nats above the whole model"
by_count = {
    name: [Run(model, [{COPYING: n, ABOVE: rise[n]} for n in rise]) for rise in each]
    for name, each in rises.items()
}
display(
    plots.learning_curves(
        lesson.own_results(by_count, model.config),
        ABOVE,
        x=COPYING,
        names={name: name for name in by_count},
    )
)
at_three = {name: np.mean([rise[3] for rise in each]) for name, each in rises.items()}
for name, rise in sorted(at_three.items(), key=lambda item: item[1]):
    print(f"{rise:+.3f} nats with three copies, {name}")
lesson.compare("best with three copies", best_choice, min(at_three, key=at_three.get))
gap = at_three["at random"] - at_three["most similar"]
lesson.compare("chance against most similar", worse_by_chance, f"{gap:+.3f} nats")

# %% [markdown]
# A control that costs nothing has now said something about the paper's first step. Say
# in one sentence what; and whether you would have known without it.

# %% [markdown]
# ## 5. What is saved?
#
# "77 % of the layers share" sounds like a lot. (It is 17 of 22, and 41 % are 9. The
# list that the paper prints for those has only 8, but the parameters that it reports as
# gone are those of 9.)

# %% exercise="savings"

# %% tags=["prediction"]
parameters_saved = "20 %"  # 9 of TinyLlama's 22 layers copy: how many parameters less?
times_as_fast = 1.15  # and how many times as fast can that be, by operations saved?

# %%
tiny = BlockConfig(
    norm="rms",
    num_heads=32,
    num_key_value_heads=4,
    feed_forward="swiglu",
    feed_forward_dim=5632,
)
tinyllama = ModelConfig.uniform(
    22,
    tiny,
    width=2048,
    vocabulary_size=32000,
    context_length=2048,
    positions="rotary",
    tied_head=False,
    final_norm="rms",
)
parts = parameter_counts(tinyllama)
total, one_feed_forward = sum(parts.values()), parts["FFN"] // 22
PAPER_SPEED = {5: 1.09, 9: 1.15, 17: 1.42}  # table 3: tokens per second, generation
print(f"TinyLlama has {total / 1e9:.2f} billion parameters")
for copying, measured_speed in PAPER_SPEED.items():
    if passed("savings"):
        gone = saved_parameters(copying, 2048, 32, 4, 64)
        cached = cached_numbers(22, copying, 4, 64)
        bound = speed_bound(22, copying, 2048, 32, 4, 64, one_feed_forward, 2048)
    else:
        saved = savings_of(tinyllama, dict.fromkeys(range(1, copying + 1), 0))
        gone, cached = saved.parameters, 2 * 22 * 256 - saved.cached
        # A block multiplies by all of its matrices, and twice by the map.
        a_block = 2 * (sum(parts.values()) - parts["Emb"]) // 22 + 8192 * 2048
        bound = 22 * a_block / (22 * a_block - saved.flops)
    print(
        f"{copying:2} of 22 layers copy: {gone / 1e6:4.1f} million parameters less "
        f"({gone / total:.1%}), cache {cached / (2 * 22 * 256):.0%},"
    )
    print(f"   {bound:.2f} times as fast at most; the paper has {measured_speed}")
    if copying == 9:
        headline = f"{gone / total:.1%}", f"{bound:.2f}"
lesson.compare("parameters less", parameters_saved, headline[0])
lesson.compare("times as fast at most", times_as_fast, headline[1])

# %% [markdown]
# The paper's figures are *larger* than what fewer operations can give, and that need
# not be a mistake. A GPU that writes one token at a time mostly waits: for weights from
# its memory, and for the next kernel to be started. A map that is copied spares several
# kernels, whatever their size. So this kind of speed depends on the machine, the batch
# and the program far more than on the method; and with a kernel that never writes the
# map down (as most do today) there is nothing to copy. `make bench` measures it here.

# %% [markdown]
# ## 6. Adjust
#
# Now the repair. The old model is the teacher, and the student learns three things from
# it.

# %% exercise="three_losses"

# %%
rate = 0.4  # the paper's headline: 41 % of the layers
three_copy = most_similar(block_scores, copies_at_rate(rate, range(depth)))
student = share(model, three_copy)
watched = f"block_{max(three_copy)}/output"
some = Batch(held_out.inputs[:8], held_out.targets[:8])
answer_only = np.arange(TIME) >= TIME // 2  # as if the first half were a question
kept = np.broadcast_to(answer_only, some.targets.shape)


def three_numbers(student):
    """The three losses of a student, by your functions or the kit's."""
    both = [np.asarray(each(some.inputs)) for each in (student, model)]
    streams = [
        np.stack([*activations(each, some.inputs, watched).values()])
        for each in (student, model)
    ]
    if passed("three_losses"):
        found = (
            hidden_loss(*streams, kept),
            soft_loss(*both, kept),
            hard_loss(*both, kept),
        )
    else:
        count = kept.astype("float32")
        found = (
            kit_losses.hidden_loss(*streams, count),
            kit_losses.soft_loss(*both, count),
            kit_losses.hard_loss(*both, count),
        )
    return [float(loss) for loss in found]


print(f"{rate:.0%} of the layers: {three_copy}")
print("losses by", "your functions" if passed("three_losses") else "the kit's")
at_start = three_numbers(student)
for name, value in zip(("streams", "soft", "hard"), at_start):
    print(f"  {name:8} {value:.3f}")

# %% [markdown]
# A short repair, of the same length for everybody: the student with the three losses
# for two thirds of the steps and the text for the last one, in the paper's order (there
# it is four fifths and one); the student with nothing but the text, which the paper
# calls continual training; and the *whole* model with nothing but the text, because
# training on may be all that helps.

# %% tags=["prediction"]
repaired = "80 %"  # how much of the damage does training on the text repair?
teacher_helps = "a lot"  # with the teacher first, against the text alone: better?

# %%
steps = {"smoke": 3, "quick": 36}[budget]
stage = replace(
    STAGE,
    steps=steps,
    batch_size={"smoke": 2, "quick": 16}[budget],
    learning_rate=2e-4,
    warmup_steps=steps // 12,
    evaluate_every=steps // 3,
)
first_stage = replace(stage, steps=2 * steps // 3)
second_stage = replace(stage, steps=steps // 3)
losses = None  # the paper's; or for instance DistillationConfig(hard=0.0, soft=0.75)
taught = distil(student, model, task, first_stage, losses)
finished = adjust(taught.model, task, second_stage)
alone = adjust(student, task, stage)
LOSS = "validation_loss"


def history(*stages):
    """Step and loss from before the first stage to the end of the last."""
    points, done = [{"step": 0, LOSS: stages[0].before["loss"]}], 0
    for found_stage in stages:
        for row in found_stage.run.history:
            points.append({"step": done + row["step"], LOSS: row[LOSS]})
        done += found_stage.run.steps
    return Run(stages[-1].model, points)


repair = {
    "shared: teacher, then text": history(taught, finished),
    "shared: text alone": history(alone),
}
if budget != "smoke":
    repair["whole: text alone"] = history(adjust(model, task, stage))
display(
    plots.learning_curves(
        lesson.own_results(repair, model.config),
        LOSS,
        label="held-out loss, nats per token",
        references={"the whole model, as it was": whole},
        names={name: name for name in repair},
    )
)
ends = {name: run.history[-1][LOSS] for name, run in repair.items()}
for name, loss in ends.items():
    print(f"{repair[name].history[0][LOSS]:.3f} -> {loss:.3f}  {name}")
with_teacher, with_text, rival = [*ends.values(), whole][:3]
damage = alone.before["loss"] - whole
share_repaired = 1 - (with_text - rival) / damage
lesson.compare("damage repaired by the text", repaired, f"{share_repaired:.0%}")
better = f"{with_text - with_teacher:+.3f} nats"
lesson.compare("better with the teacher by", teacher_helps, better)
print("what the teacher taught, before and after the first stage:")
after = three_numbers(taught.model)
for name, was, value in zip(("streams", "soft", "hard"), at_start, after):
    print(f"  {name:8} {was:.3f} -> {value:.3f}")

# %% [markdown]
# Look at the first stage twice. By all three of its losses the student comes closer to
# its teacher; how far does its loss on the text follow? The labels of the hard loss are
# what the teacher finds *likeliest*. Where the teacher itself is rarely sure, a student
# that is told nothing but its first choice learns to be surer than it should. That is
# no bug, it is what the loss says, and the second stage is there to take it back.
# (Change `losses` above, and say before what will happen.)
#
# And look at the third line. A shared model that ends below the model as it *was* would
# have shown nothing, if the whole model gets better by the same training. Mind the
# costs, too: a step with a teacher takes half as long again. And fewer than fifty
# thousand tokens are next to nothing: the paper takes billions, and the stored study
# more than there is patience for here.

# %% [markdown]
# The paper takes its soft loss the unusual way round. Whether that matters shows where
# a student cannot follow.

# %% exercise="which_way_round"

# %%
# A teacher with two opinions, and a student who can have one: a hill with a place and a
# width. Both directions start between the two.
places = np.arange(40.0)
two_hills = np.logaddexp(
    -((places - 11) ** 2) / 8, np.log(0.6) - (places - 26) ** 2 / 8
).astype("float32")


def hill(place, width):
    return (-((places - place) ** 2) / (2 * width**2)).astype("float32")


def settle(gradient, steps=1000):
    """Where gradient descent on place and logarithm of the width ends."""
    place, width = 17.0, 4.0
    for _ in range(steps):
        by_logit = gradient(hill(place, width), two_hills)
        away = places - place
        place -= 0.05 * float(by_logit @ away)
        width *= np.exp(-0.02 * float(by_logit @ away**2) / width**2)
    return hill(place, width)


def probability(logits):
    return np.exp(logits - np.logaddexp.reduce(logits))


# %% tags=["prediction"]
reverse_goes = "to one hill"  # where does the reverse direction end, and the forward?

# %%
if passed("which_way_round"):
    ends = {
        "forward, KL(T || S)": settle(forward_gradient),
        "reverse, KL(S || T)": settle(reverse_gradient),
    }
    shown = {"the teacher": two_hills, **ends}
    title = "Probability of each token"
    display(
        line_panels(
            {title: {name: [probability(logits)] for name, logits in shown.items()}},
            {title: [str(int(p)) if p % 5 == 0 else "" for p in places]},
            x_label="token",
        )
    )
    for name, logits in ends.items():
        forward, reverse = divergence(two_hills, logits), divergence(logits, two_hills)
        print(f"{name}: forward {forward:.2f}, reverse {reverse:.2f} nats")
    at = [int(np.argmax(logits)) for logits in ends.values()]
    measured = f"reverse at token {at[1]}, forward at {at[0]}"
    lesson.compare("the reverse direction", reverse_goes, measured)
else:
    print("This cell lets your two gradients pull a student once they are there.")

# %% [markdown]
# A language model that has to be a bit dumber than its teacher may either say what the
# teacher might, and things between that nobody would; or be sure of less. Which of them
# has the lower loss on text, which *is* the forward direction with the text as teacher?

# %% [markdown]
# ## 7. Better than the whole model?
#
# The paper's headline: with 41 % of its layers shared, TinyLlama is not only faster, it
# is better. The mean of six tasks rises from 40.21 to 41.55 (table 2). Here are the
# six.

# %% tags=["prediction"]
tasks_better = 4  # on how many of the six tasks is the shared model better?

# %%
TASKS = {
    "mmlu": (25.27, 25.96),
    "winogrande": (59.35, 58.01),
    "swag": (51.69, 50.33),
    "hellaswag": (46.40, 43.82),
    "xnli_en": (41.53, 53.25),
    "agieval_en": (17.03, 17.94),
}
before, shared_scores = np.array(list(TASKS.values())).T
for name, change in zip(TASKS, shared_scores - before):
    print(f"{name:10} {change:+6.2f}")
print(f"{'mean':10} {np.mean(shared_scores) - np.mean(before):+6.2f}")
lesson.compare("better on", tasks_better, int((shared_scores > before).sum()))
for name in TASKS:
    others = [other != name for other in TASKS]
    print(f"without {name:10} {np.mean((shared_scores - before)[others]):+6.2f}")

# %% [markdown]
# One task carries the sign of the mean. It is also the one task that is missing from
# the paper's control, in which TinyLlama is trained on without sharing (table 4): so
# nobody knows whether sharing has anything to do with it. What is left is a sober
# claim, and your own curves speak to it: sharing costs something, more sharing costs
# more, and training repairs a good part.

# %% [markdown]
# ## 8. One run is an anecdote
#
# The stored study has several models of each kind, heat maps before, during and after
# training, all choices, every loss left out in turn, and what becomes of the shared
# model if it is trained from nothing.

# %%
kept_rows = committed("sharing")
if len(kept_rows):
    same_edit = {
        "shared: teacher, then text": "text-40-kd-continual",
        "shared: text alone": "text-40-continual",
        "whole: text alone": "text-0-continual",
    }
    mine = lesson.own_results(repair, model.config)
    display(lesson.side_by_side_table(mine, kept_rows, same_edit, "loss", ".3f"))
    display(lesson.verdict_table(load_study("sharing"), kept_rows))
else:
    print("This copy of the kit holds no stored results; kit reproduce sharing makes")
    print("some in a few minutes, and kit report sharing shows them.")

# %% [markdown]
# ## 9. Would you have noticed a bug?
#
# A shared model is worse at first and better after training. So is one in which the
# wrong thing is shared.

# %% exercise="test_sharing"

# %% [markdown]
# ## 10. What no experiment here can decide
#
# - **Size.** The paper finds larger models more alike inside. A model with eight blocks
#   has hardly an inside.
# - **Length.** Flat maps over 64 tokens and flat maps over 2048 are not the same thing:
#   chance alone makes the latter less alike.
# - **Speed.** It depends on whether the map is ever written down. Fused kernels do not.
# - **The text.** All choices here were made on the kind of text that judged them.
# - **What is alike.** The same map can carry quite different messages. Two layers with
#   different maps may do the same with their values.
#
# **To think about.** A colleague shows that after distillation it hardly matters which
# layers copy. Is that good or bad news for the paper's first step, and what would you
# measure next?

# %% [markdown]
# ## 11. A real model
#
# `kit fetch smollm2` gets SmolLM2, 135 million parameters in 30 blocks with grouped
# heads. If it is on this machine, its layers are compared here, in a minute or two, and
# some of them copy. If not, another checkpoint is taken, or the one from above again.

# %%
READS = {"smollm2": "docs", "stories260k": "tinystories_sample"}


def subject():
    """The best checkpoint that is here, with text to read; or else our own model."""
    here, texts = found(), found_corpora()
    for name, text in READS.items():
        if budget != "smoke" and here.get(name) and texts[text]:
            checkpoint, its_tokenizer = load(name, context_length=TIME)
            few = {"context_length": TIME, "validation_tokens": 8 * TIME}
            reads = TextTask(text, its_tokenizer, **few).validation()
            return name, checkpoint, reads
    return "text-8", model, Batch(held_out.inputs[:8], held_out.targets[:8])


# %% tags=["prediction"]
inner_real = 0.8  # mean similarity of the blocks in its middle?
loss_real = 0.1  # nats that it costs to let a fifth of them copy?

# %%
name, large, reads = subject()
seen = map_similarity(large, reads.inputs[:4], ["cosine"])
real_scores, real_chance = seen.scores(), seen.null_scores()
step = 5 if len(real_scores) > 10 else 1
blocks = [str(block) if block % step == 0 else "" for block in real_scores]
title = f"Mean similarity with the other blocks, {name}"
display(
    line_panels(
        {
            title: {
                "its maps": [list(real_scores.values())],
                "its null model": [list(real_chance.values())],
            }
        },
        {title: blocks},
        x_label="block",
        limits={title: (0, 1.05)},
    )
)
inside = list(real_scores)[len(real_scores) // 4 : -len(real_scores) // 4]
middle = [np.mean([each[b] for b in inside]) for each in (real_scores, real_chance)]
told = f"{middle[0]:.2f}, {middle[1]:.2f} by chance"
lesson.compare("blocks in the middle", inner_real, told)
fifth = copies_at_rate(0.2, real_scores)
few = most_similar(real_scores, fifth)
dense, after_copying = loss_of(large, reads), loss_of(share(large, few), reads)
lesson.compare(f"{fifth} copies cost", loss_real, f"{after_copying - dense:.2f} nats")
print(f"{savings_of(large.config, few).parameters:,} parameters less")

# %%
lesson.scoreboard("sharing", checks)

# %% [markdown]
# **Where to go from here.** `kit.sharing.match_heads` finds for each head the map that
# fits it best before it copies: does that help before training, and does it still help
# after? `kit start` copies the exercises into a folder, if you prefer an editor to a
# notebook. And there is a thing that the paper does not do: let a layer keep a *few* of
# its heads, and copy the others. Say before you run it which ones you would keep.
