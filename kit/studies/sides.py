"""The two sides of a report: the user's own runs, and those kept with the kit."""

import functools
from dataclasses import dataclass
from typing import Any

from kit.errors import KitError
from kit.pictures import style
from kit.studies import statistics
from kit.studies.findings import (
    EVERYTHING,
    NOT_IN_BUDGET,
    NOT_REPRODUCED,
    REPRODUCED,
    UNDECIDED,
    number_in_words,
    range_of,
)
from kit.studies.results import Results
from kit.studies.study import Study
from kit.studies.verdicts import Verdict, judge_study


@dataclass(frozen=True)
class ArmRow:
    """One line of the table of arms."""

    name: str
    label: str
    runs: int
    diverged: int
    cells: list[str]


class Side:
    """One of the two sets of results that are shown: the user's, or the kit's.

    Args:
        study: Whose claims, metrics and figures.
        results: Rows of one budget and platform.
    """

    def __init__(self, study: Study, results: Results):
        self.study, self.results = study, results

    def __len__(self) -> int:
        return len(self.results)

    @property
    def whose(self) -> str:
        """Whose rows: "own" or "kept with the kit"."""
        return "own" if self.results.origin == "own" else "kept with the kit"

    @property
    def title(self) -> str:
        """How the report calls them, with their budget."""
        owner = "your" if self.results.origin == "own" else "the kit's"
        return f"{owner} runs ({self.results.budget})"

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {word}" for word, number in self.counts.items())
        return f"{self.title}, {len(self)} cells on {self.results.platform}: {counts}"

    @functools.cached_property
    def verdicts(self) -> list[Verdict]:
        """The verdict on each claim of the study."""
        return judge_study(self.study, self.results)

    @property
    def in_short(self) -> list[str]:
        """What was found, in a few sentences."""
        told = self.study.in_short
        return told(self.results, self.verdicts) if told else []

    @property
    def counts(self) -> dict[str, int]:
        """How many claims have which verdict."""
        words = [verdict.verdict for verdict in self.verdicts]
        found = {w: words.count(w) for w in (REPRODUCED, NOT_REPRODUCED, UNDECIDED)}
        lacking = words.count(NOT_IN_BUDGET)
        return found | ({NOT_IN_BUDGET: lacking} if lacking else {})

    @property
    def metrics(self) -> dict[str, str]:
        """Metric -> format of the columns of the table of arms, where there are any."""
        chosen = self.study.metrics or dict.fromkeys(self.results.metrics, ".4g")
        known = set(self.results.metrics)
        return {name: form for name, form in chosen.items() if name in known}

    @property
    def arms(self) -> list[ArmRow]:
        """The table of arms, in the order of the study."""
        rows = []
        for name, label in self.results.arms.items():
            found = self.results.of(name)
            diverged = sum(row.status == "diverged" for row in found)
            cells = [
                mean_in_words(
                    [r.metrics[metric] for r in found if metric in r.metrics],
                    form,
                    range_of(metric),
                )
                for metric, form in self.metrics.items()
            ]
            rows.append(ArmRow(name, label, len(found), diverged, cells))
        return rows

    @property
    def environments(self) -> list[str]:
        """Each environment that rows come from, as one line."""
        texts = []
        for row in self.results.rows:
            known = {name: value for name, value in row.environment.items() if value}
            texts.append(", ".join(f"{name} {value}" for name, value in known.items()))
        return list(dict.fromkeys(filter(None, texts)))

    def pictures(self, mode: str) -> list[tuple[str, str, bytes]]:
        """Name, caption and PNG of every figure, for a "light" or "dark" page."""
        if not self.results or self.study.figures is None:
            return []
        with style(mode):
            figures = self.study.figures(self.results)
            return [(f.name, f.caption, f.figure.png()) for f in figures]

    def answers(self) -> dict[str, Any]:
        """Whose rows these are, and their verdicts, as JSON holds it."""
        return {
            "results": self.whose,
            "budget": self.results.budget,
            "platform": str(self.results.platform),
            "runs": len(self),
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
        }

    def to_dict(self) -> dict[str, Any]:
        """What the report says of these results, as JSON holds it."""
        return self.answers() | {
            "arms": [
                {
                    "arm": row.name,
                    "label": row.label,
                    "runs": row.runs,
                    "diverged": row.diverged,
                    **dict(zip(self.metrics, row.cells, strict=True)),
                }
                for row in self.arms
            ],
            "environments": self.environments,
        }


def mean_in_words(
    values: Any, form: str, limits: tuple[float, float] = EVERYTHING
) -> str:
    """Mean and interval, which ends at `limits`, of the runs that have a value.

    Example:
        >>> mean_in_words([0.5, 0.5, None], ".2f"), mean_in_words([1.0, 2.0], ".1f")
        ('0.50 (1 of 3 missing)', '1.5 (-4.9 to 7.9)')
        >>> mean_in_words([None], ".1f"), mean_in_words([], ".1f")
        ('none', '–')
    """
    everything = list(values)
    if not everything:
        return "–"
    numbers = [value for value in everything if value is not None]
    if not numbers:
        return "none"
    mean, low, high, number = statistics.mean_interval(numbers).within(*limits)
    text = number_in_words(mean, form)
    if number > 1 and low < high:
        ends = (number_in_words(end, form) for end in (low, high))
        text += f" ({' to '.join(ends)})"
    lost = len(everything) - number
    return f"{text} ({lost} of {len(everything)} missing)" if lost else text


def sides_of(study: Study, own: Results, kept: Results) -> list[Side]:
    """The sides that have rows, the user's first; one where both have the same.

    Raises:
        KitError: neither has.
    """
    same = own.budget == kept.budget and _measured(own) == _measured(kept)
    shown = (kept,) if same else (own, kept)
    sides = [Side(study, results) for results in shown if len(results)]
    if not sides:
        raise KitError(
            f"There are no results of '{study.slug}' yet",
            f"Run kit reproduce {study.slug} --budget {own.budget or 'quick'}",
        )
    return sides


def _measured(results: Results) -> dict[str, Any]:
    """What each cell came to; seconds are of a machine, so they tell who ran it."""
    return {row.key: (row.metrics, row.seconds) for row in results.rows}
