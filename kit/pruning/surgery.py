"""What can go from a model, and the smaller model without it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from kit.blocks import BlockConfig
from kit.checks import whole
from kit.config import ModelConfig
from kit.errors import KitError, known
from kit.models import Transformer, transplant
from kit.models.transplant import Kept
from kit.pruning.outline import KINDS, Outline, Part

Path = tuple[tuple[int, BlockConfig], ...]
"""The blocks that a stream passes: the index of each in the model, and its config."""


def parts_of(config: ModelConfig | Outline, *kinds: str) -> list[Part]:
    """The attentions and feed-forwards of a model, or only those of some kinds.

    Example:
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> [str(part) for part in parts_of(config, "attention")]
        ['attention 0', 'attention 1']
    """
    return [
        Part(known("kind of part", kind, KINDS), index)
        for index, block in enumerate(config.blocks)
        for kind in kinds or KINDS
        if getattr(block, kind) is not None
    ]


def parts_of_blocks(
    config: ModelConfig | Outline, blocks: Collection[int]
) -> list[Part]:
    """All that some blocks hold.

    Example:
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> [str(part) for part in parts_of_blocks(config, [1])]
        ['attention 1', 'feed_forward 1']
    """
    return [part for part in parts_of(config) if part.block in blocks]


def path(config: ModelConfig, removed: Collection[Part] = ()) -> Path:
    """The blocks that are left without some parts; empty ones are left out.

    A part goes with its norm and with the skip beside it: in the usual Pre-LN block the
    branch adds nothing any more, and the stream passes as it is.

    Raises:
        KitError: A part is not there.

    Example:
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> left = path(config, parts_of_blocks(config, [0]) + [Part("attention", 1)])
        >>> [(index, block.attention) for index, block in left]
        [(1, None)]
    """
    check_parts(config, removed)
    gone: dict[int, frozenset[str]] = {}
    for kind, index in removed:
        gone[index] = gone.get(index, frozenset()) | {kind}
    left = [
        (index, without(block, gone.get(index, frozenset())))
        for index, block in enumerate(config.blocks)
    ]
    return tuple((index, block) for index, block in left if not is_empty(block))


def smaller_config(config: ModelConfig, removed: Collection[Part]) -> ModelConfig:
    """The config without some parts, and without blocks that have none left.

    Example:
        >>> config = ModelConfig.uniform(3, vocabulary_size=14, context_length=12)
        >>> len(smaller_config(config, parts_of_blocks(config, [1])).blocks)
        2
    """
    return _config_of(config, path(config, removed))


def remove_parts(model: Transformer, removed: Collection[Part]) -> Transformer:
    """A new model without some attentions or feed-forwards; the old one stays.

    Args:
        model: A kit model.
        removed: What goes.

    Raises:
        KitError: A part is not there.

    Example:
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> remove_parts(build(config), [Part("attention", 1)]).count_params()
        84096
    """
    blocks = [index for index, _ in path(model.config, removed)]
    return transplant(model, smaller_config(model.config, removed), blocks)


def keep_neurons(model: Transformer, kept: Mapping[int, Sequence[int]]) -> Transformer:
    """A new model with some of the feed-forward's neurons; the old one stays.

    Args:
        model: A kit model.
        kept: Block to the indices of the neurons that stay. Where none do, the
            feed-forward goes as a whole.

    Raises:
        KitError: A block has no feed-forward, or an index does not fit.

    Example:
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> keep_neurons(build(config), {1: range(100)}).count_params()
        80640
    """
    config = _narrow_config(model.config, kept)
    return transplant(model, config, kept=_named(kept, range(len(config.blocks))))


def keep_and_remove(
    model: Transformer, kept: Mapping[int, Sequence[int]], removed: Collection[Part]
) -> Transformer:
    """`keep_neurons`, then `remove_parts`, without a model in between.

    Example:
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
        >>> parts = parts_of_blocks(config, [0])
        >>> keep_and_remove(build(config), {1: range(100)}, parts).count_params()
        31232
    """
    left = path(_narrow_config(model.config, kept), removed)
    blocks = [index for index, _ in left]
    config = _config_of(model.config, left)
    whole = {index for kind, index in removed if kind == "feed_forward"}
    stay = {index: kept[index] for index in kept if index not in whole}
    return transplant(model, config, blocks, _named(stay, blocks))


def _config_of(config: ModelConfig, left: Path) -> ModelConfig:
    """A model of the blocks that are left; whose map one copies has a new number."""
    numbers: dict[int | None, int] = {old: new for new, (old, _) in enumerate(left)}
    blocks = []
    for index, block in left:
        source = block.copies_map_from
        if source is not None and source not in numbers:
            raise KitError(
                f"block {index} copies the attention map of block {source}, which goes",
                "Remove the attention of both, or of the copying block only",
            )
        blocks.append(replace(block, copies_map_from=numbers.get(source)))
    return replace(config, blocks=tuple(blocks))


def _narrow_config(
    config: ModelConfig, kept: Mapping[int, Sequence[int]]
) -> ModelConfig:
    check_parts(config, [Part("feed_forward", block) for block in kept])
    blocks = list(config.blocks)
    for index, neurons in kept.items():
        if len(neurons):
            blocks[index] = replace(blocks[index], feed_forward_dim=len(neurons))
        else:
            blocks[index] = without(blocks[index], frozenset(["feed_forward"]))
    return replace(config, blocks=tuple(blocks))


def _named(kept: Mapping[int, Sequence[int]], blocks: Sequence[int]) -> Kept:
    """What stays of each new block; `blocks` are the old ones that they come from."""
    return {
        new: {"neurons": list(kept[old])}
        for new, old in enumerate(blocks)
        if len(kept.get(old, ()))
    }


@lru_cache(maxsize=256)  # asked for each block of each candidate
def without(block: BlockConfig, kinds: frozenset[str]) -> BlockConfig:
    """A block without some kinds of parts, and the skips beside them.

    Example:
        >>> no_attention = frozenset(["attention"])
        >>> without(BlockConfig(attention_skip=0.5), no_attention).attention_skip
        1.0
    """
    if not kinds:
        return block
    changes: dict = dict.fromkeys(kinds)
    left = [kind for kind in KINDS if kind not in kinds and getattr(block, kind)]
    alone = block.wiring == "serial" or not left
    if alone:  # the skip beside it is the stream itself
        changes |= {f"{kind}_skip": 1.0 for kind in KINDS if kind not in left}
    if "attention" in kinds:
        changes["copies_map_from"] = None
    if "feed_forward" in kinds:
        changes["relu_slope"] = 0.0
    return replace(block, **changes)


def is_empty(block: BlockConfig) -> bool:
    """Whether a block has no part."""
    return block.attention is None and block.feed_forward is None


def check_parts(config: ModelConfig | Outline, parts: Collection[Part]) -> None:
    for kind, index in parts:
        known("kind of part", kind, KINDS)
        blocks = len(config.blocks)
        there = whole("block", index, least=0) < blocks
        if not there or getattr(config.blocks[index], kind) is None:
            raise KitError(
                f"there is no {kind} in block {index} of this model of {blocks} blocks",
                "Remove what is there; kit.pruning.parts_of lists it",
            )
