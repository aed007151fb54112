"""What a model is trained on: the loss, its targets, and targets of the model's own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from kit.data import IGNORED
from kit.errors import KitError, known
from kit.training.scoring import token_cross_entropy

TARGETS = ("sampled", "true")


@dataclass(frozen=True)
class Objective:
    """A mean loss over examples; in a language model, every kept token is one.

    Args:
        loss: Of (targets, outputs); its mean is taken.
        kind: `"sparse"` (targets are class numbers), `"one-hot"`, or `"other"`.
        from_logits: Whether the outputs are logits or probabilities.
        ignored: The class number of targets that are left out, or `None`.

    Example:
        >>> objective = Objective(token_cross_entropy, "sparse", ignored=IGNORED)
        >>> float(objective.value(np.array([[1, IGNORED]]), np.zeros((1, 2, 4))))
        1.3862943649291992
    """

    loss: Callable[[Any, Any], Any]
    kind: str = "other"
    from_logits: bool = True
    ignored: int | None = None

    @classmethod
    def of(cls, loss: Any) -> "Objective":
        """The objective of what `compile` takes as a loss.

        Args:
            loss: `token_cross_entropy`, a Keras loss or its name, a function of
                (targets, outputs), or an `Objective`.

        Raises:
            KitError: It is none of these, or a Keras loss that is a sum over examples.

        Example:
            >>> Objective.of("sparse_categorical_crossentropy").kind
            'sparse'
        """
        if isinstance(loss, cls):
            return loss
        if loss is token_cross_entropy:
            return cls(loss, "sparse", ignored=IGNORED)
        try:
            function = keras.losses.get(loss)
        except ValueError:
            function = None
        if function is None:
            raise KitError(
                f"{loss!r} is no loss",
                "Give a Keras loss, its name, or a function of targets and outputs",
            )
        name = getattr(function, "name", getattr(function, "__name__", ""))
        if getattr(function, "reduction", None) == "sum":
            raise KitError(
                f"the loss {name!r} is a sum over the examples, reduction='sum'",
                "Give loss= the same with its default reduction, which is the mean",
            )
        kinds = {
            "sparse_categorical_crossentropy": "sparse",
            "categorical_crossentropy": "one-hot",
        }
        return cls(
            function,
            kinds.get(name, "other"),
            getattr(function, "from_logits", False),
            getattr(function, "ignore_class", None),
        )

    def value(self, targets: Any, outputs: Any) -> Any:
        """The mean loss, a float32 scalar."""
        return ops.mean(ops.cast(self.loss(targets, outputs), "float32"))

    def count(self, targets: np.ndarray) -> int:
        """Examples that the mean is over: kept tokens, in a language model.

        Example:
            >>> Objective.of(token_cross_entropy).count(np.array([[3, 4, IGNORED]]))
            2
        """
        targets = np.asarray(targets)
        if self.kind == "sparse":
            kept = targets.size if self.ignored is None else targets != self.ignored
            return int(np.sum(kept))
        return int(np.prod(targets.shape[:-1] or targets.shape))

    def uniforms(self, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Random numbers that `drawn` turns into targets: the same on every backend."""
        targets = np.asarray(targets)
        shape = targets.shape if self.kind == "sparse" else targets.shape[:-1]
        return rng.random(shape, "float32")

    def drawn(self, targets: Any, outputs: Any, uniforms: Any) -> Any:
        """Targets that the model draws from its own softmax, by inverting its sums.

        Args:
            targets: What is ignored there is ignored in the result.
            outputs: (..., classes).
            uniforms: From `uniforms`.

        Returns:
            The shape of `targets`.
        """
        outputs = ops.stop_gradient(ops.cast(outputs, "float32"))
        chances = ops.softmax(outputs) if self.from_logits else outputs
        sums = ops.cumsum(chances, axis=-1)
        level = ops.reshape(uniforms, (*outputs.shape[:-1], 1)) * sums[..., -1:]
        below = ops.sum(ops.cast(ops.less_equal(sums, level), "int32"), axis=-1)
        picked = ops.minimum(below, outputs.shape[-1] - 1)
        if self.kind == "one-hot":
            return ops.one_hot(picked, outputs.shape[-1], dtype="float32")
        targets = ops.cast(targets, "int32")
        picked = ops.reshape(picked, targets.shape)
        if self.ignored is None:
            return picked
        return ops.where(ops.equal(targets, self.ignored), targets, picked)

    def check(self, targets: str) -> str:
        """`targets` if this objective has such.

        Raises:
            KitError: `targets` is unknown, or `"sampled"` where there are no classes.
        """
        known("targets", targets, TARGETS)
        if targets == "sampled" and self.kind == "other":
            raise KitError(
                "targets='sampled' needs a categorical cross-entropy, and the loss is "
                f"{getattr(self.loss, 'name', self.loss)!r}",
                "Use targets='true' with this loss",
            )
        return targets
