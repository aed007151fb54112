"""The report of a study: one HTML file that needs nothing else, JSON, and PNG files.

Every number comes from stored rows. The user's own runs and the results that are kept
with the kit stand side by side; either may be missing.
"""

import base64
import datetime
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
from markdown_it import MarkdownIt

from kit.errors import KitError
from kit.pictures import SIGNS, style
from kit.studies import statistics
from kit.studies.findings import (
    EVERYTHING,
    NOT_REPRODUCED,
    REPRODUCED,
    UNDECIDED,
    range_of,
)
from kit.studies.results import Results
from kit.studies.study import Study
from kit.studies.verdicts import Verdict, judge

TEMPLATE = Path(__file__).with_name("report.html.jinja")


@dataclass(frozen=True)
class ArmRow:
    """One line of the table of arms."""

    name: str
    label: str
    runs: int
    diverged: int
    cells: list[str]


class Side:
    """One of the two sets of results in a report: the user's, or the kit's.

    Args:
        study: Whose claims, metrics and figures.
        results: Rows of one budget and platform.
        title: How the report calls them.
    """

    def __init__(self, study: Study, results: Results, title: str):
        self.study, self.results, self.title = study, results, title

    def __len__(self) -> int:
        return len(self.results)

    @functools.cached_property
    def verdicts(self) -> list[Verdict]:
        """The verdict on each claim of the study."""
        return judge(self.study.claims, self.results)

    @property
    def counts(self) -> dict[str, int]:
        """How many claims have which verdict."""
        words = [verdict.verdict for verdict in self.verdicts]
        return {w: words.count(w) for w in (REPRODUCED, NOT_REPRODUCED, UNDECIDED)}

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

    def to_dict(self) -> dict[str, Any]:
        """What the report says of these results, as JSON holds it."""
        return {
            "budget": self.results.budget,
            "platform": str(self.results.platform),
            "cells": len(self.results),
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
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
    text = f"{mean:{form}}"
    if number > 1 and low < high:
        text += f" ({low:{form}} to {high:{form}})"
    lost = len(everything) - number
    return f"{text} ({lost} of {len(everything)} missing)" if lost else text


def write_report(study: Study, own: Results, kept: Results, folder: Path) -> Path:
    """Write `report.html`, `report.json` and the figures as PNG files.

    Args:
        study: The study.
        own: The user's rows; may be empty.
        kept: The rows that are kept with the kit; may be empty.
        folder: Where to; made if it is missing.

    Returns:
        Path of the HTML file.

    Raises:
        KitError: there are no rows at all, or the folder cannot be written.
    """
    sides = [
        Side(study, own, f"your runs ({own.budget})"),
        Side(study, kept, f"the kit's runs ({kept.budget})"),
    ]
    sides = [side for side in sides if len(side)]
    if not sides:
        raise KitError(
            f"There are no results of '{study.slug}' yet",
            f"Run kit reproduce {study.slug} --budget quick",
        )
    light = [side.pictures("light") for side in sides]
    page = render(study, sides, light)
    summary = {
        "study": study.slug,
        "title": study.title,
        "paper": study.paper,
        "own": next((s.to_dict() for s in sides if s.results is own), None),
        "kept": next((s.to_dict() for s in sides if s.results is kept), None),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for side, pictures in zip(sides, light, strict=True):
            for name, _, png in pictures:
                suffix = "" if side.results is own else "-kept"
                (folder / f"{name}{suffix}.png").write_bytes(png)
        text = json.dumps(summary, indent=1, allow_nan=False)
        (folder / "report.json").write_text(text + "\n", encoding="utf-8")
        path = folder / "report.html"
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise KitError(
            f"Cannot write the report to {folder}: {error.strerror}",
            "Choose another folder with --out",
        ) from error
    return path


def render(
    study: Study,
    sides: Sequence[Side],
    light: Sequence[Sequence[tuple[str, str, bytes]]],
) -> str:
    """The HTML page, with every figure inside it."""
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(number=_number, interval=_interval)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    claims = list(zip(study.claims, *(side.verdicts for side in sides), strict=True))
    card = MarkdownIt("commonmark", {"html": False}).enable("table")
    return template.render(
        study=study,
        card=markupsafe.Markup(card.render(study.card)),
        sides=sides,
        claims=[(claim, list(verdicts)) for claim, *verdicts in claims],
        signs=SIGNS,
        figures=_figures(sides, light),
        budget=sides[0].results.budget,
        date=datetime.date.today().isoformat(),
    )


def _figures(
    sides: Sequence[Side], light: Sequence[Sequence[tuple[str, str, bytes]]]
) -> list[dict[str, Any]]:
    """Figures by name, each with one picture per side that has it."""
    figures: dict[str, dict[str, Any]] = {}
    for side, pictures in zip(sides, light, strict=True):
        dark = side.pictures("dark")
        for (name, caption, day), (_, _, night) in zip(pictures, dark, strict=True):
            entry = figures.setdefault(name, {"caption": caption, "pictures": []})
            entry["pictures"].append(
                {"title": side.title, "light": _inline(day), "dark": _inline(night)}
            )
    return list(figures.values())


def _inline(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _interval(verdict: Verdict) -> str:
    fields = verdict.to_dict()
    if fields["low"] is None or fields["high"] is None:
        return "–"
    return f"{_number(fields['low'])} to {_number(fields['high'])}"
