"""A result as lines of text, for the terminal and for notebooks."""

import textwrap
from typing import NamedTuple

from kit.grading.boundary import Outcome
from kit.grading.exercises import Exercise
from kit.grading.report import row
from kit.grading.results import Result

PRINTED_LINES = 10
CAUSE_WIDTH = 70


class Line(NamedTuple):
    """A line and its style; the text alone says everything."""

    text: str
    style: str = ""


def render(result: Result, exercise: Exercise) -> list[Line]:
    """What a learner reads about one submission."""
    points = f"{result.earned:g} of {exercise.points} points"
    lines = [Line(f"{exercise.id}: {exercise.title} ({points})", "bold")]
    if result.outcome is Outcome.NOT_IMPLEMENTED and not any(
        check.cases_passed for check in result.checks
    ):
        return [*lines, Line("  not done yet", "yellow")]
    if result.outcome is Outcome.IMPORT_ERROR:
        return lines + indented(result.checks[0].message) + printed(result)
    told: set[str] = set()
    for check in result.checks:
        good = check.outcome is Outcome.PASS
        word, style = ("pass", "green") if good else ("FAIL", "red")
        hidden = " (hidden)" if check.hidden else ""
        lines.append(Line(f"  {word}  {check.title}{hidden}", style))
        if good or check.cause in told:  # once is enough
            continue
        lines += indented(check.message)
        if check.cause:
            told.add(check.cause)
            cause = textwrap.fill(" ".join(check.cause.split()), CAUSE_WIDTH)
            lines += indented(row("cause", cause))
    return lines + (printed(result) if not result.passed else [])


def indented(text: str) -> list[Line]:
    """Lines of a message, indented."""
    return [Line(f"        {line}".rstrip()) for line in text.splitlines()]


def printed(result: Result) -> list[Line]:
    """The first lines that a submission printed."""
    lines = result.printed.strip().splitlines()
    if not lines:
        return []
    shown = lines[:PRINTED_LINES] + ["..."] * (len(lines) > PRINTED_LINES)
    return [Line("  Your code printed:"), *(Line(f"        {line}") for line in shown)]
