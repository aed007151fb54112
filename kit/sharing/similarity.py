"""The first step of EchoAtt, attend: how alike a model's attention maps are."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from kit.checks import check_tokens
from kit.errors import KitError, known
from kit.models import Transformer, activations
from kit.sharing.measures import MEASURES, Matrices, compare_maps


@dataclass(frozen=True)
class MapSimilarity:
    """How alike the attention maps of a model are, beside what chance would give.

    Args:
        blocks: The blocks that have an attention, L of them.
        values: (L, L) for each measure, 1 for equal maps.
        null: The same under the null model of `kit.sharing.measures`.

    Example:
        >>> found = MapSimilarity([0, 1, 3], {"rows": np.eye(3)}, {"rows": np.eye(3)})
        >>> found.scores("rows")
        {0: 0.0, 1: 0.0, 3: 0.0}
    """

    blocks: list[int]
    values: Matrices
    null: Matrices

    def scores(self, measure: str = "cosine") -> dict[int, float]:
        """For each block, the mean similarity with the other blocks."""
        return self._means(self.values, measure)

    def null_scores(self, measure: str = "cosine") -> dict[int, float]:
        """The same under the null model."""
        return self._means(self.null, measure)

    def excess(self, measure: str = "cosine") -> np.ndarray:
        """(L, L): the part of what chance leaves open, (value - null) / (1 - null)."""
        known("measure", measure, self.values)
        value, null = self.values[measure], self.null[measure]
        left = np.maximum(1 - null, 1e-9)  # nothing is left where all maps are flat
        return (value - null) / left

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "blocks": self.blocks,
            **{
                name: {measure: x.tolist() for measure, x in matrices.items()}
                for name, matrices in (("values", self.values), ("null", self.null))
            },
        }

    def _means(self, matrices: Matrices, measure: str) -> dict[int, float]:
        matrix = matrices[known("measure", measure, matrices)]
        others = (matrix.sum(axis=1) - np.diag(matrix)) / max(len(matrix) - 1, 1)
        return dict(zip(self.blocks, others.tolist(), strict=True))


def map_similarity(
    model: Transformer,
    tokens: np.ndarray,
    measures: Iterable[str] = MEASURES,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> MapSimilarity:
    """How alike the attention maps of the blocks are, mean over some sequences.

    The maps of one sequence are in memory at a time: layers x heads x time^2.

    Args:
        model: A kit model.
        tokens: (sequences, time) integers; the paper (2409.14595) has 512 each and no
            padding. Rows and columns of padding are left out of the maps.
        measures: Which, see `compare_maps`.
        seed: Of the null model of the divergence.
        progress: Called with the share done.

    Raises:
        KitError: There is nothing to compare, or the sequences are none that the
            model can read.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(3, vocabulary_size=14, context_length=12)
        >>> tokens = np.arange(24).reshape(2, 12) % 14
        >>> found = map_similarity(build(config), tokens)
        >>> found.values["cosine"].shape, found.scores()[1] > 0.99  # flat at the start
        ((3, 3), True)
    """
    blocks = attention_blocks(model)
    tokens = checked_sequences(model, tokens)
    samples = maps_of(model, tokens, blocks, progress)
    found = compare_maps(samples, visible_of(model, tokens), measures, seed)
    return MapSimilarity(blocks, *found)


def checked_sequences(model: Transformer, tokens: Any) -> np.ndarray:
    """Sequences whose maps can be compared, as an array.

    Raises:
        KitError: They are no such sequences.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(1, vocabulary_size=14, context_length=12)
        >>> checked_sequences(build(config), [[1, 2, 3]]).shape
        (1, 3)
    """
    tokens = np.asarray(tokens)
    if tokens.ndim != 2 or not tokens.size or tokens.dtype.kind not in "iu":
        raise KitError(
            f"tokens of shape {tokens.shape} and type {tokens.dtype}, expected whole "
            "numbers (sequences, time)",
            "Give some sequences of one length",
        )
    check_tokens(tokens, model.config.vocabulary_size)
    padding = model.config.padding_id
    if padding is not None and (tokens == padding).all(axis=1).any():
        raise KitError(
            f"one of the sequences holds nothing but the padding token {padding}",
            "Leave it out",
        )
    return tokens


def attention_blocks(model: Transformer) -> list[int]:
    """The blocks that have an attention.

    Raises:
        KitError: There are fewer than two.
    """
    blocks = [i for i, block in enumerate(model.config.blocks) if block.attention]
    if len(blocks) < 2:
        raise KitError(
            f"{len(blocks)} blocks of the model have an attention",
            "Compare the maps of a model of two or more",
        )
    return blocks


def visible_keys(model: Transformer, tokens: np.ndarray) -> np.ndarray:
    """(time, time) bool: which keys a query may see, for tokens (1, time).

    Those of padding are among the queries still; `visible_of` leaves them out.
    """
    time = tokens.shape[1]
    bias = model.attention_bias(ops.convert_to_tensor(tokens), queries=time)
    if bias is None:
        return np.ones((time, time), bool)
    return ops.convert_to_numpy(bias)[0, 0] == 0


def visible_of(model: Transformer, tokens: np.ndarray) -> Iterator[np.ndarray]:
    """For each sequence which keys a query may see, as `maps_of` gives the maps."""
    for sequence in tokens:
        kept = no_padding(model, sequence)
        yield visible_keys(model, sequence[None])[np.ix_(kept, kept)]


def no_padding(model: Transformer, sequence: np.ndarray) -> np.ndarray:
    """The places of the tokens (time,) that are no padding."""
    padding = model.config.padding_id
    return np.flatnonzero(sequence != (-1 if padding is None else padding))


def maps_of(
    model: Transformer,
    tokens: np.ndarray,
    blocks: list[int],
    progress: Callable[[float], None] | None = None,
) -> Iterator[np.ndarray]:
    """For each sequence the maps of some blocks, (blocks, heads, time, time).

    Padding is left out: who is no padding gives it no weight, so that what is left of
    each row is whole.
    """
    names = [f"block_{index}/attention/map" for index in blocks]
    heads = {model.config.blocks[index].num_heads for index in blocks}
    if len(heads) > 1:
        raise KitError(
            f"the blocks have {sorted(heads)} heads, and maps are compared head by "
            "head",
            "Compare blocks with the same number of heads",
        )
    for done, sequence in enumerate(tokens, 1):
        found = activations(model, sequence[None], *names)
        maps = np.stack([found[name][0] for name in names])
        kept = no_padding(model, sequence)
        yield maps if len(kept) == len(sequence) else maps[:, :, kept][..., kept]
        if progress is not None:
            progress(done / len(tokens))
