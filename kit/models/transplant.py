"""A new model of another config, with every weight that still exists."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kit.blocks import starts_as_identity
from kit.config import ModelConfig
from kit.errors import KitError, known
from kit.layers.tags import tag_of
from kit.models.build import build, initialise, named_weights
from kit.models.transformer import Transformer

Kept = Mapping[int, Mapping[str, Sequence[int]]]


def transplant(
    model: Transformer,
    config: ModelConfig,
    blocks: Sequence[int] | None = None,
    kept: Kept | None = None,
    seed: int = 0,
) -> Transformer:
    """Build `config` and copy or slice every weight that still exists into it.

    The one mechanism behind pruning, dropping, sharing and ablating: edit the
    config, then move the weights. The old model is not changed. Weights that the
    old model does not have keep their fresh initial value.

    Args:
        model: The model to take weights from.
        config: The model to make.
        blocks: For each new block, the index of the old block it comes from;
            `None` means the same index.
        kept: For each new block that became smaller, the old indices that stay:
            `{3: {"neurons": [0, 2, 5], "heads": [0, 1], "key_value_heads": [0]}}`.
            Without it the first ones stay.
        seed: Seed of the weights that are new.

    Returns:
        The new model.

    Raises:
        KitError: A weight would have to grow, indices do not fit, or gains of heads
            that differ would become one gain.

    Example:
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> smaller = config.with_blocks({1: {"attention": None}})
        >>> transplant(build(config), smaller).count_params()
        84096
    """
    sources = list(range(len(config.blocks))) if blocks is None else list(blocks)
    kept = kept or {}
    _check_sources(sources, config, model)
    _check_kept(kept, sources, model.config, config)
    for new_index, source in enumerate(sources):
        _check_heads(model.config, config, source, new_index, kept.get(new_index, {}))
        _check_map(model.config, config, sources, new_index, kept)
    policy = model.dtype_policy
    new = build(config, seed=None, name=model.name, dtype=policy)
    old_weights = named_weights(model)
    fresh: set[str] = set()  # no others are drawn: that takes seconds on a real model
    for key, variable in named_weights(new).items():
        index, old_key = _old_key(key, sources)
        if old_key in old_weights:
            keep = {} if index is None else kept.get(index, {})
            head_dim = 1 if index is None else config.head_dim(config.blocks[index])
            value = np.asarray(old_weights[old_key])
            variable.assign(_slice(value, variable, keep, head_dim, key))
        else:
            fresh.add(key)
    initialise(new, seed, fresh)
    return new


def _old_key(key: str, sources: list[int]) -> tuple[int | None, str]:
    """The new block's index, and the name of the weight in the old model."""
    first, rest = key.split("/", 1)
    if not first.startswith("block_"):
        return None, key
    index = int(first.removeprefix("block_"))
    return index, f"block_{sources[index]}/{rest}"


def _slice(value: Any, variable: Any, keep: Any, head_dim: int, key: str) -> np.ndarray:
    if value.ndim != len(variable.shape):
        return _regrouped(value, variable, keep, key)
    for axis, name in enumerate(tag_of(variable).axes):
        size, wanted = value.shape[axis], variable.shape[axis]
        unit = head_dim if name.endswith("heads") else 1
        part = "heads" if name == "each_head" else name
        indices = np.asarray(keep.get(part, range(wanted // unit)))
        if size < wanted or len(indices) * unit != wanted:
            raise KitError(
                f"{key}: axis {name!r} has {size} entries in the old model, "
                f"{len(indices) * unit} are kept and the new one needs {wanted}",
                f"Keep exactly {wanted // unit} of {size // unit}",
            )
        entries = (indices[:, None] * unit + np.arange(unit)).ravel()
        value = np.take(value, entries, axis=axis)
    return value


def _regrouped(value: Any, variable: Any, keep: Any, key: str) -> np.ndarray:
    """A gain that all heads share, for each head; or one of each head, for all."""
    if value.ndim == 0:
        return np.full(variable.shape, value)
    kept = value[np.asarray(keep.get("heads", range(len(value))))]
    if (kept != kept[0]).any():
        raise KitError(
            f"{key}: the gains of the heads differ ({kept.min():g} to {kept.max():g}), "
            "and the new model has one gain for all heads",
            "Leave per_head at True, or make the gains equal first",
        )
    return kept[0]


def _check_sources(sources: list[int], config: ModelConfig, model: Transformer) -> None:
    old = len(model.config.blocks)
    if len(sources) != len(config.blocks) or any(not 0 <= s < old for s in sources):
        raise KitError(
            f"blocks={sources} does not name an old block (0 to {old - 1}) for each of "
            f"the {len(config.blocks)} new ones",
            "Give one old index per new block",
        )


def _check_kept(
    kept: Kept, sources: list[int], old: ModelConfig, new: ModelConfig
) -> None:
    for index, keep in kept.items():
        if index not in range(len(new.blocks)):
            raise KitError(
                f"kept names block {index} of a model of {len(new.blocks)} blocks",
                "Use the indices of the new model's blocks",
            )
        before = old.blocks[sources[index]]
        sizes = {
            "neurons": old.feed_forward_dim(before),
            "heads": before.num_heads,
            "key_value_heads": before.key_value_heads,
        }
        for name, indices in keep.items():
            size = sizes[known("part to keep:", name, sizes)]
            _check_indices(indices, size, f"block {index}", name)


def _check_indices(indices: Sequence[int], size: int, block: str, name: str) -> None:
    for place, index in enumerate(indices):
        if not 0 <= index < size:
            raise KitError(
                f"{block}: index {index} is outside the {size} {name}",
                f"Use indices from 0 to {size - 1}",
            )
        if index in indices[:place]:
            raise KitError(
                f"{block}: index {index} of the {name} is kept twice",
                "Name each index once",
            )


def _check_map(
    old: ModelConfig, new: ModelConfig, sources: list[int], index: int, kept: Kept
) -> None:
    """Where a map was copied before, each head still reads the map that it read."""
    before, after = old.blocks[sources[index]], new.blocks[index]
    source = after.copies_map_from
    if source is None or before.copies_map_from != sources[source]:
        return
    heads, theirs = (
        list(kept.get(block, {}).get("heads", range(after.num_heads)))
        for block in (index, source)
    )
    if heads != theirs:
        raise KitError(
            f"block {index} keeps heads={heads}, but block {source}, whose map it "
            f"copies, {theirs}",
            "Keep the same heads of both blocks",
        )


def _check_heads(
    old: ModelConfig, new: ModelConfig, source: int, index: int, keep: Mapping
) -> None:
    """Every head keeps its width and the keys that it reads."""
    before, after = old.blocks[source], new.blocks[index]
    if before.attention is None or after.attention is None:
        return
    if old.head_dim(before) != new.head_dim(after):
        raise KitError(
            f"block {index}: head_dim changes from {old.head_dim(before)} to "
            f"{new.head_dim(after)}, so the old heads do not exist in the new model",
            f"Give head_dim={old.head_dim(before)}",
        )
    heads = list(keep.get("heads", range(after.num_heads)))
    columns = any(map(starts_as_identity, (before.value, before.projection)))
    if columns and heads != list(range(before.num_heads)):
        raise KitError(
            f"block {index}: its heads are columns of the stream, because value or "
            f"projection is the identity, and heads={heads} would move them",
            "Keep all heads of this block in their order",
        )
    key_heads = keep.get("key_value_heads", range(after.key_value_heads))
    if (len(heads), len(key_heads)) != (after.num_heads, after.key_value_heads):
        return  # the matrices will not fit, and say so
    old_group = before.num_heads // before.key_value_heads
    new_group = after.num_heads // after.key_value_heads
    for place, head in enumerate(heads):
        was, becomes = head // old_group, key_heads[place // new_group]
        if was != becomes:
            raise KitError(
                f"block {index}: head {head} reads key_value_head {was}, but would "
                f"read {becomes} in the new model",
                "Keep heads together with the key_value_heads that they read",
            )
