"""Results by block: the variables of a model in groups, and curvature of each group."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kit.counts import ROLES
from kit.errors import KitError, known
from kit.layers.tags import tag_of
from kit.models import Transformer, named_weights
from kit.optimizers.labels import REST, Label, label_of, named
from kit.sharpness.algorithms import (
    Eigenpair,
    Estimate,
    hutchinson_parts,
    power_iteration,
)
from kit.sharpness.operators import Operator

By = str | Label | Mapping[str, Any]
GROUPINGS = ("type", "part", "layer", "layer/type", "layer/part")

# What the kit's layers call a matrix -> what papers call it.
PARTS = {
    "query": "Q",
    "key": "K",
    "value": "V",
    "value_update": "V",
    "output": "O",
    "projection_update": "O",
    "up": "in",
    "gate": "in",
    "down": "out",
    "embeddings": "embedding",
    "reverse_embeddings": "head",
    "table": "positions",
}


def labels(model: keras.Model, by: By = "type") -> list[str]:
    """The label of each trainable variable of a model, in its order.

    Args:
        model: Any built Keras model.
        by: For kit models `"type"` (Emb, QK, VO, FFN, Norm, other), `"part"` (Q, K, V,
            O, in, out, each norm, embedding, positions, head, each gain), `"layer"`
            (block_0 and so on), or `"layer/type"` and `"layer/part"` for both. For any
            model what `kit.optimizers.blockwise` takes: a function of a variable that
            returns its label, or label -> layers and variables. A variable that has
            none is `"other"`.

    Raises:
        KitError: `by` is unknown, or a name where the model is not one of the kit.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> model = build(ModelConfig.uniform(1, vocabulary_size=9, context_length=4))
        >>> sorted(set(labels(model))), labels(model, "part")[:2]
        (['Emb', 'FFN', 'Norm', 'QK', 'VO'], ['embedding', 'positions'])
    """
    if isinstance(by, Mapping):
        by = label_of(by)
    if not isinstance(by, str):
        return [str(named(by(v), REST)) for v in model.trainable_variables]
    known("grouping", by, GROUPINGS)
    if not isinstance(model, Transformer):
        raise KitError(
            f"by={by!r} for {model.name!r}, which is no model of kit.models.build",
            "Give by= {'label': layers and variables}, or a function of a variable, "
            "such as lambda variable: variable.name",
        )
    names = {id(variable): key for key, variable in named_weights(model).items()}
    found = []
    for variable in model.trainable_variables:
        layer, *inner = names[id(variable)].split("/")
        role = tag_of(variable).role
        part = (
            [layer, *inner][-2] if role == "Norm" else PARTS.get(inner[-1], inner[-1])
        )
        choices = {"layer": layer, "type": role, "part": part}
        found.append("/".join(choices[each] for each in by.split("/")))
    return found


def by_label(values: Sequence[float], names: Sequence[str]) -> dict[str, float]:
    """Sums of the values that share a label; the roles in the order of `ROLES`.

    Example:
        >>> by_label([1.0, 2.0, 3.0], ["Norm", "Emb", "Norm"])
        {'Emb': 2.0, 'Norm': 4.0}
    """
    order = sorted(dict.fromkeys(names), key=_place)
    sums = dict.fromkeys(order, 0.0)
    for value, name in zip(values, names, strict=True):
        sums[name] += float(value)
    return sums


def _place(name: str) -> int:
    return ROLES.index(name) if name in ROLES else len(ROLES)


def parts(operator: Operator, by: By = "type") -> dict[str, list[slice]]:
    """Where each block lies in the vectors of an operator.

    Args:
        operator: The curvature, such as a `HessianOperator`.
        by: As for `labels`.

    Example:
        >>> from kit.sharpness import GaussNewtonOperator
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> batch = np.ones((1, 3)), np.zeros((1, 2))
        >>> operator = GaussNewtonOperator(model, [batch], "mse")
        >>> parts(operator, lambda variable: variable.name)
        {'kernel': [slice(0, 6, None)], 'bias': [slice(6, 8, None)]}
    """
    names = labels(operator.model, by)
    found: dict[str, list[slice]] = {
        name: [] for name in by_label([0.0] * len(names), names)
    }
    for name, part in zip(names, operator.slices, strict=True):
        found[name].append(part)
    return found


def length(slices: Sequence[slice]) -> int:
    """Entries in some slices."""
    return sum(part.stop - part.start for part in slices)


def sharpness(
    operator: Operator, by: By = "type", samples: int = 32, seed: int = 0
) -> dict[str, Estimate]:
    """S(b) = Tr(A restricted to b) / parameters of b, by Hutchinson's estimator.

    All blocks come from the same products, so ten groups cost no more than one.

    Args:
        operator: The curvature, such as a `HessianOperator`.
        by: As for `labels`.
        samples, seed: As for `kit.sharpness.hutchinson`.

    Returns:
        An `Estimate` for each label: the mean over all parameters of the block, in all
        layers, and its standard error.

    Example:
        >>> from kit.sharpness import GaussNewtonOperator
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> batch = np.array([[3.0], [-3.0]]), np.zeros((2, 1))
        >>> operator = GaussNewtonOperator(model, [batch], "mse", compile=False)
        >>> found = sharpness(operator, lambda variable: variable.name, samples=2)
        >>> {name: estimate.value for name, estimate in found.items()}  # 2 x^2, and 2
        {'kernel': 18.0, 'bias': 2.0}
    """
    slices = parts(operator, by)
    traces = hutchinson_parts(operator, operator.size, slices, samples, seed)
    return {
        name: Estimate(
            trace.value / length(slices[name]),
            trace.standard_error / length(slices[name]),
            trace.samples,
        )
        for name, trace in traces.items()
    }


class Restricted:
    """The diagonal block of an operator that belongs to some slices.

    Args:
        operator: The whole matrix.
        slices: What stays.

    Example:
        >>> class Double:
        ...     size = 5
        ...     def __call__(self, vector):
        ...         return 2 * vector
        >>> block = Restricted(Double(), [slice(0, 1), slice(3, 5)])
        >>> block.size, block(np.ones(3)).tolist()
        (3, [2.0, 2.0, 2.0])
    """

    def __init__(self, operator: Any, slices: Sequence[slice]):
        self.operator = operator
        self.slices = list(slices)
        self.size = length(slices)

    def __call__(self, vector: np.ndarray) -> np.ndarray:
        whole, start = np.zeros(self.operator.size), 0
        for part in self.slices:
            end = start + part.stop - part.start
            whole[part], start = vector[start:end], end
        product = self.operator(whole)
        return np.concatenate([product[part] for part in self.slices])


def top_eigenvalues(
    operator: Operator, by: By = "type", **options: Any
) -> Mapping[str, Eigenpair]:
    """The eigenvalue of largest magnitude of each diagonal block.

    Args:
        operator: The curvature.
        by: As for `labels`.
        **options: As for `kit.sharpness.power_iteration`.

    Example:
        >>> from kit.sharpness import GaussNewtonOperator
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> batch = np.array([[3.0, 1.0]]), np.zeros((1, 1))
        >>> operator = GaussNewtonOperator(model, [batch], "mse", compile=False)
        >>> found = top_eigenvalues(operator, lambda variable: variable.name)
        >>> {name: round(pair.value, 3) for name, pair in found.items()}  # 2 |x|^2, 2
        {'kernel': 20.0, 'bias': 2.0}
    """
    return {
        name: power_iteration(block, block.size, **options)
        for name, slices in parts(operator, by).items()
        for block in [Restricted(operator, slices)]
    }
