"""The same losses in terms of `keras.distillation`, and what that cannot do.

`keras.distillation.Distiller` of Keras 3.15 hands a distillation loss the outputs of
both models and nothing else. So there is no way to say which tokens count: neither
targets that are ignored nor `sample_weight` reach it. It also compares layers by name
in functional models only, and freezes the teacher for good. With every token kept it
gives the loss of `kit.sharing.distillation`; with padding or questions use that one.
"""

from typing import Any

import keras
from keras import ops

from kit.errors import KitError
from kit.layers.taps import Collector
from kit.models import Transformer
from kit.sharing.distillation import check_pair, watched_blocks
from kit.sharing.losses import (
    DistillationConfig,
    hard_loss,
    hidden_loss,
    soft_loss,
)


def keras_distiller(
    student: Transformer,
    teacher: Transformer,
    losses: DistillationConfig | None = None,
) -> keras.Model:
    """A `keras.distillation.Distiller` with the paper's losses, on all tokens.

    Args:
        student: A kit model with shared maps.
        teacher: The model before.
        losses: With `labels="teacher"`; the true ones would be the student's own loss.

    Returns:
        A distiller to compile and fit; its outputs are the logits, and the streams
        where there are any to compare. Keras wants a `loss` to compile it, which may be
        any: it weighs nothing here.

    Raises:
        KitError: The models do not fit each other, or the losses ask for true labels
            or leave nothing to learn.

    Example:
        >>> import numpy as np
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> shared = config.with_blocks({1: {"copies_map_from": 0}})
        >>> distiller = keras_distiller(build(shared), build(config))
        >>> [tuple(each.shape) for each in distiller(np.zeros((1, 12), "int32"))]
        [(1, 12, 14), (1, 12, 64)]
        >>> distiller.compile("adam", loss="mse")
    """
    losses = losses or DistillationConfig()
    if losses.labels != "teacher":
        raise KitError(
            f'labels="{losses.labels}" is no loss between two models\' outputs',
            "Use kit.sharing.distil, or labels='teacher'",
        )
    check_pair(student.config, teacher.config)
    watched = watched_blocks(student.config, losses)
    weights = {
        SoftDistillation(losses.divergence): losses.soft,
        HardDistillation(): losses.hard,
    }
    if watched:
        weights[HiddenDistillation()] = losses.hidden
    return keras.distillation.Distiller(
        teacher=with_streams(teacher, watched),
        student=with_streams(student, watched),
        distillation_losses=list(weights),
        distillation_loss_weights=list(weights.values()),
        student_loss_weight=0.0,
    )


def with_streams(model: Transformer, blocks: list[int]) -> keras.Model:
    """A functional model around a kit model: logits, and streams after some blocks."""
    inputs = keras.Input((model.config.context_length,), dtype="int32")
    return keras.Model(inputs, _WithStreams(model, blocks)(inputs), name=model.name)


class _WithStreams(keras.layers.Layer):
    def __init__(self, model: Transformer, blocks: list[int]):
        super().__init__(dtype=model.dtype_policy)
        self.model, self.blocks = model, blocks

    def call(self, tokens: Any, training: bool = False) -> list[Any]:
        names = [f"block_{index}/output" for index in self.blocks]
        with Collector(*names) as collector:
            logits = self.model(tokens, training=training)
        return [logits, *(collector.values[name] for name in names)]


class HiddenDistillation(keras.distillation.DistillationLoss):
    """L_I on all tokens."""

    def compute_loss(
        self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any
    ) -> Any:
        (_, *theirs), (_, *mine) = teacher_outputs, student_outputs
        return hidden_loss(mine, theirs, _every_token(student_outputs))


class SoftDistillation(keras.distillation.DistillationLoss):
    """L_S on all tokens, which Keras' `LogitsDistillation` has forward only."""

    def __init__(self, divergence: str = "reverse"):
        self.divergence = divergence

    def compute_loss(
        self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any
    ) -> Any:
        every = _every_token(student_outputs)
        mine, theirs = _logits(student_outputs), _logits(teacher_outputs)
        return soft_loss(mine, theirs, every, self.divergence)


class HardDistillation(keras.distillation.DistillationLoss):
    """L_H on all tokens."""

    def compute_loss(
        self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any
    ) -> Any:
        every = _every_token(student_outputs)
        return hard_loss(_logits(student_outputs), _logits(teacher_outputs), every)


def _logits(outputs: Any) -> Any:
    """The first output, which Keras hands over alone where there is no other."""
    return outputs[0] if isinstance(outputs, list | tuple) else outputs


def _every_token(outputs: Any) -> Any:
    return ops.ones_like(_logits(outputs)[..., 0])
