"""The third step of EchoAtt, adjust: a student of shared maps learns from its teacher.

Stage 1 is `distil`, stage 2 `adjust`: the usual training with the true labels.
"""

from typing import Any

import keras
from keras import ops

from kit.config import ModelConfig
from kit.data import IGNORED, Task
from kit.errors import KitError
from kit.layers.taps import Collector
from kit.models import Transformer
from kit.models.intact import intact
from kit.sharing.losses import DistillationConfig, distillation_loss
from kit.training import TrainConfig
from kit.training.continued import Continued, ContinuedTrainer
from kit.training.trainer import Progress, Run

STAGE = TrainConfig(
    steps=200,
    batch_size=16,
    learning_rate=1e-4,
    warmup_steps=10,
    final_learning_rate=0.0,
    evaluate_every=50,
)
"""The paper's rate (1e-4, cosine) for a few steps; give each arm the same."""


def last_of_groups(config: ModelConfig) -> list[int]:
    """The last block of each group that shares a map: where the streams are compared.

    Example:
        >>> config = ModelConfig.uniform(5, vocabulary_size=14, context_length=12)
        >>> edits = {2: {"copies_map_from": 1}, 4: {"copies_map_from": 3}}
        >>> last_of_groups(config.with_blocks(edits))
        [2, 4]
    """
    last = {
        source: block
        for block, source in enumerate(config.map_sources())
        if source is not None
    }
    return sorted(last.values())


def watched_blocks(student: ModelConfig, losses: DistillationConfig) -> list[int]:
    """The blocks after which L_I compares the streams; none where it weighs nothing.

    Raises:
        KitError: There are none, and nothing else has a weight.

    Example:
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> shared = config.with_blocks({1: {"copies_map_from": 0}})
        >>> watched_blocks(shared, DistillationConfig())
        [1]
    """
    watched = last_of_groups(student) if losses.hidden else []
    if not watched and not losses.soft + losses.hard:
        raise KitError(
            "the student shares no maps, so that hidden has no streams to compare, and "
            "soft=0 and hard=0 leave nothing else to learn",
            "Give soft or hard a weight",
        )
    return watched


def distil(
    student: Transformer,
    teacher: Transformer,
    task: Task,
    config: TrainConfig = STAGE,
    losses: DistillationConfig | None = None,
    *,
    seed: int = 0,
    progress: Progress = True,
) -> Continued:
    """Stage 1: train a student to do what its teacher does.

    Neither model is changed. The teacher runs in inference mode, without gradients.

    Args:
        student: Such as `share(teacher, copies)`.
        teacher: The model before.
        task: The data; targets that are ignored teach nothing.
        config: How to train.
        losses: What to learn from the teacher; the paper's by default.
        seed: Of the data and of dropout.
        progress: A progress bar, or a function that gets the share done.

    Raises:
        KitError: The models or the task do not fit each other, or the losses leave
            nothing to learn.

    Example:
        >>> from dataclasses import replace
        >>> from kit.data import Addition
        >>> from kit.models import build
        >>> from kit.sharing import share
        >>> task = Addition(digits=1, validation_pairs=8)
        >>> config = ModelConfig.uniform(
        ...     2, width=16, vocabulary_size=14, context_length=task.context_length
        ... )
        >>> teacher = build(config)
        >>> quick = replace(STAGE, steps=2, warmup_steps=0, evaluate_every=2)
        >>> found = distil(share(teacher, {1: 0}), teacher, task, quick, progress=False)
        >>> found.run.status, found.model.config.blocks[1].copies_map_from
        ('finished', 0)
    """
    trainer = DistillingTrainer(student, teacher, task, config, losses)
    return trainer.go_on(seed, progress=progress)


def adjust(
    student: Transformer,
    task: Task,
    config: TrainConfig = STAGE,
    *,
    seed: int = 0,
    progress: Progress = True,
) -> Continued:
    """Stage 2: train on with the true labels and without a teacher.

    Without stage 1 before it, this is the continual training that the paper compares
    with. The arguments are those of `distil`.

    Example:
        >>> from dataclasses import replace
        >>> from kit.data import Addition
        >>> from kit.models import build
        >>> task = Addition(digits=1, validation_pairs=8)
        >>> config = ModelConfig.uniform(
        ...     1, width=16, vocabulary_size=14, context_length=task.context_length
        ... )
        >>> quick = replace(STAGE, steps=2, warmup_steps=0, evaluate_every=2)
        >>> adjust(build(config), task, quick, progress=False).run.steps
        2
    """
    return ContinuedTrainer(student, task, config).go_on(seed, progress=progress)


class DistillingTrainer(ContinuedTrainer):
    """A `Trainer` of a student, whose loss comes from a teacher.

    Args:
        student, teacher, task, config, losses: As for `distil`.
        jit_compile: As for `Trainer`.

    Raises:
        KitError: The models or the task do not fit each other.

    Example:
        >>> from dataclasses import replace
        >>> from kit.data import Addition
        >>> from kit.models import build
        >>> task = Addition(digits=1, validation_pairs=8)
        >>> config = ModelConfig.uniform(
        ...     2, width=16, vocabulary_size=14, context_length=task.context_length
        ... )
        >>> student, teacher = build(config), build(config)
        >>> DistillingTrainer(student, teacher, task, STAGE).losses.hard
        0.5
    """

    def __init__(
        self,
        student: Transformer,
        teacher: Transformer,
        task: Task,
        config: TrainConfig,
        losses: DistillationConfig | None = None,
        jit_compile: bool | None = None,
    ):
        self.teacher, self.losses = teacher, losses or DistillationConfig()
        super().__init__(student, task, config, jit_compile)

    def run(self, seed: int = 0, **how: Any) -> Run:
        """As `Trainer.run`; the teacher is whole also after Ctrl-C."""
        with intact(self.teacher):
            return super().run(seed, **how)

    def _make_learner(self) -> keras.Model:
        return Distillation(self.model, self.teacher, self.losses)


class Distillation(keras.Model):
    """A student whose loss is `distillation_loss` against a teacher.

    The teacher's weights are variables of this model, so that a compiled step reads
    them where they are, but none is trained, and the teacher itself is left as it is.

    Args:
        student: A kit model.
        teacher: A kit model with the same tokens, blocks and width.
        losses: The weights of the losses, and their variants.

    Call arguments:
        tokens: (batch, time) integers.

    Returns:
        The student's logits, and its streams after each group of shared maps.

    Raises:
        KitError: The models do not fit each other, or the losses leave nothing to
            learn.

    Example:
        >>> import numpy as np
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> shared = config.with_blocks({1: {"copies_map_from": 0}})
        >>> both = Distillation(build(shared), build(config), DistillationConfig())
        >>> logits, streams = both(np.zeros((1, 12), "int32"))
        >>> len(streams), len(both.trainable_variables)
        (1, 22)
    """

    def __init__(
        self, student: Transformer, teacher: Transformer, losses: DistillationConfig
    ):
        super().__init__(name="distillation", dtype=student.dtype_policy)
        check_pair(student.config, teacher.config)
        self.student, self.teacher, self.losses_of = student, teacher, losses
        self.watched = watched_blocks(student.config, losses)
        self.built = True

    def call(self, tokens: Any, training: bool = False) -> Any:
        return self._read(self.student, tokens, training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        if sample_weight is not None:
            raise KitError(
                "a distillation has no use for a sample_weight",
                f"Mark tokens that teach nothing with the target {IGNORED}",
            )
        theirs = self._read(self.teacher, x, training=False)
        theirs = keras.tree.map_structure(ops.stop_gradient, theirs)
        return distillation_loss(self.losses_of, y, y_pred, theirs)

    def _read(self, model: Transformer, tokens: Any, training: bool) -> Any:
        names = [f"block_{index}/output" for index in self.watched]
        with Collector(*names) as collector:
            logits = model(tokens, training=training)
        return logits, [collector.values[name] for name in names]

    @property
    def trainable_variables(self) -> list[Any]:
        return self.student.trainable_variables

    @property
    def trainable_weights(self) -> list[Any]:
        return self.student.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Any]:
        return [*self.student.non_trainable_variables, *self.teacher.variables]

    @property
    def non_trainable_weights(self) -> list[Any]:
        return [*self.student.non_trainable_weights, *self.teacher.weights]


def check_pair(student: ModelConfig, teacher: ModelConfig) -> None:
    """Raise a `KitError` where one cannot learn from the other.

    Example:
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> check_pair(config, config.with_blocks({1: {"copies_map_from": 0}}))
    """
    for name in ("vocabulary_size", "width", "blocks"):
        mine, theirs = getattr(student, name), getattr(teacher, name)
        if name == "blocks":
            mine, theirs = len(mine), len(theirs)
        if mine != theirs:
            raise KitError(
                f"the student has {name}={mine} and the teacher {theirs}",
                "Use a student made from the teacher with kit.sharing.share",
            )
    if teacher.context_length < student.context_length:
        raise KitError(
            f"the teacher reads {teacher.context_length} tokens, fewer than the "
            f"student's {student.context_length}",
            "Use a student made from the teacher with kit.sharing.share",
        )
