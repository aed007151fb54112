"""The second step of EchoAtt, copy: blocks that take over the map of an earlier one."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kit.config import ModelConfig
from kit.errors import KitError
from kit.models import Transformer, flops_per_token, transplant

Heads = Mapping[int, Mapping[str, list[int]]]


class Savings(NamedTuple):
    """What copied maps save.

    Args:
        parameters: Of query and key matrices.
        flops: Operations per token of a forward pass: those matrices, and the scores.
        cached: Numbers per token that generation need not remember: the keys.

    Example:
        >>> Savings(parameters=512, flops=1100, cached=16).cached
        16
    """

    parameters: int
    flops: int
    cached: int


def shared_config(config: ModelConfig, copies: Mapping[int, int]) -> ModelConfig:
    """The config with blocks that copy maps.

    What copied from one of them before follows it to its source.

    Args:
        config: Of the model.
        copies: Block to the earlier block whose map it copies.

    Raises:
        KitError: A source comes later, has no map of its own, or has other heads.

    Example:
        >>> config = ModelConfig.uniform(4, vocabulary_size=14, context_length=12)
        >>> once = shared_config(config, {2: 1})
        >>> [block.copies_map_from for block in shared_config(once, {1: 0}).blocks]
        [None, 0, 0, None]
    """
    moved = {b: copies[source] for b, source in followers(config, copies).items()}
    edits = {
        block: {"copies_map_from": to} for block, to in (moved | {**copies}).items()
    }
    return config.with_blocks(edits)


def followers(config: ModelConfig, copies: Mapping[int, int]) -> dict[int, int]:
    """Blocks that copy, before anything is shared, from one that is about to copy.

    Example:
        >>> config = ModelConfig.uniform(4, vocabulary_size=14, context_length=12)
        >>> followers(shared_config(config, {2: 1}), {1: 0})
        {2: 1}
    """
    return {
        index: source
        for index, source in enumerate(block.copies_map_from for block in config.blocks)
        if source is not None and source in copies and index not in copies
    }


def share(
    model: Transformer, copies: Mapping[int, int], heads: Heads | None = None
) -> Transformer:
    """A new model in which blocks copy maps, with every other weight of the old one.

    Args:
        model: A kit model; it is not changed.
        copies: Block to the earlier block whose map it copies; none gives the model's
            own logits.
        heads: The order of the heads of copying blocks, of `match_heads`; without it
            head h uses map h, as in the paper.

    Raises:
        KitError: A source comes later, has no map of its own, or has other heads.

    Example:
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(4, vocabulary_size=14, context_length=12)
        >>> model = build(config)
        >>> smaller = share(model, {2: 1})
        >>> savings = model.count_params() - smaller.count_params()
        >>> savings == savings_of(config, {2: 1}).parameters == 2 * 64 * 64
        True
    """
    changed = {*copies, *followers(model.config, copies)}
    kept: dict[int, Any] = {b: x for b, x in (heads or {}).items() if b in changed}
    return transplant(model, shared_config(model.config, copies), kept=kept)


def savings_of(
    config: ModelConfig, copies: Mapping[int, int], time: int | None = None
) -> Savings:
    """What copying saves, as a closed formula.

        parameters = width (heads + key heads) head_dim           for each copying block
        flops      = 2 parameters + 2 time heads head_dim
        cached     = key heads head_dim

    A full mask leaves no cache, and nothing of it to save.

    Args:
        config: Before anything is shared.
        copies: Block to the block whose map it copies.
        time: Tokens per sequence; `None` means the context length.

    Raises:
        KitError: A block is not there, or copies already.

    Example:
        >>> config = ModelConfig.uniform(4, vocabulary_size=14, context_length=12)
        >>> savings_of(config, {2: 1, 3: 1})
        Savings(parameters=16384, flops=35840, cached=128)
    """
    shared_config(config, copies)
    parameters = flops = cached = 0
    for index in copies:
        block, head_dim = config.blocks[index], config.head_dim(config.blocks[index])
        if block.copies_map_from is not None:
            raise KitError(
                f"block {index} copies a map already, and has no more to save",
                "Name blocks with a map of their own",
            )
        matrices = config.width * (block.num_heads + block.key_value_heads) * head_dim
        parameters += matrices
        scores = (time or config.context_length) * block.num_heads * head_dim
        flops += 2 * (matrices + scores)
        if config.mask != "full":
            cached += block.key_value_heads * head_dim
    return Savings(parameters, flops, cached)


def saved_by(model: Transformer, smaller: Transformer, time: int) -> Savings:
    """The same, counted on two models: their weights, operations and caches.

    Args:
        model: Before.
        smaller: After.
        time: Tokens per sequence.

    Example:
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(4, vocabulary_size=14, context_length=12)
        >>> model = build(config)
        >>> saved_by(model, share(model, {2: 1}), 12) == savings_of(config, {2: 1}, 12)
        True
    """
    pair = model, smaller
    parameters, smaller_parameters = (each.count_params() for each in pair)
    flops, smaller_flops = (flops_per_token(each.config, time) for each in pair)
    cached, smaller_cached = (cached_per_token(each) for each in pair)
    return Savings(
        parameters - smaller_parameters, flops - smaller_flops, cached - smaller_cached
    )


def cached_per_token(model: Transformer) -> int:
    """Numbers that generation remembers of a token; 0 where there is no cache.

    Example:
        >>> from kit.models import build
        >>> config = ModelConfig.uniform(4, vocabulary_size=14, context_length=12)
        >>> cached_per_token(build(config)) == 4 * 2 * 64
        True
    """
    if model.config.mask == "full":
        return 0
    length = max(1, model.config.prefix_length or 0)
    cache = model.new_cache(length)
    model(np.zeros((1, length), "int32"), cache=cache, start=0)
    rooms: list[Any] = [x for layer in cache.layers for x in (layer.key, layer.value)]
    return sum(math.prod(room.shape) for room in rooms if room is not None) // length
