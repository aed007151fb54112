"""One Transformer block as data, and the named ones."""

import math
from dataclasses import dataclass

from kit.checks import check_choices, check_number, check_whole
from kit.errors import KitError, known


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
        check_choices(self)
        for name in ("num_heads", "num_key_value_heads", "head_dim"):
            check_whole(self, name)
        check_whole(self, "feed_forward_dim")
        check_number(self, "attention_skip", math.isfinite, "that is finite")
        check_number(self, "feed_forward_skip", math.isfinite, "that is finite")
        check_number(self, "dropout", lambda rate: 0 <= rate < 1, "in [0, 1)")
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
