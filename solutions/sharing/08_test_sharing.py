# /// exercise
# id = "test_sharing"
# title = "Write the test"
# paper = "2409.14595"
# section = "section 3, shared attention block"
# concepts = ["testing", "oracles", "coverage"]
# prerequisites = ["shared_block", "test_attention"]
# difficulty = 4
# minutes = 30
# points = 4
# ///

# %% statement [markdown]
# A model with shared maps is expected to be worse than the one it was made from, and to
# become better when it is trained. Both happen as well if the wrong thing is shared:
# training mends a lot. Nobody would notice, but the speed and the conclusions would be
# those of another method.
#
# Write `is_right(shared)`. It gets a function
#
#     shared(x, query, key, value, output, sources)
#
# that claims to be a stack of attention layers, of which some copy the map of an
# earlier one. Each layer adds what its heads say to the stream, which starts as x:
#
#     x ← x + sum over heads of  A_h (x V_h) O_h
#
# Layer l uses the map of layer `sources[l]`: its own if that is l, else that of an
# earlier layer that has its own, not always the nearest one. Own maps are causal,
# softmax(x Q_h (x K_h)ᵀ / √d), made from the stream as that layer finds it. Queries and
# keys of layers that copy are in the arrays, but must not matter. It returns the stream
# after all layers. Call it as often as you like, with whatever arrays you like.
#
# Fourteen functions will be shown to you, in random order. Some are right, each written
# in its own way, so they differ by rounding, about one part in a million. The others
# have one mistake each. Calling a right one wrong loses all points; for the wrong ones
# you get points in proportion to those you find.
#
# A function that returns x, for instance, is wrong.

# %% stub
import numpy as np


def is_right(shared):
    """Whether a function is a stack of attention layers with copied maps.

    Args:
        shared: Function of x, float32 (batch, time, width); query, key and value,
            float32 (layers, heads, width, head_dim); output, float32 (layers, heads,
            head_dim, width); and sources, int32 (layers,), that returns an array like
            x.

    Returns:
        True or False.
    """
    raise NotImplementedError("is_right is not done yet")


# %% example
assert not is_right(lambda x, query, key, value, output, sources: x)


# %% reference
def arrays(seed=0, batch=2, time=6, heads=3, scale=2.0, layers=5):
    rng = np.random.default_rng(seed)
    normal, width, head_dim = rng.standard_normal, 8, 4
    matrices = scale * normal((2, layers, heads, width, head_dim)) / width**0.5
    value = normal((layers, heads, width, head_dim)) / width**0.5
    output = normal((layers, heads, head_dim, width)) / head_dim**0.5
    x = normal((batch, time, width))
    return [a.astype("float32") for a in (x, *matrices, value, output)]


def own_map(x, query, key):
    time, head_dim = x.shape[1], query.shape[-1]
    queries, keys = (np.einsum("btw,hwd->bhtd", x, m) for m in (query, key))
    scores = queries @ keys.swapaxes(2, 3) / np.sqrt(head_dim)
    scores = np.where(np.tri(time, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def slow(x, query, key, value, output, sources):
    x, maps = x.astype("float64"), {}
    for layer, source in enumerate(sources):
        if layer == source:
            maps[layer] = own_map(x, query[layer], key[layer])
        mixed = maps[source] @ np.einsum("btw,hwd->bhtd", x, value[layer])
        x = x + np.einsum("bhtd,hdw->btw", mixed, output[layer])
    return x


def agrees(shared, given, sources):
    sources = np.array(sources, "int32")
    expected, found = slow(*given, sources), shared(*given, sources)
    return np.shape(found) == expected.shape and bool(
        np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()
    )


def is_right(shared):
    return agrees(shared, arrays(), [0, 1, 0, 1, 1])


# %% hint 1 [markdown]
# You have written the shared group before. What would a slow version of the whole stack
# look like that you believe? And which sources would make no difference between taking
# the map of the layer before, and that of the right layer?

# %% hint 2 [markdown]
# An oracle with a dictionary of maps, filled as layers come by. Draw everything with
# `np.random.default_rng`, queries and keys large, so that maps are sharp; several
# sequences, several heads, and sources in which layers that copy are neighbours and two
# own maps are used later on. Compare with a tolerance, never with `==`.

# %% hint 3 [markdown]
# Random arrays from a fixed seed; five layers, of which two own a map and the others
# use one or the other; what the function gives and what the oracle gives; whether the
# largest difference is small against the largest number.


# %% right answer="what must and must not matter"
def is_right(shared):
    given = arrays(seed=3)
    x, query, key, value, output = given
    sources = np.array([0, 1, 0, 1, 0], "int32")
    before = shared(*given, sources)
    if before.shape != x.shape:
        return False
    # Queries and keys of copying layers are nobody's business.
    own = (sources == np.arange(5))[:, None, None, None]
    given[1:3] = np.where(own, query, -query), np.where(own, key, 3 * query)
    if not np.allclose(shared(*given, sources), before, atol=1e-3):
        return False
    # And with a map of their own, layers do what the definition says, head by head.
    stream, maps = x.astype("float64"), {}
    for layer, source in enumerate(sources):
        if layer == source:
            maps[layer] = own_map(stream, query[layer], key[layer])
        told = np.zeros(stream.shape)
        for head, matrix in enumerate(value[layer]):
            mixed = maps[source][:, head] @ (stream @ matrix)
            told += mixed @ output[layer, head]
        stream = stream + told
    return np.allclose(stream, before, atol=1e-3)


# %% wrong answer="believes nobody" caught_by="tells_apart"
# Your test believes no function at all, not even the right ones.
def is_right(shared):
    return False


# %% wrong answer="unused weights alone" caught_by="tells_apart"
# Your test finds out whether queries and keys of layers that copy matter, and believes
# everything else.
def is_right(shared):
    x, query, key, value, output = arrays()
    sources = np.array([0, 1, 0, 1, 1], "int32")
    before = shared(x, query, key, value, output, sources)
    query[2:] *= -1
    after = shared(x, query, key, value, output, sources)
    return np.allclose(before, after, atol=1e-3) and not np.allclose(x, after)


# %% wrong answer="exactly equal" caught_by="tells_apart"
# Your test asks for equality to the last bit. Right functions differ by rounding;
# compare with a tolerance.
def is_right(shared):
    sources = np.array([0, 1, 0, 1, 1], "int32")
    given = arrays()
    expected = slow(*given, sources).astype("float32")
    return np.array_equal(shared(*given, sources), expected)


# %% wrong answer="nobody copies" caught_by="tells_apart"
# In your test every layer has its own map. Nothing is shared, and no mistake in sharing
# can show.
def is_right(shared):
    return agrees(shared, arrays(), [0, 1, 2, 3, 4])


# %% wrong answer="all copy the first" caught_by="tells_apart"
# All layers copy the first one in your test. Whoever takes the wrong map takes the
# right one there, because there is no other.
def is_right(shared):
    return agrees(shared, arrays(), [0, 0, 0, 0, 0])


# %% wrong answer="a single head" caught_by="tells_apart"
# There is one head in your test. What goes wrong between heads cannot show.
def is_right(shared):
    return agrees(shared, arrays(heads=1), [0, 1, 0, 1, 1])


# %% wrong answer="a single sequence" caught_by="tells_apart"
# There is one sequence in your test. Whoever uses the map of the first one for all of
# them passes it.
def is_right(shared):
    return agrees(shared, arrays(batch=1), [0, 1, 0, 1, 1])


# %% wrong answer="maps too flat" caught_by="tells_apart"
# Queries and keys are so small in your test that all maps are flat, and so all the
# same. Draw large ones.
def is_right(shared):
    return agrees(shared, arrays(scale=0.01), [0, 1, 0, 1, 1])


# %% driver
import answer
import numpy as np


def causal_scores(x, query, key):
    queries = np.einsum("btw,hwd->bhtd", x, query)
    keys = np.einsum("btw,hwd->bhtd", x, key)
    return queries @ keys.swapaxes(2, 3) / np.float32(query.shape[-1] ** 0.5)


def softmax(scores, causal=True):
    if causal:
        seen = np.tril(np.ones(scores.shape[-2:], bool))
        scores = np.where(seen, scores, np.float32(-1e9))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def usual_map(x, query, key):
    return softmax(causal_scores(x, query, key))


def values_of(x, value):
    return np.einsum("btw,hwd->bhtd", x, value)


def said(attention_map, values, output):
    return np.einsum("bhtd,hdw->btw", attention_map @ values, output)


def stack(copied=lambda maps, source, layer, own: maps[source], skip=True):
    def shared(x, query, key, value, output, sources):
        maps = {}
        for layer, source in enumerate(sources.tolist()):
            stream = x

            def own(number, stream=stream):
                return usual_map(stream, query[number], key[number])

            new = layer == source
            maps[layer] = own(layer) if new else copied(maps, source, layer, own)
            more = said(maps[layer], values_of(x, value[layer]), output[layer])
            x = x + more if skip or new else more
        return x

    return shared


def precise(x, query, key, value, output, sources):
    x, maps = x.astype("float64"), []
    for layer in range(len(sources)):
        own = sources[layer] == layer
        maps.append(
            usual_map(x, query[layer], key[layer]) if own else maps[sources[layer]]
        )
        mixed = np.einsum("bhts,bsw,hwd->bhtd", maps[-1], x, value[layer])
        x = x + np.einsum("bhtd,hdw->btw", mixed, output[layer])
    return x.astype("float32")


def one_at_a_time(x, query, key, value, output, sources):
    result = []
    for sequence in x:
        stream, maps = sequence[None], {}
        for layer, source in enumerate(sources):
            if source == layer:
                maps[layer] = usual_map(stream, query[layer], key[layer])
            total = np.zeros_like(stream)
            for head in range(value.shape[1]):
                both = value[layer, head] @ output[layer, head]
                total += maps[source][:, head] @ (stream @ both)
            stream = stream + total
        result.append(stream[0])
    return np.stack(result)


def turned(maps, source, layer, own):
    return maps[source][:, ::-1]


def averaged(maps, source, layer, own):
    mean = maps[source].mean(axis=1, keepdims=True)
    return np.broadcast_to(mean, maps[source].shape)


def of_first_sequence(maps, source, layer, own):
    return np.broadcast_to(maps[source][:1], maps[source].shape)


def ahead(maps, source, layer, own):
    time = maps[source].shape[-1]
    flat = np.full((time, time), 0.2 / time, "float32")
    return 0.8 * maps[source] + flat


def nearest(maps, source, layer, own):
    return maps[layer - 1]


def twice_softmax(maps, source, layer, own):
    return softmax(maps[source])


def output_copied(x, query, key, value, output, sources):
    parts = {}
    for layer, source in enumerate(sources.tolist()):
        if layer == source:
            own = usual_map(x, query[layer], key[layer])
            parts[layer] = said(own, values_of(x, value[layer]), output[layer])
        x = x + parts[source]
    return x


def values_copied(x, query, key, value, output, sources):
    mixed = {}
    for layer, source in enumerate(sources.tolist()):
        if layer == source:
            own = usual_map(x, query[layer], key[layer])
            mixed[layer] = own @ values_of(x, value[layer])
        x = x + np.einsum("bhtd,hdw->btw", mixed[source], output[layer])
    return x


FUNCTIONS = [
    stack(),
    precise,
    one_at_a_time,
    stack(lambda maps, source, layer, own: own(layer)),
    stack(lambda maps, source, layer, own: own(source)),
    stack(nearest),
    stack(turned),
    stack(averaged),
    stack(of_first_sequence),
    stack(ahead),
    stack(twice_softmax),
    output_copied,
    values_copied,
    stack(skip=False),
    lambda x, query, key, value, output, sources: x,
]


def judged(number):
    return answer.is_right(FUNCTIONS[number])


# %% checks
from kit.grading.cases import booleans, call, check

RIGHT = {
    0: "layer by layer, in float32",
    1: "in float64",
    2: "one sequence and one head at a time",
}
WRONG = {
    3: "lets layers that copy use their own queries and keys",
    4: "has the source's queries and keys look at the later stream",
    5: "takes the map of the layer before",
    6: "gives the heads of layers that copy their maps in reverse order",
    7: "gives all heads of layers that copy the mean of the maps",
    8: "gives all sequences the map of the first in layers that copy",
    9: "lets layers that copy look ahead a little",
    10: "takes the softmax once more where a map is copied",
    11: "copies what the source said, and not its map",
    12: "copies the values that the source mixed, with its map",
    13: "leaves out the skip around layers that copy",
}


def shown(number, right):
    about = "is right: " + RIGHT[number] if right else WRONG.get(number, "adds nothing")
    return call(
        number,
        returns=booleans(),
        function="judged",
        expected=right,
        must=right,
        shown="is_right(a function)",
        remark=f"you {'rejected' if right else 'believed'} one that {about}",
    )


@check
def example(rng):
    """the example: nothing is added"""
    yield shown(14, False)


@check(partial=True)
def tells_apart(rng):
    """3 right functions and 11 wrong ones, in random order"""
    for number in rng.permutation(14):
        yield shown(int(number), int(number) in RIGHT)
