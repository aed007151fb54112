"""The report of a study: one HTML file that needs nothing else, JSON, and PNG files.

Every number comes from stored rows. The user's own runs and the results that are kept
with the kit stand side by side; either may be missing.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import markupsafe
from markdown_it import MarkdownIt

from kit import pages
from kit.errors import KitError
from kit.pictures import SIGNS
from kit.studies.results import Results
from kit.studies.sides import Side, sides_of
from kit.studies.study import Study
from kit.studies.verdicts import Verdict

TEMPLATE = Path(__file__).with_name("report.html.jinja")


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
    sides = sides_of(study, own, kept)
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
    claims = list(zip(study.claims, *(side.verdicts for side in sides), strict=True))
    card = MarkdownIt("commonmark", {"html": False}).enable("table")
    return pages.render(
        TEMPLATE,
        filters={"number": _number, "interval": _interval},
        study=study,
        card=markupsafe.Markup(card.render(study.card())),
        sides=sides,
        claims=[(claim, list(verdicts)) for claim, *verdicts in claims],
        signs=SIGNS,
        figures=_figures(sides, light),
        budget=sides[0].results.budget,
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
                {
                    "title": side.title,
                    "light": pages.inline(day),
                    "dark": pages.inline(night),
                }
            )
    return list(figures.values())


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _interval(verdict: Verdict) -> str:
    fields = verdict.to_dict()
    if fields["low"] is None or fields["high"] is None:
        return "–"
    return f"{_number(fields['low'])} to {_number(fields['high'])}"
