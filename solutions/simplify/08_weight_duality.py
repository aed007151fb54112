# /// exercise
# id = "weight_duality"
# title = "Smaller updates, smaller rate"
# paper = "2311.01906"
# section = "section 4.1, equation 6; appendix A"
# concepts = ["re-parameterisation", "learning rate", "chain rule"]
# prerequisites = ["shaped_map"]
# difficulty = 3
# minutes = 20
# points = 3
# ///

# %% statement [markdown]
# How does one find out that values and projections want to be the identity? The paper
# writes each of these matrices as
#
#     W = alpha · W_init + beta · dW
#
# keeps W_init as it is, and trains dW from zero. With beta = 1 this is usual training;
# the smaller beta, the less W can move away from its start. In the paper, models that
# have no skip around attention learn better the smaller it is, and best where it is 0.
#
# Is this more than a smaller learning rate? No, it is one, and you can prove it. Write
#
# - `effective_weight(initial, change, alpha, beta)`, the formula;
# - `change_gradient(gradient, beta)`: the gradient of the loss with respect to dW, from
#   that with respect to W;
# - `direct_learning_rate(optimizer, learning_rate, beta)`: with this rate, training W
#   itself takes the same steps as training dW with `learning_rate`. The optimizer is
#   `"sgd"`, or `"adam"` with an epsilon of nearly zero.
#
# The checks train both ways, and compare the weights. By hand: alpha = 2, beta = 1/2,
# W_init = 1 and dW = 3 make W = 3.5; a gradient of 4 with respect to W is one of 2 with
# respect to dW.
#
# Out of scope: weight decay, and training alpha and beta.

# %% stub
def effective_weight(initial, change, alpha, beta):
    """The weight that the model uses.

    Args:
        initial: float32 (inputs, outputs), W_init, never trained.
        change: float32 (inputs, outputs), dW, trained from zero.
        alpha: Number, gain of the start.
        beta: Number from 0, gain of the change.

    Returns:
        float32 (inputs, outputs).
    """
    raise NotImplementedError("effective_weight is not done yet")


def change_gradient(gradient, beta):
    """Gradient of the loss with respect to the change.

    Args:
        gradient: float32 (inputs, outputs), of the loss with respect to the weight.
        beta: Number from 0, gain of the change.

    Returns:
        float32 (inputs, outputs).
    """
    raise NotImplementedError("change_gradient is not done yet")


def direct_learning_rate(optimizer, learning_rate, beta):
    """Learning rate with which training the weight itself takes the same steps.

    Args:
        optimizer: "sgd" or "adam".
        learning_rate: Number, with which the change is trained.
        beta: Number from 0, gain of the change.

    Returns:
        A number.
    """
    raise NotImplementedError("direct_learning_rate is not done yet")


# %% example
import numpy as np

one = np.ones((1, 1), "float32")
np.testing.assert_allclose(effective_weight(one, 3 * one, 2.0, 0.5), [[3.5]])
np.testing.assert_allclose(change_gradient(4 * one, 0.5), [[2.0]])
assert direct_learning_rate("sgd", 0.1, 1.0) == 0.1


# %% reference
def effective_weight(initial, change, alpha, beta):
    return alpha * initial + beta * change


def change_gradient(gradient, beta):
    return beta * gradient


def direct_learning_rate(optimizer, learning_rate, beta):
    # The gain counts once on the way back, unless Adam divides it out, and once forth.
    return learning_rate * (beta**2 if optimizer == "sgd" else beta)


# %% hint 1 [markdown]
# If dW moves by a small step, how far does W move? And if the gradient of an optimizer
# becomes half as large, what happens to the step of SGD, and what to that of Adam,
# which divides by the size of the gradients it has seen?

# %% hint 2 [markdown]
# The chain rule gives one factor `beta`, on the way from W's gradient to dW's. The
# formula of `effective_weight` gives another one, on the way from dW's step to W's.

# %% hint 3 [markdown]
# The gradient is one product. The rate is a product with a factor that depends on the
# optimizer: SGD's step gets both factors, Adam's only the one that comes after it.


# %% right answer="from one step"
import numpy as np


def effective_weight(initial, change, alpha, beta):
    gains = np.array([alpha, beta], initial.dtype)
    return np.tensordot(gains, np.stack([initial, change]), axes=1)


def change_gradient(gradient, beta):
    return np.multiply(gradient, np.asarray(beta, gradient.dtype))


def direct_learning_rate(optimizer, learning_rate, beta):
    seen = change_gradient(np.ones(1), beta)  # of a weight whose gradient is 1
    step = learning_rate * (seen if optimizer == "sgd" else np.sign(seen))
    return effective_weight(np.zeros(1), step, 0.0, beta).item()


# %% wrong answer="change not scaled" caught_by="weight"
# The change comes in whole. With beta as its gain, a small beta keeps the weight near
# its start.
def effective_weight(initial, change, alpha, beta):
    return alpha * initial + change


# %% wrong answer="gains exchanged" caught_by="weight"
# Alpha and beta have traded places: alpha is the gain of the start, beta that of the
# change.
def effective_weight(initial, change, alpha, beta):
    return beta * initial + alpha * change


# %% wrong answer="chain rule forgotten" caught_by="gradient"
# This is the gradient with respect to W. W moves beta times as far as dW, so the loss
# changes beta times as much.
def change_gradient(gradient, beta):
    return 1.0 * gradient


# %% wrong answer="beta for both" caught_by="sgd"
# For SGD one factor is missing. Beta makes dW's gradient smaller, and then makes dW's
# step count for less: both happen.
def direct_learning_rate(optimizer, learning_rate, beta):
    return learning_rate * beta


# %% wrong answer="squared for both" caught_by="adam"
# For Adam there is one factor too many. Adam divides by the size of the gradients, so
# that a smaller gradient makes the same step; only the way from dW to W is left.
def direct_learning_rate(optimizer, learning_rate, beta):
    return learning_rate * beta**2


# %% wrong answer="optimizers exchanged" caught_by="sgd"
# The two optimizers have traded places. Which of them divides by the size of the
# gradients?
def direct_learning_rate(optimizer, learning_rate, beta):
    return learning_rate * (beta if optimizer == "sgd" else beta**2)


# %% wrong answer="larger rate" caught_by="sgd"
# The rate is divided instead of multiplied: a beta below 1 holds the weight back, and
# that is a smaller rate.
def direct_learning_rate(optimizer, learning_rate, beta):
    return learning_rate / (beta**2 if optimizer == "sgd" else beta) if beta else 0.0


# %% driver
import answer
import numpy as np


def train(optimizer, learning_rate, gradient, weight, steps):
    first, second = np.zeros_like(weight), np.zeros_like(weight)
    for step in range(1, steps + 1):
        slope = np.asarray(gradient(weight), "float64")
        if optimizer == "adam":
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            size = np.sqrt(second / (1 - 0.999**step)) + 1e-12
            slope = first / (1 - 0.9**step) / size
        weight = weight - learning_rate * slope
    return weight


def both_ways(optimizer, learning_rate, alpha, beta, initial, inputs, targets, steps):
    initial, inputs, targets = (a.astype("float64") for a in (initial, inputs, targets))

    def used(change):
        return answer.effective_weight(initial, change, alpha, beta)

    def gradient(weight):
        return inputs.T @ (inputs @ weight - targets) / len(inputs)

    def gradient_of_change(change):
        return answer.change_gradient(gradient(used(change)), beta)

    change = train(optimizer, learning_rate, gradient_of_change, 0 * initial, steps)
    direct = answer.direct_learning_rate(optimizer, learning_rate, beta)
    weight = train(optimizer, float(direct), gradient, alpha * initial, steps)
    return used(change).astype("float32"), weight.astype("float32")


# %% checks
import numpy as np

from kit.grading.cases import call, check, floats


def weight_case(initial, change, alpha, beta):
    shape = floats(*initial.shape)
    return call(initial, change, float(alpha), float(beta), returns=shape)


def gradient_case(gradient, beta):
    shape = floats(*gradient.shape)
    return call(gradient, float(beta), returns=shape, function="change_gradient")


def paths(rng, optimizer, beta):
    initial = rng.standard_normal((4, 3))
    inputs, targets = rng.standard_normal((9, 4)), rng.standard_normal((9, 3))
    alpha, rate = 0.5 + rng.random(), 0.1 + 0.1 * rng.random()
    return call(
        optimizer,
        rate,
        alpha,
        float(beta),
        initial,
        inputs,
        targets,
        6,
        returns=(floats(4, 3), floats(4, 3)),
        function="both_ways",
        shown=f"W after 6 steps of {optimizer} (1) on dW with rate {rate:.3g}, "
        f"(2) on W\nwith direct_learning_rate('{optimizer}', {rate:.3g}, {beta:.3g})",
    )


@check
def example(rng):
    """the example: one number"""
    one = np.ones((1, 1))
    yield weight_case(one, 3 * one, 2.0, 0.5)
    yield gradient_case(4 * one, 0.5)


@check
def weight(rng):
    """effective_weight"""
    for beta in 0.2 + 0.5 * rng.random(3):
        parts = 2 * rng.standard_normal((2, 4, 3))
        yield weight_case(*parts, 1.2 + rng.random(), beta)


@check
def gradient(rng):
    """change_gradient"""
    for beta in 0.2 + 0.5 * rng.random(3):
        yield gradient_case(2 * rng.standard_normal((4, 3)), beta)


@check
def sgd(rng):
    """trained both ways by SGD"""
    for beta in (0.6, 1.4):
        yield paths(rng, "sgd", beta + 0.2 * rng.random())


@check
def adam(rng):
    """trained both ways by Adam"""
    for beta in (0.4, 1.4):
        yield paths(rng, "adam", beta + 0.2 * rng.random())


@check(hidden=True)
def frozen(rng):
    """beta at 0, where nothing moves, and at 1, where nothing is new"""
    for optimizer in ("sgd", "adam"):
        yield paths(rng, optimizer, 0.0)
        yield paths(rng, optimizer, 1.0)
