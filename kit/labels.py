"""Row labels, generated from the difference between two configs."""

from dataclasses import fields
from typing import Any

from kit.config import BlockConfig, ModelConfig
from kit.presets import BLOCK_PRESETS

PAIRS = {
    "both skips": ("attention_skip", "feed_forward_skip"),
    "value and projection": ("value", "projection"),
}
"""Fields that are named together where both change alike."""


def difference_label(config: ModelConfig, base: ModelConfig) -> str:
    """What differs from the base, in words for a table's row.

    Args:
        config: The edited config.
        base: The config that it is compared with.

    Returns:
        Such as `"positions learned → none; blocks 1-2: attention_skip 1 → 0"`, or
        `"base"` when the two are equal.

    Example:
        >>> base = ModelConfig.uniform(3, vocabulary_size=9, context_length=8)
        >>> edited = base.with_blocks({1: {"attention_skip": 0.0}})
        >>> difference_label(edited, base)
        'block 1: attention_skip 1 → 0'
    """
    parts = [
        _change(entry.name, getattr(base, entry.name), getattr(config, entry.name))
        for entry in fields(ModelConfig)
        if entry.name != "blocks"
        and getattr(base, entry.name) != getattr(config, entry.name)
    ]
    if len(config.blocks) != len(base.blocks):
        parts.append(_change("blocks", len(base.blocks), len(config.blocks)))
    parts += _block_changes(config, base)
    return "; ".join(parts) or "base"


def block_difference(block: BlockConfig, base: BlockConfig) -> str:
    """What differs between two blocks; nothing where they are equal.

    Example:
        >>> block_difference(BlockConfig(norm="rms", dropout=0.1), BlockConfig())
        'norm layer → rms, dropout 0 → 0.1'
    """
    return ", ".join(_field_changes(block, base))


def _block_changes(config: ModelConfig, base: ModelConfig) -> list[str]:
    if not base.blocks:
        return []
    changed: dict[str, list[int]] = {}
    for index, block in enumerate(config.blocks):
        reference = base.blocks[min(index, len(base.blocks) - 1)]
        for change in _field_changes(block, reference):
            changed.setdefault(change, []).append(index)
    by_blocks: dict[tuple[int, ...], list[str]] = {}
    for change, indices in changed.items():
        by_blocks.setdefault(tuple(indices), []).append(change)
    return [
        f"{_block_names(indices, len(config.blocks))}: {', '.join(changes)}"
        for indices, changes in by_blocks.items()
    ]


def _field_changes(block: BlockConfig, base: BlockConfig) -> list[str]:
    """The changed fields; where it is shorter, a preset by name and what differs."""
    listed = [
        [name, *_each_change(_values(block), _values(base) | edit)]
        for name, edit in LONG_PRESETS.items()
    ]
    return min(_each_change(_values(block), _values(base)), *listed, key=len)


def _values(block: BlockConfig) -> dict[str, Any]:
    return {entry.name: getattr(block, entry.name) for entry in fields(BlockConfig)}


def _each_change(block: dict[str, Any], base: dict[str, Any]) -> list[str]:
    changes = {k: (base[k], value) for k, value in block.items() if base[k] != value}
    for together, (first, second) in PAIRS.items():
        if first in changes and changes[first] == changes.get(second):
            changes[together] = changes.pop(first)
            del changes[second]
    return [_change(name, old, new) for name, (old, new) in changes.items()]


def _change(name: str, old: Any, new: Any) -> str:
    if old is None:  # the base has nothing of the kind
        return f"{name} {_short(new)}"
    return f"{name} {_short(old)} → {_short(new)}"


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _block_names(indices: tuple[int, ...], total: int) -> str:
    if len(indices) == total:
        return "all blocks"
    if len(indices) == 1:
        return f"block {indices[0]}"
    consecutive = indices[-1] - indices[0] == len(indices) - 1
    listed = (
        f"{indices[0]}-{indices[-1]}" if consecutive else ", ".join(map(str, indices))
    )
    return f"blocks {listed}"


def _edit(preset: BlockConfig) -> dict[str, Any]:
    """The fields in which a preset differs from the base."""
    plain = _values(BlockConfig())
    return {k: value for k, value in _values(preset).items() if value != plain[k]}


# Presets of so many fields that nobody would read a list of them.
LONG_PRESETS = {
    name: edit
    for name, preset in BLOCK_PRESETS.items()
    if len(edit := _edit(preset)) > 2
}
