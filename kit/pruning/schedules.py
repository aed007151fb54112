"""How much of a model is gone at each step of training, counted from where pruning
begins."""

from dataclasses import dataclass

from kit.checks import whole
from kit.errors import KitError
from kit.pruning.allocation import check_sparsity


@dataclass(frozen=True)
class OneShot:
    """All at one step.

    Args:
        sparsity: Share of the units that goes.
        step: After so many steps it goes; 0 is at once.

    Raises:
        KitError: A number is out of range.

    Example:
        >>> schedule = OneShot(0.5, step=100)
        >>> [schedule(step) for step in (99, 100, 1000)]
        [0.0, 0.5, 0.5]
    """

    sparsity: float
    step: int = 0

    def __post_init__(self) -> None:
        check_sparsity(self.sparsity)
        whole("step", self.step, least=0)

    def __call__(self, step: int) -> float:
        return self.sparsity if step >= self.step else 0.0

    def next_step(self, step: int) -> int | None:
        """The first step from `step` on at which something may go; `None` for never."""
        return self.step if step <= self.step else None


@dataclass(frozen=True)
class Constant:
    """The same share at each pruning: from `start` to `end`, every so many steps.

    Args:
        sparsity: Share of the units that is gone.
        start, end: First and last step at which something goes.
        every: Steps between two prunings.

    Raises:
        KitError: A number is out of range.

    Example:
        >>> schedule = Constant(0.5, start=100, end=300, every=100)
        >>> [schedule(step) for step in (0, 100, 400)], schedule.next_step(101)
        ([0.0, 0.5, 0.5], 200)
    """

    sparsity: float
    start: int = 0
    end: int = 1000
    every: int = 100

    def __post_init__(self) -> None:
        check_sparsity(self.sparsity)
        whole("start", self.start, least=0)
        whole("every", self.every)
        if whole("end", self.end, least=0) < self.start:
            raise KitError(
                f"end={self.end} is before start={self.start}", "Use end >= start"
            )

    def __call__(self, step: int) -> float:
        return self.sparsity if step >= self.start else 0.0

    def next_step(self, step: int) -> int | None:
        """The first step from `step` on at which something may go; `None` for never."""
        number = max(0, -(-(step - self.start) // self.every))
        found = min(self.start + number * self.every, self.end)
        return found if step <= self.end else None


@dataclass(frozen=True)
class Polynomial(Constant):
    """Fast first, slow towards the end (Zhu and Gupta, 1710.01878, equation 1).

        s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (t_n - t_0))^power

    Args:
        sparsity: Final share of the units that is gone.
        start, end: First and last step at which something goes.
        every: Steps between two prunings.
        initial: Share that goes at `start`.
        power: 1 is linear, 3 the paper's.

    Raises:
        KitError: A number is out of range.

    Example:
        >>> schedule = Polynomial(0.8, start=0, end=100, every=50)
        >>> [round(schedule(step), 3) for step in (0, 50, 100, 150)]
        [0.0, 0.7, 0.8, 0.8]
    """

    initial: float = 0.0
    power: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sparsity(self.initial)
        if self.initial > self.sparsity:
            raise KitError(
                f"initial={self.initial:g} is above sparsity={self.sparsity:g}, and "
                "what is gone stays gone",
                "Use initial <= sparsity",
            )
        if not self.power > 0:
            raise KitError(f"power={self.power} is not above 0", "Use for example 3")

    def __call__(self, step: int) -> float:
        if step < self.start:
            return 0.0
        left = 1 - min(1.0, (step - self.start) / max(self.end - self.start, 1))
        if step >= self.end:
            left = 0.0
        return self.sparsity + (self.initial - self.sparsity) * left**self.power
