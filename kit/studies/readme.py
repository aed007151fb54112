"""What was found, for `README.md` and `results/README.md`, from the rows in `results/`.

The README has a few sentences, and each claim in a line; the stored results have the
sentence behind each verdict. Both are written by `python -m kit.studies.readme`.
"""

from collections.abc import Callable
from pathlib import Path

from kit.markdown import table
from kit.paths import shipped
from kit.pictures import SIGNS, style
from kit.studies import PAPERS, STUDIES, committed, load
from kit.studies.results import Results
from kit.studies.sides import Side
from kit.studies.study import Study
from kit.studies.verdicts import Verdict

BEGIN = "<!-- verdicts: written by `python -m kit.studies.readme` -->\n"
END = "<!-- end of verdicts -->"

Section = Callable[[Study, Results], str]


def short(study: Study, results: Results) -> str:
    """The study in a few sentences, and its claims with verdict and one number."""
    side = Side(study, results)
    sentences = "\n".join(f"- {sentence}" for sentence in side.in_short)
    rows = [
        (f"{each.claim}. {each.statement}", _signed(each), each.brief)
        for each in side.verdicts
    ]
    claims = table(["claim", "verdict", "number"], rows)
    texts = [_title(study, results), sentences, claims]
    return "\n\n".join(filter(None, texts))


def full(study: Study, results: Results) -> str:
    """The claims of a study with their sources and the sentence behind each verdict."""
    rows = [
        (each.claim, _signed(each), each.sentence, each.source)
        for each in Side(study, results).verdicts
    ]
    head = ["claim", "verdict", "what was found", "source"]
    return "\n\n".join([_title(study, results), table(head, rows)])


def written(text: str, section: Section) -> str:
    """A page with a fresh section for every study that has stored results."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    papers_first = sorted(STUDIES, key=lambda slug: slug not in PAPERS)
    results = {slug: committed(slug) for slug in papers_first}
    parts = [section(load(slug), rows) for slug, rows in results.items() if len(rows)]
    return before + BEGIN + "\n" + "\n\n".join(parts) + "\n\n" + END + after


def pages() -> dict[Path, Section]:
    """The pages that show verdicts, and what they show of a study."""
    results = shipped("results")
    return {results.parent / "README.md": short, results / "README.md": full}


def main() -> None:
    """Rewrite the pages, and the picture of each study."""
    for path, section in pages().items():
        path.write_text(written(path.read_text("utf-8"), section), "utf-8")
    for slug in STUDIES:
        rows, study = committed(slug), load(slug)
        if len(rows) and study.figures:
            with style("light"):
                first = study.figures(rows)[0]
                picture = first.figure.png()
            (shipped("results") / slug / f"{first.name}.png").write_bytes(picture)


def _title(study: Study, results: Results) -> str:
    return f"**{study.title}** ({study.paper}), {len(results)} runs:"


def _signed(verdict: Verdict) -> str:
    return f"{SIGNS[verdict.verdict]} {verdict.verdict}"


if __name__ == "__main__":
    main()
