"""`kit reproduce`, `kit report` and `kit studies`; heavy imports inside."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kit.backends import BACKENDS_IN_WORDS

if TYPE_CHECKING:
    from kit.studies.verdicts import Verdict

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
    print_verdicts(done.verdicts)
    typer.echo(f"Report: {work.report(done.study, done.results, out)}")
    if done.summary.failures:
        first, count = done.summary.failures[0], len(done.summary.failures)
        cells = "1 cell" if count == 1 else f"{count} cells"
        typer.echo(f"{cells} failed; the first: {first}", err=True)
        raise typer.Exit(1)


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
    """Show your own runs of a study beside the results kept with the kit."""
    from kit.studies import load
    from kit.studies import reproduce as work
    from kit.studies.verdicts import judge

    study = load(slug)
    results = work.shown_results(study, budget)
    verdicts = judge(study.claims, results)
    if as_json:
        typer.echo(json.dumps([verdict.to_dict() for verdict in verdicts], indent=1))
        return
    print_verdicts(verdicts)
    own = results if results.origin == "own" else None
    typer.echo(f"Report: {work.report(study, own, out)}")


def studies() -> None:
    """List the papers, which have a study, and how long it takes here."""
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
            typer.echo(f"{'':10} {budget:5} {cells:4} cells, about {time}")


def print_verdicts(verdicts: "list[Verdict]") -> None:
    """The verdicts as a table, then what was claimed and what was found."""
    from rich.console import Console
    from rich.table import Table

    from kit.pictures import SIGNS

    colors = {"reproduced": "blue", "not reproduced": "red", "undecided": "yellow"}
    table = Table("claim", "verdict", "estimate", "interval", "seeds", "runs")
    for verdict in verdicts:
        fields = verdict.to_dict()
        ends = [fields[name] for name in ("low", "high") if fields[name] is not None]
        table.add_row(
            verdict.claim,
            f"[{colors[verdict.verdict]}]{SIGNS[verdict.verdict]} {verdict.verdict}",
            "" if verdict.estimate is None else f"{verdict.estimate:.4g}",
            " to ".join(f"{end:.4g}" for end in ends),
            str(verdict.seeds),
            str(verdict.runs),
        )
    console = Console(highlight=False)
    console.print(table)
    for verdict in verdicts:
        console.print(f"\n{verdict.claim}  {verdict.statement}.", style="bold")
        console.print(verdict.sentence, markup=False)
