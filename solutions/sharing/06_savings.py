# /// exercise
# id = "savings"
# title = "What copying saves"
# paper = "2409.14595"
# section = "section 4, table 3"
# concepts = ["parameter counts", "key-value cache", "arithmetic bounds"]
# prerequisites = ["parameters", "shared_block"]
# difficulty = 2
# minutes = 25
# points = 3
# ///

# %% statement [markdown]
# The model that shares most in the paper does so in 77 % of its layers, and loses 7 %
# of its parameters. How do these go together? Count, for layers with grouped heads:
# `heads` query heads, but only `key_heads` heads of keys and as many of values, all of
# width `head_dim`.
#
# - A layer that copies has no query and no key matrix. Everything else stays.
# - To generate text a model remembers keys and values of all earlier tokens, the cache.
#   A layer that copies has no keys to remember. Its values it needs.
# - A layer's matrices take 2 operations for each of their numbers and token. A token
#   that looks at `time` keys takes 2 · time · heads · head_dim for the scores, and as
#   many again to mix the values. A layer that copies has neither the two matrices nor
#   the scores; it mixes.
#
# Write
#
# - `saved_parameters(copying, ...)`, what all copying layers together save;
# - `cached_numbers(layers, copying, ...)`, what is remembered for each token;
# - `speed_bound(layers, copying, ...)`: the operations of all layers for one token
#   before, over those after. No program that computes the same can be faster than that
#   by saving operations. Count the four matrices of the attention, the feed-forward,
#   the scores and the mixing; embedding and head are not among the layers.
#
# By hand: width 4, two heads of 2 and one key head, time 3, a feed-forward of 32
# parameters. Query and output have 16 parameters, key and value 8: a layer takes 2 ·
# (48 + 32) + 24 + 24 = 208 operations, and 2 · 24 + 24 = 72 less if it copies. Two
# layers, of which one copies: 416 / 344. It saves 24 parameters, and of 8 numbers in
# the cache 6 are left.


# %% stub
def saved_parameters(copying, width, heads, key_heads, head_dim):
    """Parameters that copying layers do not have.

    Args:
        copying: How many layers copy.
        width: Width of the stream.
        heads: Query heads.
        key_heads: Key heads, and value heads.
        head_dim: Width of a head.

    Returns:
        A whole number.
    """
    raise NotImplementedError("saved_parameters is not done yet")


def cached_numbers(layers, copying, key_heads, head_dim):
    """Numbers that generation has to remember for each token.

    Args:
        layers: How many layers there are.
        copying: How many of them copy.
        key_heads: Key heads, and value heads.
        head_dim: Width of a head.

    Returns:
        A whole number.
    """
    raise NotImplementedError("cached_numbers is not done yet")


def speed_bound(layers, copying, width, heads, key_heads, head_dim, feed_forward, time):
    """How many times fewer operations a token takes.

    Args:
        layers: How many layers there are.
        copying: How many of them copy.
        width: Width of the stream.
        heads: Query heads.
        key_heads: Key heads, and value heads.
        head_dim: Width of a head.
        feed_forward: Parameters of one feed-forward.
        time: Keys that the token looks at.

    Returns:
        A number from 1.
    """
    raise NotImplementedError("speed_bound is not done yet")


# %% example
assert saved_parameters(1, 4, 2, 1, 2) == 24
assert cached_numbers(2, 1, 1, 2) == 6
bound = speed_bound(2, 1, 4, 2, 1, 2, feed_forward=32, time=3)
assert abs(bound - 416 / 344) < 1e-9


# %% reference
def saved_parameters(copying, width, heads, key_heads, head_dim):
    return copying * width * (heads + key_heads) * head_dim


def cached_numbers(layers, copying, key_heads, head_dim):
    return (2 * layers - copying) * key_heads * head_dim


def speed_bound(layers, copying, width, heads, key_heads, head_dim, feed_forward, time):
    scores = 2 * time * heads * head_dim
    matrices = 2 * width * (heads + key_heads) * head_dim
    layer = 2 * (matrices + feed_forward) + 2 * scores
    saved = 2 * saved_parameters(1, width, heads, key_heads, head_dim) + scores
    return layers * layer / (layers * layer - copying * saved)


# %% hint 1 [markdown]
# Which of the four matrices of an attention have `heads` columns of heads, and which
# have `key_heads`? What of all that is in the cache of a layer that copies?

# %% hint 2 [markdown]
# Nothing but `+`, `*` and one `/`. Write the operations of a layer as a sum of four
# terms, and mark those that a copying layer does not have. The first function is part
# of the last.

# %% hint 3 [markdown]
# Parameters: layers times width times both kinds of heads times their width. Cache:
# keys of those that do not copy, values of all. Bound: what a layer takes, times all
# layers; the same less what each copying one saves; the quotient, larger over smaller.


# %% right answer="layer by layer"
def saved_parameters(copying, width, heads, key_heads, head_dim):
    query, key = width * heads * head_dim, width * key_heads * head_dim
    return sum(query + key for _ in range(copying))


def cached_numbers(layers, copying, key_heads, head_dim):
    keys = (layers - copying) * key_heads * head_dim
    values = layers * key_heads * head_dim
    return keys + values


def speed_bound(layers, copying, width, heads, key_heads, head_dim, feed_forward, time):
    inner, few = heads * head_dim, key_heads * head_dim
    looks = 2 * width * inner + 2 * width * few + 2 * time * inner
    says = 2 * width * few + 2 * time * inner + 2 * inner * width + 2 * feed_forward
    return layers * (looks + says) / (layers * says + (layers - copying) * looks)


# %% wrong answer="as many keys as queries" caught_by="parameters"
# The keys are counted with as many heads as the queries. With grouped heads there are
# fewer, and copying saves less.
def saved_parameters(copying, width, heads, key_heads, head_dim):
    return copying * 2 * width * heads * head_dim


# %% wrong answer="only queries" caught_by="parameters"
# Only the query matrices are counted. The key matrices go as well.
def saved_parameters(copying, width, heads, key_heads, head_dim):
    return copying * width * heads * head_dim


# %% wrong answer="the values, too" caught_by="parameters"
# The value matrices are counted among what is saved. A layer that copies keeps them.
def saved_parameters(copying, width, heads, key_heads, head_dim):
    return copying * width * (heads + 2 * key_heads) * head_dim


# %% wrong answer="nothing is remembered" caught_by="cache"
# Layers that copy are left out of the cache. They have no keys to remember, but they
# still mix the values of earlier tokens.
def cached_numbers(layers, copying, key_heads, head_dim):
    return 2 * (layers - copying) * key_heads * head_dim


# %% wrong answer="the cache stays" caught_by="cache"
# The cache is as large as before. Keys of layers that copy are never looked at.
def cached_numbers(layers, copying, key_heads, head_dim):
    return 2 * layers * key_heads * head_dim


# %% wrong answer="what is saved" caught_by="cache"
# This is what is no longer in the cache. Return what still is.
def cached_numbers(layers, copying, key_heads, head_dim):
    return copying * key_heads * head_dim


# %% wrong answer="no scores" caught_by="speed"
# Only matrices are counted. With many tokens the scores take more operations than the
# matrices of queries and keys, and a layer that copies has none.
def speed_bound(layers, copying, width, heads, key_heads, head_dim, feed_forward, time):
    matrices = 2 * width * (heads + key_heads) * head_dim
    layer = matrices + feed_forward
    saved = saved_parameters(1, width, heads, key_heads, head_dim)
    return layers * layer / (layers * layer - copying * saved)


# %% wrong answer="no mixing" caught_by="speed"
# A layer that copies is credited with the product of map and values. It needs that: the
# map is old, the values are new.
def speed_bound(layers, copying, width, heads, key_heads, head_dim, feed_forward, time):
    scores = 2 * time * heads * head_dim
    matrices = 2 * width * (heads + key_heads) * head_dim
    layer = 2 * (matrices + feed_forward) + 2 * scores
    saved = 2 * saved_parameters(1, width, heads, key_heads, head_dim) + 2 * scores
    return layers * layer / (layers * layer - copying * saved)


# %% wrong answer="one operation a number" caught_by="speed"
# A number of a matrix is multiplied and added, which are two operations, as for the
# scores. It is counted once.
def speed_bound(layers, copying, width, heads, key_heads, head_dim, feed_forward, time):
    scores = 2 * time * heads * head_dim
    matrices = 2 * width * (heads + key_heads) * head_dim
    layer = matrices + feed_forward + 2 * scores
    saved = saved_parameters(1, width, heads, key_heads, head_dim) + scores
    return layers * layer / (layers * layer - copying * saved)


# %% wrong answer="upside down" caught_by="speed"
# This is the part of the operations that is left. The bound is its inverse, 1 and more.
def speed_bound(layers, copying, width, heads, key_heads, head_dim, feed_forward, time):
    scores = 2 * time * heads * head_dim
    matrices = 2 * width * (heads + key_heads) * head_dim
    layer = 2 * (matrices + feed_forward) + 2 * scores
    saved = 2 * saved_parameters(1, width, heads, key_heads, head_dim) + scores
    return 1 - copying * saved / (layers * layer)


# %% wrong answer="by layers that copy" caught_by="speed"
# This holds if a layer that copies took no time at all. It saves a part of its work.
def speed_bound(layers, copying, width, heads, key_heads, head_dim, feed_forward, time):
    return layers / (layers - copying)


# %% checks
from kit.grading.cases import call, check, floats, integers


def whole(name, *numbers):
    return call(*numbers, returns=integers(), function=name)


def bound(*numbers):
    return call(*numbers, returns=floats(), function="speed_bound")


@check
def example(rng):
    """the example: two layers of width 4"""
    yield whole("saved_parameters", 1, 4, 2, 1, 2)
    yield whole("cached_numbers", 2, 1, 1, 2)
    yield bound(2, 1, 4, 2, 1, 2, 32, 3)


@check
def parameters(rng):
    """parameters of the paper's TinyLlama, and others"""
    for copying in (5, 9, 17):
        yield whole("saved_parameters", copying, 2048, 32, 4, 64)
    yield whole("saved_parameters", int(rng.integers(1, 9)), 96, 6, 3, 16)


@check
def cache(rng):
    """numbers in the cache"""
    for copying in (5, 9, 17):
        yield whole("cached_numbers", 22, copying, 4, 64)


@check
def speed(rng):
    """bounds of models like TinyLlama"""
    for copying, time in ((5, 4096), (17, 512)):
        yield bound(22, copying, 2048, 32, 4, 64, 3 * 2048 * 5632, time)
    yield bound(6, 4, 64, 4, 2, 16, 32768, int(rng.integers(200, 400)))


@check(hidden=True)
def nothing_copied(rng):
    """no layer copies"""
    yield whole("saved_parameters", 0, 64, 4, 4, 16)
    yield whole("cached_numbers", 6, 0, 2, 16)
    yield bound(6, 0, 64, 4, 2, 16, 32768, 100)
