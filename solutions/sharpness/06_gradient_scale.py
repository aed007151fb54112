# /// exercise
# id = "gradient_scale"
# title = "Louder gradients"
# paper = "2502.19002"
# section = "section 5, a learning rate for each block"
# concepts = ["Adam", "scale invariance", "learning rates"]
# prerequisites = ["weight_duality"]
# difficulty = 2
# minutes = 20
# points = 2
# ///

# %% statement [markdown]
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

# %% stub
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


# %% example
twos = np.full((2, 1), 2.0, "float32")
np.testing.assert_allclose(sgd_steps(twos, 0.1), [[0.2], [0.2]], rtol=1e-6)
np.testing.assert_allclose(adam_steps(twos, 0.1, 0.0), [[0.1], [0.1]], rtol=1e-5)
assert step_growth("adam", 1.0) == 1.0


# %% reference
def adam_averages(gradients, beta_1, beta_2):
    first = second = 0.0
    for t, gradient in enumerate(gradients.astype("float64"), start=1):
        first = beta_1 * first + (1 - beta_1) * gradient
        second = beta_2 * second + (1 - beta_2) * gradient**2
        yield first / (1 - beta_1**t), second / (1 - beta_2**t)


def sgd_steps(gradients, learning_rate):
    return learning_rate * gradients


def adam_steps(gradients, learning_rate, epsilon):
    averages = adam_averages(gradients, 0.9, 0.999)
    return np.array([learning_rate * m / (np.sqrt(v) + epsilon) for m, v in averages])


def step_growth(optimizer, factor):
    return factor if optimizer in ("sgd", "momentum") else 1.0


# %% hint 1 [markdown]
# Put factor times g everywhere that the formula has g. Where does the factor come out
# of the numerator, where out of the denominator, and what is left of it?

# %% hint 2 [markdown]
# `enumerate(gradients, start=1)` gives t and the gradients together. An average of
# scaled numbers is the scaled average, so think of `"momentum"` as of `"sgd"`; and what
# is the sign of a number that was multiplied by a positive one?

# %% hint 3 [markdown]
# A product for SGD. For Adam two running averages in a loop, each divided by one minus
# its beta to the power of t, and a quotient of the first and the root of the second.
# For the last function two optimizers pass the factor on, and two do not.


# %% right answer="weights of all earlier gradients"
def sgd_steps(gradients, learning_rate):
    return np.multiply(gradients, np.float32(learning_rate))


def adam_steps(gradients, learning_rate, epsilon):
    gradients, t = gradients.astype("float64"), len(gradients)
    age = np.subtract.outer(np.arange(t), np.arange(t))

    def average(values, beta):
        weights = np.tril(beta ** np.maximum(age, 0.0))
        return weights @ values / weights.sum(axis=1, keepdims=True)

    size = np.sqrt(average(gradients**2, 0.999)) + epsilon
    return learning_rate * average(gradients, 0.9) / size


def step_growth(optimizer, factor):
    return factor ** {"sgd": 1, "momentum": 1, "adam": 0, "lion": 0}[optimizer]


# %% wrong answer="the obvious way" caught_by="grown"
# The factor is expected to reach the steps of every optimizer. Adam divides by the size
# of the gradients, and Lion keeps only their signs: both forget the factor.
def step_growth(optimizer, factor):
    return factor


# %% wrong answer="lion like sgd" caught_by="grown"
# Lion is taken for one that passes the factor on. The sign of an average does not
# change when all gradients are multiplied by a positive number.
def step_growth(optimizer, factor):
    return 1.0 if optimizer == "adam" else factor


# %% wrong answer="only sgd" caught_by="grown"
# An average of gradients that are all multiplied is multiplied, too: momentum passes
# the factor on, because nothing divides by it.
def step_growth(optimizer, factor):
    return factor if optimizer == "sgd" else 1.0


# %% wrong answer="divided twice" caught_by="grown"
# Adam's steps are expected to shrink. The factor is in the second average as a square,
# but the root of it is taken before the division.
def step_growth(optimizer, factor):
    return {"adam": 1 / factor, "lion": 1.0}.get(optimizer, factor)


# %% wrong answer="no root" caught_by="adam"
# The root is missing: m is divided by the mean of the squares. Such a step does shrink
# when gradients grow.
def adam_steps(gradients, learning_rate, epsilon):
    averages = adam_averages(gradients, 0.9, 0.999)
    return np.array([learning_rate * m / (v + epsilon) for m, v in averages])


# %% wrong answer="averages not corrected" caught_by="adam"
# The averages start at zero and are not divided by 1 - βᵗ, so that the first steps are
# those of numbers that are far too small.
def adam_steps(gradients, learning_rate, epsilon):
    first = second = 0.0
    steps = []
    for gradient in gradients:
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        steps.append(learning_rate * first / (np.sqrt(second) + epsilon))
    return np.array(steps)


# %% wrong answer="betas exchanged" caught_by="adam"
# The two betas have traded places: the first average is the quick one.
def adam_steps(gradients, learning_rate, epsilon):
    averages = adam_averages(gradients, 0.999, 0.9)
    return np.array([learning_rate * m / (np.sqrt(v) + epsilon) for m, v in averages])


# %% wrong answer="epsilon under the root" caught_by="small_gradients"
# Epsilon is added under the root. It belongs outside, where it is compared with the
# size of the gradients, not with its square.
def adam_steps(gradients, learning_rate, epsilon):
    averages = adam_averages(gradients, 0.9, 0.999)
    return np.array([learning_rate * m / np.sqrt(v + epsilon) for m, v in averages])


# %% wrong answer="no epsilon" caught_by="small_gradients"
# Epsilon is left out. It is what keeps a weight still whose gradients are almost zero.
def adam_steps(gradients, learning_rate, epsilon):
    averages = adam_averages(gradients, 0.9, 0.999)
    return np.array([learning_rate * m / np.sqrt(v) for m, v in averages])


# %% driver
import answer
import numpy as np


def both_ways(optimizer, gradients, factor):
    def steps(gradients):
        if optimizer == "adam":
            return answer.adam_steps(gradients, 2.0, 1e-20)
        if optimizer == "sgd":
            return answer.sgd_steps(gradients, 2.0)
        first, found = 0.0, []
        for gradient in gradients:
            first = 0.9 * first + 0.1 * gradient
            found.append(2.0 * (np.sign(first) if optimizer == "lion" else first))
        return np.array(found)

    growth = answer.step_growth(optimizer, factor)
    return np.asarray(steps(factor * gradients)), growth * np.asarray(steps(gradients))


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def draw(rng, steps, size=1.0):
    return size * (0.5 + rng.standard_normal((steps, 3)))


def adam_case(gradients, rate, epsilon):
    shape = floats(*gradients.shape)
    return call(gradients, rate, epsilon, returns=shape, function="adam_steps")


def growth_case(rng, optimizer, factor):
    return call(
        optimizer,
        draw(rng, 4),
        factor,
        returns=(floats(4, 3), floats(4, 3)),
        function="both_ways",
        shown=f"4 steps of {optimizer} with rate 2: (1) gradients times {factor:.3g},\n"
        f"(2) step_growth({optimizer!r}, {factor:.3g}) times the plain steps",
    )


@check
def example(rng):
    """the example: two gradients of 2"""
    twos = np.full((2, 1), 2.0)
    yield call(twos, 0.1, returns=floats(2, 1), function="sgd_steps")
    yield adam_case(twos, 0.1, 0.0)


@check
def sgd(rng):
    """the steps of SGD"""
    yield call(draw(rng, 3), 1.5, returns=floats(3, 3), function="sgd_steps")


@check
def adam(rng):
    """the steps of Adam"""
    for steps in (1, 6):
        yield adam_case(draw(rng, steps), 2.0, 1e-20)


@check
def grown(rng):
    """louder gradients, and what comes of them"""
    for optimizer in ("sgd", "momentum", "adam", "lion"):
        for factor in (0.1 + 0.3 * rng.random(), 10.0):
            yield growth_case(rng, optimizer, factor)


@check(hidden=True)
def small_gradients(rng):
    """gradients as small as epsilon"""
    yield adam_case(draw(rng, 4, size=1e-3), 2.0, 1e-3)
