"""A learning rate for each block of a model, in one optimizer.

`blockwise(optimizer, ratios)` updates and decays every variable as the optimizer would
with `ratio` times its learning rate. Multiplying gradients instead does nothing under
Adam, Lion or Muon, whose steps do not depend on the size of a gradient.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import keras

from kit.errors import KitError
from kit.optimizers.dense import SGD, AdamW, Lion, Muon
from kit.optimizers.labels import Blocks, Label, label_of, role
from kit.optimizers.schedules import BlockSchedule

NESTING = (keras.optimizers.LossScaleOptimizer, keras.optimizers.MultiOptimizer)
EXCLUDED = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")


class Blockwise(keras.optimizers.Optimizer):
    """What `blockwise` adds to the class of an optimizer; it has no variables."""

    def __init__(
        self,
        *args: Any,
        ratios: Mapping[str, float],
        label: Label = role,
        scale_decay: bool = True,
        labels: Sequence[str] | None = None,
        undecayed: Sequence[int] = (),
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        self.scale_decay = scale_decay
        self.blocks = Blocks(ratios, label)
        self.blocks.labels = tuple(labels) if labels else None
        self.blocks.undecayed = tuple(undecayed)
        self._rate_at_work: Any = None

    def build(self, variables: Any) -> None:
        if self.built:
            return
        self.blocks.resolve(variables)
        if isinstance(self._learning_rate, BlockSchedule):
            for label, ratio in self.blocks.ratios.items():
                self._learning_rate.check(label, ratio)
        if self.blocks.undecayed:
            self.exclude_from_weight_decay(
                [variables[i] for i in self.blocks.undecayed]
            )
        super().build(variables)

    def _rates(self) -> list[Any]:
        """The learning rate of each block at this step."""
        ratios, schedule = self.blocks.ratios.values(), self._learning_rate
        if isinstance(schedule, BlockSchedule):
            return [schedule.rate(self._iterations, ratio) for ratio in ratios]
        rate = super()._get_current_learning_rate()
        return [rate * ratio for ratio in ratios]

    def _block(self, variable: Any) -> int:
        # By index: variables have other paths after loading, and none in a TF step.
        return self.blocks.table[self._get_variable_index(variable)]

    def _backend_update_step(
        self, grads: Any, trainable_variables: Any, learning_rate: Any
    ) -> None:
        super()._backend_update_step(grads, trainable_variables, self._rates())

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate = learning_rate[self._block(variable)]
        super().update_step(gradient, variable, rate)

    def _apply_weight_decay(self, variables: Any) -> None:
        if not self.scale_decay:
            super()._apply_weight_decay(variables)
            return
        for block, rate in enumerate(self._rates()):
            decayed = [
                variable
                for variable in variables
                if self._block(variable) == block and self._use_weight_decay(variable)
            ]
            if decayed:
                with self._at(rate):
                    super()._apply_weight_decay(decayed)

    @contextmanager
    def _at(self, rate: Any) -> Iterator[None]:
        """Keras' weight decay, of every backend, reads the rate of the optimizer."""
        self._rate_at_work = rate
        try:
            yield
        finally:
            self._rate_at_work = None

    def _get_current_learning_rate(self) -> Any:
        if self._rate_at_work is not None:
            return self._rate_at_work
        return super()._get_current_learning_rate()

    def get_config(self) -> dict[str, Any]:
        if self.blocks.labels is None and self.blocks.label is not role:
            raise KitError(
                "the labels of the variables are not known before the optimizer is "
                "built, and a labelling function cannot be saved",
                "Train first, or call optimizer.build(model.trainable_variables)",
            )
        undecayed = list(self.blocks.undecayed)
        if self.built:
            trained = enumerate(self._trainable_variables)
            undecayed = [i for i, v in trained if not self._use_weight_decay(v)]
        return {
            **super().get_config(),
            "ratios": dict(self.blocks.ratios),
            "scale_decay": self.scale_decay,
            "labels": self.blocks.labels and list(self.blocks.labels),
            "undecayed": undecayed,
        }


def blockwise(
    optimizer: keras.optimizers.Optimizer,
    ratios: Mapping[str, float],
    labels: Label | Mapping[str, Any] | None = None,
    scale_decay: bool = True,
) -> Any:
    """The same optimizer with a learning rate for each block of a model.

    Every variable is updated as the optimizer would at `ratio` times its learning rate.
    It stays one optimizer: one global norm for clipping, one learning rate for
    callbacks and schedules to move, no memory beyond that of the plain one. It is
    saved and loaded with the model once `kit.optimizers` is imported; the labels are
    kept by the order of the variables, because paths change when a model is loaded.

    Args:
        optimizer: Any Keras optimizer that is not built yet. On TensorFlow, Keras' own
            take other steps with embeddings than elsewhere; those of `kit.optimizers`
            (`AdamW`, `Lion`, `Muon`, `SGD`) do not. For float16, put
            `keras.optimizers.LossScaleOptimizer` around the result, as Keras does by
            itself with the policy `mixed_float16`.
        ratios: Label -> learning rate of the block, as a multiple of the optimizer's;
            `PAPER_RATIOS` for kit models. What a ratio multiplies in a schedule of the
            kit is for that schedule to say (`scaling`); any other schedule is
            multiplied as a whole. A label `"other"` takes the variables that have none.
        labels: Which variable has which label: a function of a Keras variable; or
            label -> layers and variables; or `None` for the roles of kit models.
        scale_decay: Whether weight decay uses the rate of the block, as PyTorch's
            parameter groups and so the official code of 2502.19002 do; else that of
            ratio 1.

    Returns:
        An optimizer of a subclass of the optimizer's class.

    Raises:
        KitError: A ratio is not a number above 0; the optimizer is built already or
            holds another one; or, once it is built: a label has no variable or no
            ratio, a variable has no label, or a warm-up does not fit the schedule.

    Example:
        A model of Keras' functional way, and its layers by name:

        >>> words = keras.Input((4,), dtype="int32")
        >>> vectors = keras.layers.Embedding(9, 3)
        >>> head = keras.layers.Dense(2)
        >>> x = keras.layers.GlobalAveragePooling1D()(vectors(words))
        >>> model = keras.Model(words, head(x))
        >>> model.compile(
        ...     blockwise(
        ...         keras.optimizers.AdamW(1e-3, global_clipnorm=1.0),
        ...         {"embedding": 10.0, "head": 4.0},
        ...         {"embedding": vectors, "head": [head.kernel, head.bias]},
        ...     ),
        ...     "mse",
        ... )
        >>> model.optimizer.build(model.trainable_variables)
        >>> model.optimizer.blocks.labels
        ('embedding', 'head', 'head')

        A subclassed one, and a function; `"other"` takes what the function leaves:

        >>> class Twice(keras.Model):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.inner = keras.layers.Dense(4, activation="relu")
        ...         self.norm = keras.layers.LayerNormalization()
        ...     def call(self, x):
        ...         return self.norm(self.inner(x))
        >>> def by_name(variable):
        ...     return "matrices" if variable.name == "kernel" else None
        >>> model = Twice()
        >>> lion = keras.optimizers.Lion(1e-4)
        >>> ratios = {"matrices": 6.0, "other": 1.0}
        >>> model.compile(blockwise(lion, ratios, by_name), "mse")
        >>> outputs = model(keras.ops.zeros((1, 3)))
        >>> model.optimizer.build(model.trainable_variables)
        >>> model.optimizer.blocks.labels
        ('matrices', 'other', 'other', 'other')
    """
    _check_optimizer(optimizer)
    if labels is None:
        label: Label = role
    else:
        label = labels if callable(labels) else label_of(labels)
    config = optimizer.get_config()
    schedule = optimizer._learning_rate
    if callable(schedule) and not isinstance(schedule, keras.Variable):
        config["learning_rate"] = schedule
    made = blockwise_class(_plain_class(optimizer))(
        **config, ratios=ratios, label=label, scale_decay=scale_decay
    )
    for name in EXCLUDED:
        if hasattr(optimizer, name):
            setattr(made, name, getattr(optimizer, name))
    return made


@cache
def blockwise_class(kind: type) -> Any:
    """The block-wise subclass of an optimizer's class.

    Keras' own optimizers and the kit's have theirs once `kit.optimizers` is imported.
    For one of your own, call this before you load a model that was saved with it.

    Example:
        >>> blockwise_class(keras.optimizers.SGD).__name__
        'BlockwiseSGD'
    """
    made = type(
        f"Blockwise{kind.__name__}", (Blockwise, kind), {"__module__": __name__}
    )
    name = f"Blockwise {keras.saving.get_registered_name(kind)}"
    return keras.saving.register_keras_serializable("kit", name)(made)


def _plain_class(optimizer: Any) -> type:
    """Its class; on PyTorch the one with a step for each variable, not a fused one."""
    return next(
        kind
        for kind in type(optimizer).__mro__
        if issubclass(kind, keras.optimizers.Optimizer)
        and not hasattr(kind, "_parallel_update_step")
    )


def _check_optimizer(optimizer: Any) -> None:
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise KitError(
            f"{optimizer!r} is not a Keras optimizer",
            "Use an object such as keras.optimizers.AdamW(1e-3)",
        )
    kind = type(optimizer).__name__
    if isinstance(optimizer, Blockwise):
        raise KitError(f"{kind} is block-wise already", "Give it all ratios at once")
    if isinstance(optimizer, NESTING):
        raise KitError(f"{kind} holds another optimizer", "Make that one block-wise")
    if optimizer.built:
        raise KitError(
            f"this {kind} is built already, for the rates that it has",
            "Make it block-wise before model.compile",
        )


_KERAS = [
    kind
    for kind in vars(keras.optimizers).values()
    if isinstance(kind, type)
    and issubclass(kind, keras.optimizers.Optimizer)
    and kind not in (keras.optimizers.Optimizer, *NESTING)
]
for _kind in (*_KERAS, AdamW, Lion, Muon, SGD):  # so that saved models find them
    blockwise_class(_kind)
