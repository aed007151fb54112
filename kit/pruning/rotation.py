"""A narrower stream after a rotation, for models with RMSNorm (after SliceGPT).

RMSNorm without its weights commutes with a rotation, so every matrix that reads or
writes the stream can be rotated and the model says the same. In the coordinates of the
principal components the last ones hold little, and are cut off (2401.15024).

SliceGPT takes another rotation for each block and puts a matrix beside each skip that
leads from one to the next. Here one rotation serves all blocks: there is no such
matrix, and what comes out is an ordinary model of smaller width.
"""

import math
from dataclasses import replace

import numpy as np

from kit.config import ModelConfig
from kit.errors import KitError
from kit.models import Transformer, build, named_weights
from kit.pruning.allocation import NotReached, sparsity_of
from kit.pruning.calibration import Calibration
from kit.pruning.operation import Operation
from kit.pruning.pieces import Pieces
from kit.pruning.similarity import streams_of
from kit.pruning.surgery import KINDS

READERS = ("query", "key", "value", "up", "gate")  # the width is their first axis
WRITERS = {"output": 1, "down": 0, "embeddings": 1, "table": 1}  # and here this one


def slice_width(operation: Operation) -> None:
    """Rotate the stream to its principal components and keep as few as asked for.

    The output matrix is no longer the embedding matrix: the weights of the final norm
    go into it.

    Raises:
        NotReached: A stream of width 1 still has too many parameters.
        KitError: The model has other norms or positions.
    """
    config = operation.base
    _check(config)
    operation.expect(operation.calibration.sequences * len(config.blocks))
    width = config.width
    while width > 1 and not _reaches(operation, width):
        width -= 1
    if not _reaches(operation, width):
        reached = sparsity_of(narrower(config, width), config)
        raise NotReached(
            f"sparsity={operation.sparsity:g} is not reached by a stream of width 1: "
            f"{reached:.1%} of the block parameters are gone",
            "Use a lower sparsity, or another method",
        )
    with operation.stage("rotation"):
        rotation = principal_axes(operation.pieces, operation.calibration)
        operation.replace(rotated(operation.model, rotation[:, :width]))


def principal_axes(pieces: Pieces, calibration: Calibration) -> np.ndarray:
    """Principal components of the stream before, between and after the blocks.

    Each token has length 1, as the norms make it.

    Returns:
        (width, width) float64, orthogonal; the columns are the axes, largest first.

    Example:
        >>> from kit.config import ModelConfig
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> data = Calibration(np.zeros((2, 12), "int32"), sequences=2)
        >>> axes = principal_axes(Pieces(build(config)), data)
        >>> bool(np.allclose(axes.T @ axes, np.eye(64)))
        True
    """
    width = pieces.model.config.width
    covariance = np.zeros((width, width))
    for streams, kept in streams_of(pieces, calibration):
        for x in streams:
            tokens = x[kept].astype("float64")
            lengths = np.linalg.norm(tokens, axis=1, keepdims=True)
            tokens /= np.maximum(lengths, 1e-300)
            covariance += tokens.T @ tokens
    _, axes = np.linalg.eigh(covariance)  # smallest first
    return axes[:, ::-1]


def rotated(model: Transformer, axes: np.ndarray) -> Transformer:
    """A new model whose stream is that of the old one in other coordinates.

        x -> x Q,   W_in -> Q^T diag(gamma) W_in,   W_out -> W_out Q

    Exact where Q is square, or where the stream has nothing outside of its columns.

    Args:
        model: Of RMSNorm before each branch and before the head; others are refused.
        axes: Q, (width, new width), orthonormal columns.

    Raises:
        KitError: The model has other norms or positions, or heads that are columns of
            the stream.
    """
    _check(model.config)
    old = {key: np.asarray(w, "float64") for key, w in named_weights(model).items()}
    new = build(narrower(model.config, axes.shape[1]), dtype=model.dtype_policy)
    for key, variable in named_weights(new).items():
        prefix, _, name = key.rpartition("/")
        if name == "reverse_embeddings":
            head = old["embedding/embeddings"].T if key not in old else old[key]
            value = axes.T @ (old["final_norm/scale"][:, None] * head)
        elif name == "scale":
            # The old one is in the matrices now. Its mean of the squares is over fewer
            # entries with the same sum.
            value = np.full(axes.shape[1], math.sqrt(len(axes) / axes.shape[1]))
        elif name in READERS:
            value = axes.T @ (old[_norm_of(prefix, old)][:, None] * old[key])
        elif name in WRITERS:
            value = old[key] @ axes if WRITERS[name] else axes.T @ old[key]
        else:
            value = old[key]  # a gain
        variable.assign(value.astype("float32"))
    return new


def narrower(config: ModelConfig, width: int) -> ModelConfig:
    """The config of a rotated model: heads and neurons keep their sizes.

    Example:
        >>> sizes = {"vocabulary_size": 9, "context_length": 8}
        >>> config = ModelConfig.uniform(1, "llama", **sizes)
        >>> narrower(config, 40).blocks[0].head_dim
        16
    """
    blocks = tuple(
        replace(
            block,
            head_dim=config.head_dim(block) if block.attention else None,
            feed_forward_dim=config.feed_forward_dim(block),
        )
        for block in config.blocks
    )
    return replace(
        config,
        width=width,
        blocks=blocks,
        tied_head=False,
        norm_epsilon=config.norm_epsilon * config.width / width,
    )


def _norm_of(prefix: str, old: dict[str, np.ndarray]) -> str:
    """The weights of the norm in front of a part: in parallel wiring there is one."""
    block, _, part = prefix.partition("/")
    own = f"{block}/norm_{KINDS.index(part)}/scale"
    return own if own in old else f"{block}/norm_0/scale"


def _reaches(operation: Operation, width: int) -> bool:
    config = narrower(operation.base, width)
    return sparsity_of(config, operation.base) >= operation.sparsity - 1e-9


def _check(config: ModelConfig) -> None:
    for index, block in enumerate(config.blocks):
        norm = block.norm_position, block.norm
        if norm != ("pre", "rms") or {block.value, block.projection} != {"learned"}:
            raise KitError(
                f"block {index} has norm={block.norm!r} ({block.norm_position}), value="
                f"{block.value!r} and projection={block.projection!r}; a rotation "
                "passes RMSNorm in front of learned matrices only",
                "Use another method",
            )
    if config.final_norm != "rms" or config.positions == "sinusoidal":
        raise KitError(
            f"final_norm={config.final_norm!r} or positions={config.positions!r} does "
            "not pass a rotation",
            "Use another method",
        )
