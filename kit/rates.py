"""Learning rates by block, as plain data."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from numbers import Real
from typing import Any

from kit.checks import check_fields, check_flag, with_known_fields
from kit.errors import KitError, known

PAPER_RATIOS: Mapping[str, float] = {
    "Emb": 10.0,
    "QK": 8.0,
    "FFN": 6.0,
    "VO": 4.0,
    "Norm": 1.0,
}
"""Ratios by role of 2502.19002: tuned once by hand for LLaMA 0.25B on MiniPile."""

HEAD = "Head"
"""The label of a head of its own, where it is to have another rate than Emb."""

SCALINGS = ("warmup", "plateau", "peak", "curve")


def check_ratios(ratios: Any) -> dict[str, float]:
    """Ratios by label as plain numbers; raises a `KitError` where one is not above 0.

    Example:
        >>> check_ratios({"Emb": 10, "Norm": 1})
        {'Emb': 10.0, 'Norm': 1.0}
    """
    if not isinstance(ratios, Mapping) or not ratios:
        raise KitError(
            f"ratios={ratios!r} is not a mapping of labels to numbers",
            "Use ratios such as {'Emb': 10.0, 'other': 1.0}",
        )
    for label, ratio in ratios.items():
        number = isinstance(ratio, Real) and not isinstance(ratio, bool)
        if not (number and 0 < ratio < math.inf):
            raise KitError(
                f"the ratio of {label!r}, {ratio!r}, is not a number above 0",
                "Use a number above 0; to freeze a layer, set layer.trainable = False",
            )
    return {str(label): float(ratio) for label, ratio in ratios.items()}


@with_known_fields
@dataclass(frozen=True)
class BlockRates:
    """What `kit.optimizers.blockwise` needs for a kit model.

    Args:
        ratios: Role -> learning rate, as a multiple of the common one. A head of its
            own has that of `"Emb"`, unless there is one for `"Head"`. It has a flag of
            its own in the official code of 2502.19002, whose value is not known.
        scaling: What a ratio multiplies in the schedule: `"warmup"` (peak and length of
            the warm-up), `"plateau"` (the plateau of `"wsd"` alone), `"peak"` or
            `"curve"`; see `kit.optimizers.WarmUpSchedule` and `WarmUpStableDecay`.
        scale_decay: Whether weight decay uses the rate of the block.

    Raises:
        KitError: A ratio is not above 0, or the scaling is unknown.

    Example:
        >>> BlockRates({"Emb": 10, "QK": 8, "FFN": 6, "VO": 4, "Norm": 1}).scaling
        'warmup'
    """

    ratios: Mapping[str, float] = field(
        default_factory=lambda: PAPER_RATIOS, hash=False
    )
    scaling: str = "warmup"
    scale_decay: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratios", check_ratios(self.ratios))
        known("value for scaling:", self.scaling, SCALINGS)
        check_flag(self, "scale_decay")

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "BlockRates":
        """The rates that `to_dict` wrote.

        Raises:
            KitError: A field is unknown, or its value is out of range.
        """
        check_fields(cls, data)
        return cls(**data)
