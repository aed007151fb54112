"""A new model of another config, with every weight that still exists."""

from collections.abc import Mapping, Sequence

import numpy as np

from kit.config import ModelConfig
from kit.errors import KitError
from kit.layers.tags import tag_of
from kit.models.build import build, named_weights
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
        KitError: A weight would have to grow, or indices do not fit.

    Example:
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> smaller = config.with_blocks({1: {"attention": None}})
        >>> transplant(build(config), smaller).count_params()
        84096
    """
    sources = list(range(len(config.blocks))) if blocks is None else list(blocks)
    _check_sources(sources, config, model)
    policy = model.dtype_policy
    new = build(config, seed=seed, name=model.name, dtype=policy)
    old_weights = named_weights(model)
    for key, variable in named_weights(new).items():
        index, old_key = _old_key(key, sources)
        if old_key in old_weights:
            keep = (kept or {}).get(index, {}) if index is not None else {}
            head_dim = config.head_dim(config.blocks[index]) if index is not None else 1
            value = np.asarray(old_weights[old_key])
            variable.assign(_slice(value, variable, keep, head_dim, key))
    return new


def _old_key(key: str, sources: list[int]) -> tuple[int | None, str]:
    """The new block's index, and the name of the weight in the old model."""
    first, rest = key.split("/", 1)
    if not first.startswith("block_"):
        return None, key
    index = int(first.removeprefix("block_"))
    return index, f"block_{sources[index]}/{rest}"


def _slice(value, variable, keep, head_dim: int, key: str) -> np.ndarray:
    for axis, name in enumerate(tag_of(variable).axes):
        size, wanted = value.shape[axis], variable.shape[axis]
        unit = head_dim if name.endswith("heads") else 1
        indices = np.asarray(keep.get(name, range(wanted // unit)))
        if size < wanted or len(indices) * unit != wanted:
            raise KitError(
                f"{key}: axis {name!r} has {size} entries in the old model, "
                f"{len(indices) * unit} are kept and the new one needs {wanted}",
                f"Keep exactly {wanted // unit} of {size // unit}",
            )
        if len(indices) and (indices.min() < 0 or indices.max() >= size // unit):
            raise KitError(
                f"{key}: index {indices.max()} is outside the {size // unit} {name}",
                f"Use indices from 0 to {size // unit - 1}",
            )
        entries = (indices[:, None] * unit + np.arange(unit)).ravel()
        value = np.take(value, entries, axis=axis)
    return value


def _check_sources(sources: list[int], config: ModelConfig, model: Transformer) -> None:
    old = len(model.config.blocks)
    if len(sources) != len(config.blocks) or any(not 0 <= s < old for s in sources):
        raise KitError(
            f"blocks={sources} does not name an old block (0 to {old - 1}) for each of "
            f"the {len(config.blocks)} new ones",
            "Give one old index per new block",
        )
