"""What a weight is for: its role, its axes and how it starts.

Roles group variables for learning rates and tables. They are put on by the layers
that own the variables, because variable paths change when a model is reloaded.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kit.errors import KitError

UNDRAWN: ContextVar[bool] = ContextVar("undrawn", default=False)


@dataclass(frozen=True)
class Tag:
    """Role, axes and initial value of one variable.

    Args:
        role: One of `kit.counts.ROLES`.
        axes: A name for each axis, such as `("width", "neurons")`; `transplant`
            slices along them.
        std: Standard deviation of a normal initial value; `None` for a constant.
        constant: The initial value where `std` is `None`.
        orthogonal: Whether a matrix starts as a random orthogonal one.
        transposed: Whether a matrix is kept as the transpose of what is drawn.
    """

    role: str
    axes: tuple[str, ...]
    std: float | None = None
    constant: float = 0.0
    orthogonal: bool = False
    transposed: bool = False

    def initial(self, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """A fresh initial value of `shape`, float32."""
        if self.orthogonal:
            return _orthogonal(shape, rng)
        if self.std is None:
            return np.full(shape, self.constant, "float32")
        if self.transposed:
            return self.std * rng.standard_normal(shape[::-1], dtype="float32").T
        return self.std * rng.standard_normal(shape, dtype="float32")


def _orthogonal(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Uniform over the matrices with orthonormal rows or columns, the fewer of both."""
    normal = rng.standard_normal((max(shape), min(shape)))
    columns, upper = np.linalg.qr(normal)
    columns = columns * np.sign(np.diag(upper))  # else not uniform
    return (columns if shape[0] >= shape[1] else columns.T).astype("float32")


def tag(variable: Any, role: str, axes: tuple[str, ...], **initial: Any) -> Any:
    """Put a `Tag` on a Keras variable and return the variable."""
    variable.kit_tag = Tag(role, axes, **initial)
    return variable


def tag_of(variable: Any) -> Tag:
    """The tag of a variable of a kit model.

    Raises:
        KitError: The variable belongs to no layer of the kit.
    """
    found = getattr(variable, "kit_tag", None)
    if found is None:
        raise KitError(
            f"variable {getattr(variable, 'path', variable)!r} has no role",
            "Roles exist on models made by kit.models.build; tag your own variables "
            "with kit.layers.tags.tag",
        )
    return found


@contextmanager
def undrawn() -> Iterator[None]:
    """Inside, matrices start at zero: a real model takes seconds to draw.

    Example:
        >>> with undrawn():
        ...     normal(0.02)
        'zeros'
    """
    token = UNDRAWN.set(True)
    try:
        yield
    finally:
        UNDRAWN.reset(token)


def normal(std: float) -> Any:
    """The initializer of a matrix, for Keras."""
    return "zeros" if UNDRAWN.get() else keras.initializers.RandomNormal(stddev=std)
