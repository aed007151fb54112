"""First and second derivatives of functions, on the backend that runs."""

import keras
import numpy as np
from keras import ops

from kit.layers.gradients import FEW_ROWS, gelu, matmul, scaled

ROWS, WIDTH = 5, 8


STREAM = (3, ROWS, WIDTH)
HEADS = [(2, 3, ROWS, WIDTH), (2, 3, WIDTH, ROWS)]
LONG = [(2, FEW_ROWS + 1, WIDTH), (2, WIDTH, ROWS)]
PAIRS = {
    "gelu": (gelu, lambda x: ops.gelu(x, approximate=True), [STREAM]),
    "matmul of few rows": (matmul, ops.matmul, HEADS),
    "matmul of many rows": (matmul, ops.matmul, LONG),
    "one gain": (scaled, ops.multiply, [STREAM, ()]),
    "a gain for each head": (scaled, ops.multiply, [HEADS[0], (3, 1, 1)]),
}


def arrays(shapes, seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape, dtype="float32") for shape in shapes]


def curved(function):
    """A number whose second derivatives in the result are not zero."""
    return lambda *arguments: ops.sum(ops.sin(function(*arguments)))


def derivatives(function, shapes):
    """The gradient at a point, and two forms of its derivative along a direction."""
    points, directions = arrays(shapes, seed=0), arrays(shapes, seed=1)
    loss = curved(function)
    if keras.backend.backend() == "jax":
        return by_jax(loss, points, directions)
    return by_tensorflow(loss, points, directions)


def by_jax(loss, points, directions):
    import jax

    every = tuple(range(len(points)))
    gradient = jax.grad(loss, argnums=every)

    def along(*points):
        pairs = zip(gradient(*points), directions, strict=True)
        return sum(ops.sum(g * d) for g, d in pairs)

    points, directions = tuple(points), tuple(directions)
    return {
        "gradient": gradient(*points),
        "reverse over reverse": jax.grad(along, argnums=every)(*points),
        "forward over reverse": jax.jvp(gradient, points, directions)[1],
    }


def by_tensorflow(loss, points, directions):
    import tensorflow as tf

    points = [tf.constant(point) for point in points]
    directions = [tf.constant(direction) for direction in directions]

    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(points)
            value = loss(*points)
        return tape.gradient(value, points)

    def reverse():
        with tf.GradientTape() as tape:
            tape.watch(points)
            pairs = zip(gradient(), directions, strict=True)
            along = sum(tf.reduce_sum(g * d) for g, d in pairs)
        return tape.gradient(along, points)

    def forward():
        with tf.autodiff.ForwardAccumulator(points, directions) as accumulator:
            gradients = gradient()
        return [accumulator.jvp(g) for g in gradients]

    return {
        "gradient": gradient(),
        "reverse over reverse": reverse(),
        "reverse over reverse, in a graph": tf.function(reverse)(),
        "forward over reverse": forward(),
    }
