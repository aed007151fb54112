"""The README's table of verdicts, and its picture, from the rows in `results/`."""

from pathlib import Path

from kit.paths import shipped
from kit.pictures import SIGNS, style
from kit.studies import STUDIES, committed, load
from kit.studies.results import Results
from kit.studies.study import Study
from kit.studies.verdicts import judge

BEGIN = "<!-- verdicts: written by `python -m kit.studies.readme` -->\n"
END = "<!-- end of verdicts -->"
PICTURE = "learning"


def table(study: Study, results: Results) -> str:
    """The verdicts of one study as Markdown, claim by claim."""
    lines = [
        f"**{study.title}** ({study.paper}), {len(results)} runs:",
        "",
        "| claim | verdict | what was found |",
        "|---|---|---|",
    ]
    for verdict in judge(study.claims, results):
        sign = f"{SIGNS[verdict.verdict]} {verdict.verdict}"
        lines.append(
            f"| {verdict.claim}. {verdict.statement} | {sign} | {verdict.sentence} |"
        )
    return "\n".join(lines)


def with_verdicts(text: str) -> str:
    """The README with a fresh table for every study that has stored results."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    results = {slug: committed(slug) for slug in STUDIES}
    tables = [table(load(slug), rows) for slug, rows in results.items() if len(rows)]
    return before + BEGIN + "\n" + "\n\n".join(tables) + "\n\n" + END + after


def main() -> None:
    """Rewrite `README.md` and the picture that it shows."""
    path = shipped("results").parent / "README.md"
    path.write_text(with_verdicts(path.read_text("utf-8")), "utf-8")
    for slug in STUDIES:
        rows, study = committed(slug), load(slug)
        if len(rows) and study.figures:
            with style("light"):
                drawn = {each.name: each.figure.png() for each in study.figures(rows)}
            Path(path.parent, "results", slug, f"{PICTURE}.png").write_bytes(
                drawn[PICTURE]
            )


if __name__ == "__main__":
    main()
