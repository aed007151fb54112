# %% [markdown]
# ## Louder gradients
#
# ★★☆☆☆ · about 20 minutes · 2 points
# · arXiv 2502.19002, section 5, a learning rate for each block
#
# Embeddings are flat, so let them learn ten times as fast. The obvious way is to
# multiply their gradients by ten: two lines, and it works in every framework. It has
# been proposed for years, and there is something wrong with it.
#
# Write what is **subtracted** from the weights at each step t = 1, 2, ...
#
# - `sgd_steps`: η g_t
# - `adam_steps`: with m and v zero at the start, β₁ = 0.9 and β₂ = 0.999,
#
#       m ← β₁ m + (1 - β₁) g_t        v ← β₂ v + (1 - β₂) g_t²
#       step = η · m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε)
#
# and then `step_growth(optimizer, factor)`: by what number does every step of a block
# grow, when all its gradients are multiplied by `factor`, a number above 0? The
# optimizer is `"sgd"`; `"momentum"`, SGD with an average of the gradients; `"adam"`,
# with an ε of nearly zero; or `"lion"`, whose step is η times the *sign* of an average.
#
# By hand: with η = 0.1, ε = 0 and gradients 2 and 2, each step of Adam is 0.1, and so
# are those with gradients 20 and 20.
#
# Out of scope: weight decay, clipping, and a factor that changes over time.
#
# Check it: `kit check gradient_scale`. Stuck: `kit hint gradient_scale`.

# %%
import numpy as np


def sgd_steps(gradients, learning_rate):
    """What plain gradient descent subtracts at each step.

    Args:
        gradients: float32 (steps, n).
        learning_rate: Number.

    Returns:
        float32 (steps, n).
    """
    raise NotImplementedError("sgd_steps is not done yet")


def adam_steps(gradients, learning_rate, epsilon):
    """What Adam subtracts at each step.

    Args:
        gradients: float32 (steps, n).
        learning_rate: Number.
        epsilon: Number from 0.

    Returns:
        float32 (steps, n).
    """
    raise NotImplementedError("adam_steps is not done yet")


def step_growth(optimizer, factor):
    """What becomes of the steps if all gradients are multiplied by a factor.

    Args:
        optimizer: "sgd", "momentum", "adam" or "lion".
        factor: Number above 0.

    Returns:
        A number: new steps over old steps.
    """
    raise NotImplementedError("step_growth is not done yet")


# %% The example
if __name__ == "__main__":
    twos = np.full((2, 1), 2.0, "float32")
    np.testing.assert_allclose(sgd_steps(twos, 0.1), [[0.2], [0.2]], rtol=1e-6)
    np.testing.assert_allclose(adam_steps(twos, 0.1, 0.0), [[0.1], [0.1]], rtol=1e-5)
    assert step_growth("adam", 1.0) == 1.0
    print("The example is right.")
