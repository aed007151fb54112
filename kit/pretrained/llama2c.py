"""Reading llama2.c's files: a model in float32 and its vocabulary of pieces."""

import math
import struct
from pathlib import Path

import numpy as np

from kit.config import ModelConfig
from kit.data.pieces import PieceTokenizer
from kit.errors import KitError
from kit.models import Transformer
from kit.pretrained.llama import llama_config, llama_model

HEADER = struct.Struct("<7i")
PIECE = struct.Struct("<fi")
AGAIN = "Fetch the file again"
EPSILON = 1e-5  # fixed in llama2.c, as is the base of the rotary positions, 10,000


def read_model(path: Path, name: str, context_length: int | None = None) -> Transformer:
    """The kit model of a llama2.c file.

    Args:
        path: A file of the first version (float32, without a magic number).
        name: Name of the model.
        context_length: Longest sequence; `None` for that of the file.

    Raises:
        KitError: The file is no such file, or truncated.
    """
    with path.open("rb") as file:
        header = file.read(HEADER.size).ljust(HEADER.size, b"\0")
    sizes = HEADER.unpack(header)
    if min(map(abs, sizes)) < 1 or min(*sizes[:5], sizes[6]) < 1:
        raise KitError(f"{path} is no llama2.c file: it begins with {sizes}", AGAIN)
    told, there = HEADER.size + 4 * _count(*sizes), path.stat().st_size
    if there != told:  # before anything of such a size is made
        found = f"{path} has {there:,} bytes, its header tells of {told:,}"
        raise KitError(found, AGAIN)
    width, hidden, num_blocks, heads, key_value_heads, vocabulary, context = sizes
    config = llama_config(
        num_blocks,
        heads,
        key_value_heads,
        hidden,
        vocabulary_size=abs(vocabulary),
        context_length=context_length or context,
        width=width,
        norm_epsilon=EPSILON,
        tied_head=vocabulary > 0,  # a negative size tells of a head of its own
    )
    tensors = _tensors(path, config, angles=context * (width // heads))
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    return llama_model(config, shapes, lambda key: [tensors[key]], name)


def _count(
    width: int,
    hidden: int,
    num_blocks: int,
    heads: int,
    key_value_heads: int,
    vocabulary: int,
    context: int,
) -> int:
    """How many numbers follow a header."""
    head_dim = width // heads
    attention = 2 * width * head_dim * (heads + key_value_heads)
    block = attention + 3 * hidden * width + 2 * width
    tables = (2 if vocabulary < 0 else 1) * abs(vocabulary) * width
    return tables + num_blocks * block + width + context * head_dim


def _tensors(path: Path, config: ModelConfig, angles: int) -> dict[str, np.ndarray]:
    """The file's tensors under llama.cpp's names, as views of one array.

    Args:
        path: The file.
        config: Its model.
        angles: How many cosines and sines stand before a head of its own; not needed.
    """
    block, width = config.blocks[0], config.width
    hidden = config.feed_forward_dim(block)
    keys = block.key_value_heads * config.head_dim(block)
    in_block: dict[str, tuple[int, ...]] = {
        "attn_norm": (width,),
        "attn_q": (width, width),
        "attn_k": (keys, width),
        "attn_v": (keys, width),
        "attn_output": (width, width),
        "ffn_norm": (width,),
        "ffn_gate": (hidden, width),
        "ffn_down": (width, hidden),
        "ffn_up": (hidden, width),
    }
    layout: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (config.vocabulary_size, width),
        **{
            f"blk.{index}.{part}.weight": shape
            for part, shape in in_block.items()
            for index in range(len(config.blocks))
        },
        "output_norm.weight": (width,),
        "angles": (angles,),
    }
    if not config.tied_head:
        layout["output.weight"] = (config.vocabulary_size, width)
    numbers = np.fromfile(path, "<f4", offset=HEADER.size)
    ends = np.cumsum([math.prod(shape) for shape in layout.values()])
    pieces = zip(layout.items(), np.split(numbers, ends[:-1]), strict=True)
    tensors = {name: piece.reshape(shape) for (name, shape), piece in pieces}
    del tensors["angles"]
    return tensors


def read_pieces(path: Path, vocabulary_size: int, spec: str) -> PieceTokenizer:
    """The tokenizer of a llama2.c vocabulary: scores, lengths and bytes of pieces.

    Args:
        path: A file such as `tok512.bin`.
        vocabulary_size: Number of pieces; the file does not tell it.
        spec: What `get_tokenizer` knows the tokenizer by.

    Raises:
        KitError: The file is truncated, or holds more.
    """
    content, at = path.read_bytes(), 4  # after the length of the longest piece
    pieces, scores = [], []
    try:
        for _ in range(vocabulary_size):
            score, length = PIECE.unpack_from(content, at)
            at += PIECE.size + length
            pieces.append(content[at - length : at].decode("utf-8", "replace"))
            scores.append(score)
    except struct.error:
        at = -1
    if at != len(content):
        raise KitError(f"{path} does not hold {vocabulary_size} pieces", AGAIN)
    return PieceTokenizer(pieces, scores, spec)
