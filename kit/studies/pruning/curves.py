"""Loss over sparsity, and the names of metrics at a sparsity; no Keras is needed."""

from collections.abc import Mapping, Sequence

import numpy as np

TOLD = 0.375  # the middle of the paper's sparsities, and that of its downstream tasks
SHORT = 0.005  # of a sparsity: neurons are whole


def loss_at(sparsity: float) -> str:
    """The metric that is the loss at a sparsity.

    Example:
        >>> loss_at(0.375)
        'loss_at_37.5%'
    """
    return at("loss", sparsity)


def at(name: str, sparsity: float) -> str:
    """A metric at a sparsity.

    Example:
        >>> at("seconds", 0.5)
        'seconds_at_50%'
    """
    return f"{name}_at_{100 * sparsity:g}%"


def on_the_curve(
    points: Sequence[Mapping[str, float]], name: str, sparsity: float
) -> float | None:
    """A number at a sparsity, between the two points beside it; None beyond the last.

    Methods that remove whole blocks reach more than was asked for, so all are compared
    at the same place of their curves. `SHORT` of it is reached.

    Args:
        points: With `reached` and the number; the dense model is one, at 0.

    Example:
        >>> points = [{"reached": 0.0, "loss": 3.0}, {"reached": 0.5, "loss": 5.0}]
        >>> on_the_curve(points, "loss", 0.25), on_the_curve(points, "loss", 0.75)
        (4.0, None)
    """
    ordered = sorted(points, key=lambda point: point["reached"])
    places = [point["reached"] for point in ordered]
    if sparsity > places[-1] + SHORT:
        return None
    return float(np.interp(sparsity, places, [point[name] for point in ordered]))
