"""Learning rates over time, each with what a block's ratio does to it."""

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kit.errors import KitError, known


class BlockSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that knows the learning rate of a block with a ratio.

    Subclass it and write `rate`; a plain optimizer takes the rate at ratio 1.
    `blockwise` multiplies any other schedule by the ratio, from the first step to
    the last.

    Example:
        >>> class RootOfRatio(BlockSchedule):
        ...     def rate(self, step, ratio):
        ...         return 0.1 * ratio**0.5
        >>> RootOfRatio().rate(0, 4.0), RootOfRatio()(0)
        (0.2, 0.1)
    """

    def rate(self, step: Any, ratio: float) -> Any:
        """Learning rate at `step` (from 0) of a block with `ratio` (a plain number)."""
        raise NotImplementedError

    def check(self, label: str, ratio: float) -> None:
        """Raise a `KitError` where the schedule has no room for the ratio."""

    def __call__(self, step: Any) -> Any:
        return self.rate(step, 1.0)


class _WarmedUp(BlockSchedule):
    """What the schedules below share: a linear warm-up that a ratio may lengthen."""

    scalings: tuple[str, ...] = ()

    def __init__(
        self, peak: float, steps: int, warmup_steps: int, final: float, scaling: str
    ):
        self.peak = peak
        self.steps = steps
        self.warmup_steps = warmup_steps
        self.final = final
        self.scaling = known("value for scaling:", scaling, self.scalings)

    def warmup_of(self, ratio: float) -> float:
        """Steps of the warm-up of a block."""
        return self.warmup_steps * (ratio if self.scaling == "warmup" else 1.0)

    def check(self, label: str, ratio: float) -> None:
        self.check_warmup(label, ratio, self.steps)

    def check_warmup(self, label: str, ratio: float, room: float) -> None:
        """Raise a `KitError` where the warm-up of a block takes more than `room`."""
        if self.warmup_of(ratio) > room:
            raise KitError(
                f"the warm-up of {label!r}, {ratio:g} times {self.warmup_steps} steps, "
                f"does not end within {room:g} of steps={self.steps}",
                "Use fewer warm-up steps, a smaller ratio, or scaling='peak'",
            )

    def warm(self, step: Any, ratio: float) -> Any:
        """Share of the peak that the warm-up has reached; step 0 already learns."""
        return ops.minimum((step + 1) / max(self.warmup_of(ratio), 1), 1.0)

    def get_config(self) -> Mapping[str, Any]:
        return {
            "peak": self.peak,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
            "final": self.final,
            "scaling": self.scaling,
        }


@keras.saving.register_keras_serializable(package="kit")
class WarmUpSchedule(_WarmedUp):
    """Linear warm-up, then cosine, linear or no decay.

    Args:
        peak: Highest learning rate.
        steps: Steps in all.
        warmup_steps: Steps of the warm-up; step 0 already learns.
        decay: `"cosine"`, `"linear"` or `"constant"`.
        final: Learning rate at the end, as a share of the peak.
        scaling: What the ratio r of a block multiplies. `"warmup"`: its peak and the
            length of its warm-up, so that all blocks rise with one slope, and it
            decays from its own peak to the common minimum (`*_alpha` in the official
            code of 2502.19002, which learns at step t with what is step t - 1 here).
            `"peak"`: its peak, with the common warm-up and minimum (`max_*_lr`
            there). `"curve"`: everything, the minimum too. A decay of `"constant"`
            stays at the peak of the block.

    Raises:
        KitError: Unknown scaling.

    Example:
        >>> schedule = WarmUpSchedule(1.0, steps=100, warmup_steps=10, decay="linear")
        >>> [round(float(schedule(step)), 2) for step in (0, 9, 55, 100)]
        [0.1, 1.0, 0.55, 0.1]
        >>> [round(float(schedule.rate(step, 4.0)), 2) for step in (0, 9, 39, 100)]
        [0.1, 1.0, 4.0, 0.1]
    """

    scalings = ("warmup", "peak", "curve")

    def __init__(
        self,
        peak: float,
        steps: int,
        warmup_steps: int = 0,
        decay: str = "cosine",
        final: float = 0.1,
        scaling: str = "warmup",
    ):
        super().__init__(peak, steps, warmup_steps, final, scaling)
        self.decay = decay

    def rate(self, step: Any, ratio: float) -> Any:
        step = ops.cast(step, "float32")
        peak, warmup = ratio * self.peak, self.warmup_of(ratio)
        final = self.final / (1.0 if self.scaling == "curve" else ratio)
        done = ops.clip((step - warmup) / max(self.steps - warmup, 1), 0.0, 1.0)
        if self.decay == "cosine":
            left = 0.5 * (1 + ops.cos(math.pi * done))
        else:
            left = 1 - done if self.decay == "linear" else 1.0
        return peak * self.warm(step, ratio) * (final + (1 - final) * left)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "decay": self.decay}


@keras.saving.register_keras_serializable(package="kit")
class WarmUpStableDecay(_WarmedUp):
    """Thirds of the training: constant, back to the common peak, decay (WSD).

    The first third holds the warm-up. With ratio 1 the second is constant too, so a
    plain optimizer decays over the last third only.

    Args:
        peak: Highest learning rate of ratio 1.
        steps: Steps in all.
        warmup_steps: Steps of the warm-up; step 0 already learns.
        final: Learning rate at the end, as a share of the peak.
        scaling: What the ratio r of a block multiplies. The official code of
            2502.19002 has three ways. `"warmup"`: peak and length of the warm-up;
            the second third falls from r * peak to the common peak, so that the last
            is the same for all blocks (`*_alpha`). `"plateau"`: the same with the
            common warm-up (`*_gamma`). `"peak"`: the second third stays at r * peak,
            and the last falls from there to the common minimum (`max_*_lr`).
            `"curve"` multiplies everything, as for a schedule that knows no blocks.
            The default is `"warmup"`, because alpha alone exists in every official
            script; which one made the published curve is not known.

    Raises:
        KitError: Unknown scaling, or a warm-up longer than the first third, where
            the official code jumps.

    Example:
        >>> wsd = WarmUpStableDecay(1.0, steps=300, warmup_steps=10)
        >>> [round(float(wsd(step)), 2) for step in (4, 9, 200, 250, 300)]
        [0.5, 1.0, 1.0, 0.55, 0.1]
        >>> [round(float(wsd.rate(step, 4.0)), 2) for step in (9, 39, 150, 200, 300)]
        [1.0, 4.0, 2.5, 1.0, 0.1]
    """

    scalings = ("warmup", "plateau", "peak", "curve")

    def __init__(
        self,
        peak: float,
        steps: int,
        warmup_steps: int = 0,
        final: float = 0.1,
        scaling: str = "warmup",
    ):
        super().__init__(peak, steps, warmup_steps, final, scaling)
        self.check("ratio 1", 1.0)

    def check(self, label: str, ratio: float) -> None:
        self.check_warmup(label, ratio, self.steps / 3)

    def rate(self, step: Any, ratio: float) -> Any:
        step = ops.cast(step, "float32")
        top, end = ratio * self.peak, self.final * self.peak
        middle = self.peak if self.scaling in ("warmup", "plateau") else top
        end = ratio * end if self.scaling == "curve" else end
        second = ops.clip(3 * step / self.steps - 1, 0.0, 1.0)
        third = ops.clip(3 * step / self.steps - 2, 0.0, 1.0)
        fallen = (top - middle) * second + (middle - end) * third
        return top * self.warm(step, ratio) - fallen
