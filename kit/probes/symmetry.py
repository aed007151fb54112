"""Does a model know the order of its tokens, and where does it keep it?

The probes for Breaking Symmetry When Training Transformers (arXiv 2402.05969): the
permutation test of claim C1 is here, the readouts of positions and tokens (C3) come
from `kit.probes.linear`, the similarities of positions (C5) from
`kit.probes.positions`.
"""

from collections.abc import Callable

import numpy as np

from kit.errors import KitError
from kit.probes.linear import position_probe, token_from_slice
from kit.probes.positions import (
    PositionCosine,
    adjacency_probability,
    diagonal_dominance,
    layer_correlation,
    neighbour_cosine,
    position_cosine,
)

__all__ = [
    "INVARIANCE_TOLERANCE",
    "PositionCosine",
    "adjacency_probability",
    "diagonal_dominance",
    "layer_correlation",
    "neighbour_cosine",
    "permutation_change",
    "position_cosine",
    "position_probe",
    "token_from_slice",
]

# Sums of float32 numbers in another order leave up to 2e-6 of the logits' size; what
# knows the order moves them by 1e-2 and more.
INVARIANCE_TOLERANCE = 1e-5


def permutation_change(
    predict: Callable[[np.ndarray], np.ndarray],
    tokens: np.ndarray,
    positions: np.ndarray | None = None,
    rng: int | np.random.Generator = 0,
    repeats: int = 4,
    value: Callable[[np.ndarray], np.ndarray] | None = None,
) -> float:
    """Largest change of the last position's logits when earlier tokens trade places.

    The change is divided by the largest absolute logit: zero up to rounding
    (`INVARIANCE_TOLERANCE`) means that the prediction does not depend on the order.

    Args:
        predict: From tokens (batch, time) to logits (batch, time, vocabulary), or to
            the last position's logits (batch, vocabulary), as NumPy arrays.
        tokens: Token ids, (batch, time).
        positions: Which positions may trade places; all but the last by default. Each
            sample has its own permutations.
        rng: Seed or generator of the permutations.
        repeats: Number of permutations of each sample.
        value: From tokens (batch, time) to what they mean (batch,), such as the sum.
            If given, only permutations that change it count: swapping the units of
            two operands does not, and a good model would rightly ignore it.

    Raises:
        KitError: If the last position would move, or no permutation changes `value`.

    Example:
        >>> tokens = np.array([[1, 2, 3, 0], [3, 0, 2, 1]])
        >>> one_hot = np.eye(4)
        >>> permutation_change(lambda t: one_hot[t].sum(axis=1), tokens)
        0.0
        >>> permutation_change(lambda t: one_hot[t[:, 0]], tokens)
        1.0
    """
    tokens = np.asarray(tokens)
    last = tokens.shape[1] - 1
    positions = np.arange(last) if positions is None else np.asarray(positions)
    if last in positions % tokens.shape[1]:
        raise KitError(
            f"positions {positions.tolist()} hold the last position, {last}",
            "Permute earlier positions only: the prediction is read at the last one",
        )
    rng = np.random.default_rng(rng)
    logits = _last_logits(predict, tokens)
    change, scale = 0.0, np.abs(logits).max()
    for _ in range(repeats):
        rows, permuted = _permuted(tokens, positions, rng, value)
        difference = _last_logits(predict, permuted)[rows] - logits[rows]
        change = max(change, np.abs(difference).max())
    return float(change / scale) if change else 0.0


def _last_logits(
    predict: Callable[[np.ndarray], np.ndarray], tokens: np.ndarray
) -> np.ndarray:
    logits = np.asarray(predict(tokens)).astype(np.float64)
    return logits[:, -1] if logits.ndim == 3 else logits


def _permuted(
    tokens: np.ndarray,
    positions: np.ndarray,
    rng: np.random.Generator,
    value: Callable[[np.ndarray], np.ndarray] | None,
    tries: int = 20,
) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose value changed, and all tokens with `positions` permuted row by row."""
    permuted = tokens.copy()
    waiting = np.arange(len(tokens))
    for _ in range(tries):
        shuffled = rng.permuted(tokens[np.ix_(waiting, positions)], axis=1)
        permuted[np.ix_(waiting, positions)] = shuffled
        if value is None:
            return np.arange(len(tokens)), permuted
        same = np.asarray(value(permuted)) == np.asarray(value(tokens))
        waiting = np.flatnonzero(same)
    if same.all():
        raise KitError(
            f"no permutation of positions {positions.tolist()} changed the value",
            "Take samples and positions whose order matters",
        )
    return np.flatnonzero(~same), permuted
