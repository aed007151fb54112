"""The second step of EchoAtt, copy: blocks that take over the map of an earlier one."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from kit.config import ModelConfig
from kit.errors import KitError
from kit.models import Transformer, transplant

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

    Args:
        config: Of the model.
        copies: Block to the earlier block whose map it copies.

    Raises:
        KitError: A source comes later, has no map of its own, or has other heads.

    Example:
        >>> config = ModelConfig.uniform(4, vocabulary_size=14, context_length=12)
        >>> shared_config(config, {2: 1}).blocks[2].copies_map_from
        1
    """
    edits = {block: {"copies_map_from": source} for block, source in copies.items()}
    return config.with_blocks(edits)


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
    kept: dict[int, Any] = {
        block: order for block, order in (heads or {}).items() if block in copies
    }
    return transplant(model, shared_config(model.config, copies), kept=kept)


def savings_of(
    config: ModelConfig, copies: Mapping[int, int], time: int | None = None
) -> Savings:
    """What copying saves, as a closed formula.

        parameters = width (heads + key heads) head_dim           for each copying block
        flops      = 2 parameters + 2 time heads head_dim
        cached     = key heads head_dim

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
        cached += block.key_value_heads * head_dim
    return Savings(parameters, flops, cached)
