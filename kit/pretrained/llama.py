"""Llama-type weights (2302.13971) into a kit model: RMSNorm, rotary, SwiGLU."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from kit.config import ModelConfig, block_preset
from kit.errors import KitError
from kit.models import Transformer, build, named_weights

# What a kit model calls its weights, and what llama.cpp calls them.
SHARED = {
    "embedding/embeddings": "token_embd",
    "embedding/reverse_embeddings": "output",
    "final_norm/scale": "output_norm",
}
IN_BLOCK = {
    "norm_0/scale": "attn_norm",
    "attention/query": "attn_q",
    "attention/key": "attn_k",
    "attention/value": "attn_v",
    "attention/output": "attn_output",
    "norm_1/scale": "ffn_norm",
    "feed_forward/gate": "ffn_gate",
    "feed_forward/up": "ffn_up",
    "feed_forward/down": "ffn_down",
}
# Files keep a linear map as (out, in), the kit as (in, out), except for these.
SAME_LAYOUT = ("embedding/embeddings", "feed_forward/down")
ROTATED = ("attention/query", "attention/key")


def llama_config(
    num_blocks: int,
    num_heads: int,
    num_key_value_heads: int,
    feed_forward_dim: int,
    **shared: Any,
) -> ModelConfig:
    """The config of a Llama; `shared` are the other fields of `ModelConfig`.

    Example:
        >>> sizes = {"vocabulary_size": 9, "context_length": 8, "width": 16}
        >>> llama_config(2, 4, 2, 40, **sizes).blocks[1].key_value_heads
        2
    """
    block = replace(
        block_preset("llama"),
        num_heads=num_heads,
        num_key_value_heads=num_key_value_heads,
        feed_forward_dim=feed_forward_dim,
    )
    shared = {"positions": "rotary", "final_norm": "rms", **shared}
    return ModelConfig.uniform(num_blocks, block, **shared)


def llama_model(
    config: ModelConfig,
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], Iterable[np.ndarray]],
    name: str,
) -> Transformer:
    """Build a model and move the weights of a file into it, one by one.

    Args:
        config: What `llama_config` made.
        shapes: The shapes of the file's tensors, under the names of llama.cpp: a matrix
            is (out, in).
        read: One of them as float32, in pieces of its first axis; the rows of queries
            and keys are made for rotary positions on neighbouring pairs of channels.
        name: Name of the model.

    Raises:
        KitError: A tensor is missing, of another shape, or has no place in the model.
    """
    model = build(config, seed=None, name=name)
    weights = named_weights(model)
    homes = {file_name(key): key for key in weights}
    if homes.keys() != shapes.keys():
        wrong = sorted(homes.keys() ^ shapes.keys())[0]
        raise KitError(
            f"{name}: {wrong!r} is {'missing' if wrong in homes else 'unknown'}",
            "Pass a Llama without biases and with plain rotary positions",
        )
    for source, key in homes.items():
        shape = tuple(weights[key].shape)
        wanted = shape if key.endswith(SAME_LAYOUT) else shape[::-1]
        if shapes[source] != wanted:
            raise KitError(
                f"{name}: {source!r} has shape {shapes[source]}, expected {wanted}",
                "Pass a file whose header agrees with its tensors",
            )
        _fill(weights[key], key, read(source), config)
    return model


def _fill(
    variable: keras.Variable,
    key: str,
    pieces: Iterable[np.ndarray],
    config: ModelConfig,
) -> None:
    if not key.endswith(SAME_LAYOUT):
        value = np.concatenate([*pieces])
        if key.endswith(ROTATED):
            value = pairs_to_halves(value, config.head_dim(config.blocks[0]))
        variable.assign(value.T)
        return
    row = 0
    for piece in pieces:  # TensorFlow takes in an array by way of a second copy of it
        table = keras.ops.convert_to_tensor(variable)
        variable.assign(keras.ops.slice_update(table, (row, 0), piece))
        row += len(piece)


def file_name(key: str) -> str:
    """What llama.cpp calls a weight of the kit.

    Example:
        >>> file_name("block_3/attention/query")
        'blk.3.attn_q.weight'
    """
    in_block = re.fullmatch(r"block_(\d+)/(.+)", key)
    if in_block:
        return f"blk.{in_block[1]}.{IN_BLOCK[in_block[2]]}.weight"
    return f"{SHARED[key]}.weight"


def pairs_to_halves(rows: np.ndarray, head_dim: int) -> np.ndarray:
    """Rows of queries or keys, in the order that the kit's rotary positions expect.

    Files made for neighbouring pairs turn channel 2i of a head with channel 2i + 1; the
    kit turns channel i with channel i + head_dim / 2. Queries and keys are permuted
    alike, so their products stay the same.

    Args:
        rows: (heads * head_dim, width).
        head_dim: Width of a head.

    Example:
        >>> pairs_to_halves(np.arange(8)[:, None], head_dim=4).ravel().tolist()
        [0, 2, 1, 3, 4, 6, 5, 7]
    """
    pairs = rows.reshape(-1, head_dim // 2, 2, rows.shape[-1])
    return pairs.swapaxes(1, 2).reshape(rows.shape)
