# /// exercise
# id = "ablation"
# title = "An ablation is an edit"
# paper = "2402.05969"
# section = "claim C4, arms G and H"
# concepts = ["skips", "ablation", "a model is data"]
# prerequisites = ["permutation_test"]
# difficulty = 2
# minutes = 15
# points = 2
# ///

# %% statement [markdown]
# The paper's question about skips (residual connections): without positions, learning
# is said to fail when several *consecutive* blocks lose their skips, while the same
# number of blocks *spread out* does less harm. To compare fairly, both models must be
# the same edit with other numbers.
#
# Here a model is data: it says how positions are encoded, and it has a list of blocks,
# numbered from 0. The base model has learned positions and all skips:
#
#     {"positions": "learned",
#      "blocks": [{"attention_skip": 1.0, "feed_forward_skip": 1.0}, ...]}
#
# A skip's gain is its strength: the block computes
# `attention_skip * x + attention(x)`, then the same with `feed_forward_skip` and the
# feed-forward part. At 0 the skip is gone and only the branch is left.
#
# Write `edits(first, count, step)`, which returns the **changes** as a dictionary: the
# positions become `"none"`, and `count` blocks lose both skips, the first of them
# number `first`, and each next one `step` further on. Under `"blocks"` is a dictionary
# from a block's number to the fields that change. Nothing else is mentioned.
#
#     edits(2, 1, 1)
#     {"positions": "none",
#      "blocks": {2: {"attention_skip": 0.0, "feed_forward_skip": 0.0}}}
#
# The judge builds the edited model and looks at what it computes. With the kit's own
# models, `"blocks"` is what `ModelConfig.with_blocks` takes.

# %% stub
def edits(first, count, step):
    """Changes that remove all positions, and the skips of some blocks.

    Args:
        first: Number of the first block without skips, from 0.
        count: How many blocks lose their skips.
        step: 1 for consecutive blocks, 2 for every second one, and so on.

    Returns:
        A dictionary with "positions" and "blocks".
    """
    raise NotImplementedError("edits is not done yet")


# %% example
assert edits(2, 1, 1) == {
    "positions": "none",
    "blocks": {2: {"attention_skip": 0.0, "feed_forward_skip": 0.0}},
}


# %% reference
def edits(first, count, step):
    removed = [first + step * i for i in range(count)]
    changes = {"attention_skip": 0.0, "feed_forward_skip": 0.0}
    return {"positions": "none", "blocks": {i: dict(changes) for i in removed}}


# %% hint 1 [markdown]
# Write down by hand which blocks `edits(1, 3, 2)` changes. How many are they, and which
# number does the last one have?

# %% hint 2 [markdown]
# `range` takes a start, an end that is not included, and a step. A dictionary
# comprehension makes one entry for each number.

# %% hint 3 [markdown]
# The numbers of the blocks: a list of `count` entries. Then one dictionary with two
# keys; the second one's value has an entry for each number, with both skips at zero.


# %% right answer="range with a step"
def edits(first, count, step):
    blocks = range(first, first + count * step, step)
    fields = ("attention_skip", "feed_forward_skip")
    return {
        "blocks": {i: dict.fromkeys(fields, 0) for i in blocks},
        "positions": "none",
    }


# %% right answer="in a loop"
def edits(first, count, step):
    changes = {"positions": "none", "blocks": {}}
    block = first
    while len(changes["blocks"]) < count:
        changes["blocks"][block] = {"attention_skip": 0.0, "feed_forward_skip": 0.0}
        block += step
    return changes


# %% wrong answer="keeps the positions" caught_by="consecutive"
# The positions are still there. With them the order is known anyway, and the ablation
# would say nothing about skips.
def edits(first, count, step):
    removed = [first + step * i for i in range(count)]
    changes = {"attention_skip": 0.0, "feed_forward_skip": 0.0}
    return {"positions": "learned", "blocks": {i: changes for i in removed}}


# %% wrong answer="attention only" caught_by="consecutive"
# Only the skip around attention is removed. The one around the feed-forward part
# still carries the position's own content upwards.
def edits(first, count, step):
    removed = [first + step * i for i in range(count)]
    return {
        "positions": "none",
        "blocks": {i: {"attention_skip": 0.0} for i in removed},
    }


# %% wrong answer="feed-forward only" caught_by="consecutive"
# Only the skip around the feed-forward part is removed; the one around attention is
# still there.
def edits(first, count, step):
    removed = [first + step * i for i in range(count)]
    changes = {"feed_forward_skip": 0.0}
    return {"positions": "none", "blocks": {i: changes for i in removed}}


# %% wrong answer="counts from one" caught_by="consecutive"
# Every block is one too high: blocks are numbered from 0.
def edits(first, count, step):
    removed = [first + 1 + step * i for i in range(count)]
    changes = {"attention_skip": 0.0, "feed_forward_skip": 0.0}
    return {"positions": "none", "blocks": {i: changes for i in removed}}


# %% wrong answer="one block too many" caught_by="consecutive"
# One block too many has lost its skips.
def edits(first, count, step):
    removed = [first + step * i for i in range(count + 1)]
    changes = {"attention_skip": 0.0, "feed_forward_skip": 0.0}
    return {"positions": "none", "blocks": {i: changes for i in removed}}


# %% wrong answer="always consecutive" caught_by="spread_out"
# The step has no effect: the blocks are consecutive even when they should be spread
# out.
def edits(first, count, step):
    removed = range(first, first + count)
    changes = {"attention_skip": 0.0, "feed_forward_skip": 0.0}
    return {"positions": "none", "blocks": {i: changes for i in removed}}


# %% wrong answer="count as the end" caught_by="consecutive"
# The end of the range is the count, but it should be the number of blocks that is
# counted from the first one.
def edits(first, count, step):
    removed = range(first, count, step)
    changes = {"attention_skip": 0.0, "feed_forward_skip": 0.0}
    return {"positions": "none", "blocks": {i: changes for i in removed}}


# %% wrong answer="branches removed" caught_by="consecutive"
# The skips are at 1, where they have been all along: nothing is removed. At 0 the
# skip is gone and the branch stays.
def edits(first, count, step):
    removed = [first + step * i for i in range(count)]
    changes = {"attention_skip": 1.0, "feed_forward_skip": 1.0}
    return {"positions": "none", "blocks": {i: changes for i in removed}}


# %% driver
import answer
import numpy as np


def softmax(scores):
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def edited_blocks(changes, num_blocks):
    blocks = [
        {"attention_skip": 1.0, "feed_forward_skip": 1.0} for _ in range(num_blocks)
    ]
    for index, fields in changes["blocks"].items():
        if index not in range(num_blocks):
            raise IndexError(f"there is no block {index} in a model of {num_blocks}")
        unknown = set(fields) - set(blocks[index])
        if unknown:
            raise KeyError(f"a block has no field {sorted(unknown)[0]}")
        blocks[index].update(fields)
    return blocks


def outputs_of_edited_model(first, count, step, tokens, embedding, table, weights):
    changes = answer.edits(first, count, step)
    if changes["positions"] not in ("none", "learned"):
        raise ValueError(f"positions cannot be {changes['positions']!r}")
    x = embedding[tokens] + table * (changes["positions"] == "learned")
    mask = np.tril(np.ones((len(x), len(x)), bool))
    blocks = edited_blocks(changes, len(weights))
    for block, (query, key, value, hidden) in zip(blocks, weights, strict=True):
        scores = np.where(mask, (x @ query) @ (x @ key).T, -1e9)
        x = block["attention_skip"] * x + softmax(scores) @ (x @ value)
        x = block["feed_forward_skip"] * x + np.tanh(x @ hidden)
    return x


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats

BLOCKS, TIME, WIDTH = 7, 6, 4


def model(rng, first, count, step):
    return call(
        first,
        count,
        step,
        rng.integers(10, size=TIME),
        rng.standard_normal((10, WIDTH)),
        rng.standard_normal((TIME, WIDTH)),
        0.5 * rng.standard_normal((BLOCKS, 4, WIDTH, WIDTH)),
        returns=floats(TIME, WIDTH),
        function="outputs_of_edited_model",
        shown=f"a model of {BLOCKS} blocks after edits({first}, {count}, {step})",
    )


@check
def example(rng):
    """the example: one block"""
    yield model(rng, 2, 1, 1)


@check
def consecutive(rng):
    """consecutive blocks (arm G)"""
    for _ in range(3):
        count = int(rng.integers(2, 4))
        yield model(rng, int(rng.integers(0, BLOCKS - count)), count, 1)


@check
def spread_out(rng):
    """blocks spread out (arm H)"""
    yield model(rng, int(rng.integers(0, 2)), 3, 2)
    yield model(rng, int(rng.integers(0, 3)), 2, 3)


@check(hidden=True)
def all_or_nothing(rng):
    """no block, and all blocks"""
    yield model(rng, 3, 0, 1)
    yield model(rng, 0, BLOCKS, 1)
