"""Blocks that change the stream little: ShortGPT and the sliding window."""

import math
from collections.abc import Iterator

import numpy as np
from keras import ops

from kit.checks import whole
from kit.errors import KitError, known
from kit.pruning.allocation import NotReached
from kit.pruning.calibration import Calibration
from kit.pruning.operation import Operation
from kit.pruning.pieces import Pieces
from kit.pruning.surgery import parts_of_blocks

VARIANTS = ("paper", "2ssp")


def cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cosine of two arrays of vectors along the last axis.

    Example:
        >>> cosine(np.array([[1.0, 0.0], [2.0, 2.0]]), np.array([[0.0, 3.0], [1, 1]]))
        array([0., 1.])
    """
    x, y = (np.asarray(each, "float64") for each in (x, y))
    lengths = np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1)
    return np.round(np.sum(x * y, axis=-1) / np.maximum(lengths, 1e-300), 12)


def block_influence(pieces: Pieces, calibration: Calibration) -> np.ndarray:
    """How much each block turns the stream (ShortGPT, 2403.03853, equation 1).

        BI_i = 1 - E[ x_i . x_(i+1) / (|x_i| |x_(i+1)|) ],   over all tokens

    Args:
        pieces: Of the model.
        calibration: What it reads.

    Returns:
        (blocks,) float64, from 0 to 2.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(3, vocabulary_size=14, context_length=12)
        >>> data = Calibration(np.zeros((2, 12), "int32"), sequences=2)
        >>> block_influence(Pieces(build(config)), data).shape
        (3,)
    """
    total, tokens = np.zeros(len(pieces.model.blocks)), 0
    for streams, kept in streams_of(pieces, calibration):
        before = next(streams)
        for index, after in enumerate(streams):
            total[index] += np.sum(1 - cosine(before, after)[kept])
            before = after
        tokens += kept.sum()
    return total / tokens


def last_token_streams(pieces: Pieces, calibration: Calibration) -> np.ndarray:
    """The stream of the last token of each sequence, before and after each block.

    Returns:
        (blocks + 1, sequences, width) float64. A sequence without a token that counts
        is left out.
    """
    found = []
    for streams, kept in streams_of(pieces, calibration):
        rows = np.flatnonzero(kept.any(axis=1))
        last = kept.shape[1] - 1 - np.argmax(kept[rows, ::-1], axis=1)
        found.append(np.stack([x[rows, last] for x in streams]))
    return np.concatenate(found, axis=1)


def angular_distances(streams: np.ndarray, window: int) -> np.ndarray:
    """Angle between the streams before and after each window of blocks (2403.17887).

        d(x_l, x_(l+n)) = arccos(cosine) / pi,   mean over the sequences

    Args:
        streams: Of `last_token_streams`, (blocks + 1, sequences, width).
        window: Blocks in a row, n.

    Returns:
        (blocks - window + 1,), from 0 to 1.

    Example:
        >>> turning = np.array([[[1.0, 0.0]], [[0.0, 1.0]], [[-1.0, 0.0]]])
        >>> angular_distances(turning, 1), angular_distances(turning, 2)
        (array([0.5, 0.5]), array([1.]))
    """
    cosines = cosine(streams[:-window], streams[window:])
    return np.mean(np.arccos(np.clip(cosines, -1, 1)), axis=-1) / math.pi


def shortgpt(operation: Operation, variant: str = "paper") -> None:
    """Remove the blocks of least influence, all judged on the whole model.

    Args:
        operation: What to prune.
        variant: `"paper"` takes the mean over all tokens. `"2ssp"` is what the code of
            2SSP compares with: the last token only, and the first block's influence
            set to 1.
    """
    known("variant", variant, VARIANTS)
    _expect_a_pass(operation)
    if variant == "paper":
        influence = block_influence(operation.pieces, operation.calibration)
    else:
        streams = last_token_streams(operation.pieces, operation.calibration)
        influence = np.mean(1 - cosine(streams[:-1], streams[1:]), axis=-1)
        influence[0] = 1.0
    operation.record.part_scores = {
        f"block {index}": float(each) for index, each in enumerate(influence)
    }
    config = operation.model.config
    gone: list[int] = []
    for block in np.argsort(influence, kind="stable").tolist():
        if operation.reaches(parts_of_blocks(config, gone)):
            break
        gone.append(block)
    operation.remove(parts_of_blocks(config, gone))


def sliding_window(operation: Operation, num_blocks: int | None = None) -> None:
    """Remove the window of blocks across which the last token turns least.

    Args:
        operation: What to prune.
        num_blocks: Blocks of the window; `None` for the fewest with which the best
            window reaches the sparsity.

    Raises:
        NotReached: `num_blocks` blocks are too few for the sparsity.
    """
    _expect_a_pass(operation)
    streams = last_token_streams(operation.pieces, operation.calibration)
    config, blocks = operation.model.config, len(operation.base.blocks)
    wanted = list(range(blocks + 1))
    if num_blocks is not None:
        wanted = [whole("num_blocks", num_blocks)]
    if max(wanted) > blocks:
        raise KitError(
            f"num_blocks={num_blocks} is more than the model's {blocks} blocks",
            f"Use {blocks} or fewer",
        )
    for window in wanted:
        gone = []
        if window:
            distances = angular_distances(streams, window)
            start = int(np.argmin(distances))
            gone = parts_of_blocks(config, range(start, start + window))
            operation.record.part_scores = {
                f"blocks {index} to {index + window - 1}": float(each)
                for index, each in enumerate(distances)
            }
        if operation.reaches(gone):
            break
    else:
        raise NotReached(
            f"sparsity={operation.sparsity:g} is not reached without num_blocks="
            f"{num_blocks} of {blocks} blocks",
            "Use a lower sparsity or more blocks, or leave num_blocks out",
        )
    operation.remove(gone)


def _expect_a_pass(operation: Operation) -> None:
    blocks = len(operation.base.blocks)
    operation.expect(operation.calibration.sequences * blocks)


def streams_of(
    pieces: Pieces, calibration: Calibration
) -> Iterator[tuple[Iterator[np.ndarray], np.ndarray]]:
    """For each chunk: the streams before, between and after the blocks, one at a time,
    and which tokens (rows, time) count."""
    for tokens, kept in calibration.chunks(pieces.model.config):
        yield _through_the_blocks(pieces, tokens), kept


def _through_the_blocks(pieces: Pieces, tokens: np.ndarray) -> Iterator[np.ndarray]:
    x, bias = pieces.embed(tokens)
    yield ops.convert_to_numpy(ops.cast(x, "float32"))
    for index, block in enumerate(pieces.model.config.blocks):
        x = pieces.block(index, block, x, bias)
        yield ops.convert_to_numpy(ops.cast(x, "float32"))
