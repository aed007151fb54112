"""`kit reproduce`, `kit report` and `kit studies`; heavy imports inside."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kit.backends import BACKENDS_IN_WORDS

if TYPE_CHECKING:
    from kit.studies.sides import Side

Slug = Annotated[str, typer.Argument(help="Which study, see kit studies.")]
Budget = Annotated[str, typer.Option(help="smoke, quick or full.")]
Out = Annotated[
    Path | None, typer.Option(help="Folder of the report; default in your runs.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of the studies to the command line."""
    app.command()(reproduce)
    app.command()(report)
    app.command()(studies)


def reproduce(
    slug: Slug,
    budget: Budget = "quick",
    seeds: Annotated[int | None, typer.Option(help="Seeds of every arm.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes; one per core by default.")
    ] = None,
    backend: Annotated[str | None, typer.Option(help=f"{BACKENDS_IN_WORDS}.")] = None,
    arm: Annotated[
        list[str] | None, typer.Option(help="Only this arm; may be repeated.")
    ] = None,
    out: Out = None,
    export: Annotated[
        bool, typer.Option("--export", help="Write results/, for contributors.")
    ] = False,
) -> None:
    """Run a paper's study and answer its claims."""
    from kit.studies import reproduce as work
    from kit.studies.results import committed_results
    from kit.studies.sides import sides_of

    if out is not None:
        work.check_folder(out)
    done = work.reproduce(
        slug,
        budget,
        seeds=seeds,
        workers=workers,
        backend=backend,
        arms=arm or (),
        kept=export,
    )
    typer.echo(str(done.summary))
    if export:
        path, rows, missing = work.export(done.study, budget, done.platform)
        typer.echo(f"{rows} rows written to {path}, {missing} still missing")
    if done.summary.interrupted:
        typer.echo("Stopped. Finished cells are kept; run the same command to resume.")
        raise typer.Exit(130)
    kept = committed_results(done.study)
    if len(done.results) or len(kept):
        print_verdicts(sides_of(done.study, done.results, kept))
        typer.echo(f"Report: {work.report(done.study, done.results, kept, out)}")
    if done.summary.failures:
        first, count = done.summary.failures[0], len(done.summary.failures)
        cells = "1 cell" if count == 1 else f"{count} cells"
        typer.echo(f"{cells} failed; the first: {first}", err=True)
        raise typer.Exit(2 if first.mistake else 1)


def report(
    slug: Slug,
    budget: Annotated[
        str | None, typer.Option(help="Of your runs; default the one with most.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdicts as JSON.")
    ] = False,
    out: Out = None,
) -> None:
    """Show your runs of a study beside those kept with the kit."""
    from kit.studies import load
    from kit.studies import reproduce as work
    from kit.studies.sides import sides_of

    if out is not None:
        work.check_folder(out)  # before the figures are drawn
    study = load(slug)
    own, kept = work.shown_results(study, budget)
    sides = sides_of(study, own, kept)
    if as_json:
        typer.echo(json.dumps([side.answers() for side in sides], indent=1))
        return
    page = work.report(study, own, kept, out)  # before pages of verdicts hide an error
    print_verdicts(sides)
    typer.echo(f"Report: {page}")


def studies() -> None:
    """List the papers, and how long their studies take here."""
    from kit.studies import PAPERS, STUDIES, load, machine
    from kit.studies.summary import duration

    workers = machine.default_workers("cpu")
    for slug in {**PAPERS, **STUDIES}:
        study = load(slug) if slug in STUDIES else None
        typer.echo(f"{slug:10} {study.paper if study else PAPERS[slug]}")
        if study is None:
            typer.echo(f"{'':10} no study yet")
            continue
        for budget in study.seeds:
            cells = len(study.cells(budget))
            time = duration(study.seconds(budget, workers))
            work = f"{cells:4} cell{'s' if cells != 1 else ''}"
            typer.echo(f"{'':10} {budget:6} {work}, about {time}")


COLORS = {
    "reproduced": "blue",
    "not reproduced": "red",
    "undecided": "yellow",
    "not in this budget": "bright_black",
}


def print_verdicts(sides: "list[Side]") -> None:
    """The verdicts of all sides as a table, with the numbers of the first; then what
    was claimed and what each side found."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from kit.pictures import SIGNS

    titles = [side.title for side in sides]
    numbers = ("estimate", "interval", "seeds")
    table = Table("claim", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for title in titles:
        table.add_column(title.replace(" (", "\n("), no_wrap=True)
    for name in numbers:
        table.add_column(name)
    rows = list(zip(*(side.verdicts for side in sides), strict=True))
    for first, *others in rows:
        fields = first.to_dict()
        ends = [fields[name] for name in ("low", "high") if fields[name] is not None]
        table.add_row(
            first.claim,
            *(
                f"[{COLORS[each.verdict]}]{SIGNS[each.verdict]} {each.verdict}"
                for each in (first, *others)
            ),
            "" if first.estimate is None else f"{first.estimate:.3g}",
            " to ".join(f"{end:.3g}" for end in ends),
            str(first.seeds or ""),
        )
    console = Console(highlight=False)
    with console.capture() as shown:  # Rich would end the program on a closed pipe
        console.print(table)
        for verdicts in rows:
            claim, statement = verdicts[0].claim, verdicts[0].statement
            console.print(f"\n{claim}  {statement}.", style="bold", markup=False)
            for title, verdict in zip(titles, verdicts, strict=True):
                console.print(f"{title}: {verdict.sentence}", markup=False)
        console.print()
        for side in sides:
            console.print(str(side), markup=False)
    typer.echo(shown.get(), nl=False)
