# %% [markdown]
# ## How alike are two layers?
#
# ★★☆☆☆ · about 20 minutes · 2 points
# · arXiv 2409.14595, section 2, attention similarity
#
# An attention map is a table: row i says how token i divides its attention. EchoAtt
# writes all rows of all heads of a layer one after the other, as one long vector a, and
# compares two layers l and m by the cosine of their vectors, mean over the samples:
#
#     S[l, m] = mean over samples of  a_l · a_m / (‖a_l‖ ‖a_m‖)
#
# (It says "attention scores". That these are meant after the softmax is our reading,
# which fits its numbers.)
#
# In a trained model many rows put a good part of their attention into column 0,
# whatever the text says: the first token is where attention goes when there is nothing
# to look at, a *sink*. One large number in the same place makes all vectors alike. So
# there is a second measure, of single rows without column 0:
#
#     R[l, m] = mean over samples, heads and rows of the cosine of two rows
#
# The maps are causal, so row 0 sees nothing beyond column 0, and row 1 one number,
# whose cosine with another one is always 1. Both say nothing and are left out.
#
# Write `flat_similarity(maps)` and `row_similarity(maps)`.
#
# By hand: two maps of three tokens with the same rows (1, 0, 0) and (½, ½, 0), and with
# the last rows (0.3, 0.3, 0.4) and (0.3, 0.4, 0.3). S = 1.83 / 1.84, nearly equal. R is
# the cosine of (0.3, 0.4) and (0.4, 0.3), which is 0.24 / 0.25.
#
# Check it: `kit check map_similarity`. Stuck: `kit hint map_similarity`.

# %%
import numpy as np


def flat_similarity(maps):
    """Cosine of the flattened maps of all pairs of layers.

    Args:
        maps: float32 (samples, layers, heads, time, time), causal; rows add up to 1.

    Returns:
        float32 (layers, layers).
    """
    raise NotImplementedError("flat_similarity is not done yet")


def row_similarity(maps):
    """Mean cosine of the rows of all pairs of layers, without column 0.

    Args:
        maps: float32 (samples, layers, heads, time, time), causal, of three or more
            tokens; what a row may see is above zero.

    Returns:
        float32 (layers, layers).
    """
    raise NotImplementedError("row_similarity is not done yet")


# %% The example
if __name__ == "__main__":
    same = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    last = [[0.3, 0.3, 0.4]], [[0.3, 0.4, 0.3]]
    maps = np.array([[[same + row] for row in last]], "float32")  # one sample, one head
    np.testing.assert_allclose(flat_similarity(maps)[0, 1], 1.83 / 1.84, rtol=1e-5)
    np.testing.assert_allclose(row_similarity(maps)[0, 1], 0.96, rtol=1e-5)
    print("The example is right.")
