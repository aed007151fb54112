"""The layers of a functional Keras model by name, checked before anything is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from kit.errors import KitError, known

OWN = "Write a kit.pruning.Prunable for it"


@dataclass(frozen=True)
class BlockLayers:
    """The layers of one block, by their names in the model.

    Args:
        attention: A layer of any class that gives one tensor of the shape of the one
            that it reads first; `None` where there is none.
        up: The `Dense` layers whose units are the neurons: one, or with a gate two.
            Between them and `down` each neuron must be for itself, as with
            activations, products and dropout.
        down: The `Dense` layer that reads the neurons; `None` for no feed-forward.
        others: Layers that are counted as the block's and stay, such as its norms.

    Example:
        >>> BlockLayers("attention_0", ("up_0",), "down_0", others=("norm_0",)).down
        'down_0'
    """

    attention: str | None = None
    up: tuple[str, ...] = ()
    down: str | None = None
    others: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """All of them."""
        named = (self.attention, *self.up, self.down, *self.others)
        return [name for name in named if name is not None]


def check_model(model: Any, from_logits: bool) -> None:
    """Raise a `KitError` unless a model is functional, of tokens to logits."""
    if not isinstance(model, keras.Function):  # as functional models are
        raise KitError(
            f"a {type(model).__name__} is no functional Keras model, so its layers "
            "cannot be taken apart",
            OWN,
        )
    inputs, outputs = (
        [tuple(x.shape) for x in each] for each in (model.inputs, model.outputs)
    )
    if [len(shape) for shape in inputs] != [2] or [
        len(shape) for shape in outputs
    ] not in ([2], [3]):
        raise KitError(
            f"the model has inputs of shapes {inputs} and outputs of shapes {outputs}, "
            "expected one of tokens (batch, time), and one of logits (batch, time, "
            "classes) or (batch, classes)",
            OWN,
        )
    activation = getattr(model.layers[-1], "activation", None)
    if from_logits and activation in (keras.activations.softmax, keras.ops.softmax):
        raise KitError(
            f"the last layer, {model.layers[-1].name!r}, gives probabilities",
            "Say FunctionalModel(..., from_logits=False)",
        )


def check_layers(
    layers: Mapping[str, keras.layers.Layer], index: int, block: BlockLayers
) -> None:
    """Raise a `KitError` unless the layers of a block are there and fit together."""
    for name in block.names:
        known(f"layer of block {index}:", name, layers)
    if bool(block.up) != (block.down is not None):
        raise KitError(
            f"block {index} has up={block.up} and down={block.down!r}",
            "Name both, or neither where there is no feed-forward",
        )
    for name in block.names[block.attention is not None :][: len(block.up) + 1]:
        if block.down is not None and not isinstance(layers[name], keras.layers.Dense):
            raise KitError(
                f"{name!r} of block {index} is a {type(layers[name]).__name__}, and "
                "neurons are cut out of Dense layers",
                OWN,
            )
    for name in block.up:
        up, down = (tuple(layers[str(n)].kernel.shape) for n in (name, block.down))
        if up[::-1] != down:
            raise KitError(
                f"{name!r} of block {index} has a kernel of shape {up} and "
                f"{block.down!r} one of {down}, expected {up[::-1]}",
                "Name the Dense layer that reads its units, and adds to what it reads",
            )
