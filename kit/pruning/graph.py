"""Copies of a functional Keras model with other layers in it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from kit.errors import KitError
from kit.pruning.named import BlockLayers
from kit.pruning.outline import Part

Call = Callable[..., Any]


class Gate(keras.layers.Layer):
    """Lets a tensor through, or zeros in its place; of copies that are never saved."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, shape: Any) -> None:
        self.is_open = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="is_open"
        )

    def call(self, x: Any) -> Any:
        return ops.where(self.is_open > 0, x, ops.zeros_like(x))  # x may be infinite


@keras.saving.register_keras_serializable(package="kit")
class Removed(keras.layers.Layer):
    """Zeros in the shape of its input: what stays in the graph of a removed layer."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x: Any) -> Any:
        return ops.zeros_like(x)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def fresh(layer: Any) -> Any:
    """A layer or operation like this one, with weights of its own."""
    return layer.__class__.from_config(layer.get_config())


def clone(
    model: keras.Model, make: Callable[[Any], Any] = fresh, call: Call | None = None
) -> keras.Model:
    """A functional model of the same graph.

    Args:
        model: It is not changed.
        make: Makes the layer or operation that takes the place of one.
        call: Calls it: `call(layer, *args, **kwargs)` on symbolic tensors.

    Raises:
        KitError: A layer cannot be made anew from its config.
    """
    try:
        return keras.models.clone_model(model, clone_function=make, call_function=call)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise KitError(
            f"the model cannot be copied layer by layer: {error}",
            "Give layers of your own a get_config that their class can be made from",
        ) from error


def copy_weights(
    old: Mapping[str, keras.layers.Layer],
    model: keras.Model,
    sliced: Callable[[str, list[np.ndarray]], list[np.ndarray]],
) -> None:
    """Give the layers of a clone the weights of those with the same names.

    Args:
        old: Name to layer.
        model: The clone.
        sliced: What of a layer's weights stays.

    Raises:
        KitError: What stays has not the shape that the clone's layer has.
    """
    for layer in model.layers:
        if layer.name not in old or isinstance(layer, Removed):
            continue
        weights = sliced(layer.name, old[layer.name].get_weights())
        shapes = [each.shape for each in weights]
        if shapes != [tuple(each.shape) for each in layer.weights]:
            raise KitError(
                f"the layer {layer.name!r} has weights for each neuron (of shapes "
                f"{shapes}), and is neither up nor down",
                "Write a kit.pruning.Prunable for this model, which cuts them too",
            )
        layer.set_weights(weights)


def first_tensor(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What a layer reads first."""
    return keras.tree.flatten((args, kwargs))[0]


class Cut:
    """What takes the place of each layer, and what stays of its weights."""

    def __init__(
        self,
        blocks: Sequence[BlockLayers],
        kept: Mapping[int, Sequence[int]],
        removed: Collection[Part],
    ):
        self.blocks = list(blocks)
        self._units: dict[str, list[int]] = {}  # that stay, of up and down layers
        self._gone: dict[str, int | None] = {}  # to the feed-forward, if it is of one
        self._read: dict[int | None, Any] = {}  # by the feed-forwards that go
        for index, neurons in kept.items():
            for name in (*blocks[index].up, blocks[index].down):
                self._units[str(name)] = list(neurons)
        for kind, index in removed:
            block = self.blocks[index]
            if kind == "attention":
                self._gone[str(block.attention)] = None
                self.blocks[index] = replace(block, attention=None)
            else:
                self._gone |= dict.fromkeys((*block.up, str(block.down)), index)
                self.blocks[index] = replace(block, up=(), down=None)
        self._downs = {block.down for block in blocks}

    def make(self, layer: Any) -> Any:
        """The layer in its place."""
        if layer.name in self._gone:
            return Removed(name=layer.name, dtype=layer.compute_dtype)
        if layer.name in self._units and layer.name not in self._downs:
            units = len(self._units[layer.name])
            return layer.__class__.from_config(layer.get_config() | {"units": units})
        return fresh(layer)

    def call(self, layer: Any, *args: Any, **kwargs: Any) -> Any:
        """Where a feed-forward goes, what it read leads past all that was in it."""
        if layer.name not in self._gone:
            return layer(*args, **kwargs)
        index = self._gone[layer.name]
        x = first_tensor(args, kwargs)
        if index is not None:
            x = self._read.setdefault(index, x)
        return layer(x)

    def sliced(self, name: str, weights: list[np.ndarray]) -> list[np.ndarray]:
        """Of a matrix (in, out) and its bias (out,)."""
        if name not in self._units:
            return weights
        units = self._units[name]
        if name in self._downs:
            return [weights[0][units], *weights[1:]]
        return [weight[..., units] for weight in weights]
