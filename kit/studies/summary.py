"""What a run did: cells run, kept and failed, and where the time went."""

from dataclasses import dataclass, field
from pathlib import Path

from kit.studies.study import Cell


@dataclass(frozen=True)
class Failure:
    """A cell that left no result, why, and where the traceback is.

    `mistake` says that it is one which the user can mend.
    """

    cell: Cell
    reason: str
    log: Path
    mistake: bool = False

    def __str__(self) -> str:
        return f"{self.cell}: {self.reason} (log: {self.log})"


@dataclass
class Summary:
    """What a run did, and where its workers' time went, in seconds."""

    cells: int = 0
    reused: int = 0
    finished: int = 0
    diverged: int = 0
    failures: list[Failure] = field(default_factory=list)
    interrupted: bool = False
    workers: int = 0
    wall: float = 0.0
    starting: float = 0.0
    preparing: float = 0.0
    training: float = 0.0
    evaluating: float = 0.0

    @property
    def overhead(self) -> float:
        """Share of the workers' wall time spent outside training steps."""
        total = self.workers * self.wall
        return 1 - self.training / total if total else 0.0

    def __str__(self) -> str:
        diverged = f" ({self.diverged} diverged)" if self.diverged else ""
        text = (
            f"{self.cells} cells: {self.finished} run{diverged}, "
            f"{self.reused} kept from earlier, {len(self.failures)} failed"
        )
        if not self.finished:
            return f"{text}."
        total = self.workers * self.wall
        shares = {
            "starting workers": self.starting,
            "building and compiling": self.preparing,
            "evaluating and probing": self.evaluating,
        }
        rest = "unfinished cells and waiting" if self.interrupted else "waiting"
        shares[rest] = total - self.training - sum(shares.values())
        parts = ", ".join(f"{name} {s / total:.0%}" for name, s in shares.items())
        return (
            f"{text}, in {duration(self.wall)} on {self.workers} "
            f"worker{'s' * (self.workers > 1)}.\n"
            f"{self.overhead:.0%} of the workers' time was spent outside training "
            f"steps: {parts}."
        )


def duration(seconds: float) -> str:
    """Seconds in words.

    Example:
        >>> duration(42.4), duration(4000)
        ('42 s', '1 h 07 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
