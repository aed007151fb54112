"""From a config to a model: this and `kit.models.parts` alone look at its fields."""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from kit.config import ModelConfig
from kit.layers import (
    AttentionBias,
    Block,
    LearnedPositions,
    SinusoidalPositions,
    tag,
    tag_of,
)
from kit.layers.tags import normal, undrawn
from kit.models.parts import make_block, make_norm
from kit.models.transformer import Transformer


def build(
    config: ModelConfig,
    seed: int | None = 0,
    name: str = "transformer",
    dtype: Any = None,
) -> Transformer:
    """A model with fresh weights.

    The initial value of a weight depends on the seed, its name and its shape only:
    not on the backend, and not on what else the model holds. Two arms of a study
    that share a weight start from the same one.

    Args:
        config: The model as data.
        seed: Seed of the initial weights and of dropout; `None` for no initial
            values, where the caller assigns every weight of a large model.
        name: Name of the Keras model.
        dtype: A dtype policy such as `"mixed_bfloat16"`; `None` for the global one.

    Returns:
        A built `Transformer`.

    Example:
        >>> model = build(ModelConfig.uniform(2, vocabulary_size=14, context_length=12))
        >>> tuple(model(np.zeros((3, 12), "int32")).shape)
        (3, 12, 14)
    """
    if seed is None:
        with undrawn():
            return _build(config, name, dtype)
    model = _build(config, name, dtype)
    initialise(model, seed)
    return model


def _build(config: ModelConfig, name: str, dtype: Any) -> Transformer:
    """The parts with their variables."""
    model = Transformer(
        config=config,
        embedding=_embedding(config, dtype),
        positions=_positions(config, dtype),
        attention_bias=AttentionBias(
            config.mask,
            config.prefix_length,
            config.padding_id,
            name="attention_bias",
            dtype=dtype,
        ),
        blocks=[
            make_block(config, index, dtype) for index in range(len(config.blocks))
        ],
        final_norm=make_norm(config.final_norm, config, "final_norm", dtype),
        map_sources=config.map_sources(),
        name=name,
        dtype=dtype,
    )
    _make_variables(model, config)
    return model


def initialise(
    model: Transformer, seed: int, names: Collection[str] | None = None
) -> None:
    """Give the weights (and dropout) of a built model a fresh initial value.

    A weight's value depends on the seed, its name and its shape alone, so two models
    start with the same values in all that they have in common.

    Args:
        model: A built model.
        seed: Seed of the values.
        names: Names of the weights that get one, as in `named_weights`; `None` for all.

    Example:
        >>> config = ModelConfig.uniform(1, vocabulary_size=9, context_length=8)
        >>> model, again = build(config, seed=0), build(config, seed=1)
        >>> initialise(again, seed=0)
        >>> pairs = zip(model.get_weights(), again.get_weights())
        >>> all((one == other).all() for one, other in pairs)
        True
    """
    for key, variable in named_weights(model).items():
        if names is not None and key not in names:
            continue
        digest = hashlib.sha256(f"{seed}/{key}".encode()).digest()
        rng = np.random.default_rng(np.frombuffer(digest, "uint32"))
        variable.assign(tag_of(variable).initial(tuple(variable.shape), rng))
    states = [v for v in model.non_trainable_variables if "seed_gen" in v.path]
    for index, state in enumerate(states):
        state.assign(np.array([seed % 2**32, index], dtype=state.dtype))


def named_weights(model: Transformer) -> dict[str, keras.Variable]:
    """Every weight under a name that does not change, such as `block_3/norm_0/gamma`.

    Example:
        >>> config = ModelConfig.uniform(1, vocabulary_size=9, context_length=8)
        >>> list(named_weights(build(config)))[:3]
        ['embedding/embeddings', 'positions/table', 'block_0/norm_0/gamma']
    """
    return _weights(_named_layers(model))


def block_weights(block: Block, index: int = 0) -> dict[str, keras.Variable]:
    """The weights of one block under the names that `named_weights` gives them.

    Example:
        >>> config = ModelConfig.uniform(2, vocabulary_size=9, context_length=8)
        >>> list(block_weights(build(config).blocks[1], 1))[:2]
        ['block_1/norm_0/gamma', 'block_1/norm_0/beta']
    """
    return _weights(_layers_of(block, f"block_{index}"))


def _weights(
    layers: Iterable[tuple[str, keras.layers.Layer]],
) -> dict[str, keras.Variable]:
    return {
        f"{prefix}/{variable.name}": variable
        for prefix, layer in layers
        for variable in layer.weights
    }


def _named_layers(model: Transformer) -> Iterator[tuple[str, keras.layers.Layer]]:
    yield "embedding", model.embedding
    if model.positions is not None:
        yield "positions", model.positions
    for index, block in enumerate(model.blocks):
        yield from _layers_of(block, f"block_{index}")
    if model.final_norm is not None:
        yield "final_norm", model.final_norm


def _layers_of(block: Block, prefix: str) -> Iterator[tuple[str, keras.layers.Layer]]:
    for sub_block in block.sub_blocks:
        if sub_block.norm is not None:
            yield f"{prefix}/{sub_block.norm.name}", sub_block.norm
        for part in ("attention", "feed_forward"):
            if getattr(sub_block, part) is not None:
                yield f"{prefix}/{part}", getattr(sub_block, part)
        for gain in sub_block.gains:
            yield prefix, gain


def _make_variables(model: Transformer, config: ModelConfig) -> None:
    """Make the variables, then tag what Keras' own layers made."""
    model.build((None, config.context_length))
    for prefix, layer in _named_layers(model):
        if layer is model.embedding:
            for variable in layer.weights:
                untied = variable.name == "reverse_embeddings"
                axes = ("width", "vocabulary") if untied else ("vocabulary", "width")
                tag(variable, "Emb", axes, std=config.initializer_std)
        elif isinstance(
            layer, keras.layers.LayerNormalization | keras.layers.RMSNormalization
        ):
            for variable in layer.weights:
                constant = 0.0 if variable.name == "beta" else 1.0
                tag(variable, "Norm", ("width",), constant=constant)
        elif hasattr(layer, "tap_name"):
            layer.tap_name = prefix


def _embedding(config: ModelConfig, dtype: Any) -> keras.layers.Layer:
    return keras.layers.ReversibleEmbedding(
        config.vocabulary_size,
        config.width,
        embeddings_initializer=normal(config.initializer_std),
        tie_weights=config.tied_head,
        name="embedding",
        dtype=dtype,
    )


def _positions(config: ModelConfig, dtype: Any) -> keras.layers.Layer | None:
    shared = {"name": "positions", "dtype": dtype}
    if config.positions == "learned":
        return LearnedPositions(config.context_length, config.initializer_std, **shared)
    if config.positions == "sinusoidal":
        return SinusoidalPositions(
            config.context_length, config.initializer_std, **shared
        )
    return None
