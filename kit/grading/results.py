"""What a check of a submission says; plain data for JSON."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from kit.grading.boundary import Outcome

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class CheckResult:
    """The verdict on one check.

    Attributes:
        outcome: How it ended; only `pass` and partial credit earn points.
        score: From 0 to 1.
        points, earned: Its share of the exercise's points, and what it earned.
        cases_run, cases_passed: How much evidence there is.
        message: The failing case for the learner; empty for a pass.
        cause: What probably went wrong.
        mistake: Name of the wrong answer that the submission behaves like.
    """

    id: str
    title: str
    hidden: bool
    outcome: Outcome
    score: float
    points: float
    cases_run: int
    cases_passed: int
    seconds: float
    message: str = ""
    cause: str = ""
    mistake: str | None = None

    @property
    def earned(self) -> float:
        """Points earned."""
        return round(self.points * self.score, 2)


@dataclass(frozen=True)
class Result:
    """The verdict on a submission.

    Attributes:
        exercise: Its id.
        mode: `"practice"`: the marks are for the learner.
        seed: Inputs were drawn from it after the submission had loaded.
        submission_sha256: Of the source that was judged.
        printed: What the submission printed, cut to a few lines.
    """

    exercise: str
    checks: tuple[CheckResult, ...]
    seed: int
    submission_sha256: str
    printed: str = ""
    mode: str = "practice"
    schema_version: int = field(default=SCHEMA_VERSION)

    @property
    def passed(self) -> bool:
        """Whether there is evidence, and all of it is in favour."""
        good = [c.outcome is Outcome.PASS and c.cases_run > 0 for c in self.checks]
        return bool(good) and all(good)

    @property
    def outcome(self) -> Outcome:
        """`pass`, or the outcome of the first check that did not pass."""
        if self.passed:
            return Outcome.PASS
        bad = [c.outcome for c in self.checks if c.outcome is not Outcome.PASS]
        return bad[0] if bad else Outcome.GRADER_ERROR

    @property
    def points(self) -> float:
        """Points that could be earned."""
        return round(sum(check.points for check in self.checks), 2)

    @property
    def earned(self) -> float:
        """Points earned."""
        return round(sum(check.points * check.score for check in self.checks), 2)

    def _ipython_display_(self) -> None:
        """Show nothing below a cell: the report has been printed already."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        checks = [{**asdict(check), "earned": check.earned} for check in self.checks]
        totals = {"outcome": self.outcome, "points": self.points, "earned": self.earned}
        return {**asdict(self), "checks": checks, **totals}


def score(passed: Sequence[bool], must: Sequence[bool], partial: bool) -> float:
    """Share of a check's points that its cases earn.

    Without `partial` it is all or nothing. With it, cases that must pass earn nothing
    but can lose everything (a right block called wrong), and the others (wrong blocks
    caught) count in proportion: wheat and chaff, Wrenn and Krishnamurthi's Examplar.

    Example:
        >>> score([True, True, False], [True, False, False], partial=True)
        0.5
        >>> score([False, True, True], [True, False, False], partial=True)
        0.0
        >>> score([], [], partial=True)
        0.0
    """
    if not partial:
        return float(bool(passed) and all(passed))
    if not all(ok for ok, needed in zip(passed, must, strict=True) if needed):
        return 0.0
    rest = [ok for ok, needed in zip(passed, must, strict=True) if not needed]
    return sum(rest) / len(rest) if rest else 0.0


def sha256(source: str) -> str:
    """Hash of a submission."""
    return hashlib.sha256(source.encode()).hexdigest()
