"""Sharpness by block from one gradient a batch, cheap enough to watch training."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from kit.compiled import compiled
from kit.errors import KitError
from kit.sharpness.algorithms import Estimate
from kit.sharpness.autodiff import Tensors, gradient
from kit.sharpness.blocks import By, by_label, labels
from kit.sharpness.objective import Objective
from kit.sharpness.operators import forward, state, tensors

PREFIX = "sharpness_"


class FisherSharpness:
    """S(b) = N ||grad_b L||^2 / #theta_b, the mean over batches (2502.19002).

    L is the mean loss of a batch, N the tokens that it is the mean over, and #theta_b
    the parameters of a block in all layers. With targets drawn from the model
    the mean of N ||grad||^2 is the trace of the Fisher matrix: gradients of different
    tokens are then uncorrelated and have mean zero. With the true targets a squared
    mean gradient comes on top, which vanishes where the model is fitted.

    It changes nothing of the model, so `Trainer.run(observe=...)` takes it as it is.

    Args:
        batches: (inputs, targets) pairs of one shape, such as `kit.data.Batch`.
        by: How variables are grouped; see `kit.sharpness.labels`.
        targets: `"sampled"` or `"true"`.
        loss: See `Objective.of`; `None` for the one that the model is compiled with.
        seed: Of the sampled targets. A batch keeps its random numbers, so that changes
            over time are not those of the draw.

    Call arguments:
        model: A built Keras model with one output.

    Returns:
        `sharpness_Emb` and so on, a number for each label.

    Raises:
        KitError: There is no loss, no token that counts, or no categorical output to
            draw targets from.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.data import Addition
        >>> from kit.models import build
        >>> from kit.training import token_cross_entropy
        >>> batch = Addition(digits=1, validation_pairs=4).validation()
        >>> model = build(ModelConfig.uniform(1, vocabulary_size=14, context_length=12))
        >>> list(FisherSharpness([batch], loss=token_cross_entropy)(model))[:3]
        ['sharpness_Emb', 'sharpness_QK', 'sharpness_VO']
    """

    def __init__(
        self,
        batches: Iterable[tuple[Any, Any]],
        by: By = "type",
        targets: str = "sampled",
        loss: Any = None,
        seed: int = 0,
    ):
        self.batches = [(inputs, np.asarray(targets)) for inputs, targets in batches]
        self.by, self.kind, self.loss, self.seed = by, targets, loss, seed
        self._model: keras.Model | None = None

    def __call__(self, model: keras.Model) -> dict[str, float]:
        found = self.estimates(model)
        return {f"{PREFIX}{name}": each.value for name, each in found.items()}

    def estimates(self, model: keras.Model) -> dict[str, Estimate]:
        """The same by label, each with its standard error over the batches."""
        names = labels(model, self.by)
        sizes = by_label([np.prod(v.shape) for v in model.trainable_variables], names)
        rows = [by_label(traces, names) for traces in self.traces(model)]
        return {
            name: Estimate.of(np.array([row[name] / size for row in rows]))
            for name, size in sizes.items()
        }

    def traces(self, model: keras.Model) -> np.ndarray:
        """N ||grad||^2 of each batch and trainable variable, (batches, variables)."""
        if model is not self._model:
            self._prepare(model)
        at = state(model)
        rows = []
        for count, data in self._data:
            squares = ops.convert_to_numpy(self._squares(*at, *data))
            rows.append(count * squares.astype("float64"))
        return np.array(rows)

    def _prepare(self, model: keras.Model) -> None:
        self._model = model
        loss = self.loss if self.loss is not None else getattr(model, "loss", None)
        objective = Objective.of(loss)
        sampled = objective.check(self.kind) == "sampled"
        rng = np.random.default_rng(self.seed)
        self._data = []
        for inputs, targets in self.batches:
            count = objective.count(targets)
            if not count:
                raise KitError(
                    f"a batch of {targets.size} targets has none that counts",
                    "Give batches in which some target is not ignored",
                )
            uniforms = [objective.uniforms(targets, rng)] if sampled else []
            self._data.append((count, tensors((inputs, targets, *uniforms))))

        def squares(weights: Tensors, others: Tensors, inputs: Any, *data: Any) -> Any:
            outputs = forward(model, others, inputs)

            def loss(weights: Tensors) -> Any:
                z, (targets, *uniforms) = outputs(weights), data
                drawn = objective.drawn(targets, z, *uniforms) if sampled else targets
                return objective.value(drawn, z)

            return ops.stack([ops.sum(g * g) for g in gradient(loss)(weights)])

        # As fast as the training step that it stands beside.
        self._squares = compiled(squares, xla=getattr(model, "jit_compile", False))
