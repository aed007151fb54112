"""Small models and batches, and what curvature is by brute force."""

import keras
import numpy as np
from keras import ops

from kit.data import IGNORED
from tests.cases import CASES, some_tokens

CLASSES = 3


def tokens_of(name, batch=3, seed=0):
    """A batch of a case, with every third target ignored."""
    tokens = some_tokens(CASES[name], batch, seed)
    targets = np.roll(tokens, -1, axis=1)
    targets[:, ::3] = IGNORED
    return tokens, targets


def small_model(hidden=5, inputs=5, seed=0):
    """Two dense layers with 48 parameters, or a linear one without hidden neurons."""
    rng = np.random.default_rng(seed)
    layers = [keras.Input((inputs,))]
    if hidden:
        layers.append(keras.layers.Dense(hidden, "tanh"))
    layers.append(keras.layers.Dense(CLASSES))
    model = keras.Sequential(layers)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape).astype("float32"))
    return model


def small_batch(count=12, inputs=5, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, inputs)).astype("float32")
    return x, rng.integers(CLASSES, size=count).astype("int32")


def logits_loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def matrix_of(operator):
    """The whole matrix, a column a product."""
    return np.stack([operator(row) for row in np.eye(operator.size)], axis=1)


def outputs_at(model, flat, x):
    """Outputs in float64 NumPy of `small_model` with these weights."""
    at = 0
    for layer in model.layers:
        for variable in layer.trainable_variables:
            size = int(np.prod(variable.shape))
            weight = flat[at : at + size].reshape(variable.shape)
            x, at = (x @ weight if weight.ndim == 2 else x + weight), at + size
        if layer.activation is keras.activations.tanh:
            x = np.tanh(x)
    return x


def flat_weights(model):
    return np.concatenate(
        [ops.convert_to_numpy(v).ravel() for v in model.trainable_variables]
    ).astype("float64")


def softmax(z):
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def cross_entropy(z, labels):
    return -np.mean(np.log(softmax(z))[np.arange(len(labels)), labels])


def derivative(function, at, step=1e-5):
    """Central differences of a function of a flat vector, which is the last axis."""
    columns = [
        (function(at + step * row) - function(at - step * row)) / (2 * step)
        for row in np.eye(len(at))
    ]
    return np.stack(columns, axis=-1)


def second_derivative(function, at, step=1e-3):
    """The same of a gradient by differences: every entry of the Hessian."""
    size, eye = len(at), step * np.eye(len(at))
    found = np.zeros((size, size))
    for i in range(size):
        for j in range(i, size):
            plus = function(at + eye[i] + eye[j]) + function(at - eye[i] - eye[j])
            minus = function(at + eye[i] - eye[j]) + function(at - eye[i] + eye[j])
            found[i, j] = found[j, i] = (plus - minus) / (4 * step**2)
    return found
