# %% [markdown]
# ## A trace from random signs
#
# ★★★☆☆ · about 25 minutes · 3 points
# · arXiv 2502.19002, section 3, sharpness as a trace
#
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
#
# Check it: `kit check hutchinson`. Stuck: `kit hint hutchinson`.

# %%
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


# %% The example
if __name__ == "__main__":
    matrix = np.array([[1.0, 2.0], [2.0, 5.0]])
    probes = np.array([[1.0, -1.0], [1.0, 1.0]])
    traces, errors = block_traces(lambda z: matrix @ z, probes, np.array([0, 1]))
    np.testing.assert_allclose(traces, [1.0, 5.0])
    np.testing.assert_allclose(errors, [2.0, 2.0])
    print("The example is right.")
