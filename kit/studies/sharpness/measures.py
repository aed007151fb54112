"""What the sharpness of the blocks says: their order, and type against depth."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from scipy.stats import kendalltau

from kit.sharpness import labels
from kit.studies.sharpness.arms import ORDER

BY = "layer/part"
IN_BLOCKS = ("QK", "FFN", "VO", "Norm")  # the types that every block has

Blocks = Mapping[str, Mapping[str, Any]]


def types_of(model: keras.Model) -> list[str]:
    """The type of each trainable variable as the paper measures it.

    Its Emb is the matrix of token embeddings. What else has that role, a head of its
    own or a table of positions, is a type by itself here: the mean of both would say
    nothing of either.
    """
    pairs = zip(labels(model, "type"), labels(model, "part"), strict=True)
    return [
        part if role == "Emb" and part != "embedding" else role for role, part in pairs
    ]


def blocks_of(model: keras.Model) -> dict[str, dict[str, Any]]:
    """Label by layer and part -> its layer, type, part, and number of parameters."""
    found: dict[str, dict[str, Any]] = {}
    layers, parts = (labels(model, by) for by in ("layer", "part"))
    columns = (labels(model, BY), layers, types_of(model), parts)
    sizes = [int(np.prod(v.shape)) for v in model.trainable_variables]
    for label, layer, role, part, size in zip(*columns, sizes, strict=True):
        found.setdefault(label, {"layer": layer, "type": role, "part": part, "size": 0})
        found[label]["size"] += size
    return found


def grouped(values: Mapping[str, float], blocks: Blocks, by: str) -> dict[str, float]:
    """Mean sharpness over all parameters that share a layer, type or part.

    Args:
        values: Sharpness by label.
        blocks: Of the same labels; see `blocks_of`.
        by: `"layer"`, `"type"` or `"part"`.

    Example:
        >>> blocks = {"Q": {"type": "QK", "size": 1}, "K": {"type": "QK", "size": 3}}
        >>> grouped({"Q": 4.0, "K": 0.0}, blocks, "type")
        {'QK': 1.0}
    """
    traces: dict[str, float] = {}
    sizes: dict[str, int] = {}
    for label, value in values.items():
        name, size = blocks[label][by], blocks[label]["size"]
        traces[name] = traces.get(name, 0.0) + size * value
        sizes[name] = sizes.get(name, 0) + size
    return {name: trace / sizes[name] for name, trace in traces.items()}


def agreement(sharpness: Mapping[str, float], order: Sequence[str] = ORDER) -> float:
    """Kendall's tau of the types with an order, flattest first: 1 is that order.

    Example:
        >>> agreement({"Norm": 5.0, "Emb": 1.0, "QK": 2.0}, ("Emb", "QK", "Norm"))
        1.0
    """
    values = [sharpness[name] for name in order]
    return float(kendalltau(range(len(order)), values).statistic)


def steps_up(sharpness: Mapping[str, float]) -> dict[str, float]:
    """log10 of each type's sharpness over that of the one before it in the order."""
    return {
        f"log_{high}_over_{low}": float(np.log10(sharpness[high] / sharpness[low]))
        for low, high in zip(ORDER, ORDER[1:], strict=False)
    }


def above_embedding(sharpness: Mapping[str, float]) -> float:
    """log10 of the flattest other type's sharpness over the embedding's.

    Example:
        >>> above_embedding({"Emb": 1.0, "QK": 10.0, "FFN": 0.1, "VO": 9.0, "Norm": 9})
        -1.0
    """
    others = min(sharpness[name] for name in ORDER if name != "Emb")
    return float(np.log10(others / sharpness["Emb"]))


def by_layer(values: Mapping[str, float], blocks: Blocks) -> np.ndarray:
    """log10 S of each block of the model and type, (blocks, types)."""
    layers = list(
        dict.fromkeys(b["layer"] for b in blocks.values() if b["type"] == "QK")
    )
    return np.log10([[_one(values, blocks, at, t) for t in IN_BLOCKS] for at in layers])


def _one(values: Mapping[str, float], blocks: Blocks, layer: str, kind: str) -> float:
    here = {
        label: value
        for label, value in values.items()
        if (blocks[label]["layer"], blocks[label]["type"]) == (layer, kind)
    }
    return grouped(here, blocks, "type")[kind]


def shares(grid: np.ndarray) -> tuple[float, float]:
    """Shares of the variance of a table that its columns and its rows explain.

    Example:
        >>> shares(np.array([[1.0, 2.0], [1.0, 2.0]]))
        (1.0, 0.0)
    """
    mean, (rows, columns) = grid.mean(), grid.shape
    total = ((grid - mean) ** 2).sum()
    by_column = rows * ((grid.mean(axis=0) - mean) ** 2).sum()
    by_row = columns * ((grid.mean(axis=1) - mean) ** 2).sum()
    return float(by_column / total), float(by_row / total)


def summary(rows: Iterable[Mapping[str, Any]], blocks: Blocks) -> dict[str, float]:
    """The metrics of a run from its sharpness at some steps.

    `tau_start`, `tau_early` and `tau_end` are at the first step, a tenth of the
    training, and the last; `tau_lowest` is the lowest from the tenth on.
    """
    rows = list(rows)
    taus = {
        row["step"]: agreement(grouped(row["values"], blocks, "type")) for row in rows
    }
    last = rows[-1]
    early = next(step for step in taus if step >= last["step"] / 10)
    by_type, by_depth = shares(by_layer(last["values"], blocks))
    end = grouped(last["values"], blocks, "type")
    return {
        "tau_start": taus[0],
        "tau_early": taus[early],
        "tau_lowest": min(tau for step, tau in taus.items() if step >= early),
        "tau_end": taus[last["step"]],
        "type_share": by_type,
        "depth_share": by_depth,
        "log_flattest_other_over_Emb": above_embedding(end),
        **steps_up(end),
    }
