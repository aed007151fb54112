"""What pruning has to know of a model: the sizes of its blocks, and what it reads."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NamedTuple

from kit.config import ModelConfig
from kit.counts import block_counts

KINDS = ("attention", "feed_forward")


class Part(NamedTuple):
    """An attention or a feed-forward that can be removed as a whole.

    Args:
        kind: `"attention"` or `"feed_forward"`.
        block: Index of its block.

    Example:
        >>> str(Part("attention", 3))
        'attention 3'
    """

    kind: str
    block: int

    def __str__(self) -> str:
        return f"{self.kind} {self.block}"


@dataclass(frozen=True)
class BlockOutline:
    """The sizes of one block.

    Args:
        attention: Parameters of the attention; `None` where there is none.
        feed_forward: Parameters of the feed-forward; `None` where there is none.
        num_neurons: Its neurons.
        others: Parameters of the block that are in neither, such as those of norms.

    Example:
        >>> BlockOutline(64, 128, num_neurons=8, others=16).parameters
        208
    """

    attention: int | None
    feed_forward: int | None
    num_neurons: int = 0
    others: int = 0

    @property
    def parameters(self) -> int:
        """Of the whole block."""
        return (self.attention or 0) + (self.feed_forward or 0) + self.others


@dataclass(frozen=True)
class Outline:
    """A model as pruning sees it: for a kit model, an extract of its config.

    Args:
        blocks: First to last.
        vocabulary_size: Token ids that it reads.
        num_classes: What it chooses from: the same, but for a classifier.
        context_length: Longest sequence that it reads; `None` for any.
        mask: `"causal"`, or `"full"` where a position sees later ones.
        padding_id: Token that is no token.

    Example:
        >>> outline = Outline((BlockOutline(64, 128, 8, 16),) * 2, 50, 50)
        >>> outline.without([Part("attention", 1)]).parameters
        352
    """

    blocks: tuple[BlockOutline, ...]
    vocabulary_size: int
    num_classes: int
    context_length: int | None = None
    mask: str = "causal"
    padding_id: int | None = None

    @classmethod
    def of(cls, config: "ModelConfig | Outline") -> "Outline":
        """That of a kit model's config; an outline as it is.

        Example:
            >>> config = ModelConfig.uniform(2, vocabulary_size=14, context_length=12)
            >>> block = Outline.of(config).blocks[0]
            >>> block.attention, block.feed_forward, block.num_neurons, block.others
            (16384, 32768, 256, 256)
        """
        if isinstance(config, Outline):
            return config
        blocks = []
        for block in config.blocks:
            counts = block_counts(config, block)
            attention, feed_forward = counts["QK"] + counts["VO"], counts["FFN"]
            blocks.append(
                BlockOutline(
                    None if block.attention is None else attention,
                    None if block.feed_forward is None else feed_forward,
                    config.feed_forward_dim(block) if block.feed_forward else 0,
                    sum(counts.values()) - attention - feed_forward,
                )
            )
        return cls(
            tuple(blocks),
            config.vocabulary_size,
            config.vocabulary_size,
            config.context_length,
            config.mask,
            config.padding_id,
        )

    @property
    def parameters(self) -> int:
        """Of all blocks: what sparsity is a share of."""
        return sum(block.parameters for block in self.blocks)

    def without(self, removed: Collection[Part]) -> "Outline":
        """The same without some parts; their blocks stay, and so does what is in
        `others`."""
        blocks = list(self.blocks)
        for kind, index in removed:
            if kind == "attention":
                blocks[index] = replace(blocks[index], attention=None)
            else:
                blocks[index] = replace(blocks[index], feed_forward=None, num_neurons=0)
        return replace(self, blocks=tuple(blocks))
