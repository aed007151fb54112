"""Masks that live among the variables of an optimizer and hold at every step."""

from typing import Any

import keras
import numpy as np

from kit.errors import KitError
from kit.pruning.units import Units


class Mask(keras.constraints.Constraint):
    """A weight whose removed units are zero.

    Args:
        units: Of one block.
        removed: (units,) of 0 and 1; 1 is gone.
        begin: The step of the optimizer from which a schedule counts.
        average: The optimizer's mean of the weight over time, which Keras writes over
            the weight when training ends; `None` where it keeps none.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> from kit.pruning.units import units_of
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> heads, = units_of(build(config), "head")
        >>> removed = keras.Variable(np.zeros(4))
        >>> mask = Mask(heads, removed, keras.Variable(0, dtype="int32"))
        >>> mask.remove(np.array([0, 1, 1, 0]))
        >>> (heads.sizes() == 0).tolist()
        [False, True, True, False]
    """

    def __init__(
        self,
        units: Units,
        removed: keras.Variable,
        begin: keras.Variable,
        average: keras.Variable | None = None,
    ):
        self.units, self.removed, self.begin = units, removed, begin
        self.average = average

    def __call__(self, weight: Any) -> Any:
        if self.average is not None:  # Keras has taken the weight of this step into it
            self.average.assign(self.units.masked(self.average, self.removed))
        return self.units.masked(weight, self.removed)

    def remove(self, removed: np.ndarray) -> None:
        """From now on these units are gone."""
        self.removed.assign(removed)
        self.units.weight.assign(self(self.units.weight))


def put_masks(optimizer: keras.Optimizer, units: list[Units], step: int) -> list[Mask]:
    """A mask for the units of each block, on its weight; nothing goes yet.

    What an earlier mask has removed stays gone: one of this optimizer is taken over as
    it is, and of one of another optimizer, such as before the model was compiled again,
    the new mask is a copy.

    Args:
        optimizer: Which is built; the masks are among its variables.
        units: Of all blocks.
        step: The optimizer's. A schedule counts from it.

    Raises:
        KitError: There are masks for other units on the weights.
    """
    earlier = [each.weight.constraint for each in units]
    mine = {id(variable) for variable in optimizer.variables}
    for each, mask in zip(units, earlier, strict=True):
        if isinstance(mask, Mask) and mask.units.count != each.count:
            raise KitError(
                f"of block {each.block} {mask.units.count} units are masked already, "
                f"and not {each.count}: another PruningCallback holds other units of "
                "the same weights",
                "Call its detach(), or go on with its smaller_model()",
            )
    if not all(isinstance(m, Mask) and id(m.removed) in mine for m in earlier):
        begin = optimizer.add_variable((), dtype="int32", name="pruning_begins")
        for each, old in zip(units, earlier, strict=True):
            removed = optimizer.add_variable(
                (each.count,), name=f"removed_{each.block}"
            )
            if isinstance(old, Mask):
                removed.assign(old.removed)
            average = _average(optimizer, each.weight)
            each.weight.constraint = Mask(each, removed, begin, average)
    masks = [each.weight.constraint for each in units]
    masks[0].begin.assign(step)
    return masks


def _average(optimizer: Any, weight: keras.Variable) -> keras.Variable | None:
    if not getattr(optimizer, "use_ema", False):
        return None
    place = optimizer._get_variable_index(weight)
    return optimizer._model_variables_moving_average[place]
