# /// exercise
# id = "parameters"
# title = "Where the weights have gone"
# paper = "2311.01906"
# section = "claim C5, model sizes"
# concepts = ["parameter counts", "tied embeddings", "closed formulas"]
# prerequisites = ["sas", "sas_p"]
# difficulty = 2
# minutes = 15
# points = 2
# ///

# %% statement [markdown]
# The paper's models have 13 % fewer parameters: 146 million instead of 167, with 18
# blocks of width 768, 50,000 tokens and 1024 positions. No GPU is needed to check that.
#
# Count all **matrices** (gains, norms and biases are small change, and not counted):
#
# - the embedding, one row per token; a head with as many numbers again, unless it is
#   **tied**, that is the embedding itself;
# - a table of positions, one row each, if the model learns positions;
# - in each block the feed-forward, from the width to `feed_forward_dim` and back;
# - in each block the attention, whose matrices are all width x width. `"pre-ln"` and
#   `"parallel"` have four: query, key, value, projection. `"sas"` and `"sas-p"` have no
#   value and no projection, with one exception: **the first block keeps its value
#   matrix**, the only one that helps, and a little.
#
# Write `num_parameters(...)`, which returns a whole number.
#
# By hand: one `"pre-ln"` block of width 2 with a feed-forward of 3 has 4 · 4 + 2 · 6 =
# 28, and with 5 tokens, tied, 38. As `"sas"` it has 2 · 4 + 4 + 2 · 6 + 10 = 34.
#
# Out of scope: grouped queries, gated feed-forwards.


# %% stub
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    """Weights in all matrices of a language model.

    Args:
        block: "pre-ln", "parallel", "sas" or "sas-p".
        num_blocks: Number of blocks, from 1.
        width: Width of the stream.
        feed_forward_dim: Hidden neurons of each feed-forward.
        vocabulary_size: Number of tokens.
        positions: Rows of the table of positions; 0 if there is none.
        tied: Whether the head is the embedding.

    Returns:
        A whole number.
    """
    raise NotImplementedError("num_parameters is not done yet")


# %% example
assert num_parameters("pre-ln", 1, 2, 3, 5, positions=0, tied=True) == 38
assert num_parameters("sas", 1, 2, 3, 5, positions=0, tied=True) == 34


# %% reference
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    simplified = block in ("sas", "sas-p")
    attention = (2 if simplified else 4) * width**2
    feed_forward = 2 * width * feed_forward_dim
    first_value = width**2 if simplified else 0
    tables = (vocabulary_size * (1 if tied else 2) + positions) * width
    return num_blocks * (attention + feed_forward) + first_value + tables


# %% hint 1 [markdown]
# Make a list of everything that every block has, and one of everything that the model
# has once. On which of the two does the first block's value matrix stand?

# %% hint 2 [markdown]
# Nothing but `*` and `+`, and one `if` for what the two families of blocks do not
# share. Try your formula on the example by hand, term by term.

# %% hint 3 [markdown]
# Four numbers: attention matrices of a block, feed-forward of a block, the extra value
# matrix (or zero), and the tables (tokens once or twice, and positions) times the
# width. The first two are multiplied by the number of blocks.


# %% right answer="a list of shapes"
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    shapes = [(vocabulary_size, width)] * (1 if tied else 2) + [(positions, width)]
    for number in range(num_blocks):
        names = ["query", "key"]
        if "sas" not in block:
            names += ["value", "projection"]
        elif number == 0:
            names += ["value"]
        shapes += [(width, width) for _ in names]
        shapes += [(width, feed_forward_dim), (feed_forward_dim, width)]
    return sum(rows * columns for rows, columns in shapes)


# %% right answer="what is saved"
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    usual = num_blocks * (4 * width + 2 * feed_forward_dim) + vocabulary_size
    usual += positions + (0 if tied else vocabulary_size)
    saved = {"sas": 2 * num_blocks - 1, "sas-p": 2 * num_blocks - 1}.get(block, 0)
    return width * (usual - saved * width)


# %% wrong answer="nothing saved" caught_by="simplified"
# The simplified blocks have as many matrices as the usual ones. They have no value and
# no projection.
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    blocks = num_blocks * (4 * width**2 + 2 * width * feed_forward_dim)
    return blocks + (vocabulary_size * (1 if tied else 2) + positions) * width


# %% wrong answer="projection kept" caught_by="simplified"
# Only the value matrix is missing from the simplified blocks. The projection behind the
# attention is gone as well.
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    simplified = block in ("sas", "sas-p")
    attention = (3 if simplified else 4) * width**2
    blocks = num_blocks * (attention + 2 * width * feed_forward_dim)
    blocks += width**2 if simplified else 0
    return blocks + (vocabulary_size * (1 if tied else 2) + positions) * width


# %% wrong answer="no first value" caught_by="simplified"
# The value matrix of the first block is missing: one width x width more.
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    attention = (2 if block in ("sas", "sas-p") else 4) * width**2
    blocks = num_blocks * (attention + 2 * width * feed_forward_dim)
    return blocks + (vocabulary_size * (1 if tied else 2) + positions) * width


# %% wrong answer="sas-p forgotten" caught_by="simplified"
# SAS-P is counted as a usual block. It lacks the same matrices as SAS; how branches are
# wired changes no count.
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    attention = (2 if block == "sas" else 4) * width**2
    blocks = num_blocks * (attention + 2 * width * feed_forward_dim)
    blocks += width**2 if block == "sas" else 0
    return blocks + (vocabulary_size * (1 if tied else 2) + positions) * width


# %% wrong answer="parallel is smaller" caught_by="usual"
# The parallel block is counted as a simplified one. It only moves its branches side by
# side, and has all four matrices.
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    simplified = block != "pre-ln"
    attention = (2 if simplified else 4) * width**2
    blocks = num_blocks * (attention + 2 * width * feed_forward_dim)
    blocks += width**2 if simplified else 0
    return blocks + (vocabulary_size * (1 if tied else 2) + positions) * width


# %% wrong answer="feed-forward once" caught_by="usual"
# The feed-forward has one matrix here. It has two: to the hidden neurons, and back.
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    simplified = block in ("sas", "sas-p")
    attention = (2 if simplified else 4) * width**2
    blocks = num_blocks * (attention + width * feed_forward_dim)
    blocks += width**2 if simplified else 0
    return blocks + (vocabulary_size * (1 if tied else 2) + positions) * width


# %% wrong answer="always four times the width" caught_by="usual"
# The feed-forward is taken to be four times as wide as the model. Use
# `feed_forward_dim`.
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    simplified = block in ("sas", "sas-p")
    blocks = num_blocks * (10 if simplified else 12) * width**2
    blocks += width**2 if simplified else 0
    return blocks + (vocabulary_size * (1 if tied else 2) + positions) * width


# %% wrong answer="tied counted twice" caught_by="usual"
# Embedding and head are counted apart although they are one matrix.
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    simplified = block in ("sas", "sas-p")
    attention = (2 if simplified else 4) * width**2
    blocks = num_blocks * (attention + 2 * width * feed_forward_dim)
    blocks += width**2 if simplified else 0
    return blocks + (vocabulary_size * 2 + positions) * width


# %% wrong answer="always tied" caught_by="tables"
# The head is never counted. If it is not tied, it is a matrix of its own.
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    simplified = block in ("sas", "sas-p")
    attention = (2 if simplified else 4) * width**2
    blocks = num_blocks * (attention + 2 * width * feed_forward_dim)
    blocks += width**2 if simplified else 0
    return blocks + (vocabulary_size + positions) * width


# %% wrong answer="no positions" caught_by="tables"
# The table of positions is missing: it has a row for each position.
def num_parameters(
    block, num_blocks, width, feed_forward_dim, vocabulary_size, positions, tied
):
    simplified = block in ("sas", "sas-p")
    attention = (2 if simplified else 4) * width**2
    blocks = num_blocks * (attention + 2 * width * feed_forward_dim)
    blocks += width**2 if simplified else 0
    return blocks + vocabulary_size * (1 if tied else 2) * width


# %% driver
import answer


def millions(*arguments):
    return round(answer.num_parameters(*arguments) / 1_000_000)


# %% checks
from kit.grading.cases import call, check, integers

USUAL, SIMPLIFIED = ("pre-ln", "parallel"), ("sas", "sas-p")


def case(block, *sizes, tied=True, **options):
    return call(block, *map(int, sizes), tied, returns=integers(), **options)


def sizes(rng):
    """Blocks, width, hidden neurons (never four times the width), tokens."""
    width = rng.integers(10, 40)
    return rng.integers(2, 9), width, width + rng.integers(1, 30), rng.integers(50, 90)


@check
def example(rng):
    """the example: 38 and 34"""
    yield case("pre-ln", 1, 2, 3, 5, 0)
    yield case("sas", 1, 2, 3, 5, 0)


@check
def usual(rng):
    """Pre-LN and parallel blocks, tied"""
    for block in USUAL:
        yield case(block, *sizes(rng), 0)


@check
def simplified(rng):
    """SAS and SAS-P blocks, tied"""
    for block in SIMPLIFIED:
        yield case(block, *sizes(rng), 0)


@check
def tables(rng):
    """learned positions, a head of its own"""
    for block in rng.permutation(USUAL + SIMPLIFIED):
        yield case(str(block), *sizes(rng), rng.integers(10, 99), tied=False)


@check
def published(rng):
    """the model of the kit's study; the paper's, in millions"""
    for block, ours, published in [
        ("pre-ln", 1_187_968, 167),
        ("sas-p", 1_007_744, 146),
    ]:
        yield case(block, 6, 128, 512, 65, 0, expected=ours)
        paper = {"expected": published, "function": "millions"}
        yield case(block, 18, 768, 3072, 50_000, 1024, **paper)


@check(hidden=True)
def one_block(rng):
    """a single block"""
    for block in SIMPLIFIED:
        yield case(block, 1, *sizes(rng)[1:], 0)
