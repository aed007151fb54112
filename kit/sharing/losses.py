"""What a student learns from a teacher, on the tokens that count.

EchoAtt, 2409.14595, stage 1: L = alpha L_I + beta L_S + gamma L_H. All three are means
over the tokens that are kept: padding, and the tokens of a question, teach nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

from keras import ops

from kit.checks import check_fields, check_number, with_known_fields
from kit.data import IGNORED
from kit.errors import KitError, known
from kit.training import token_cross_entropy
from kit.training.scoring import token_losses

DIVERGENCES = ("reverse", "forward")
LABELS = ("teacher", "true")


@with_known_fields
@dataclass(frozen=True)
class DistillationConfig:
    """The weights of the three losses, and their variants.

    Args:
        hidden: Weight alpha of L_I, on the streams after each group of blocks.
        soft: Weight beta of L_S, on the distribution of the next token.
        hard: Weight gamma of L_H, on one label for each token.
        divergence: Of L_S: `"reverse"`, KL(student || teacher) as in the paper, or
            `"forward"`, KL(teacher || student).
        labels: Of L_H: `"teacher"`, its likeliest token as in the paper, or `"true"`.

    Raises:
        KitError: A weight is below 0, or all are 0.

    Example:
        >>> DistillationConfig(hidden=0.0).soft
        0.25
    """

    hidden: float = 0.25
    soft: float = 0.25
    hard: float = 0.5
    divergence: str = "reverse"
    labels: str = "teacher"

    def __post_init__(self) -> None:
        for name in ("hidden", "soft", "hard"):
            check_number(self, name, lambda weight: 0 <= weight < inf, "from 0")
        known("divergence", self.divergence, DIVERGENCES)
        known("labels", self.labels, LABELS)
        if not self.hidden + self.soft + self.hard:
            raise KitError(
                "hidden=0, soft=0 and hard=0 leave nothing to learn",
                "Give one of them a weight",
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "DistillationConfig":
        """The config that `to_dict` wrote.

        Raises:
            KitError: A field is unknown, or its value is out of range.
        """
        check_fields(cls, data)
        return cls(**data)


def distillation_loss(
    config: DistillationConfig, targets: Any, student: Any, teacher: Any
) -> Any:
    """alpha L_I + beta L_S + gamma L_H, a scalar.

    Args:
        config: The weights and variants; what has weight 0 is not computed.
        targets: (batch, time) integers, -1 where nothing is learnt.
        student, teacher: Logits (batch, time, vocabulary), and a list of streams
            (batch, time, width), which may be empty.

    Example:
        >>> import numpy as np
        >>> student = np.log(np.array([[[0.5, 0.5]]], "float32"))
        >>> teacher = np.log(np.array([[[0.8, 0.2]]], "float32"))
        >>> soft = DistillationConfig(hidden=0.0, soft=1.0, hard=0.0)
        >>> loss = distillation_loss(soft, [[1]], (student, []), (teacher, []))
        >>> round(float(loss), 4)
        0.2231
    """
    kept = ops.cast(ops.not_equal(ops.cast(targets, "int32"), IGNORED), "float32")
    (logits, streams), (their_logits, their_streams) = student, teacher
    loss = ops.zeros(())
    if config.hidden and streams:
        loss += config.hidden * hidden_loss(streams, their_streams, kept)
    if config.soft:
        soft = soft_loss(logits, their_logits, kept, config.divergence)
        loss += config.soft * soft
    if config.hard and config.labels == "true":
        loss += config.hard * token_cross_entropy(targets, logits)
    elif config.hard:
        loss += config.hard * hard_loss(logits, their_logits, kept)
    return loss


def hidden_loss(student: Sequence[Any], teacher: Sequence[Any], kept: Any) -> Any:
    """L_I: mean squared difference of the streams after each group of blocks.

        L_I = 1/m  sum over m groups of  mean (S_i - T_i)^2

    The paper writes a sum of squares, which would grow with the width; this is the mean
    over the width and over the tokens that are kept. It has the scale of the streams
    still, and may drown the other losses: with two fifths of the maps of `smollm2`
    copied it is 91.5 where L_S is 1.5 and L_H 2.7, for one token of its streams has a
    mean square of about 9e5. Lower the weight `hidden` there: on the command line,
    `kit share --weights 0.001,0.25,0.5`.

    Example:
        >>> import numpy as np
        >>> ones = np.ones((1, 2, 3), "float32")
        >>> kept = np.array([[1.0, 0.0]], "float32")
        >>> float(hidden_loss([3 * ones, ones], [ones, ones], kept))
        2.0
    """
    terms = [
        mean_over(ops.mean(ops.square(_float(mine) - _float(theirs)), axis=-1), kept)
        for mine, theirs in zip(student, teacher, strict=True)
    ]
    return sum(terms[1:], start=terms[0]) / len(terms)


def soft_loss(
    student: Any, teacher: Any, kept: Any, divergence: str = "reverse"
) -> Any:
    """L_S: Kullback-Leibler divergence in nats, without a temperature.

        reverse  KL(S || T) = sum S (log S - log T);   forward  KL(T || S)

    Example:
        >>> import numpy as np
        >>> student = np.log(np.array([[[0.5, 0.5]]], "float32"))
        >>> teacher = np.log(np.array([[[0.8, 0.2]]], "float32"))
        >>> round(float(soft_loss(student, teacher, np.ones((1, 1), "float32"))), 4)
        0.2231
    """
    of, to = (ops.log_softmax(_float(each), axis=-1) for each in (student, teacher))
    if divergence == "forward":
        of, to = to, of
    return mean_over(ops.sum(ops.exp(of) * (of - to), axis=-1), kept)


def hard_loss(student: Any, teacher: Any, kept: Any) -> Any:
    """L_H: cross-entropy with the teacher's likeliest token, in nats.

        L_H = -log S[argmax T]

    Example:
        >>> import numpy as np
        >>> student = np.log(np.array([[[0.5, 0.5]]], "float32"))
        >>> teacher = np.array([[[3.0, 1.0]]], "float32")
        >>> round(float(hard_loss(student, teacher, np.ones((1, 1), "float32"))), 4)
        0.6931
    """
    return mean_over(token_losses(ops.argmax(teacher, axis=-1), student), kept)


def mean_over(values: Any, kept: Any) -> Any:
    """The mean of (batch, time) values where `kept` is 1; 0 where it never is."""
    return ops.sum(values * kept) / ops.maximum(ops.sum(kept), 1.0)


def _float(x: Any) -> Any:
    return ops.cast(x, "float32")
