# /// exercise
# id = "variable_groups"
# title = "Which block is it?"
# paper = "2502.19002"
# section = "section 2, the blocks of a Transformer"
# concepts = ["parameter groups", "names of variables", "loud failure"]
# prerequisites = ["heads"]
# difficulty = 2
# minutes = 20
# points = 2
# ///

# %% statement [markdown]
# The paper sorts all weights of a Transformer by what they do, in whatever layer they
# are. Everything else of this unit is a sum over such a group, so first of all: which
# weight is in which?
#
#     Emb    embedding/embeddings, embedding/reverse_embeddings (the head),
#            positions/table
#     QK     attention/query, attention/key
#     VO     attention/value, attention/output
#     FFN    feed_forward/up, feed_forward/gate, feed_forward/down
#     Norm   whatever is in a layer with norm in its name: norm_0, query_norm
#
# A path such as `gpt/block_3/attention/key` ends in the name of the variable, and
# before it that of the layer that owns it. What comes earlier is no help: in Keras it
# can be another one when a model is loaded again.
#
# Write `block_type(path)`, and `ratio_table(paths, ratios)`, the learning rate of each
# variable as a multiple of the common one. A mistake here makes no noise: a group that
# matches nothing trains at some default, and the experiment "has no effect". So the
# second function must refuse, with a `ValueError` whose message names
#
# - the path of a variable whose type is unknown, or has no ratio;
# - the label of a ratio that no variable uses.
#
# With ratios of 8 for `QK` and 1 for `Norm`, the paths `block_0/attention/key` and
# `block_0/norm_0/gamma` have the table 8, 1.


# %% stub
def block_type(path):
    """The type of a variable.

    Args:
        path: Its path, parts with a slash between, at least a layer and a variable.

    Returns:
        "Emb", "QK", "VO", "FFN" or "Norm"; None for a variable of any other layer.
    """
    raise NotImplementedError("block_type is not done yet")


def ratio_table(paths, ratios):
    """The ratio of each variable, or a refusal.

    Args:
        paths: List of paths.
        ratios: Dict from types to numbers.

    Returns:
        A list of numbers, one for each path, in the same order.
    """
    raise NotImplementedError("ratio_table is not done yet")


# %% example
paths = ["block_0/attention/key", "block_0/norm_0/gamma"]
assert [block_type(path) for path in paths] == ["QK", "Norm"]
assert ratio_table(paths, {"QK": 8.0, "Norm": 1.0}) == [8.0, 1.0]


# %% reference
TYPES = {
    "embedding/embeddings": "Emb",
    "embedding/reverse_embeddings": "Emb",
    "positions/table": "Emb",
    "attention/query": "QK",
    "attention/key": "QK",
    "attention/value": "VO",
    "attention/output": "VO",
    "feed_forward/up": "FFN",
    "feed_forward/gate": "FFN",
    "feed_forward/down": "FFN",
}


def block_type(path):
    layer, variable = path.split("/")[-2:]
    return "Norm" if "norm" in layer else TYPES.get(f"{layer}/{variable}")


def ratio_table(paths, ratios):
    types = [block_type(path) for path in paths]
    bad = [path for path, found in zip(paths, types) if found not in ratios]
    bad += [label for label in ratios if label not in types]
    if bad:
        raise ValueError(f"without a partner: {', '.join(bad)}")
    return [ratios[found] for found in types]


# %% hint 1 [markdown]
# Which two parts of a path are the same wherever the model is put? And which of the
# five types cannot be told by the name of the variable alone?

# %% hint 2 [markdown]
# `path.split("/")` gives a list, and its last two entries are all you need. A dict from
# names to types is shorter than a chain of `if`. For the refusal, look for paths
# without a ratio, and for ratios without a path, before anything else.

# %% hint 3 [markdown]
# Norms first, by their layer; the rest from a table of layer and variable, or None if
# it is not there. Then: the types of all paths, the list of everything that does not
# fit, an error with that list if it is not empty, and the ratio of each type.


# %% right answer="a chain of questions"
def block_type(path):
    *_, layer, name = path.split("/")
    if layer.find("norm") >= 0:
        return "Norm"
    if layer == "attention":
        return "QK" if name in ("query", "key") else "VO"
    if layer == "feed_forward":
        return "FFN"
    return "Emb" if layer in ("embedding", "positions") else None


def ratio_table(paths, ratios):
    kinds = {path: block_type(path) for path in paths}
    for path, kind in kinds.items():
        if kind not in ratios:
            raise ValueError(f"{path} has the type {kind}, and no ratio")
    if set(ratios) - set(kinds.values()):
        raise ValueError(f"not all used: {sorted(ratios)}")
    return [ratios[kinds[path]] for path in paths]


# %% wrong answer="anywhere in the path" caught_by="other_models"
# A word is looked for in the whole path, and is found in the name of the model. Look
# at the layer and the variable, the last two parts.
def block_type(path):
    if "norm" in path:
        return "Norm"
    ends = {name.split("/")[-1]: kind for name, kind in TYPES.items()}
    return ends.get(path.split("/")[-1])


# %% wrong answer="counted from the front" caught_by="other_models"
# The parts are counted from the front of the path. A model that is loaded again may
# have one part more or less there, so count from the end.
def block_type(path):
    parts = path.split("/")
    layer, variable = parts if len(parts) == 2 else parts[1:3]
    return "Norm" if "norm" in layer else TYPES.get(f"{layer}/{variable}")


# %% wrong answer="norm of the queries" caught_by="kit_models"
# A norm inside the attention is taken for a part of it. It is a norm wherever it is:
# the paper sorts by what weights do.
def block_type(path):
    layer, variable = path.split("/")[-2:]
    if layer.startswith("query") or layer.startswith("key"):
        return "QK"
    return "Norm" if "norm" in layer else TYPES.get(f"{layer}/{variable}")


# %% wrong answer="values with the queries" caught_by="kit_models"
# Values are put together with queries and keys. The paper sets them apart, V and O are
# the road of the content, and that road is the sharper one.
def block_type(path):
    layer, variable = path.split("/")[-2:]
    changed = {**TYPES, "attention/value": "QK"}
    return "Norm" if "norm" in layer else changed.get(f"{layer}/{variable}")


# %% wrong answer="a head without a type" caught_by="kit_models"
# The head has no type here. It has numbers for each token, as the embedding has.
def block_type(path):
    layer, variable = path.split("/")[-2:]
    name = "other" if "reverse" in variable else variable
    return "Norm" if "norm" in layer else TYPES.get(f"{layer}/{name}")


# %% wrong answer="a silent default" caught_by="refusals"
# A variable without a ratio gets 1 in silence. Refuse instead, and name the path.
def ratio_table(paths, ratios):
    types = [block_type(path) for path in paths]
    if set(ratios) - set(types):
        raise ValueError(f"without a partner: {list(ratios)}")
    return [ratios.get(found, 1.0) for found in types]


# %% wrong answer="an unused ratio" caught_by="refusals"
# A ratio that no variable uses, such as a misspelt one, is accepted: refuse it.
def ratio_table(paths, ratios):
    types = [block_type(path) for path in paths]
    if set(types) - set(ratios):
        raise ValueError(f"without a partner: {paths}")
    return [ratios[found] for found in types]


# %% wrong answer="sorted by ratio" caught_by="tables"
# The table is sorted by type. It has to be in the order of the paths.
def ratio_table(paths, ratios):
    types = [block_type(path) for path in paths]
    if set(types) != set(ratios):
        raise ValueError(f"without a partner: {paths}, {list(ratios)}")
    return [ratios[label] for label in ratios for found in types if found == label]


# %% driver
import answer

NAMES = ("Emb", "QK", "FFN", "VO", "Norm", None)


def number(path):
    found = answer.block_type(path)
    return NAMES.index(found) if found in NAMES else -1


def refuses(paths, ratios, word):
    try:
        answer.ratio_table(paths, ratios)
    except ValueError as error:
        return word in str(error)
    return False


# %% checks
from kit.grading.cases import booleans, call, check, floats, integers

LEGEND = "as a number: Emb 0, QK 1, FFN 2, VO 3, Norm 4, None 5, and else -1"
FIRST = "embedding/embeddings embedding/reverse_embeddings positions/table \
final_norm/beta".split()
BLOCK = "attention/query attention/key attention/value attention/output norm_0/gamma \
norm_1/beta norm_1/scale attention/query_norm/scale attention/key_norm/scale \
feed_forward/up feed_forward/gate feed_forward/down".split()
RATIOS = {"Emb": 10.0, "QK": 8.0, "FFN": 6.0, "VO": 4.0, "Norm": 1.0}


def kind(path):
    shown = f"block_type({path!r})\n{LEGEND}"
    return call(path, returns=integers(), function="number", shown=shown)


def table(paths, ratios):
    return call(paths, ratios, returns=floats(len(paths)), function="ratio_table")


def refusal(paths, ratios, word):
    shown = f"ratio_table({paths},\n{ratios})\nraises a ValueError that says {word}"
    options = {"returns": booleans(), "function": "refuses", "shown": shown}
    return call(paths, ratios, word, **options)


def draw(rng, root=""):
    inside = [f"block_{rng.integers(1, 30)}/{path}" for path in BLOCK]
    return [root + path for path in rng.permutation(FIRST + inside)]


@check
def example(rng):
    """the example: a key and a norm"""
    paths = ["block_0/attention/key", "block_0/norm_0/gamma"]
    yield table(paths, {"QK": 8.0, "Norm": 1.0})


@check
def kit_models(rng):
    """every variable of a model of the kit"""
    yield from map(kind, draw(rng))


@check
def other_models(rng):
    """the same, in models of other names"""
    for root in ("normal_gpt/", "key_norms/", "my/attention/", ""):
        yield from map(kind, draw(rng, root)[:6])
    yield kind("gpt/router/kernel")


@check
def tables(rng):
    """a ratio for each variable"""
    for _ in range(2):
        names = map(str, rng.permutation(list(RATIOS)))
        yield table(draw(rng), {name: float(rng.integers(1, 20)) for name in names})


@check
def refusals(rng):
    """what does not fit is refused by name"""
    paths = draw(rng)
    yield refusal(["gpt/router/kernel", *paths], RATIOS, "gpt/router/kernel")
    without = {name: ratio for name, ratio in RATIOS.items() if name != "VO"}
    only = [path for path in paths if "attention/value" not in path]
    yield refusal(only, without, "attention/output")
    yield refusal(paths, {**RATIOS, "Router": 2.0}, "Router")
