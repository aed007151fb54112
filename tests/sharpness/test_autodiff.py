"""Second derivatives that a backend would get wrong by itself."""

import keras
import numpy as np
import pytest
from keras import ops

from kit.sharpness.autodiff import gradient, hessian_vector_product
from tests.cases import assert_same

EPSILON = 1e-3
NORMS = {
    "layer": keras.layers.LayerNormalization(epsilon=EPSILON),
    "group": keras.layers.GroupNormalization(1, epsilon=EPSILON),
}


def by_hand(x):
    centred = x - ops.mean(x, axis=-1, keepdims=True)
    return centred / ops.sqrt(ops.mean(centred**2, axis=-1, keepdims=True) + EPSILON)


@pytest.mark.slow
@pytest.mark.parametrize("name", NORMS)
def test_a_norm_has_all_its_derivatives(name):
    """TensorFlow's own is wrong by several percent: the mean within its variance has
    no derivative."""
    drawn = np.random.default_rng(0).normal(size=(3, 4, 6)).astype("float32")
    x, direction, weights = map(ops.convert_to_tensor, drawn)
    at, along = [x], [direction]
    found = {}
    for norm in (NORMS[name], by_hand):

        def loss(tensors, norm=norm):
            return ops.sum(weights * ops.sin(norm(tensors[0])))

        def once_more(tensors, loss=loss):
            (product,) = hessian_vector_product(loss, tensors, along)
            return ops.sum(product**2)

        derivatives = [gradient(loss)(at), hessian_vector_product(loss, at, along)]
        if keras.backend.backend() != "torch":  # whose layer norm has no third
            derivatives.append(gradient(once_more)(at))
            derivatives.append(hessian_vector_product(once_more, at, along))
        found[norm] = [ops.convert_to_numpy(tensor) for (tensor,) in derivatives]
    for ours, expected in zip(found[NORMS[name]], found[by_hand], strict=True):
        assert_same(ours, expected, 1e-4)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="its own function")
def test_tensorflow_is_left_as_it_was():
    import tensorflow as tf

    before, at = tf.nn.moments, [ops.ones((2, 6))]
    seen = []

    def loss(tensors):
        seen.append(tf.nn.moments)
        return ops.sum(NORMS["layer"](tensors[0]))

    hessian_vector_product(loss, at, at)
    assert seen[0] is not before
    assert tf.nn.moments is before
