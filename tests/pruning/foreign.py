"""Models as people write them with Keras alone: nothing of the kit is in them."""

import keras
import numpy as np
from keras import layers

from kit.pruning import BlockLayers

VOCABULARY, TIME, WIDTH, NEURONS, DEPTH, CLASSES = 11, 7, 16, 24, 4, 3


class Positions(layers.Layer):
    """Learned positions, added."""

    def build(self, shape):
        self.table = self.add_weight(shape=(TIME, shape[-1]), name="table")

    def call(self, x):
        return x + self.table[: x.shape[1]]


def block(x, index, causal, gated):
    y = layers.LayerNormalization(name=f"norm_a_{index}")(x)
    y = layers.MultiHeadAttention(2, WIDTH // 2, name=f"attention_{index}")(
        query=y, value=y, use_causal_mask=causal
    )
    x = layers.Add()([x, layers.Dropout(0.1)(y)])
    y = layers.LayerNormalization(name=f"norm_f_{index}")(x)
    hidden = layers.Dense(NEURONS, name=f"up_{index}")(y)
    if gated:
        gate = layers.Dense(NEURONS, "silu", use_bias=False, name=f"gate_{index}")(y)
        hidden = layers.Multiply()([gate, hidden])
    else:
        hidden = layers.Activation("gelu")(hidden)
    return x + layers.Dense(WIDTH, name=f"down_{index}")(layers.Dropout(0.1)(hidden))


def names(gated=False):
    return [
        BlockLayers(
            f"attention_{i}",
            (f"up_{i}", f"gate_{i}") if gated else (f"up_{i}",),
            f"down_{i}",
            others=(f"norm_a_{i}", f"norm_f_{i}"),
        )
        for i in range(DEPTH)
    ]


def language_model(gated=False, depth=DEPTH):
    tokens = keras.Input((TIME,), dtype="int32")
    x = Positions()(layers.Embedding(VOCABULARY, WIDTH)(tokens))
    for index in range(depth):
        x = block(x, index, causal=True, gated=gated)
    x = layers.LayerNormalization(name="final_norm")(x)
    return keras.Model(tokens, layers.Dense(VOCABULARY, name="head")(x))


def classifier():
    """An encoder of sequences of any length, padded with 0, with probabilities."""
    tokens = keras.Input((None,), dtype="int32")
    x = layers.Embedding(VOCABULARY, WIDTH, mask_zero=True)(tokens)
    for index in range(DEPTH):
        x = block(x, index, causal=False, gated=False)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(tokens, layers.Dense(CLASSES, "softmax", name="head")(x))


def shake(model, seed):
    """Weights far from their start, and the same on every backend."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        noise = 0.3 * rng.standard_normal(weight.shape, dtype="float32")
        weight.assign(noise + (weight.name == "gamma"))
    return model
