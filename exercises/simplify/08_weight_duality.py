# %% [markdown]
# ## Smaller updates, smaller rate
#
# ★★★☆☆ · about 20 minutes · 3 points
# · arXiv 2311.01906, section 4.1, equation 6; appendix A
#
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
#
# Check it: `kit check weight_duality`. Stuck: `kit hint weight_duality`.

# %%
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


# %% The example
if __name__ == "__main__":
    import numpy as np

    one = np.ones((1, 1), "float32")
    np.testing.assert_allclose(effective_weight(one, 3 * one, 2.0, 0.5), [[3.5]])
    np.testing.assert_allclose(change_gradient(4 * one, 0.5), [[2.0]])
    assert direct_learning_rate("sgd", 0.1, 1.0) == 0.1
    print("The example is right.")
