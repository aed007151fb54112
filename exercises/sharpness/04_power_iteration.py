# %% [markdown]
# ## The sharpest direction
#
# ★★★☆☆ · about 20 minutes · 2 points
# · arXiv 2502.19002, section 1, sharp directions and the edge of stability
#
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
#
# Check it: `kit check power_iteration`. Stuck: `kit hint power_iteration`.

# %%
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


# %% The example
if __name__ == "__main__":
    diagonal = np.array([1.0, -3.0])
    value, residual = top_eigenvalue(lambda v: diagonal * v, np.ones(2), steps=2)
    np.testing.assert_allclose([value, residual], [-2.6, 1.2])
    block = restricted(lambda v: 2 * v, np.array([3, 1]), size=4)
    np.testing.assert_allclose(block(np.array([1.0, 5.0])), [2.0, 10.0])
    print("The example is right.")
