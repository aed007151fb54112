# /// exercise
# id = "power_iteration"
# title = "The sharpest direction"
# paper = "2502.19002"
# section = "section 1, sharp directions and the edge of stability"
# concepts = ["power iteration", "Rayleigh quotient", "edge of stability"]
# prerequisites = ["hutchinson"]
# difficulty = 3
# minutes = 20
# points = 2
# ///

# %% statement [markdown]
# A trace is a sum over all directions. A learning rate breaks on a single one: gradient
# descent with rate η blows up along every direction whose curvature is above 2/η. So
# the *largest* eigenvalue limits the learning rate of a block. Products find that one
# too: multiply any vector by A again and again, and it turns towards the eigenvector
# whose eigenvalue is largest in size.
#
# Write
#
# - `restricted(product, places, size)`: the product of the block at `places` of a
#   matrix of `size`. A vector of the block is put at its places in a vector of zeros;
#   of its product the same places are returned.
# - `top_eigenvalue(product, start, steps)`: from v = start / ‖start‖ each step does,
#   with a single product,
#
#       value = v · A v,   residual = ‖A v - value v‖,   v = A v / ‖A v‖
#
#   and value and residual of the last step are returned. No eigenvalue of A is farther
#   from the value than the residual, so it says how good the answer is.
#
# By hand: for the diagonal matrix of 1 and -3 and the start (1, 1), the first step
# finds -1 with residual 2, the second -2.6 with residual 1.2. Values keep their sign.

# %% stub
import numpy as np


def restricted(product, places, size):
    """The diagonal block of a symmetric matrix, as a product.

    Args:
        product: Function of a float array (size,) that returns the matrix times it.
        places: int32 (n,), where the block is, in any order.
        size: Whole number, size of the matrix.

    Returns:
        A function of a float array (n,) that returns the block times it.
    """
    raise NotImplementedError("restricted is not done yet")


def top_eigenvalue(product, start, steps):
    """The eigenvalue of largest size, by power iteration.

    Args:
        product: Function of a float array (size,) that returns the matrix times it.
        start: float32 (size,), not zero.
        steps: How often to multiply, from 1.

    Returns:
        Two numbers, the value and the residual of the last step.
    """
    raise NotImplementedError("top_eigenvalue is not done yet")


# %% example
diagonal = np.array([1.0, -3.0])
value, residual = top_eigenvalue(lambda v: diagonal * v, np.ones(2), steps=2)
np.testing.assert_allclose([value, residual], [-2.6, 1.2])
block = restricted(lambda v: 2 * v, np.array([3, 1]), size=4)
np.testing.assert_allclose(block(np.array([1.0, 5.0])), [2.0, 10.0])


# %% reference
def restricted(product, places, size):
    rows = np.eye(size)[places]  # they put a vector of the block at its places
    return lambda vector: product(vector @ rows)[places]


def top_eigenvalue(product, start, steps):
    v = start / np.linalg.norm(start)
    for _ in range(steps):
        turned = product(v)
        value = v @ turned
        residual = np.linalg.norm(turned - value * v)
        v = turned / np.linalg.norm(turned)
    return value, residual


# %% hint 1 [markdown]
# A length is never negative, an eigenvalue may be. Which of the two do you get from the
# size of A v, and which from v · A v?

# %% hint 2 [markdown]
# `np.linalg.norm` is the length of a vector, `@` the inner product. A vector of zeros
# that is indexed with `places` takes the block in, and the same index takes it out.

# %% hint 3 [markdown]
# Inside the loop four lines, in this order: the product, kept under a name of its own;
# the inner product; the length of what is left; the next v. For the block, a function
# inside the function, of three lines.


# %% right answer="at its places"
def restricted(product, places, size):
    def block(vector):
        whole = np.zeros(size)
        whole[places] = vector
        return product(whole)[places]

    return block


def top_eigenvalue(product, start, steps):
    after = start.astype("float64")
    for _ in range(steps):
        v = after / np.sqrt(np.sum(after**2))
        after = product(v)
    value = np.sum(v * after)
    return value, np.sqrt(np.sum((after - value * v) ** 2))


# %% wrong answer="length for value" caught_by="negative"
# The value is the length of A v, which has no sign. The Rayleigh quotient v · A v keeps
# it: a large negative eigenvalue is no sharp valley but a ridge.
def top_eigenvalue(product, start, steps):
    v = start / np.linalg.norm(start)
    for _ in range(steps):
        turned = product(v)
        value = np.linalg.norm(turned)
        residual = np.linalg.norm(turned - value * v)
        v = turned / value
    return value, residual


# %% wrong answer="start as it is" caught_by="first_step"
# The start is not divided by its length, so that the first value is too large by its
# square.
def top_eigenvalue(product, start, steps):
    v = start
    for _ in range(steps):
        turned = product(v)
        value = v @ turned
        residual = np.linalg.norm(turned - value * v)
        v = turned / np.linalg.norm(turned)
    return value, residual


# %% wrong answer="one product more" caught_by="several_steps"
# More products are used than there are steps. Keep A v under a name: value, residual
# and the next vector are all made of it, and products are what costs.
def top_eigenvalue(product, start, steps):
    v = start / np.linalg.norm(start)
    for _ in range(steps - 1):
        v = product(v) / np.linalg.norm(product(v))
    value = v @ product(v)
    return value, np.linalg.norm(product(v) - value * v)


# %% wrong answer="residual squared" caught_by="first_step"
# The residual is squared. As a length it can be compared with the value.
def top_eigenvalue(product, start, steps):
    v = start / np.linalg.norm(start)
    for _ in range(steps):
        turned = product(v)
        value = v @ turned
        residual = np.sum((turned - value * v) ** 2)
        v = turned / np.linalg.norm(turned)
    return value, residual


# %% wrong answer="never divided" caught_by="huge"
# The vector is never brought back to length 1. It grows by a factor at each step, and
# in the end no floating-point number can hold it.
def top_eigenvalue(product, start, steps):
    v = start.astype("float64")
    for _ in range(steps):
        before, v = v, product(v)
    length = np.linalg.norm(before)
    value = before @ v / length**2
    return value, np.linalg.norm(v - value * before) / length


# %% wrong answer="ones around the block" caught_by="blocks"
# The rest of the whole vector is not zero, so that other parts of the matrix come in.
def restricted(product, places, size):
    def block(vector):
        whole = np.ones(size)
        whole[places] = vector
        return product(whole)[places]

    return block


# %% wrong answer="at the front" caught_by="blocks"
# The block is taken to be at the front of the matrix. It is at `places`.
def restricted(product, places, size):
    def block(vector):
        whole = np.zeros(size)
        whole[: len(places)] = vector
        return product(whole)[: len(places)]

    return block


# %% driver
import answer
import numpy as np


def counted(matrix):
    asked = []

    def product(vector):
        asked.append(1)
        return matrix.astype("float64") @ np.asarray(vector, "float64")

    return product, asked


def found(matrix, start, steps):
    product, asked = counted(matrix)
    with np.errstate(over="ignore", invalid="ignore"):
        value, residual = answer.top_eigenvalue(product, start, steps)
    return np.array([value, residual], "float32"), np.array(len(asked))


def of_block(matrix, places, vector):
    block = answer.restricted(counted(matrix)[0], places, len(matrix))
    return np.asarray(block(vector.astype("float64")))


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats, integers


def symmetric(rng, eigenvalues):
    basis, _ = np.linalg.qr(rng.standard_normal((len(eigenvalues),) * 2))
    return basis * np.array(eigenvalues, "float64") @ basis.T


def case(rng, eigenvalues, steps, scale=1.0):
    start = 2.0 * rng.standard_normal(len(eigenvalues))
    return call(
        scale * symmetric(rng, eigenvalues),
        start,
        steps,
        returns=(floats(2), integers()),
        function="found",
        shown=f"top_eigenvalue of a matrix with the eigenvalues {eigenvalues}, {steps} "
        "steps;\narrays are (1) value and residual, (2) how often product was called",
    )


@check
def example(rng):
    """the example: 1 and -3"""
    shown = "top_eigenvalue of the diagonal matrix of 1 and -3, 2 steps"
    options = {"returns": (floats(2), integers()), "function": "found", "shown": shown}
    yield call(np.diag([1.0, -3.0]), np.ones(2), 2, **options)


@check
def first_step(rng):
    """one step"""
    yield case(rng, [5, 3, 2, 1, -1], 1)
    yield case(rng, [4, 1, 0, -3], 1)


@check
def several_steps(rng):
    """three and eight steps"""
    yield case(rng, [5, 3, 2, 1, -1], 3)
    yield case(rng, [9, 3, 2, 2, 1, -4], 8)


@check
def negative(rng):
    """the largest in size is negative"""
    yield case(rng, [3, 2, 1, -6], 2)
    yield case(rng, [2, 1, 0, -9], 30)


@check
def blocks(rng):
    """a block of a matrix"""
    for n in (2, 4):
        matrix = symmetric(rng, [5, 4, 3, 2, 1, -1, -2])
        places, vector = rng.permutation(7)[:n], rng.standard_normal(n)
        yield call(matrix, places, vector, returns=floats(n), function="of_block")


@check(hidden=True)
def huge(rng):
    """eigenvalues of many billions"""
    yield case(rng, [8, 2, 1], 60, scale=1e9)
