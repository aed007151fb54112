"""Traces, eigenvalues and densities of matrices that are known."""

import math

import numpy as np
import pytest

from kit.errors import KitError
from kit.sharpness.algorithms import (
    hutchinson,
    hutchinson_parts,
    lanczos,
    power_iteration,
    spectral_density,
)

SIZE = 60


def matrix_of(eigenvalues, seed=0):
    """A symmetric matrix with these eigenvalues, in a random basis."""
    size = len(eigenvalues)
    basis, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    return basis @ np.diag(eigenvalues) @ basis.T


@pytest.fixture(scope="module")
def eigenvalues():
    """A bulk at zero, a few outliers and a negative one, as losses have them."""
    bulk = np.random.default_rng(1).normal(scale=0.05, size=SIZE - 4)
    return np.sort(np.concatenate([bulk, [-2.0, 3.0, 5.0, 9.0]]))


@pytest.fixture(scope="module")
def matrix(eigenvalues):
    return matrix_of(eigenvalues)


def test_the_trace_of_a_diagonal_matrix_needs_one_sample():
    diagonal = np.arange(1.0, 8.0)
    found = hutchinson(lambda v: diagonal * v, 7, samples=3)
    assert found.value == diagonal.sum()
    assert found.standard_error == 0


@pytest.mark.slow
def test_the_standard_error_is_honest(matrix):
    """It has the closed form of Rademacher signs, and the misses that go with it."""
    runs = [hutchinson(matrix.__matmul__, SIZE, 50, seed) for seed in range(400)]
    beside = matrix - np.diag(np.diag(matrix))
    expected = math.sqrt(2 * (beside**2).sum() / 50)
    misses = np.array([run.value - np.trace(matrix) for run in runs])
    errors = np.array([run.standard_error for run in runs])
    # Spread of a standard deviation from n normal samples: a share 1 / sqrt(2 n).
    assert misses.std() == pytest.approx(expected, rel=4 / math.sqrt(2 * 400))
    assert np.sqrt((errors**2).mean()) == pytest.approx(expected, rel=0.05)
    assert abs(misses.mean()) < 4 * expected / math.sqrt(400)
    # 95.4 % of normal misses are within two standard errors; 4 deviations of a share.
    within = np.mean(np.abs(misses) < 2 * errors)
    assert abs(within - 0.954) < 4 * math.sqrt(0.954 * 0.046 / 400) + 0.01


def test_traces_of_parts_come_from_the_same_products(matrix):
    products = []

    def matvec(vector):
        products.append(vector)
        return matrix @ vector

    parts = {"ends": [slice(0, 10), slice(50, SIZE)], "middle": [slice(10, 50)]}
    found = hutchinson_parts(matvec, SIZE, parts, samples=400)
    assert len(products) == 400
    whole = hutchinson(matrix.__matmul__, SIZE, samples=400)
    assert sum(f.value for f in found.values()) == pytest.approx(whole.value)
    diagonal = np.diag(matrix)
    middle = diagonal[10:50].sum()
    ends = diagonal.sum() - middle
    for name, trace in {"middle": middle, "ends": ends}.items():
        assert abs(found[name].value - trace) < 4 * found[name].standard_error


def test_one_sample_has_no_standard_error(matrix):
    assert math.isnan(hutchinson(matrix.__matmul__, SIZE, samples=1).standard_error)


@pytest.mark.parametrize("sign", [1, -1])
def test_power_iteration_finds_the_largest_magnitude(matrix, sign):
    top = power_iteration(lambda v: sign * (matrix @ v), SIZE, 200, tolerance=1e-8)
    assert top.value == pytest.approx(sign * 9.0, rel=1e-8)
    assert np.linalg.norm(top.vector) == pytest.approx(1)
    assert top.residual <= 1e-8 * 9
    assert top.products < 200


def test_the_residual_bounds_the_distance_to_an_eigenvalue(matrix, eigenvalues):
    for iterations in (1, 2, 4, 8):
        top = power_iteration(matrix.__matmul__, SIZE, iterations, tolerance=0)
        assert top.products == iterations
        gap = np.abs(eigenvalues - top.value).min()
        assert gap <= top.residual + 1e-12
    ritz = lanczos(matrix.__matmul__, SIZE, 6)
    for value, residual in zip(ritz.values, ritz.residuals, strict=True):
        assert np.abs(eigenvalues - value).min() <= residual + 1e-12


def test_power_iteration_of_zero_ends():
    top = power_iteration(lambda v: 0 * v, 5)
    assert (top.value, top.residual, top.products) == (0, 0, 1)


def test_lanczos_with_all_steps_has_the_spectrum(matrix, eigenvalues):
    ritz = lanczos(matrix.__matmul__, SIZE, SIZE)
    np.testing.assert_allclose(ritz.values, eigenvalues, atol=1e-10)
    assert ritz.weights.sum() == pytest.approx(1)


def test_the_basis_stays_orthogonal():
    """Without re-orthogonalisation the large eigenvalue would come back as a ghost."""
    eigenvalues = np.concatenate([np.linspace(0, 1, 199), [1e4]])
    matrix = matrix_of(eigenvalues)
    ritz = lanczos(matrix.__matmul__, 200, 80)
    assert np.sum(ritz.values > 100) == 1
    assert ritz.values[-1] == pytest.approx(1e4)


def test_lanczos_stops_where_the_space_is_exhausted():
    """Three different eigenvalues span a Krylov space of three dimensions."""
    matrix = matrix_of(np.repeat([-1.0, 2.0, 5.0], 10))
    ritz = lanczos(matrix.__matmul__, 30, 20)
    np.testing.assert_allclose(ritz.values, [-1, 2, 5], atol=1e-9)


@pytest.mark.parametrize("power", range(8))
def test_quadrature_of_k_steps_is_exact_up_to_degree_2k_less_1(matrix, power):
    """v . A^p v for the unit start v, as a sum over four Ritz values."""
    start = np.random.default_rng(3).normal(size=SIZE)
    ritz = lanczos(matrix.__matmul__, SIZE, 4, start)
    unit = start / np.linalg.norm(start)
    expected = unit @ np.linalg.matrix_power(matrix, power) @ unit
    assert ritz.weights @ ritz.values**power == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_the_density_is_that_of_the_eigenvalues(matrix, eigenvalues):
    found = spectral_density(matrix.__matmul__, SIZE, probes=200, steps=25)
    assert found.weights.sum() == pytest.approx(1)
    # Errors of the trace and of shares fall with the square root of the probes.
    assert found.trace == pytest.approx(np.trace(matrix), abs=4)
    grid, width = np.linspace(-4, 11, 1501), 0.25
    density = found.density(grid, width)
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=1e-3)
    bells = np.exp(-0.5 * ((grid[:, None] - eigenvalues) / width) ** 2)
    expected = bells.mean(axis=1) / (width * math.sqrt(2 * math.pi))
    assert np.abs(density - expected).max() < 0.02 * expected.max()
    near = np.abs(found.values[:, None] - [-2.0, 3.0, 5.0, 9.0]) < 0.2
    shares = found.weights @ near
    np.testing.assert_allclose(shares, 1 / SIZE, rtol=0.35)


def test_seeds_give_other_samples_and_the_same_again(matrix):
    runs = [hutchinson(matrix.__matmul__, SIZE, 4, seed).value for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("count", [0, 1.5, True])
def test_a_number_of_products_is_whole(count):
    for call in (
        lambda: hutchinson(np.negative, 3, samples=count),
        lambda: power_iteration(np.negative, 3, iterations=count),
        lambda: lanczos(np.negative, 3, steps=count),
        lambda: spectral_density(np.negative, 3, probes=count),
    ):
        with pytest.raises(KitError, match="whole number"):
            call()
