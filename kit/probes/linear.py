"""What a linear readout can tell from activations: the position, or a token.

The readout is the linear discriminant: Gaussian classes with one common covariance,
fitted in closed form and judged on held-out sequences. Regression onto class
indicators would be shorter, but it cannot see the middle classes when the classes lie
in a row, as positions along a single direction do (Hastie, Tibshirani and Friedman,
The Elements of Statistical Learning, section 4.2).
"""

import numpy as np

from kit.errors import KitError

SHRINKAGE = 0.03  # share of the common covariance that is replaced by a sphere


def position_probe(
    activations: np.ndarray, seed: int = 0, shrinkage: float = SHRINKAGE
) -> float:
    """Held-out accuracy of reading the position index from one layer's activations.

    Half of the sequences fit the readout and the other half judge it. Chance is
    `1 / time`. Tokens that always stand at one place, such as `+` and `=` in a padded
    sum, give their position away: leave them out, or compare with the embedding.

    Args:
        activations: (samples, time, width).
        seed: Decides which half of the samples fits the readout.
        shrinkage: Weight of the spherical part of the covariance, in (0, 1].

    Raises:
        KitError: If the shape is another, a value is not finite, or there are fewer
            than 4 samples.

    Example:
        >>> noise = np.random.default_rng(0).normal(size=(64, 6, 8))
        >>> position = np.arange(6)[:, None]  # in every feature of every sample
        >>> position_probe(noise + 10 * position)
        1.0
    """
    activations = checked_activations(activations, min_samples=4)
    samples, time, width = activations.shape
    fit, judge = _halves(samples, seed)
    accuracy = discriminant_accuracy(
        activations[fit].reshape(-1, width),
        np.tile(np.arange(time), len(fit))[None],
        activations[judge].reshape(-1, width),
        np.tile(np.arange(time), len(judge))[None],
        shrinkage,
    )
    return float(accuracy[0])


def token_from_slice(
    activations: np.ndarray,
    tokens: np.ndarray,
    seed: int = 0,
    shrinkage: float = SHRINKAGE,
) -> np.ndarray:
    """Held-out accuracy [k, j] of reading the token at position k from slice j.

    Slice j is the stack of activations above position j (arXiv 2402.05969,
    introduction). If each slice keeps its own token, the diagonal stands out. A token
    that is the same in all samples is read everywhere with accuracy 1.

    Args:
        activations: One layer's activations, (samples, time, width).
        tokens: Token ids at the same positions, (samples, time).
        seed: Decides which half of the samples fits the readout.
        shrinkage: Weight of the spherical part of the covariance, in (0, 1].

    Returns:
        (time, time) accuracies: row k is the token's position, column j the slice.

    Raises:
        KitError: If the shapes do not match, a value is not finite, or there are
            fewer than 4 samples.

    Example:
        >>> tokens = np.random.default_rng(0).integers(0, 4, (400, 3))
        >>> one_hot = np.eye(4)[tokens]  # every slice holds its own token only
        >>> print(token_from_slice(one_hot, tokens).diagonal())
        [1. 1. 1.]
    """
    activations = checked_activations(activations, min_samples=4)
    tokens = np.asarray(tokens)
    if tokens.shape != activations.shape[:2]:
        raise KitError(
            f"tokens of shape {tokens.shape} for activations of shape "
            f"{activations.shape}, expected {activations.shape[:2]}",
            "Pass the tokens that went into the model, one for each position",
        )
    fit, judge = _halves(len(tokens), seed)
    columns = [
        discriminant_accuracy(
            activations[fit, j],
            tokens[fit].T,
            activations[judge, j],
            tokens[judge].T,
            shrinkage,
        )
        for j in range(tokens.shape[1])
    ]
    return np.stack(columns, axis=1)


def discriminant_accuracy(
    fit: np.ndarray,
    fit_labels: np.ndarray,
    judge: np.ndarray,
    judge_labels: np.ndarray,
    shrinkage: float = SHRINKAGE,
) -> np.ndarray:
    """Accuracy of linear discriminants on `judge`, one for each row of labels.

    Args:
        fit: Features to fit on, (rows, width).
        fit_labels: Class indices, (targets, rows).
        judge: Features to judge on, (other rows, width).
        judge_labels: Class indices, (targets, other rows).
        shrinkage: Weight of the spherical part of the covariance, in (0, 1].

    Returns:
        (targets,) shares of `judge` rows that are told right.
    """
    mean, spread = fit.mean(axis=0), fit.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    fit, judge = (fit - mean) / spread, (judge - mean) / spread
    classes = np.arange(max(fit_labels.max(), judge_labels.max()) + 1)
    members = (fit_labels[:, None] == classes[:, None]).astype(fit.dtype)
    counts = members.sum(axis=-1, keepdims=True)  # (targets, classes, 1)
    means = members @ fit / np.maximum(counts, 1)  # (targets, classes, width)
    between = np.swapaxes(counts * means, 1, 2) @ means
    within = (fit.T @ fit - between) / len(fit)  # (targets, width, width)
    sphere = np.trace(fit.T @ fit) / fit.size or 1.0
    covariance = (1 - shrinkage) * within + shrinkage * sphere * np.eye(fit.shape[1])
    # log p(class | x) = x . w + b up to a constant, with w = covariance^-1 mean
    weights = np.linalg.solve(covariance, np.swapaxes(means, 1, 2))
    prior = np.where(counts > 0, np.log(np.maximum(counts, 1)), -np.inf)
    bias = np.swapaxes(prior, 1, 2) - 0.5 * np.sum(
        np.swapaxes(means, 1, 2) * weights, axis=1, keepdims=True
    )
    guesses = np.argmax(judge @ weights + bias, axis=-1)  # (targets, other rows)
    return np.mean(guesses == judge_labels, axis=-1)


def checked_activations(activations: np.ndarray, min_samples: int = 1) -> np.ndarray:
    """`activations` as float64, or a KitError if they cannot be probed."""
    activations = np.asarray(activations)
    if activations.ndim != 3:
        raise KitError(
            f"activations of shape {activations.shape}, expected three axes: "
            "(samples, time, width)",
            "Pass the activations of one layer, without heads",
        )
    if len(activations) < min_samples:
        raise KitError(
            f"{len(activations)} samples, expected at least {min_samples}",
            "Collect the activations of more sequences",
        )
    activations = activations.astype(np.float64)
    if not np.isfinite(activations).all():
        raise KitError(
            "activations hold values that are not finite",
            "Probe a model that did not diverge",
        )
    return activations


def _halves(samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(seed).permutation(samples)
    return order[: samples // 2], order[samples // 2 :]
