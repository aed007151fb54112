"""Gains as data: numbers that scale a branch, a matrix or a term of the attention map.

A gain is a plain number, which stays as it is, or `Trained(start)`, which is a weight.
0 removes what it scales and 1 leaves it alone; neither costs anything.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit.checks import check_fields, check_flag, check_number
from kit.errors import KitError, known

# The start of a feed-forward gain that He and Hofmann (2311.01906) tuned at 18 blocks
# is 0.1, and their theory asks for 1/sqrt(blocks): 0.42/sqrt(blocks).
DEPTH_GAIN = 0.1 * math.sqrt(18)


@dataclass(frozen=True)
class Trained:
    """A gain that is learnt.

    A `TrainConfig` leaves it out of weight decay, as all that is no matrix, unless it
    says `decay_everything`. An optimizer that is given to `compile` decays what it is
    not told to leave out: see `kit.optimizers.AdamW`.

    Args:
        start: Its initial value; `None` means 0.42 / sqrt(number of blocks).

    Example:
        >>> round(Trained(None).start_of(18), 3)
        0.1
    """

    start: float | None = 1.0

    def __post_init__(self) -> None:
        check_number(self, "start", math.isfinite, "that is finite")

    def start_of(self, num_blocks: int) -> float:
        """The initial value in a model of so many blocks."""
        return DEPTH_GAIN / math.sqrt(num_blocks) if self.start is None else self.start

    def __str__(self) -> str:
        start = "0.42/sqrt(blocks)" if self.start is None else f"{self.start:g}"
        return f"trained from {start}"


Gain = float | Trained


def check_gain(config: Any, name: str) -> None:
    """Raise a `KitError` for a field that is neither a finite number nor `Trained`."""
    if not isinstance(getattr(config, name), Trained):
        check_number(config, name, math.isfinite, "that is finite")


@dataclass(frozen=True)
class Updated:
    """A matrix as a frozen start and a trained update: alpha W_start + beta dW.

    The update dW starts at zero. With plain gradient descent, a fixed beta does to the
    matrix what a learning rate times beta^2 does; with Adam, times beta (2311.01906,
    appendix A). Weight decay acts on the update, and so pulls the matrix to its start.

    Args:
        start: `"identity"` or `"orthogonal"` (random).
        alpha: Gain of the start.
        beta: Gain of the update.

    Example:
        >>> str(Updated("orthogonal", beta=0.2))
        '1 orthogonal + 0.2 update'
    """

    start: str = "identity"
    alpha: Gain = 1.0
    beta: Gain = 1.0

    def __post_init__(self) -> None:
        known("value for start:", self.start, ("identity", "orthogonal"))
        for name in ("alpha", "beta"):
            check_gain(self, name)
        if self.beta == 0:
            raise KitError(
                "beta=0 leaves a matrix without anything to train",
                'Use "identity" for no matrix, or Trained(0.0)',
            )

    def __str__(self) -> str:
        return f"{_term(self.alpha)} {self.start} + {_term(self.beta)} update"


@dataclass(frozen=True)
class Shaped:
    """A sum of three maps instead of the softmax map: alpha I + beta A - gamma C.

    A is the softmax map, and C is what A is while all scores are 0: the mean over the
    visible tokens. Shaped attention (Noci et al., 2306.17759) starts at 1, 1, 1 with
    queries of zero, so that A = C and the whole is the identity. Value-skip-init
    attention (He et al., 2302.10322) has no C and starts with beta = 0.

    Args:
        alpha, beta, gamma: Gains of the three maps.
        per_head: Whether each head has its own trained gains, or all share them.

    Example:
        >>> str(Shaped()), str(SKIP_INIT)
        ('shaped', 'skip-init')
    """

    alpha: Gain = Trained(1.0)
    beta: Gain = Trained(1.0)
    gamma: Gain = Trained(1.0)
    per_head: bool = True

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "gamma"):
            check_gain(self, name)
            if getattr(self, name) == Trained(None):
                raise KitError(
                    f"{name}={getattr(self, name)} is a gain of a branch",
                    f"Give {name} a start, such as Trained(1.0)",
                )
        check_flag(self, "per_head")
        if self.beta == 0:
            raise KitError(
                "beta=0 leaves out the softmax map, and queries and keys do nothing",
                "Use Trained(0.0), or a block with attention=None",
            )

    @property
    def centred(self) -> bool:
        """Whether C is subtracted; queries then start at zero, where A = C."""
        return self.gamma != 0

    def __str__(self) -> str:
        shared = "" if self.per_head else ", shared"
        for name, shape in (("shaped", Shaped()), ("skip-init", SKIP_INIT)):
            if _gains(self) == _gains(shape):
                return name + shared
        alpha, beta, gamma = map(_term, _gains(self))
        return f"{alpha} I + {beta} A - {gamma} C{shared}"


def _gains(shape: Shaped) -> tuple[Gain, Gain, Gain]:
    return shape.alpha, shape.beta, shape.gamma


SKIP_INIT = Shaped(beta=Trained(0.0), gamma=0.0)


def _term(gain: Gain) -> str:
    return f"({gain})" if isinstance(gain, Trained) else f"{gain:g}"


def from_plain(kind: type, value: Any) -> Any:
    """A `Trained`, `Updated` or `Shaped` from what `dataclasses.asdict` made of it.

    Example:
        >>> from dataclasses import asdict
        >>> from_plain(Updated, asdict(Updated(beta=Trained(0.2))))
        Updated(start='identity', alpha=1.0, beta=Trained(start=0.2))
    """
    if not isinstance(value, Mapping):
        return value
    check_fields(kind, value)
    return kind(**{name: from_plain(Trained, each) for name, each in value.items()})
