"""What a mask can hold at zero: neurons, heads or whole attentions of a kit model.

A unit is gone when what it writes to the stream is zero, so a mask is put on the last
matrix of its part: nothing else of the unit has any effect then, and the smaller model
without the unit says the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from kit.config import ModelConfig
from kit.errors import KitError, known
from kit.models import Transformer, named_weights, transplant
from kit.pruning.surgery import Part, keep_neurons, parts_of, remove_parts

GRANULARITIES = ("neuron", "head", "attention")


@dataclass(frozen=True)
class Units:
    """The units of one block.

    Args:
        block: Index of the block.
        weight: The matrix that they write with.
        axis: The axis of the matrix along which they lie.
        count: How many there are; each has the same number of entries of the axis.

    Example:
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> heads, = units_of(build(config), "head")
        >>> heads.count, heads.sizes().shape
        (4, (4,))
    """

    block: int
    weight: keras.Variable
    axis: int
    count: int

    def sizes(self) -> np.ndarray:
        """(count,) L2 norm of what each unit writes with."""
        matrix = np.moveaxis(np.asarray(self.weight, "float64"), self.axis, 0)
        return np.linalg.norm(matrix.reshape(self.count, -1), axis=1)

    def masked(self, weight: Any, removed: Any) -> Any:
        """The matrix with zeros for the units (count,) that are 1 in `removed`."""
        each = weight.shape[self.axis] // self.count
        stays = ops.repeat(1 - ops.cast(removed, weight.dtype), each)
        return weight * ops.expand_dims(stays, 1 - self.axis)


def units_of(model: Transformer, granularity: str) -> list[Units]:
    """The neurons, heads or attentions of a model, block by block.

    Where query heads share keys and values, those that do so are one unit: only
    together can they go.

    Args:
        model: A kit model.
        granularity: `"neuron"`, `"head"` or `"attention"`.

    Raises:
        KitError: There are none, or an attention has no output matrix.

    Example:
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> [units.count for units in units_of(build(config), "neuron")]
        [256, 256]
    """
    known("granularity", granularity, GRANULARITIES)
    kind = "feed_forward" if granularity == "neuron" else "attention"
    weights, found = named_weights(model), []
    for _, index in parts_of(model.config, kind):
        block = model.config.blocks[index]
        if granularity == "neuron":
            down = weights[f"block_{index}/feed_forward/down"]
            found.append(Units(index, down, 1, down.shape[1]))
            continue
        output = weights.get(f"block_{index}/attention/output")
        if output is None or block.value == "identity":
            raise KitError(
                f"block {index}: the attention has value={block.value!r} and "
                f"projection={block.projection!r}: its heads are no rows of a matrix",
                'Use granularity="neuron"',
            )
        count = block.key_value_heads if granularity == "head" else 1
        found.append(Units(index, output, 0, count))
    if not found:
        raise KitError(
            f"the model has no {kind} in any block", "Choose another granularity"
        )
    return found


def without_units(
    model: Transformer, granularity: str, removed: Mapping[int, np.ndarray]
) -> Transformer:
    """A new, smaller model without some units; the old one stays.

    Args:
        model: A kit model.
        granularity: `"neuron"`, `"head"` or `"attention"`.
        removed: Block to (units,) of 0 and 1; 1 goes.

    Example:
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> smaller = without_units(build(config), "head", {1: np.array([1, 0, 1, 0])})
        >>> smaller.config.blocks[1].num_heads
        2
    """
    kept = {block: np.flatnonzero(np.asarray(r) == 0) for block, r in removed.items()}
    if granularity == "neuron":
        return keep_neurons(model, {block: k.tolist() for block, k in kept.items()})
    whole = [Part("attention", block) for block, k in kept.items() if not len(k)]
    some = {block: k for block, k in kept.items() if len(k)}
    if granularity == "head":
        model = _keep_heads(model, some)
    return remove_parts(model, whole)


def _keep_heads(model: Transformer, kept: Mapping[int, np.ndarray]) -> Transformer:
    config: ModelConfig = model.config
    edits, named = {}, {}
    for index, groups in kept.items():
        block = config.blocks[index]
        each = block.num_heads // block.key_value_heads
        heads = (groups[:, None] * each + np.arange(each)).ravel()
        edits[index] = {
            "num_heads": len(heads),
            "num_key_value_heads": len(groups),
            "head_dim": config.head_dim(block),
        }
        named[index] = {"heads": heads.tolist(), "key_value_heads": groups.tolist()}
    return transplant(model, config.with_blocks(edits), kept=named)
