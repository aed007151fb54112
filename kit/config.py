"""A model is data: a tuple of blocks and the few numbers that they share.

An ablation is an edit of this data, so a table's row label can be generated from
the difference to the base (`kit.labels`), and label and run cannot disagree.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from kit.blocks import BlockConfig, starts_as_identity
from kit.checks import (
    CHOICES,
    check_choices,
    check_fields,
    check_flag,
    check_number,
    check_whole,
    whole,
    with_known_fields,
)
from kit.errors import KitError
from kit.presets import BLOCK_PRESETS, block_preset, preset_blocks

__all__ = ["BLOCK_PRESETS", "CHOICES", "BlockConfig", "ModelConfig", "block_preset"]


@with_known_fields
@dataclass(frozen=True)
class ModelConfig:
    """A Transformer language model: a list of blocks and what they share.

    Args:
        vocabulary_size: Number of tokens.
        context_length: Longest sequence, in tokens.
        width: Width of the residual stream.
        blocks: The blocks, first to last.
        positions: `"none"`, `"learned"`, `"sinusoidal"` (1706.03762), `"rotary"`
            (2104.09864) or `"alibi"` (2108.12409).
        mask: `"causal"`, `"full"`, or `"prefix"` (full inside the first
            `prefix_length` tokens, causal after them).
        prefix_length: Tokens of the prefix; only with `mask="prefix"`.
        tied_head: Whether the output matrix is the embedding matrix.
        final_norm: Norm before the head: `"layer"`, `"rms"` or `"none"`.
        padding_id: Token that nothing may attend to; `None` for no padding.
        fused_attention: Use the backend's fused attention. Same logits; the map
            is then computed only when it is collected.
        norm_epsilon: Added to the variance in every norm.
        rotary_base: Base of the rotary frequencies.
        initializer_std: Standard deviation of the initial matrices; matrices that
            write to the residual stream get it divided by sqrt(2 * blocks) (GPT-2).

    Raises:
        KitError: A value is out of range, or two fields contradict each other.

    Example:
        >>> config = ModelConfig.uniform(3, vocabulary_size=14, context_length=12)
        >>> config.with_blocks({1: {"attention": None}}).blocks[1].attention is None
        True
    """

    vocabulary_size: int
    context_length: int
    width: int = 64
    blocks: tuple[BlockConfig, ...] = field(default=(BlockConfig(),) * 4)
    positions: str = "learned"
    mask: str = "causal"
    prefix_length: int | None = None
    tied_head: bool = True
    final_norm: str = "layer"
    padding_id: int | None = None
    fused_attention: bool = False
    norm_epsilon: float = 1e-5
    rotary_base: float = 10_000.0
    initializer_std: float = 0.02

    def __post_init__(self) -> None:
        self._check_blocks()
        check_choices(self)
        for name in ("vocabulary_size", "context_length", "width", "prefix_length"):
            check_whole(self, name)
        check_whole(self, "padding_id", least=0)
        for name in ("tied_head", "fused_attention"):
            check_flag(self, name)
        for name in ("norm_epsilon", "rotary_base"):
            check_number(self, name, lambda value: 0 < value < math.inf, "above 0")
        check_number(self, "initializer_std", lambda std: 0 <= std < math.inf, "from 0")
        if (self.mask == "prefix") != (self.prefix_length is not None):
            raise KitError(
                f'mask="{self.mask}" clashes with prefix_length={self.prefix_length}',
                'Give prefix_length together with mask="prefix", and only then',
            )
        if (self.prefix_length or 0) > self.context_length:
            raise KitError(
                f"prefix_length={self.prefix_length} is beyond context_length="
                f"{self.context_length}",
                "Use a prefix that fits the context",
            )
        if (self.padding_id or 0) >= self.vocabulary_size:
            raise KitError(
                f"padding_id={self.padding_id} is not a token of a vocabulary of "
                f"{self.vocabulary_size}",
                "Choose a token of the vocabulary, or None",
            )
        if self.positions == "sinusoidal" and self.width % 2:
            raise KitError(
                f'positions="sinusoidal" needs an even width, not {self.width}',
                "Use an even width",
            )
        for index, block in enumerate(self.blocks):
            self._check_heads(index, block)
            self._check_copy(index, block)

    def _check_blocks(self) -> None:
        try:
            object.__setattr__(self, "blocks", tuple(self.blocks))
        except TypeError:
            raise KitError(
                f"blocks={self.blocks!r} is not a list of BlockConfig",
                "Use ModelConfig.uniform for a number of equal blocks",
            ) from None
        for index, block in enumerate(self.blocks):
            if not isinstance(block, BlockConfig):
                raise KitError(
                    f"block {index} is {block!r}, not a BlockConfig",
                    "Use kit.config.block_preset for a block by name",
                )

    def _check_heads(self, index: int, block: BlockConfig) -> None:
        if block.attention is None:
            return
        if block.head_dim is None and self.width % block.num_heads:
            divisors = [n for n in range(1, 65) if self.width % n == 0]
            raise KitError(
                f"block {index}: num_heads={block.num_heads} does not divide "
                f"width={self.width}",
                f"Use {_alternatives(divisors)} heads, or give head_dim",
            )
        for name in ("value", "projection"):
            columns = block.num_heads * self.head_dim(block)
            if starts_as_identity(getattr(block, name)) and columns != self.width:
                raise KitError(
                    f"block {index}: {name}={getattr(block, name)} needs heads that "
                    f"fill the stream, but {block.num_heads} heads of "
                    f"{self.head_dim(block)} make {columns} of width={self.width}",
                    f'Leave head_dim at None or use {name}="learned"',
                )
        if self.positions == "rotary" and self.head_dim(block) % 2:
            raise KitError(
                f'block {index}: positions="rotary" needs an even head width, not '
                f"{self.head_dim(block)}",
                "Change width, num_heads or head_dim",
            )
        if self.fused_attention and block.dropout:
            raise KitError(
                f"block {index}: fused_attention=True clashes with dropout="
                f"{block.dropout:g}: fused attention has no dropout on the map",
                "Set dropout=0 or fused_attention=False",
            )

    def _check_copy(self, index: int, block: BlockConfig) -> None:
        source = block.copies_map_from
        if source is None:
            return
        what = f"block {index}: copies_map_from={source}"
        if source >= index:
            raise KitError(
                f"{what} is not an earlier block",
                "A block can copy the map of one that comes before it",
            )
        other = self.blocks[source]
        if other.attention is None or other.copies_map_from is not None:
            has = "has no attention"
            if other.attention is not None:
                has = f"copies the map of block {other.copies_map_from} itself"
            raise KitError(
                f"{what}, but block {source} {has}",
                "Copy from a block with a map of its own",
            )
        if other.num_heads != block.num_heads:
            raise KitError(
                f"{what} has {other.num_heads} heads, but num_heads={block.num_heads}",
                "Give both blocks the same number of heads",
            )

    def map_sources(self) -> list[int | None]:
        """For each block, the block whose attention map it uses, perhaps itself.

        `None` where nothing is shared: the block has no attention, or a map that no
        other block copies.

        Example:
            >>> config = ModelConfig.uniform(4, vocabulary_size=9, context_length=8)
            >>> config.with_blocks({3: {"copies_map_from": 1}}).map_sources()
            [None, 1, None, 1]
        """
        copied = {block.copies_map_from for block in self.blocks}
        own = [index if index in copied else None for index in range(len(self.blocks))]
        return [
            own[index] if block.copies_map_from is None else block.copies_map_from
            for index, block in enumerate(self.blocks)
        ]

    def head_dim(self, block: BlockConfig) -> int:
        """Width of a head of `block`, with the default filled in."""
        return block.head_dim or self.width // block.num_heads

    def feed_forward_dim(self, block: BlockConfig) -> int:
        """Hidden neurons of `block`, with the default filled in."""
        return block.feed_forward_dim or 4 * self.width

    @classmethod
    def uniform(
        cls,
        num_blocks: int = 4,
        block: BlockConfig | str = "pre-ln",
        **shared: Any,
    ) -> "ModelConfig":
        """A model of `num_blocks` equal blocks; `shared` are the other fields.

        With the name of a preset, the first block may differ from the others.

        Example:
            >>> sizes = {"vocabulary_size": 9, "context_length": 8}
            >>> [b.value for b in ModelConfig.uniform(3, "sas", **sizes).blocks[1:]]
            ['identity', 'identity']
        """
        num_blocks = whole("num_blocks", num_blocks)
        if isinstance(block, str):
            return cls(blocks=preset_blocks(block, num_blocks), **shared)
        return cls(blocks=(block,) * num_blocks, **shared)

    def with_every_block(self, **changes: Any) -> "ModelConfig":
        """The same model with some fields changed in all blocks.

        Raises:
            KitError: There is no such field.
        """
        return self.with_blocks(dict.fromkeys(range(len(self.blocks)), changes))

    def with_blocks(self, edits: Mapping[int, Mapping[str, Any]]) -> "ModelConfig":
        """The same model with some fields changed in some blocks.

        Args:
            edits: Block index to a mapping of `BlockConfig` fields.

        Raises:
            KitError: There is no such block or field.
        """
        blocks = list(self.blocks)
        for index, changes in edits.items():
            if whole("block", index, least=0) >= len(blocks):
                raise KitError(
                    f"there is no block {index} in a model of {len(blocks)} blocks",
                    f"Use an index from 0 to {len(blocks) - 1}",
                )
            check_fields(BlockConfig, changes)
            blocks[index] = replace(blocks[index], **changes)
        return replace(self, blocks=tuple(blocks))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` is its inverse."""
        return {**asdict(self), "blocks": [block.to_dict() for block in self.blocks]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ModelConfig":
        """The config that `to_dict` wrote.

        Raises:
            KitError: A field is unknown or missing, or its value is out of range.
        """
        check_fields(cls, data, required=["blocks"])
        if not isinstance(data["blocks"], Sequence):
            raise KitError(
                f"blocks={data['blocks']!r} is not a list of blocks",
                "Give one mapping of BlockConfig fields for each block",
            )
        blocks = tuple(BlockConfig.from_dict(block) for block in data["blocks"])
        return cls(**{**data, "blocks": blocks})


def _alternatives(values: list[int]) -> str:
    return ", ".join(map(str, values[:-1])) + f" or {values[-1]}" if values else "other"
