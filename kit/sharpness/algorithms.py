"""What a symmetric matrix is like, from its products with vectors alone.

A matrix is a function of a flat vector, its `matvec`, and a size. NumPy, float64.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from kit.checks import whole

Matvec = Callable[[np.ndarray], np.ndarray]
Parts = Mapping[str, Iterable[slice]]


@dataclass(frozen=True)
class Estimate:
    """A mean of independent samples.

    Args:
        value: The mean.
        standard_error: Of the mean; NaN for a single sample.
        samples: How many.

    Example:
        >>> estimate = Estimate.of(np.array([1.0, 3.0, 2.0, 2.0]))
        >>> estimate.value, round(estimate.standard_error, 3)
        (2.0, 0.408)
    """

    value: float
    standard_error: float
    samples: int

    @classmethod
    def of(cls, samples: np.ndarray) -> "Estimate":
        """Mean and standard error of a vector of samples.

        Example:
            >>> Estimate.of(np.array([1.0, 3.0]))
            Estimate(value=2.0, standard_error=1.0, samples=2)
        """
        count = len(samples)
        spread = np.std(samples, ddof=1) if count > 1 else np.nan
        return cls(float(np.mean(samples)), float(spread / np.sqrt(count)), count)


def hutchinson(matvec: Matvec, size: int, samples: int = 32, seed: int = 0) -> Estimate:
    """The trace, as the mean of z . A z over random signs z (Hutchinson, 1989).

    The variance of a sample is 2 sum_{i != j} A_ij^2: a diagonal matrix needs one.

    Args:
        matvec: The product with a vector.
        size: Entries of the vector.
        samples: Products.
        seed: Of the signs.

    Example:
        >>> hutchinson(lambda v: np.array([1.0, 2.0, 4.0]) * v, 3, samples=2).value
        7.0
    """
    return hutchinson_parts(matvec, size, {"all": [slice(size)]}, samples, seed)["all"]


def hutchinson_parts(
    matvec: Matvec, size: int, parts: Parts, samples: int = 32, seed: int = 0
) -> dict[str, Estimate]:
    """Traces of diagonal blocks, all from the same products: sums of z_i (A z)_i.

    Args:
        matvec, size, samples, seed: As for `hutchinson`.
        parts: Where in the vector each block lies, as slices.

    Example:
        >>> double = lambda v: 2 * v
        >>> found = hutchinson_parts(double, 3, {"a": [slice(2)], "b": [slice(2, 3)]})
        >>> found["a"].value, found["b"].value
        (4.0, 2.0)
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(whole("samples", samples)):
        signs = rng.choice([-1.0, 1.0], size)
        diagonal = signs * matvec(signs)
        for name, slices in parts.items():
            found[name].append(sum(float(diagonal[part].sum()) for part in slices))
    return {name: Estimate.of(np.array(values)) for name, values in found.items()}


@dataclass(frozen=True)
class Eigenpair:
    """An eigenvalue with its vector, and how good it is.

    Args:
        value: v . A v.
        vector: v, of length 1.
        residual: The length of A v - value v: an eigenvalue of A is that near.
        products: How many were needed.

    Example:
        >>> pair = power_iteration(lambda v: 3 * v, 2)
        >>> round(pair.value, 6), pair.products, pair.residual < 1e-6
        (3.0, 1, True)
    """

    value: float
    vector: np.ndarray
    residual: float
    products: int


def power_iteration(
    matvec: Matvec,
    size: int,
    iterations: int = 100,
    tolerance: float = 1e-3,
    seed: int = 0,
) -> Eigenpair:
    """The eigenvalue of largest magnitude.

    Args:
        matvec, size: The matrix.
        iterations: Products at most.
        tolerance: Ends where the residual is this share of the eigenvalue.
        seed: Of the vector to start from.

    Example:
        >>> top = power_iteration(lambda v: np.array([1.0, -5.0, 2.0]) * v, 3)
        >>> round(top.value, 4)
        -5.0
    """
    vector = _unit(np.random.default_rng(seed).standard_normal(size))
    for done in range(1, whole("iterations", iterations) + 1):
        product = np.asarray(matvec(vector), "float64")
        value = float(vector @ product)
        residual = float(np.linalg.norm(product - value * vector))
        if residual <= tolerance * abs(value) or done == iterations:
            break
        vector = _unit(product)
    return Eigenpair(value, vector, residual, done)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


@dataclass(frozen=True)
class Ritz:
    """The eigenvalues of a matrix as a Krylov space sees them, in ascending order.

    Args:
        values: Ritz values; the outermost are the first to be eigenvalues.
        weights: Of Gauss quadrature: the squared first entries of the eigenvectors of
            the tridiagonal matrix. They sum to 1.
        residuals: The length of A y - value y for the vector y of each value.

    Example:
        >>> ritz = lanczos(lambda v: np.array([1.0, 3.0]) * v, 2, start=np.ones(2))
        >>> ritz.values.round(6).tolist(), ritz.weights.round(6).tolist()
        ([1.0, 3.0], [0.5, 0.5])
    """

    values: np.ndarray
    weights: np.ndarray
    residuals: np.ndarray


def lanczos(
    matvec: Matvec, size: int, steps: int = 20, start: np.ndarray | int = 0
) -> Ritz:
    """Lanczos (1950) with full re-orthogonalisation, twice at each step.

        beta_{k+1} q_{k+1} = A q_k - alpha_k q_k - beta_k q_{k-1}

    Args:
        matvec, size: The matrix.
        steps: Products, at most `size`; fewer where the space is exhausted.
        start: The vector to start from, or the seed of one.

    Returns:
        `Ritz`, one value for each step.

    Example:
        >>> diagonal = np.array([1.0, 3.0, 10.0])
        >>> lanczos(lambda v: diagonal * v, 3, steps=3).values.round(6).tolist()
        [1.0, 3.0, 10.0]
    """
    if not isinstance(start, np.ndarray):
        start = np.random.default_rng(start).standard_normal(size)
    steps = min(whole("steps", steps), size)
    basis = np.zeros((steps, size))
    diagonal, beside = np.zeros(steps), np.zeros(steps)
    vector, scale = _unit(start), 0.0
    for k in range(steps):
        basis[k] = vector
        product = np.asarray(matvec(vector), "float64")
        diagonal[k] = vector @ product
        scale = max(scale, float(np.linalg.norm(product)))
        for _ in range(2):  # once leaves errors of the size of what is left
            product = product - basis[: k + 1].T @ (basis[: k + 1] @ product)
        beside[k] = np.linalg.norm(product)
        if beside[k] <= 1e-12 * scale:
            steps = k + 1
            break
        vector = product / beside[k]
    return _ritz(diagonal[:steps], beside[:steps])


def _ritz(diagonal: np.ndarray, beside: np.ndarray) -> Ritz:
    inner = beside[:-1]
    matrix = np.diag(diagonal) + np.diag(inner, 1) + np.diag(inner, -1)
    values, vectors = np.linalg.eigh(matrix)
    return Ritz(values, vectors[0] ** 2, np.abs(beside[-1] * vectors[-1]))


@dataclass(frozen=True)
class Spectrum:
    """How the eigenvalues of a matrix are distributed, as weighted points.

    Args:
        values: Ritz values of all probes.
        weights: The share of the eigenvalues that each stands for; they sum to 1.
        size: Of the matrix.

    Example:
        >>> spectrum = Spectrum(np.array([0.0, 4.0]), np.array([0.75, 0.25]), 100)
        >>> spectrum.trace
        100.0
        >>> spectrum.density([0.0, 4.0], width=0.1).round(2).tolist()
        [2.99, 1.0]
    """

    values: np.ndarray
    weights: np.ndarray
    size: int

    @property
    def trace(self) -> float:
        """The sum of the eigenvalues."""
        return float(self.size * self.values @ self.weights)

    def density(self, grid: np.ndarray, width: float) -> np.ndarray:
        """The distribution on a grid, smoothed by a Gaussian of standard deviation
        `width`; its integral is 1."""
        distance = (np.asarray(grid, "float64")[:, None] - self.values) / width
        bells = np.exp(-0.5 * distance**2) / (width * np.sqrt(2 * np.pi))
        return bells @ self.weights


def spectral_density(
    matvec: Matvec, size: int, probes: int = 4, steps: int = 20, seed: int = 0
) -> Spectrum:
    """Stochastic Lanczos quadrature (Ubaru, Chen and Saad, 2017).

    Args:
        matvec, size: The matrix.
        probes: Random starts, of signs; averaged.
        steps: Lanczos steps of each: the products are `probes` times `steps`.
        seed: Of the starts.

    Example:
        >>> found = spectral_density(lambda v: 3 * v, 5, probes=1)
        >>> found.values.round(6).tolist(), round(found.trace, 6)
        ([3.0], 15.0)
    """
    rng = np.random.default_rng(seed)
    count = whole("probes", probes)
    starts = [rng.choice([-1.0, 1.0], size) for _ in range(count)]
    found = [lanczos(matvec, size, steps, start) for start in starts]
    return Spectrum(
        np.concatenate([ritz.values for ritz in found]),
        np.concatenate([ritz.weights for ritz in found]) / count,
        size,
    )
