# /// exercise
# id = "largest_gap"
# title = "Who copies from whom?"
# paper = "2409.14595"
# section = "section 2, selection of layers"
# concepts = ["layer selection", "thresholds", "groups of layers"]
# prerequisites = ["map_similarity"]
# difficulty = 3
# minutes = 25
# points = 3
# ///

# %% statement [markdown]
# EchoAtt says: the first layers, and sometimes the last, attend in their own way; those
# between attend alike, and can share. Where the inside begins is read off the scores.
#
# - `scores(similarity)`: for each layer the mean similarity with the *other* layers.
# - `inner_layers(scores)`: sort the scores and cut at the largest gap between two that
#   follow each other (of equal gaps the lowest). The layers above are the inner ones,
#   if they are neighbours. The paper does not say what is to be done if they are not;
#   we take the longest run of neighbours (of equal runs the first). A single layer has
#   nobody to share with: if the run has fewer than two, raise a `ValueError`.
# - `sources(layers, inner, k)`: the inner layers, in groups of k. The first of a group
#   has a map of its own, and the others copy it. If k does not divide them, the last
#   group is smaller. The result says for each layer whose map it uses: its own number
#   for all that do not copy.
#
# By hand: the scores 0.16, 0.75, 0.77, 0.74, 0.31 have their largest gap below 0.74.
# So 1, 2 and 3 are the inner layers; with k = 2 layer 2 copies from 1, and 3 is left
# over: the sources are 0, 1, 1, 3, 4.

# %% stub
import numpy as np


def scores(similarity):
    """How alike each layer is to the others.

    Args:
        similarity: float32 (layers, layers), symmetric, two layers or more.

    Returns:
        float32 (layers,).
    """
    raise NotImplementedError("scores is not done yet")


def inner_layers(scores):
    """The layers above the largest gap that are neighbours.

    Args:
        scores: float32 (layers,), two layers or more.

    Returns:
        A list of whole numbers, ascending.

    Raises:
        ValueError: They are fewer than two.
    """
    raise NotImplementedError("inner_layers is not done yet")


def sources(layers, inner, k):
    """Whose map each layer uses.

    Args:
        layers: How many there are.
        inner: List of the inner layers, neighbours, ascending.
        k: Layers in a group, from 1; 1 shares nothing.

    Returns:
        int32 (layers,).
    """
    raise NotImplementedError("sources is not done yet")


# %% example
found = inner_layers(np.array([0.16, 0.75, 0.77, 0.74, 0.31], "float32"))
np.testing.assert_array_equal(found, [1, 2, 3])
np.testing.assert_array_equal(sources(5, found, 2), [0, 1, 1, 3, 4])
alike = np.array([[1.0, 0.5, 0.3], [0.5, 1.0, 0.7], [0.3, 0.7, 1.0]])
np.testing.assert_allclose(scores(alike), [0.4, 0.6, 0.5])


# %% reference
def scores(similarity):
    others = similarity.sum(axis=1) - np.diag(similarity)
    return others / (len(similarity) - 1)


def above(scores):
    ranked = np.sort(scores)
    return scores >= ranked[np.argmax(np.diff(ranked)) + 1]


def longest_run(chosen):
    runs = [[]]
    for layer, is_in in enumerate(chosen):
        if is_in:
            runs[-1].append(layer)
        else:
            runs.append([])
    return max(runs, key=len)


def refuse(inner):
    if len(inner) < 2:
        raise ValueError(f"{inner} cannot share")


def inner_layers(scores):
    inner = longest_run(above(scores))
    refuse(inner)
    return inner


def sources(layers, inner, k):
    result = np.arange(layers)
    for place, layer in enumerate(inner):
        result[layer] = inner[place - place % k]
    return result


# %% hint 1 [markdown]
# A score should say something about the others. Which number of its row does not? And
# what do you have to walk along to find the gap: the layers in their order, or their
# scores in theirs?

# %% hint 2 [markdown]
# `np.sort`, `np.diff` and `np.argmax` find the gap; the score above it is the
# threshold, and belongs to the inner layers itself. To collect runs, walk along the
# layers with a list of lists. For the groups `%` is handy: it says how far into its
# group a layer is.

# %% hint 3 [markdown]
# Three pieces. A row's sum without the diagonal, over one layer less. The first score
# above the gap, all layers that reach it, the longest of their runs, and an error if it
# is short. All numbers in order, and then for the inner layer at place p the inner
# layer at p less its remainder.


# %% right answer="from every start"
def scores(similarity):
    rows = [np.delete(row, i) for i, row in enumerate(similarity.astype("float64"))]
    return np.mean(rows, axis=1)


def inner_layers(scores):
    ranked = sorted(float(score) for score in scores)
    gaps = [high - low for low, high in zip(ranked, ranked[1:])]
    threshold = ranked[gaps.index(max(gaps)) + 1]
    best = []
    for start in range(len(scores)):
        end = start
        while end < len(scores) and scores[end] >= threshold:
            end += 1
        if end - start > len(best):
            best = list(range(start, end))
    if len(best) < 2:
        raise ValueError("nobody to share with")
    return best


def sources(layers, inner, k):
    copies = {}
    while inner:
        group, inner = inner[:k], inner[k:]
        copies.update(dict.fromkeys(group, group[0]))
    return np.array([copies.get(layer, layer) for layer in range(layers)])


# %% wrong answer="alike to itself" caught_by="means"
# The similarity of a layer with itself is in the mean. It is 1 for everybody, and says
# nothing about the others.
def scores(similarity):
    return similarity.mean(axis=1)


# %% wrong answer="one layer too many" caught_by="means"
# The diagonal is left out of the sum, but still counted: divide by one layer less.
def scores(similarity):
    return (similarity.sum(axis=1) - np.diag(similarity)) / len(similarity)


# %% wrong answer="gaps by depth" caught_by="inside"
# This looks for the largest step from one layer to the next. The gap is one between
# sorted scores, wherever their layers are.
def above(scores):
    return np.arange(len(scores)) > np.argmax(np.abs(np.diff(scores)))


# %% wrong answer="below the gap" caught_by="inside"
# These are the layers below the gap, which are unlike the others. They keep their maps.
def above(scores):
    ranked = np.sort(scores)
    return scores < ranked[np.argmax(np.diff(ranked)) + 1]


# %% wrong answer="one left out" caught_by="inside"
# The layer right above the gap is left out. It belongs to the inner ones.
def above(scores):
    ranked = np.sort(scores)
    return scores > ranked[np.argmax(np.diff(ranked)) + 1]


# %% wrong answer="above the mean" caught_by="inside"
# This takes the layers above the mean of the scores. The paper cuts at the largest gap,
# wherever that is.
def above(scores):
    return scores > np.mean(scores)


# %% wrong answer="holes" caught_by="runs"
# All layers above the gap are taken, though others are between them. Inner layers are
# neighbours: take the longest run.
def longest_run(chosen):
    return np.flatnonzero(chosen).tolist()


# %% wrong answer="holes filled" caught_by="runs"
# Everything from the first to the last layer above the gap is taken, also what lies
# below the gap between them. Such a layer ends a run.
def longest_run(chosen):
    found = np.flatnonzero(chosen)
    return list(range(found[0], found[-1] + 1))


# %% wrong answer="the first run" caught_by="runs"
# This is the first run of neighbours. Take the longest.
def longest_run(chosen):
    first = int(np.argmax(chosen))
    ends = [layer for layer in range(first, len(chosen)) if not chosen[layer]]
    return list(range(first, min([*ends, len(chosen)])))


# %% wrong answer="never refuses" caught_by="alone"
# A layer that has nobody to share with is returned all the same. Raise a `ValueError`.
def refuse(inner):
    pass


# %% wrong answer="from the layer before" caught_by="groups"
# Each layer copies from the one before it, which may have no map of its own. The source
# is the first of the group.
def sources(layers, inner, k):
    result = np.arange(layers)
    for place, layer in enumerate(inner):
        if place % k:
            result[layer] = layer - 1
    return result


# %% wrong answer="k copies" caught_by="groups"
# k layers copy in each group, so that a group has k + 1. It has k with its first.
def sources(layers, inner, k):
    result = np.arange(layers)
    for place, layer in enumerate(inner):
        result[layer] = inner[place - place % (k + 1)]
    return result


# %% wrong answer="groups from layer 0" caught_by="groups"
# The groups are counted from layer 0 of the model. They begin with the first inner
# layer; what is outside of them takes no part.
def sources(layers, inner, k):
    result = np.arange(layers)
    for layer in inner:
        result[layer] = layer - layer % k
    return result


# %% wrong answer="the last owns" caught_by="groups"
# The map of a group is that of its last layer. When the others run it does not exist
# yet; the first has to make it.
def sources(layers, inner, k):
    result = np.arange(layers)
    for place, layer in enumerate(inner):
        result[layer] = inner[min(place - place % k + k, len(inner)) - 1]
    return result


# %% driver
import answer
import numpy as np


def inside(scores):
    try:
        inner = answer.inner_layers(scores)
    except ValueError:
        return np.zeros(len(scores), bool)
    return np.isin(np.arange(len(scores)), inner)


# %% checks
import numpy as np

from kit.grading.cases import booleans, call, check, floats, integers


def inner_case(scores):
    return call(
        np.array(scores, "float64"),
        returns=booleans(len(scores)),
        function="inside",
        shown=f"which layers are in inner_layers of {np.round(scores, 3).tolist()},\n"
        "all False for a ValueError",
    )


def source_case(layers, inner, k):
    return call(layers, list(inner), k, returns=integers(layers), function="sources")


def high(rng, number):
    return 0.7 + 0.1 * rng.random(number)


def low(rng, number):
    return 0.1 + 0.2 * rng.random(number)


@check
def example(rng):
    """the example: five layers"""
    yield inner_case([0.16, 0.75, 0.77, 0.74, 0.31])
    yield source_case(5, [1, 2, 3], 2)


@check
def means(rng):
    """scores of layers"""
    for layers in (3, 6):
        half = rng.random((layers, layers)) / 2
        similarity = half + half.T
        np.fill_diagonal(similarity, 1.0)
        yield call(similarity, returns=floats(layers))


@check
def inside(rng):
    """which layers are inner ones"""
    for before, middle, after in ((2, 4, 1), (1, 5, 2)):
        outer = low(rng, before), low(rng, after)
        found = np.concatenate([outer[0], high(rng, middle), outer[1]])
        found[0] = 0.05
        yield inner_case(found)
    yield inner_case((0.30, 0.52, 0.55, 0.81, 0.84))
    yield inner_case((0.05, 0.60, 0.62, 0.90, 0.95))


@check
def runs(rng):
    """a layer of another kind among them"""
    parts = high(rng, 2), low(rng, 1), high(rng, 3), low(rng, 1)
    yield inner_case(np.concatenate(parts))
    parts = low(rng, 1), high(rng, 3), low(rng, 1), high(rng, 4)
    yield inner_case(np.concatenate(parts))


@check
def alone(rng):
    """nobody to share with"""
    yield inner_case(np.concatenate([low(rng, 3), high(rng, 1), low(rng, 2)]))


@check
def groups(rng):
    """groups of k"""
    for inner, k in ((range(1, 7), 2), (range(2, 9), 3), (range(3, 8), 4)):
        yield source_case(10, inner, k)


@check(hidden=True)
def other_sizes(rng):
    """a deep model, and k = 1"""
    yield source_case(24, range(3, 22), 5)
    yield source_case(6, range(1, 5), 1)
    parts = low(rng, 4), high(rng, 9), low(rng, 1), high(rng, 2)
    yield inner_case(np.concatenate(parts))
