"""The model: embedding, blocks, norm, head. It reads top to bottom."""

from collections.abc import Sequence
from typing import Any

import keras

from kit.config import ModelConfig
from kit.errors import KitError
from kit.layers import KeyValueCache, SharedMap
from kit.layers.taps import tap


@keras.saving.register_keras_serializable(package="kit")
class Transformer(keras.Model):
    """A language model made of parts; `kit.models.build` makes the parts.

    Args:
        config: The `ModelConfig` that the parts were made from, for saving.
        embedding: A `keras.layers.ReversibleEmbedding`: tokens in, logits out.
        positions: A layer that adds positions, or `None`.
        attention_bias: An `AttentionBias` layer.
        blocks: The blocks, first to last.
        final_norm: A norm layer, or `None`.
        map_sources: For each block, the block whose attention map it uses, perhaps
            itself; `None` where the map is not shared.

    Call arguments:
        tokens: (batch, time) integers, time at most `config.context_length`.
        cache: What `new_cache()` returned, to generate token by token.
        start: Position of the first of `tokens`, with a cache.

    Returns:
        Logits (batch, time, vocabulary_size), float32.

    Example:
        >>> import numpy as np
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(1, vocabulary_size=9, context_length=8)
        >>> tuple(build(config)(np.zeros((2, 5), "int32")).shape)
        (2, 5, 9)
    """

    def __init__(
        self,
        config: ModelConfig,
        embedding: keras.layers.Layer,
        positions: keras.layers.Layer | None,
        attention_bias: keras.layers.Layer,
        blocks: list[keras.layers.Layer],
        final_norm: keras.layers.Layer | None,
        map_sources: Sequence[int | None] = (),
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.config = config
        self.embedding = embedding
        self.positions = positions
        self.attention_bias = attention_bias
        self.blocks = list(blocks)
        self.final_norm = final_norm
        self.map_sources = tuple(map_sources) or (None,) * len(blocks)

    def build(self, tokens_shape: Any) -> None:
        stream = (*tokens_shape, self.config.width)
        self.embedding.build(tokens_shape)
        for layer in (self.positions, *self.blocks, self.final_norm):
            if layer is not None:
                layer.build(stream)

    def call(
        self, tokens: Any, cache: Any = None, start: Any = 0, training: bool = False
    ) -> Any:
        return self.logits(self.stream(tokens, cache, start, training))

    def stream(
        self, tokens: Any, cache: Any = None, start: Any = 0, training: bool = False
    ) -> Any:
        """As a call, but (batch, time, width): what the blocks leave for the head."""
        x = self.embed(tokens, start)
        keys = tokens if cache is None else cache.see(tokens, start)
        bias = self.attention_bias(keys, queries=tokens.shape[1], start=start)
        shared = {index: SharedMap() for index in self.map_sources} | {None: None}
        for index, block in enumerate(self.blocks):
            layer_cache = None if cache is None else cache.layers[index]
            x = block(
                x,
                bias=bias,
                cache=layer_cache,
                start=start,
                shared=shared[self.map_sources[index]],
                training=training,
            )
        return x

    def embed(self, tokens: Any, start: Any = 0) -> Any:
        """(batch, time) tokens to the stream (batch, time, width) before the blocks."""
        x = self.embedding(tokens)
        if self.positions is not None:
            x = self.positions(x, start=start)
        tap("embedding", x)
        return x

    def logits(self, x: Any) -> Any:
        """The stream after the blocks to (batch, time, vocabulary_size), float32."""
        if self.final_norm is not None:
            x = self.final_norm(x)
        tap("final_norm", x)
        return keras.ops.cast(self.embedding(x, reverse=True), "float32")

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        return (*tokens_shape, self.config.vocabulary_size)

    def new_cache(self, length: int | None = None) -> "Cache":
        """Room for the keys and values of `length` positions (default: context).

        Raises:
            KitError: The mask is full: a token would attend to those not written yet.
        """
        if self.config.mask == "full":
            raise KitError(
                'mask="full" lets every token see all others, so what was computed for '
                "the first ones is wrong once more are there",
                "Call the model on the whole sequence, without a cache",
            )
        return Cache(length or self.config.context_length, len(self.blocks))

    def get_config(self) -> dict[str, Any]:
        policy = keras.saving.serialize_keras_object(self.dtype_policy)
        return {"config": self.config.to_dict(), "name": self.name, "dtype": policy}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        from kit.models.build import build

        policy = keras.saving.deserialize_keras_object(config["dtype"])
        model_config = ModelConfig.from_dict(config["config"])
        return build(model_config, name=config["name"], dtype=policy)

    def build_from_config(self, _: Any) -> None:
        """Nothing to do: `build` made the variables already."""

    def compile_from_config(self, config: Any) -> None:
        """A trained model names the kit's loss and optimizer in its file."""
        import kit.training.trainer  # noqa: F401  so that Keras finds them

        super().compile_from_config(config)


class Cache:
    """The tokens seen so far and one `KeyValueCache` per block."""

    def __init__(self, length: int, num_blocks: int):
        self.layers = [KeyValueCache(length) for _ in range(num_blocks)]
        self.length = length
        self.tokens = None

    @property
    def state(self) -> list[Any]:
        """All arrays that it holds, for a function without side effects."""
        return [self.tokens, *([layer.key, layer.value] for layer in self.layers)]

    @state.setter
    def state(self, arrays: list[Any]) -> None:
        self.tokens, *pairs = arrays
        for layer, pair in zip(self.layers, pairs, strict=True):
            layer.key, layer.value = pair

    def see(self, tokens: Any, start: Any) -> Any:
        """Note (batch, time) tokens at `start`; return all positions."""
        ops = keras.ops
        if self.tokens is None:
            self.tokens = ops.zeros((tokens.shape[0], self.length), "int32")
        tokens = ops.cast(tokens, "int32")
        self.tokens = ops.slice_update(self.tokens, (0, start), tokens)
        return self.tokens
