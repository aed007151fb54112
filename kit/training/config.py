"""How a model is trained, as data."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from kit.checks import (
    check_fields,
    check_flag,
    check_number,
    check_whole,
    with_known_fields,
)
from kit.errors import KitError, known
from kit.rates import BlockRates

SCHEDULES = ("cosine", "linear", "constant", "wsd")
OPTIMIZERS = ("adamw", "lion")
LOWER_IS_BETTER = ("loss", "perplexity")

# Stored runs are known by a hash of `to_dict` from before there were these: it has them
# where they are not at their defaults.
NEWER = ("block_rates", "optimizer", "decay_everything")


@with_known_fields
@dataclass(frozen=True)
class TrainConfig:
    """Optimizer, schedule and length of a run.

    AdamW or Lion with warm-up, decay, and clipping by global norm.

    Args:
        steps: Optimizer steps.
        batch_size: Sequences per step.
        learning_rate: Peak learning rate.
        warmup_steps: Steps of linear warm-up.
        schedule: `"cosine"`, `"linear"` or `"constant"` after the warm-up; or `"wsd"`,
            constant for two thirds and then linear, with the warm-up in the first.
        final_learning_rate: Last learning rate as a share of the peak.
        weight_decay: Decoupled decay, on matrices only; see `decay_everything`.
        beta_1, beta_2: Averages of the optimizer: of the gradient and its square in
            AdamW, in the update and in the momentum of Lion.
        clip_norm: Largest global norm of the gradient; `None` for no clipping.
        evaluate_every: Steps between two rows of the history; divides `steps`.
        precision: `"float32"`, or `"bfloat16"` for mixed precision.
        target_metric: Stop once this validation metric is as good as `target_value`.
        target_value: At most for `loss` and `perplexity`, at least for the others.
        block_rates: Learning rates by role; `None` for one learning rate.
        optimizer: `"adamw"` (1711.05101) or `"lion"` (2302.06675).
        decay_everything: Let norms, gains and biases decay too, as the official code of
            2502.19002 does.

    Raises:
        KitError: A value is out of range, or two fields contradict each other.

    Example:
        >>> TrainConfig(steps=200, batch_size=64, evaluate_every=50).schedule
        'cosine'
    """

    steps: int = 2000
    batch_size: int = 256
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    schedule: str = "cosine"
    final_learning_rate: float = 0.1
    weight_decay: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.99
    clip_norm: float | None = 1.0
    evaluate_every: int = 100
    precision: str = "float32"
    target_metric: str | None = None
    target_value: float | None = None
    block_rates: BlockRates | None = None
    optimizer: str = "adamw"
    decay_everything: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "evaluate_every"):
            check_whole(self, name)
        check_whole(self, "warmup_steps", least=0)
        check_number(self, "learning_rate", lambda x: 0 < x < math.inf, "above 0")
        for name in ("final_learning_rate", "weight_decay"):
            check_number(self, name, lambda x: 0 <= x < math.inf, "from 0")
        for name in ("beta_1", "beta_2"):
            check_number(self, name, lambda x: 0 <= x < 1, "in [0, 1)")
        check_number(self, "clip_norm", lambda x: x > 0, "above 0, or None")
        check_number(self, "target_value", math.isfinite, "that is finite")
        self._check_schedule()
        self._check_optimizer()
        if self.steps % self.evaluate_every:
            raise KitError(
                f"evaluate_every={self.evaluate_every} does not divide "
                f"steps={self.steps}",
                "Choose a divisor, so that the last step is evaluated",
            )
        if (self.target_metric is None) != (self.target_value is None):
            raise KitError(
                f"target_metric={self.target_metric!r} clashes with "
                f"target_value={self.target_value!r}",
                "Give both or neither",
            )
        known("value for precision:", self.precision, ("float32", "bfloat16"))

    def _check_schedule(self) -> None:
        known("value for schedule:", self.schedule, SCHEDULES)
        if self.warmup_steps > self.steps:
            raise KitError(
                f"warmup_steps={self.warmup_steps} is not in 0 to steps={self.steps}",
                "Use fewer warm-up steps",
            )
        if not isinstance(self.block_rates, BlockRates | None):
            raise KitError(
                f"block_rates={self.block_rates!r} is not a BlockRates",
                "Use kit.rates.BlockRates({'Emb': 10.0, ...}), or None",
            )
        scaling = self.block_rates.scaling if self.block_rates else "curve"
        ratios = self.block_rates.ratios if self.block_rates else {"all": 1.0}
        if scaling == "plateau" and self.schedule != "wsd":
            raise KitError(
                f"scaling='plateau' clashes with schedule={self.schedule!r}",
                "Use schedule='wsd', or scaling='peak'",
            )
        longest = max(ratios.values()) if scaling == "warmup" else 1.0
        room = self.steps / 3 if self.schedule == "wsd" else self.steps
        if longest * self.warmup_steps > room:
            raise KitError(
                f"a warm-up of {longest:g} times warmup_steps={self.warmup_steps} does "
                f"not end within {room:g} of steps={self.steps}",
                "Use fewer warm-up steps, or block rates with scaling='peak'",
            )

    def _check_optimizer(self) -> None:
        known("value for optimizer:", self.optimizer, OPTIMIZERS)
        check_flag(self, "decay_everything")
        if self.optimizer == "lion" and not self.beta_1:
            raise KitError(
                "beta_1=0 clashes with optimizer='lion', which then has no momentum",
                "Use beta_1 above 0, such as 0.95",
            )

    def reached(self, metrics: Mapping[str, float]) -> bool:
        """Whether validation metrics are as good as the target.

        Raises:
            KitError: The task has no such metric.
        """
        if self.target_metric is None or self.target_value is None:
            return False
        value = metrics[known("target_metric", self.target_metric, metrics)]
        if self.target_metric.endswith(LOWER_IS_BETTER):
            return value <= self.target_value
        return value >= self.target_value

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` is its inverse."""
        data = asdict(self)
        for entry in fields(self):
            if entry.name in NEWER and getattr(self, entry.name) == entry.default:
                del data[entry.name]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TrainConfig":
        """The config that `to_dict` wrote; a missing field has its default.

        Raises:
            KitError: A field is unknown, or its value is out of range.
        """
        check_fields(cls, data)
        rates = data.get("block_rates")
        return cls(**{**data, "block_rates": rates and BlockRates.from_dict(rates)})
