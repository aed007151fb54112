"""One Transformer block as data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from kit.checks import (
    check_choices,
    check_fields,
    check_number,
    check_whole,
    with_known_fields,
)
from kit.errors import KitError, known
from kit.gains import Gain, Shaped, Trained, Updated, check_gain, from_plain

MATRICES = ("learned", "orthogonal", "identity")


@with_known_fields
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
            parallel wiring the two skips are one and must be equal. Every gain is a
            number, or `kit.gains.Trained` for a weight.
        attention_gain: Gain of the attention's output.
        shape: A `kit.gains.Shaped`: terms beside the softmax map; `None` for none.
        value: The value matrix: `"learned"`, `"orthogonal"` (learnt from a random
            orthogonal start), a `kit.gains.Updated`, or `"identity"`: no matrix. Where
            it is or starts as the identity, each query head has its own values.
        projection: The attention's output matrix, likewise.
        feed_forward: `"relu"`, `"gelu"`, `"geglu"`, `"swiglu"`, or `None` for no
            feed-forward.
        feed_forward_dim: Hidden neurons; `None` means `4 * width`.
        feed_forward_skip: Gain of the skip around the feed-forward.
        feed_forward_gain: Gain of the feed-forward's output.
        relu_slope: Slope of `"relu"` below 0; above 0 makes it a leaky ReLU.
        copies_map_from: Index of the earlier block whose attention map this block
            takes over, instead of having queries and keys (2409.14595); `None` for a
            map of its own.
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
    attention_skip: Gain = 1.0
    feed_forward: str | None = "gelu"
    feed_forward_dim: int | None = None
    feed_forward_skip: Gain = 1.0
    dropout: float = 0.0
    attention_gain: Gain = 1.0
    shape: Shaped | None = None
    value: str | Updated = "learned"
    projection: str | Updated = "learned"
    feed_forward_gain: Gain = 1.0
    relu_slope: float = 0.0
    copies_map_from: int | None = None

    def __post_init__(self) -> None:
        check_choices(self)
        for name in ("num_heads", "num_key_value_heads", "head_dim"):
            check_whole(self, name)
        check_whole(self, "feed_forward_dim")
        check_whole(self, "copies_map_from", least=0)
        check_number(self, "dropout", lambda rate: 0 <= rate < 1, "in [0, 1)")
        check_number(self, "relu_slope", lambda slope: 0 <= slope < 1, "in [0, 1)")
        if self.num_heads % self.key_value_heads:
            raise KitError(
                f"num_key_value_heads={self.num_key_value_heads} does not divide "
                f"num_heads={self.num_heads}",
                "Choose a number of key and value heads that divides num_heads",
            )
        if self.copies_map_from is not None and self.attention is None:
            raise KitError(
                f"copies_map_from={self.copies_map_from} clashes with attention=None: "
                "without attention there is nothing to use the map for",
                "Set copies_map_from=None or keep the attention",
            )
        if self.relu_slope and self.feed_forward != "relu":
            raise KitError(
                f"relu_slope={self.relu_slope:g} clashes with feed_forward="
                f"{self.feed_forward!r}",
                'Use feed_forward="relu" or relu_slope=0',
            )
        self._check_simplified()
        self._check_skips()

    def _check_simplified(self) -> None:
        for part in ("attention", "feed_forward"):
            check_gain(self, f"{part}_skip")
            check_gain(self, f"{part}_gain")
            if getattr(self, f"{part}_gain") == 0:
                raise KitError(
                    f"{part}_gain=0 computes a branch and throws it away",
                    f"Use {part}=None, or Trained(0.0)",
                )
        for name in ("value", "projection"):
            if not isinstance(getattr(self, name), Updated):
                known(f"value for {name}:", getattr(self, name), MATRICES)
        if self.shape is not None and not isinstance(self.shape, Shaped):
            raise KitError(
                f"shape={self.shape!r} is no shape of a map",
                "Use kit.gains.Shaped(), kit.gains.SKIP_INIT or None",
            )

    def _check_skips(self) -> None:
        for part in ("attention", "feed_forward"):
            skip = f"{part}_skip"
            absent = getattr(self, part) is None and self.wiring == "serial"
            if absent and getattr(self, skip) != 1:
                raise KitError(
                    f"{part}=None clashes with {skip}={_short(getattr(self, skip))}: "
                    f"without the {part} there is nothing to skip",
                    f"Leave {skip} at 1 or keep the {part}",
                )
        if self.wiring == "parallel" and self.attention_skip != self.feed_forward_skip:
            raise KitError(
                f'wiring="parallel" has one skip, but attention_skip='
                f"{_short(self.attention_skip)} and feed_forward_skip="
                f"{_short(self.feed_forward_skip)} differ",
                "Give both the same value",
            )
        empty = self.attention is None and self.feed_forward is None
        if empty and self.wiring == "parallel" and self.attention_skip != 1:
            raise KitError(
                "attention=None and feed_forward=None leave only the skip, and "
                f"attention_skip={_short(self.attention_skip)} would scale the stream",
                "Leave attention_skip at 1 or delete the block",
            )

    @property
    def key_value_heads(self) -> int:
        """Key heads, and heads of a learned value, with the default filled in."""
        return self.num_key_value_heads or self.num_heads

    @property
    def value_heads(self) -> int:
        """Heads of the values: every query head has its own where they are columns
        of the stream."""
        return (
            self.num_heads if starts_as_identity(self.value) else self.key_value_heads
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` is its inverse.

        Fields that came later are there only where they are used, so that what is
        stored under the text of an older config is still found.
        """
        plain, defaults = asdict(self), asdict(BlockConfig())
        return {
            name: value
            for name, value in plain.items()
            if name not in LATER or value != defaults[name]
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "BlockConfig":
        """The block that `to_dict` wrote.

        Raises:
            KitError: A field is unknown, or its value is out of range.
        """
        check_fields(cls, data)
        return cls(**{k: from_plain(KINDS.get(k, Trained), v) for k, v in data.items()})


KINDS: dict[str, type] = {"shape": Shaped, "value": Updated, "projection": Updated}
LATER = (
    *KINDS,
    "attention_gain",
    "feed_forward_gain",
    "relu_slope",
    "copies_map_from",
)


def starts_as_identity(matrix: str | Updated) -> bool:
    """Whether a value or projection is, or starts as, the identity."""
    return "identity" in (matrix, getattr(matrix, "start", None))


def _short(gain: Gain) -> str:
    return str(gain) if isinstance(gain, Trained) else f"{gain:g}"
