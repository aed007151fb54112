"""What every layer and every model of the kit must do, in one call each."""

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kit.models import Transformer, build, named_weights
from kit.optimizers import AdamW
from kit.training import token_cross_entropy
from tests.cases import assert_same, some_tokens

# bfloat16 keeps 8 bits: one rounding is 4e-3 of a value, and a few dozen add up.
BFLOAT16 = 0.1


def params(names: Iterable[str], quick: Iterable[str]) -> list[Any]:
    """Names for `parametrize`; those that are not among `quick` are marked slow."""
    missing = set(quick) - set(names)
    assert not missing, missing
    return [
        pytest.param(name, marks=() if name in quick else pytest.mark.slow)
        for name in names
    ]


def save_and_load(model: keras.Model, path: Path) -> keras.Model:
    """The model after a round trip through a `.keras` file."""
    with warnings.catch_warnings():
        # Keras 3.15 has not followed NumPy 2's `__array__(copy=...)` yet.
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept")
        model.save(path)
    return keras.saving.load_model(path)


def assert_layer_contract(
    make: Callable[..., keras.layers.Layer], input_shape: tuple[int, ...], path: Path
) -> None:
    """Shapes, config, `.keras` file, gradients and mixed precision of a layer.

    Args:
        make: Makes the layer; takes a `dtype`.
        input_shape: Shape of its input, with the batch.
        path: Where to write a `.keras` file.
    """
    x = np.random.default_rng(0).standard_normal(input_shape, dtype="float32")
    layer = make(dtype="float32")
    layer(x)
    rng = np.random.default_rng(1)
    layer.set_weights(  # off their initial values, some of which stop a gradient
        [w + 0.1 * rng.standard_normal(w.shape) for w in layer.get_weights()]
    )
    output = keras.ops.convert_to_numpy(layer(x))
    assert output.shape == tuple(layer.compute_output_shape(input_shape))

    again = type(layer).from_config(layer.get_config())
    again(x)
    assert again.get_config() == layer.get_config()
    again.set_weights(layer.get_weights())
    assert_same(again(x), output)

    inputs = keras.Input(input_shape[1:])
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape[1:] == output.shape[1:]
    assert_same(save_and_load(model, path)(x), output)

    if layer.trainable_weights:
        assert_one_step_moves_every_weight(model, x, "mse", output + 1)

    mixed = make(dtype="mixed_bfloat16")
    mixed.build(input_shape)
    mixed.set_weights(again.get_weights())
    rounded = mixed(x)
    assert keras.backend.standardize_dtype(rounded.dtype) == "bfloat16"
    assert {variable.dtype for variable in mixed.trainable_variables} <= {"float32"}
    assert_same(keras.ops.cast(rounded, "float32"), output, rounding=BFLOAT16)


def root_mean_square(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(x))))


def assert_model_contract(model: Transformer, path: Path) -> None:
    """The same for a whole model of the kit, which it trains by one step."""
    config = model.config
    tokens = some_tokens(config)
    logits = keras.ops.convert_to_numpy(model(tokens))
    assert logits.shape == (*tokens.shape, config.vocabulary_size)
    assert logits.shape == tuple(model.compute_output_shape(tokens.shape))

    loaded = save_and_load(model, path)
    assert loaded.config == config
    assert list(named_weights(loaded)) == list(named_weights(model))
    assert_same(loaded(tokens), logits)

    mixed = build(config, dtype="mixed_bfloat16")
    for old, new in zip(model.weights, mixed.weights, strict=True):
        new.assign(old)
    rounded = mixed(tokens)
    assert {variable.dtype for variable in mixed.trainable_variables} == {"float32"}
    assert keras.backend.standardize_dtype(rounded.dtype) == "float32"
    error = keras.ops.convert_to_numpy(rounded) - logits
    # The mean over logits: the largest of some hundreds depends on the draw.
    assert root_mean_square(error) <= BFLOAT16 / 2 * root_mean_square(logits)

    assert_one_step_moves_every_weight(model, tokens, token_cross_entropy, tokens)


def assert_one_step_moves_every_weight(
    model: keras.Model, x: Any, loss: Any, targets: Any
) -> None:
    """Train by one step, without weight decay, which would move anything."""
    before = [np.asarray(variable).copy() for variable in model.trainable_variables]
    model.compile(AdamW(1e-2, weight_decay=0.0), loss, run_eagerly=True)
    assert np.isfinite(model.train_on_batch(x, targets))
    for variable, old in zip(model.trainable_variables, before, strict=True):
        assert np.abs(np.asarray(variable) - old).max() > 0, variable.path
