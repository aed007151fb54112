"""A model is data: a tuple of blocks and the few numbers that they share.

An ablation is an edit of this data, so a table's row label can be generated from
the difference to the base (`kit.labels`), and label and run cannot disagree.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from kit.errors import KitError, known

CHOICES: dict[str, tuple[Any, ...]] = {
    "wiring": ("serial", "parallel"),
    "norm": ("layer", "rms", "none"),
    "norm_position": ("pre", "post"),
    "attention": ("softmax", None),
    "feed_forward": ("relu", "gelu", "swiglu", None),
    "positions": ("none", "learned", "sinusoidal", "rotary", "alibi"),
    "mask": ("causal", "full", "prefix"),
    "final_norm": ("layer", "rms", "none"),
}


def _check_choices(config: Any) -> None:
    for entry in fields(config):
        if entry.name in CHOICES:
            value = getattr(config, entry.name)
            known(f"value for {entry.name}:", value, CHOICES[entry.name])


def _check_positive(config: Any, name: str) -> None:
    value = getattr(config, name)
    if value is None and name not in ("vocabulary_size", "context_length", "width"):
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise KitError(
            f"{name}={value!r} is not a positive whole number", f"Use {name} >= 1"
        )


def _alternatives(values: list[int]) -> str:
    return ", ".join(map(str, values[:-1])) + f" or {values[-1]}" if values else "other"


@dataclass(frozen=True)
class BlockConfig:
    """One Transformer block.

    Args:
        wiring: `"serial"` (attention, then feed-forward) or `"parallel"` (both read
            the same normalised input and are added).
        norm: `"layer"`, `"rms"` or `"none"`.
        norm_position: `"pre"` (norm on the branch) or `"post"` (norm after the sum).
        attention: `"softmax"`, or `None` for a block without attention.
        num_heads: Query heads.
        num_key_value_heads: Key and value heads; `None` means `num_heads`, fewer
            is grouped-query attention (Ainslie et al., 2305.13245).
        head_dim: Width of a head; `None` means `width // num_heads`.
        attention_skip: Gain of the skip around attention; 0 removes the skip. In
            parallel wiring the two skips are one and must be equal.
        feed_forward: `"relu"`, `"gelu"`, `"swiglu"`, or `None` for no feed-forward.
        feed_forward_dim: Hidden neurons; `None` means `4 * width`.
        feed_forward_skip: Gain of the skip around the feed-forward.
        dropout: Rate on the attention map and on both branch outputs.

    Raises:
        KitError: A value is out of range, or two fields contradict each other.

    Example:
        >>> from dataclasses import replace
        >>> replace(BlockConfig(), attention_skip=0.0).attention_skip
        0.0
    """

    wiring: str = "serial"
    norm: str = "layer"
    norm_position: str = "pre"
    attention: str | None = "softmax"
    num_heads: int = 4
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    attention_skip: float = 1.0
    feed_forward: str | None = "gelu"
    feed_forward_dim: int | None = None
    feed_forward_skip: float = 1.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        _check_choices(self)
        for name in ("num_heads", "num_key_value_heads", "head_dim"):
            _check_positive(self, name)
        _check_positive(self, "feed_forward_dim")
        if not 0 <= self.dropout < 1:
            raise KitError(
                f"dropout={self.dropout} is not in [0, 1)", "Use 0 for no dropout"
            )
        if self.num_heads % self.key_value_heads:
            raise KitError(
                f"num_key_value_heads={self.num_key_value_heads} does not divide "
                f"num_heads={self.num_heads}",
                "Choose a number of key and value heads that divides num_heads",
            )
        self._check_skips()

    def _check_skips(self) -> None:
        for part in ("attention", "feed_forward"):
            skip = f"{part}_skip"
            absent = getattr(self, part) is None and self.wiring == "serial"
            if absent and getattr(self, skip) != 1:
                raise KitError(
                    f"{part}=None clashes with {skip}={getattr(self, skip):g}: "
                    f"without the {part} there is nothing to skip",
                    f"Leave {skip} at 1 or keep the {part}",
                )
        if self.wiring == "parallel" and self.attention_skip != self.feed_forward_skip:
            raise KitError(
                f'wiring="parallel" has one skip, but attention_skip='
                f"{self.attention_skip:g} and feed_forward_skip="
                f"{self.feed_forward_skip:g} differ",
                "Give both the same value",
            )
        empty = self.attention is None and self.feed_forward is None
        if empty and self.wiring == "parallel" and self.attention_skip != 1:
            raise KitError(
                "attention=None and feed_forward=None leave only the skip, and "
                f"attention_skip={self.attention_skip:g} would scale the stream",
                "Leave attention_skip at 1 or delete the block",
            )

    @property
    def key_value_heads(self) -> int:
        """Key and value heads with the default filled in."""
        return self.num_key_value_heads or self.num_heads


BLOCK_PRESETS: dict[str, BlockConfig] = {
    "pre-ln": BlockConfig(),
    "post-ln": BlockConfig(norm_position="post"),
    "parallel": BlockConfig(wiring="parallel"),
    "llama": BlockConfig(norm="rms", feed_forward="swiglu"),
}


def block_preset(name: str) -> BlockConfig:
    """A named block.

    Args:
        name: `"pre-ln"` (2002.04745), `"post-ln"` (1706.03762), `"parallel"`
            (GPT-J wiring) or `"llama"` (RMSNorm and SwiGLU, 2302.13971).

    Raises:
        KitError: There is no such preset.

    Example:
        >>> block_preset("llama").norm
        'rms'
    """
    return BLOCK_PRESETS[known("block preset", name, BLOCK_PRESETS)]


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
        object.__setattr__(self, "blocks", tuple(self.blocks))
        _check_choices(self)
        for name in ("vocabulary_size", "context_length", "width", "prefix_length"):
            _check_positive(self, name)
        if (self.mask == "prefix") != (self.prefix_length is not None):
            raise KitError(
                f'mask="{self.mask}" clashes with prefix_length={self.prefix_length}',
                'Give prefix_length together with mask="prefix", and only then',
            )
        if self.padding_id is not None and not (
            0 <= self.padding_id < self.vocabulary_size
        ):
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
        """A model of `num_blocks` equal blocks; `shared` are the other fields."""
        if num_blocks < 1:
            raise KitError(f"num_blocks={num_blocks} is below 1", "Use 1 or more")
        if isinstance(block, str):
            block = block_preset(block)
        return cls(blocks=(block,) * num_blocks, **shared)

    def with_blocks(self, edits: Mapping[int, Mapping[str, Any]]) -> "ModelConfig":
        """The same model with some fields changed in some blocks.

        Args:
            edits: Block index to a mapping of `BlockConfig` fields.

        Raises:
            KitError: There is no such block or field.
        """
        blocks = list(self.blocks)
        for index, changes in edits.items():
            if not 0 <= index < len(blocks):
                raise KitError(
                    f"there is no block {index} in a model of {len(blocks)} blocks",
                    f"Use an index from 0 to {len(blocks) - 1}",
                )
            for name in changes:
                known("BlockConfig field", name, [f.name for f in fields(BlockConfig)])
            blocks[index] = replace(blocks[index], **changes)
        return replace(self, blocks=tuple(blocks))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` is its inverse."""
        return {**asdict(self), "blocks": [asdict(block) for block in self.blocks]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ModelConfig":
        """The config that `to_dict` wrote.

        Raises:
            KitError: A field is unknown to this version.
        """
        for name in data:
            known("ModelConfig field", name, [f.name for f in fields(cls)])
        blocks = []
        for block in data.get("blocks", ()):
            for name in block:
                known("BlockConfig field", name, [f.name for f in fields(BlockConfig)])
            blocks.append(BlockConfig(**block))
        return cls(**{**data, "blocks": tuple(blocks)})
