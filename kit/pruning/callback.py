"""Pruning while a model trains: masks that hold at every step, a smaller model after.

A mask lives among the optimizer's variables and is applied by a constraint on the
weight. So it is part of the compiled step on every backend, also where one call takes
several steps, and it is saved and restored with the optimizer. So is the step from
which the schedule counts.
"""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import numpy as np

from kit.at_steps import AtSteps
from kit.errors import KitError
from kit.models import Transformer
from kit.pruning.masks import Mask, put_masks
from kit.pruning.schedules import Constant, OneShot
from kit.pruning.units import units_of, without_units

Scores = Mapping[int, np.ndarray]


class PruningCallback(AtSteps):
    """Removes the units with the lowest scores as a schedule says.

    What is gone stays gone. Units are masked while the model trains; `smaller_model`
    then makes the model without them. Where one call takes several steps
    (`steps_per_execution`), units go at the end of the call in which the schedule wants
    them gone, and stay at zero in every step from then on.

    The schedule counts the optimizer's steps from the first `fit` with this callback:
    step 0 of a model that is trained already is where pruning begins, and a second
    `fit` with the same callback, or a run that is resumed, counts on. A model that is
    compiled again, or gets a new callback, begins the schedule anew with what is gone.

    Neurons and heads go from each block alike, attentions from the whole model; of
    each block one neuron or head stays.

    Args:
        schedule: `OneShot`, `Constant` or `Polynomial`: step to the share that is gone.
        granularity: `"neuron"`, `"head"` or `"attention"`.
        score: A function of the model that returns block to scores (units,), higher is
            kept; `None` for the size of the weights that a unit writes with.

    Attributes:
        rows: One dict for each pruning: the optimizer's `step`, and `removed`, the
            share that is gone.

    Raises:
        KitError: The model has no such units, or others of the same weights are masked.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> from kit.training import token_cross_entropy
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> model = build(config)
        >>> model.compile("sgd", token_cross_entropy, run_eagerly=True)
        >>> pruning = PruningCallback(OneShot(0.5, step=1), granularity="head")
        >>> x = np.zeros((4, 12), "int32")
        >>> _ = model.fit(x, x, batch_size=2, verbose=0, callbacks=[pruning])
        >>> pruning.rows
        [{'step': 1, 'removed': 0.5}]
        >>> pruning.smaller_model().config.blocks[0].num_heads
        2
    """

    def __init__(
        self,
        schedule: OneShot | Constant,
        granularity: str = "neuron",
        score: Callable[[Transformer], Scores] | None = None,
    ):
        super().__init__()
        self.schedule, self.granularity, self.score = schedule, granularity, score
        self._masks: list[Mask] = []
        self._optimizer: Any = None

    def attach(self, model: Transformer) -> None:
        """Give the masks to a compiled model; the first `fit` does it by itself.

        To go on with a run that was interrupted, call this before its optimizer's
        state is restored: the masks are restored with it, and where the schedule began.
        """
        optimizer = getattr(model, "optimizer", None)
        if optimizer is None:
            raise KitError("the model is not compiled", "Call model.compile first")
        step = int(optimizer.iterations)
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # float16's
        if self._masks and self._optimizer is optimizer:
            return
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
        known_before = len(optimizer.variables)
        self._masks = put_masks(optimizer, units_of(model, self.granularity), step)
        self._optimizer = optimizer
        self.set_model(model)
        if len(optimizer.variables) > known_before:
            model.make_train_function(force=True)  # one that was there has no masks

    def detach(self) -> None:
        """Take the constraints off; what is zero may grow again in later training."""
        for mask in self._masks:
            mask.units.weight.constraint = None
        self.model.train_function = None

    @property
    def removed(self) -> dict[int, np.ndarray]:
        """Block to (units,) of 0 and 1; 1 is gone."""
        self.model  # noqa: B018  on JAX this brings the variables up to date
        return {mask.units.block: np.asarray(mask.removed) for mask in self._masks}

    def smaller_model(self) -> Transformer:
        """A new model without the units that are gone; the trained one stays.

        It says the same, and is not compiled.
        """
        return without_units(self.model, self.granularity, self.removed)

    def on_train_begin(self, logs: Any = None) -> None:
        self.attach(self.model)
        self._begin = int(self._masks[0].begin)
        super().on_train_begin(logs)

    def at(self, step: int) -> None:
        """Remove what the schedule wants gone."""
        self._prune(self.schedule(step - self._begin))
        self.rows.append({"step": step, "removed": self._share()})

    def next_step(self, step: int) -> float:
        """The first step from `step` on at which the schedule has something to do."""
        found = self.schedule.next_step(step - self._begin)
        return inf if found is None else self._begin + found

    def _share(self) -> float:
        masks = np.concatenate([*self.removed.values()])
        return float(masks.mean())

    def _prune(self, share: float) -> None:
        scores = self._scores()
        gone = self.removed
        if self.granularity == "attention":
            order = np.concatenate([scores[block] for block in gone])
            already = np.concatenate([*gone.values()])
            together = _lowest(order, already, round(share * len(order)))
            new = dict(zip(gone, np.split(together, len(gone)), strict=True))
        else:
            new = {
                block: _lowest(
                    scores[block], old, min(round(share * len(old)), len(old) - 1)
                )
                for block, old in gone.items()
            }
        for mask in self._masks:
            mask.remove(new[mask.units.block])

    def _scores(self) -> Scores:
        every = [mask.units for mask in self._masks]
        if self.score is None:
            return {units.block: units.sizes() for units in every}
        found = self.score(self.model)
        for units in every:
            scores = np.asarray(found.get(units.block, ()))
            if scores.shape != (units.count,) or not np.isfinite(scores).all():
                raise KitError(
                    f"the score of block {units.block} has shape {scores.shape}, "
                    f"expected ({units.count},) finite numbers",
                    f"Return one number for each {self.granularity}",
                )
        return found


def _lowest(scores: np.ndarray, gone: np.ndarray, count: int) -> np.ndarray:
    """1 for those that are gone, and for the lowest of the others until `count` are."""
    order = np.argsort(np.where(gone > 0, -np.inf, scores), kind="stable")
    removed = np.array(gone, "float32")
    removed[order[: max(count, int(removed.sum()))]] = 1.0
    return removed
