"""How alike the activations of two positions are, in one layer or between two.

Claim C5 of Breaking Symmetry When Training Transformers (arXiv 2402.05969), and the
similarity of nearby positions of its follow-up (arXiv 2501.00073).
"""

from typing import NamedTuple

import numpy as np

from kit.errors import KitError
from kit.probes.linear import checked_activations


def layer_correlation(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Correlation [i, j] of position i in one layer with position j in another.

    With every unit (a feature at a position) centred over the samples,

        R[i, j] = sum_nf L[n, i, f] U[n, j, f] / sqrt(sum_nf L[n, i, f]^2 sum_nf
        U[n, j, f]^2)

    over samples n and features f. What is the same in all samples, positions
    included, drops out: R says how much of the *content* of slice i in the lower layer
    is found, unrotated, in slice j of the upper one. Claim C5 speaks of correlation
    matrices between layers; the paper's exact definition could not be verified, so
    this one is the kit's. A layer that rewrites its content in another basis has
    a small R whatever it keeps; `token_from_slice` does not depend on the basis.

    Args:
        lower: Activations of one layer, (samples, time, width).
        upper: Activations of another layer, same shape.

    Returns:
        (time, time) correlations in [-1, 1]; NaN where a position is the same in all
        samples, as `+` is in the embedding of a padded sum.

    Raises:
        KitError: If the shapes differ or a value is not finite.

    Example:
        >>> layer = np.random.default_rng(0).normal(size=(100, 3, 8))
        >>> print(np.diag(layer_correlation(layer, 2 * layer + 1)).round(6))
        [1. 1. 1.]
    """
    lower, upper = checked_activations(lower, 2), checked_activations(upper, 2)
    if lower.shape != upper.shape:
        raise KitError(
            f"activations of shapes {lower.shape} and {upper.shape}, expected the same",
            "Compare two layers of the residual stream on the same tokens",
        )
    lower, upper = _centred_directions(lower), _centred_directions(upper)
    return np.einsum("nif,njf->ij", lower, upper, optimize=True)


def diagonal_dominance(matrix: np.ndarray) -> float:
    """Mean of the diagonal over the mean absolute value off the diagonal.

    Large when each slice keeps its own content, about 1 or less when content is spread
    over the slices. NaN entries are left out.

    Example:
        >>> diagonal_dominance(np.array([[1.0, -0.5], [0.25, 0.5]]))
        2.0
    """
    matrix = np.asarray(matrix)
    diagonal = np.eye(len(matrix), dtype=bool)
    on, off = matrix[diagonal], np.abs(matrix[~diagonal])
    if np.isnan(on).all() or np.isnan(off).all():
        raise KitError(
            f"a {matrix.shape} matrix with no number on or off its diagonal",
            "Compare at least two positions that differ between samples",
        )
    return float(np.nanmean(on) / np.nanmean(off))


class PositionCosine(NamedTuple):
    """Mean cosine similarity of activations at neighbouring and distant positions."""

    neighbours: float
    distant: float


def position_cosine(activations: np.ndarray) -> np.ndarray:
    """Cosine similarity of positions i and j within a sample, mean over the samples.

    Args:
        activations: (samples, time, width).

    Returns:
        (time, time) similarities, the self-cosine matrix of arXiv 2501.00073.

    Raises:
        KitError: If the shape is another or a value is not finite.
    """
    return _cosines(activations).mean(axis=0)


def neighbour_cosine(
    activations: np.ndarray, min_distance: int | None = None
) -> PositionCosine:
    """Mean cosine of neighbouring positions, against that of distant ones.

    Args:
        activations: (samples, time, width).
        min_distance: Positions at least this far apart are distant; `time // 2` by
            default.

    Raises:
        KitError: If no two positions are that far apart.

    Example:
        >>> angle = np.linspace(0, np.pi, 5)  # positions along half a circle
        >>> arc = np.stack([np.cos(angle), np.sin(angle)], axis=-1)[None]
        >>> near, far = neighbour_cosine(arc, min_distance=4)
        >>> round(near, 3), round(far, 3)
        (0.707, -1.0)
    """
    matrix = position_cosine(activations)
    distance = _distances(len(matrix))
    min_distance = len(matrix) // 2 if min_distance is None else min_distance
    if not 2 <= min_distance < len(matrix):
        raise KitError(
            f"min_distance={min_distance} for {len(matrix)} positions, expected 2 to "
            f"{len(matrix) - 1}",
            "Take longer sequences or another distance",
        )
    near, far = matrix[distance == 1], matrix[distance >= min_distance]
    return PositionCosine(float(near.mean()), float(far.mean()))


def adjacency_probability(activations: np.ndarray) -> float:
    """Probability that a neighbour is more similar than a position that is none.

    Draw a sample, a position i, a neighbour a (|i - a| = 1) and another position
    j (|i - j| >= 2): how often is cos(i, a) > cos(i, j)? Ties count one half, so
    activations that know nothing of positions score 0.5. This follows the idea of the
    adjacency probability in arXiv 2501.00073, whose exact definition could not be
    verified.

    Args:
        activations: (samples, time, width) with at least 3 positions.

    Raises:
        KitError: If there are fewer than 3 positions or a value is not finite.

    Example:
        >>> steps = np.random.default_rng(0).normal(size=(20, 12, 64))
        >>> walk = steps.cumsum(axis=1)  # neighbours share most of their steps
        >>> adjacency_probability(walk) > 0.9
        True
    """
    cosines = _cosines(activations)
    time = cosines.shape[-1]
    if time < 3:
        raise KitError(
            f"{time} positions, expected at least 3", "Take longer sequences"
        )
    distance = _distances(time)
    wins = []
    for i in range(time):
        near = cosines[:, i, distance[i] == 1][:, :, None]
        other = cosines[:, i, distance[i] >= 2][:, None, :]
        if other.size:
            wins.append(np.mean((near > other) + 0.5 * (near == other)))
    return float(np.mean(wins))


def _centred_directions(activations: np.ndarray) -> np.ndarray:
    """Activations centred over samples, each position scaled to norm 1 over them."""
    centred = activations - activations.mean(axis=0)
    norm = np.sqrt(np.sum(centred**2, axis=(0, 2), keepdims=True))
    rounding = 1e-6 * np.sqrt(np.sum(activations**2, axis=(0, 2), keepdims=True))
    return centred / np.where(norm > rounding, norm, np.nan)


def _cosines(activations: np.ndarray) -> np.ndarray:
    """Cosine similarities within each sample, (samples, time, time)."""
    activations = checked_activations(activations)
    norm = np.linalg.norm(activations, axis=-1, keepdims=True)
    directions = activations / np.where(norm > 0, norm, 1.0)
    return directions @ np.swapaxes(directions, 1, 2)


def _distances(time: int) -> np.ndarray:
    return np.abs(np.subtract.outer(np.arange(time), np.arange(time)))
