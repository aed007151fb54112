# /// exercise
# id = "hutchinson"
# title = "A trace from random signs"
# paper = "2502.19002"
# section = "section 3, sharpness as a trace"
# concepts = ["Hutchinson's estimator", "standard error", "Hessian-vector products"]
# prerequisites = ["fisher_estimate"]
# difficulty = 3
# minutes = 25
# points = 3
# ///

# %% statement [markdown]
# The Fisher estimate leans on a theory. To check it, the trace of the true Hessian is
# needed, and that matrix can never be written down: a million parameters make 10¹²
# numbers. But its *product with a vector* costs no more than two gradients, and
# Hutchinson (1989) found that products are enough. For a vector z of random signs,
#
#     z · A z = trace of A + (terms z_i A_ij z_j with i ≠ j, of mean zero)
#
# The same product serves all blocks at once: the part of the sum that belongs to the
# places of a block estimates the trace of that block.
#
# Write `block_traces(product, probes, groups)`. For each probe call `product` **once**,
# and sum z_i (A z)_i over the places of each group. Return the mean over the probes,
# and its standard error: the standard deviation (with n - 1) over √n.
#
# By hand: A = [[1, 2], [2, 5]] and z = (1, -1) make A z = (-1, -3), so that two groups
# of one place each get -1 and 3. The probe (1, 1) gives 3 and 7. The means are the true
# 1 and 5, with standard errors of 2.
#
# Out of scope: making the product, or the signs.

# %% stub
import numpy as np


def block_traces(product, probes, groups):
    """Traces of the diagonal blocks of a symmetric matrix that is never seen.

    Args:
        product: Function of a float array (size,) that returns the matrix times it.
        probes: float32 (n, size) of random signs, at least two probes.
        groups: int32 (size,), the group of each place, from 0 without a gap.

    Returns:
        Two float32 arrays (groups,): the estimates, and their standard errors.
    """
    raise NotImplementedError("block_traces is not done yet")


# %% example
matrix = np.array([[1.0, 2.0], [2.0, 5.0]])
probes = np.array([[1.0, -1.0], [1.0, 1.0]])
traces, errors = block_traces(lambda z: matrix @ z, probes, np.array([0, 1]))
np.testing.assert_allclose(traces, [1.0, 5.0])
np.testing.assert_allclose(errors, [2.0, 2.0])


# %% reference
def block_traces(product, probes, groups):
    samples = np.array([np.bincount(groups, z * product(z)) for z in probes])
    errors = samples.std(axis=0, ddof=1) / np.sqrt(len(probes))
    return samples.mean(axis=0), errors


# %% hint 1 [markdown]
# If you did not add up z_i (A z)_i at all, what would you have in your hands? How many
# products do you need for ten blocks, if that is what you keep from each?

# %% hint 2 [markdown]
# `np.bincount(groups, weights)` adds up weights by group. `np.std` divides by n unless
# it is told `ddof=1`, and gives the spread of one sample, not of a mean.

# %% hint 3 [markdown]
# For each probe the entrywise product of z and A z, summed by group: a row. All rows in
# one array, of which you need the mean and the spread down the columns.


# %% right answer="running sums"
def block_traces(product, probes, groups):
    members = np.equal.outer(np.arange(groups.max() + 1), groups).astype("float64")
    first = second = 0.0
    for z in probes:
        value = members @ (z.astype("float64") * np.asarray(product(z), "float64"))
        first, second = first + value, second + value**2
    n = len(probes)
    variance = np.maximum(second - first**2 / n, 0.0) / (n - 1)
    return first / n, np.sqrt(variance / n)


# %% wrong answer="a probe for each block" caught_by="all_groups"
# The probe is cut down to one block at a time. That is right on average as well, but
# needs a product for each block, where one for all would do.
def block_traces(product, probes, groups):
    samples = []
    for z in probes:
        cut = [np.where(groups == g, z, 0.0) for g in range(groups.max() + 1)]
        samples.append([part @ product(part) for part in cut])
    samples = np.array(samples)
    return samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(len(probes))


# %% wrong answer="the whole sum for each" caught_by="all_groups"
# Every group gets the whole sum z · A z. Add up only the places of the group.
def block_traces(product, probes, groups):
    samples = np.array([[z @ product(z)] * (groups.max() + 1) for z in probes])
    return samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(len(probes))


# %% wrong answer="no sign on the left" caught_by="one_group"
# A z is added up without the signs in front. Its mean is zero: only the same sign on
# both sides makes z_i A_ii z_i equal to A_ii.
def block_traces(product, probes, groups):
    samples = np.array([np.bincount(groups, product(z)) for z in probes])
    return samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(len(probes))


# %% wrong answer="squares of the product" caught_by="one_group"
# The entries of A z are squared. That is an estimate of the trace of A², the sum of the
# squared eigenvalues, and it knows no negative ones.
def block_traces(product, probes, groups):
    samples = np.array([np.bincount(groups, product(z) ** 2) for z in probes])
    return samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(len(probes))


# %% wrong answer="no negative terms" caught_by="one_group"
# Absolute values are taken before the sum. A Hessian has negative curvature too, and
# the terms that should cancel no longer do.
def block_traces(product, probes, groups):
    samples = np.array([np.bincount(groups, abs(z * product(z))) for z in probes])
    return samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(len(probes))


# %% wrong answer="ones for signs" caught_by="one_group"
# The probes are not used: with ones in their place the result is the sum of *all*
# entries of the block's rows, and the mean of that is no trace.
def block_traces(product, probes, groups):
    samples = np.array([np.bincount(groups, product(np.ones_like(z))) for z in probes])
    return samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(len(probes))


# %% wrong answer="mean over places" caught_by="one_group"
# This is the trace divided by the number of places, the sharpness. Here the trace
# itself is wanted.
def block_traces(product, probes, groups):
    sizes = np.bincount(groups)
    samples = np.array([np.bincount(groups, z * product(z)) / sizes for z in probes])
    return samples.mean(axis=0), samples.std(axis=0, ddof=1) / np.sqrt(len(probes))


# %% wrong answer="spread of a sample" caught_by="one_group"
# The second array is the standard deviation of one sample. The mean of n samples is
# surer by a factor of √n.
def block_traces(product, probes, groups):
    samples = np.array([np.bincount(groups, z * product(z)) for z in probes])
    return samples.mean(axis=0), samples.std(axis=0, ddof=1)


# %% wrong answer="divided by n" caught_by="one_group"
# The spread is divided by n instead of n - 1, and so comes out too small: the mean was
# fitted to the same samples.
def block_traces(product, probes, groups):
    samples = np.array([np.bincount(groups, z * product(z)) for z in probes])
    return samples.mean(axis=0), samples.std(axis=0) / np.sqrt(len(probes))


# %% driver
import answer
import numpy as np


def measured(matrix, probes, groups):
    asked = []

    def product(vector):
        asked.append(1)
        return matrix.astype("float64") @ np.asarray(vector, "float64")

    traces, errors = answer.block_traces(product, probes, groups)
    return traces, errors, np.array(len(asked))


def traces_alone(matrix, probes, groups):
    return measured(matrix, probes, groups)[0]


# %% checks
import itertools

import numpy as np

from kit.grading.cases import call, check, floats, integers


def draw(rng, size, n):
    matrix = rng.standard_normal((size, size))
    return matrix + matrix.T, rng.choice([-1.0, 1.0], size=(n, size))


def case(matrix, probes, groups):
    shapes = [floats(max(groups) + 1), floats(max(groups) + 1), integers()]
    return call(
        matrix,
        probes,
        np.array(groups),
        returns=tuple(shapes),
        function="measured",
        shown=f"block_traces of {len(probes)} probes, groups {np.array(groups)}:\n"
        "arrays are (1) traces, (2) standard errors, (3) how often product was called",
    )


@check
def example(rng):
    """the example: two places"""
    matrix = np.array([[1.0, 2.0], [2.0, 5.0]])
    yield case(matrix, np.array([[1.0, -1.0], [1.0, 1.0]]), [0, 1])


@check
def one_group(rng):
    """the trace of the whole matrix"""
    for n in (4, 7):
        yield case(*draw(rng, 6, n), [0] * 6)


@check
def all_groups(rng):
    """three blocks, not side by side"""
    for n in (4, 9):
        groups = rng.permutation([0, 0, 0, 1, 1, 2, 2, 2])
        yield case(*draw(rng, 8, n), groups)


@check
def all_signs(rng):
    """with all possible signs the traces are exact"""
    matrix, _ = draw(rng, 5, 2)
    probes = np.array(list(itertools.product([-1.0, 1.0], repeat=5)))
    groups = rng.permutation([0, 0, 1, 1, 1])
    yield call(
        matrix,
        probes,
        groups,
        returns=floats(2),
        function="traces_alone",
        expected=np.bincount(groups, np.diag(matrix)),
        shown="the traces of block_traces, with all 32 probes that there are",
    )


@check(hidden=True)
def diagonal(rng):
    """a diagonal matrix, of which each probe knows everything"""
    yield case(np.diag(rng.standard_normal(6)), draw(rng, 6, 3)[1], [0, 1, 0, 1, 0, 1])
