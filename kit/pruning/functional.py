"""Any functional Keras model under the contract of pruning: its layers by name."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import keras
import numpy as np

from kit.errors import KitError, known
from kit.pruning.graph import Cut, Gate, clone, copy_weights, first_tensor
from kit.pruning.named import BlockLayers, check_layers, check_model
from kit.pruning.outline import BlockOutline, Outline, Part
from kit.pruning.surgery import check_parts


class FunctionalModel:
    """A functional Keras model that can be pruned; it is never changed.

    It is a `Prunable`, and `model` is the Keras model, an ordinary one. Of a removed
    attention nothing is left but a layer without weights that gives zeros, so the norm
    in front of it stays, as in the authors' code.

    Memory: one more copy of the weights, made when it is first asked for anything, so
    make a new one when the model has learnt more.

    Args:
        model: One input of token ids (batch, time), and one output of logits (batch,
            time, classes); or (batch, classes), one answer for each sequence.
        blocks: The layers of each block, first to last.
        vocabulary_size: Token ids that it reads; `None` for those of its first
            `Embedding`, or else as many as its classes.
        mask: `"causal"`, or `"full"` where a position sees later ones.
        padding_id: Token that is no token.
        from_logits: Whether the outputs are logits; else they are probabilities.

    Raises:
        KitError: The model is not functional, or the layers are not what they should
            be.

    Example:
        >>> x = inputs = keras.Input((12,), dtype="int32")
        >>> x = keras.layers.Embedding(14, 8)(x)
        >>> y = keras.layers.MultiHeadAttention(2, 4, name="attention")(
        ...     x, x, use_causal_mask=True
        ... )
        >>> y = x = keras.layers.Add()([x, y])
        >>> y = keras.layers.Dense(32, "relu", name="up")(y)
        >>> x = keras.layers.Add()([x, keras.layers.Dense(8, name="down")(y)])
        >>> model = keras.Model(inputs, keras.layers.Dense(14)(x))
        >>> blocks = [BlockLayers("attention", ("up",), "down")]
        >>> prunable = FunctionalModel(model, blocks)
        >>> prunable.config.blocks[0].parameters, prunable.config.vocabulary_size
        (840, 14)
        >>> smaller = prunable.smaller({0: [0, 3]}, [Part("attention", 0)])
        >>> smaller.config.blocks[0].parameters, smaller.model.count_params()
        (42, 280)
    """

    def __init__(
        self,
        model: keras.Model,
        blocks: Sequence[BlockLayers],
        vocabulary_size: int | None = None,
        mask: str = "causal",
        padding_id: int | None = None,
        from_logits: bool = True,
    ):
        known("mask", mask, ("causal", "full"))
        check_model(model, from_logits)
        self.model, self.blocks, self.from_logits = model, tuple(blocks), from_logits
        self.layers = {layer.name: layer for layer in model.layers}
        for index, block in enumerate(self.blocks):
            check_layers(self.layers, index, block)
        classes = int(model.outputs[0].shape[-1])
        self.config = Outline(
            tuple(map(self._outline, self.blocks)),
            vocabulary_size or _embedded(model) or classes,
            classes,
            model.inputs[0].shape[1],
            mask,
            padding_id,
        )

    def hidden(self, tokens: np.ndarray) -> dict[int, np.ndarray]:
        """See `Prunable`."""
        for gate in self._gated[1].values():
            gate.is_open.assign(1.0)
        found = self._watch.predict_on_batch(self._checked(tokens))
        return {int(index): hidden for index, hidden in found.items()}

    def logits(self, tokens: np.ndarray, removed: Collection[Part] = ()) -> Any:
        """See `Prunable`."""
        model, gates = self._gated
        for part, gate in gates.items():
            gate.is_open.assign(float(part not in removed))
        found = model.predict_on_batch(self._checked(tokens))
        if not self.from_logits:
            found = np.log(np.maximum(found, np.finfo("float32").tiny))
        return found if found.ndim == 3 else found[:, None]

    def weights(self, part: Part) -> dict[str, np.ndarray]:
        """See `Prunable`."""
        block = self.blocks[part.block]
        if part.kind == "attention":
            layer = self.layers[block.attention]
            return {weight.path: np.asarray(weight) for weight in layer.weights}
        down = np.asarray(self.layers[block.down].kernel)
        ups = {name: np.asarray(self.layers[name].kernel) for name in block.up}
        return ups | {"down": down.T}

    def smaller(
        self, kept: Mapping[int, Sequence[int]], removed: Collection[Part]
    ) -> "FunctionalModel":
        """See `Prunable`."""
        parts = [Part("feed_forward", index) for index in kept]
        check_parts(self.config, [*parts, *removed])
        empty = {part for part in parts if not len(kept[part.block])}
        cut = Cut(self.blocks, kept, {*removed, *empty})
        model = clone(self.model, cut.make, cut.call)
        copy_weights(self.layers, model, cut.sliced)
        return FunctionalModel(
            model,
            cut.blocks,
            self.config.vocabulary_size,
            self.config.mask,
            self.config.padding_id,
            self.from_logits,
        )

    def _outline(self, block: BlockLayers) -> BlockOutline:
        def count(*names: str | None) -> int:
            return sum(self.layers[name].count_params() for name in names if name)

        return BlockOutline(
            count(block.attention) if block.attention else None,
            count(*block.up, block.down) if block.down else None,
            self.layers[block.up[0]].units if block.up else 0,
            count(*block.others),
        )

    @cached_property
    def _gated(self) -> tuple[keras.Model, dict[Part, Gate]]:
        """A copy of the model in which each part can be switched off."""
        writers = {
            name: Part(kind, index)
            for index, block in enumerate(self.blocks)
            for kind, name in (
                ("attention", block.attention),
                ("feed_forward", block.down),
            )
            if name is not None
        }
        gates = {part: Gate() for part in writers.values()}
        calls: Counter[str] = Counter()

        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            y = layer(*args, **kwargs)
            if layer.name in writers:
                part, x = writers[layer.name], first_tensor(args, kwargs)
                calls[layer.name] += 1
                _check_writer(layer, part, y, x, calls[layer.name])
                return gates[part](y)
            return y

        model = clone(self.model, call=call)
        copy_weights(self.layers, model, lambda name, weights: weights)
        return keras.Model(model.inputs[0], model.outputs[0]), gates

    @cached_property
    def _watch(self) -> keras.Model:
        """Tokens to the hidden states of each block."""
        model, _ = self._gated
        hidden = {
            str(index): model.get_layer(block.down).input
            for index, block in enumerate(self.blocks)
            if block.down is not None
        }
        return keras.Model(model.inputs[0], hidden)

    def _checked(self, tokens: np.ndarray) -> np.ndarray:
        longest = self.config.context_length
        if longest is not None and np.shape(tokens)[1] != longest:
            raise KitError(
                f"the sequences have {np.shape(tokens)[1]} tokens, and the model reads "
                f"{longest}, no more and no less",
                "Give it sequences of that length, or an Input of shape (None,)",
            )
        return np.asarray(tokens, "int32")


def _embedded(model: keras.Model) -> int | None:
    """Rows of the first table of embeddings."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Embedding):
            return layer.input_dim
    return None


def _check_writer(layer: Any, part: Part, y: Any, x: Any, calls: int) -> None:
    """Of an attention or the last matrix of a feed-forward, as it is called."""
    if calls > 1:
        raise KitError(
            f"the layer {layer.name!r} is used {calls} times", "Give each block its own"
        )
    found = tuple(getattr(y, "shape", ()))
    if part.kind == "attention" and found != tuple(x.shape):
        raise KitError(
            f"the layer {layer.name!r} makes a {type(y).__name__} of shape {found} of "
            f"what it reads first, of shape {tuple(x.shape)}",
            "Name the layer whose one output is added to the stream",
        )
