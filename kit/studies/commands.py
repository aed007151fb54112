"""`kit reproduce`, `kit report` and `kit studies`; heavy imports inside."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    backend: Annotated[
        str | None, typer.Option(help="tensorflow, jax or torch.")
    ] = None,
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
        slug, budget, seeds=seeds, workers=workers, backend=backend, arms=arm or ()
    )
    typer.echo(str(done.summary))
    if done.summary.interrupted:
        typer.echo("Stopped. Finished cells are kept; run the same command to resume.")
        raise typer.Exit(130)
    print_verdicts(done.verdicts)
    if export:
        path, rows = work.export(done.study, budget, done.results.platform)
        typer.echo(f"{rows} rows written to {path}")
    if done.summary.failures:
        first = done.summary.failures[0]
        typer.echo(
            f"{len(done.summary.failures)} cells failed; the first: {first}", err=True
        )
        raise typer.Exit(1)


def report(
    slug: Slug,
    budget: Budget = "quick",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the verdicts as JSON.")
    ] = False,
    out: Out = None,
) -> None:
    """Show the verdicts of your own runs beside the results kept with the kit."""
    from kit.studies import committed, load, own
    from kit.studies.verdicts import judge

    study = load(slug)
    results = own(slug, budget)
    verdicts = judge(study.claims, results if len(results) else committed(slug))
    if as_json:
        typer.echo(json.dumps([verdict.to_dict() for verdict in verdicts], indent=1))
    else:
        print_verdicts(verdicts)


def studies() -> None:
    """List the papers, and which of them have a study."""
    from kit.studies import PAPERS, STUDIES

    for slug, paper in PAPERS.items():
        typer.echo(f"{slug:10} {paper}{'' if slug in STUDIES else ' (not here yet)'}")


def print_verdicts(verdicts: "list[Verdict]") -> None:
    """The verdicts as a table, then one sentence on each."""
    from rich.console import Console
    from rich.table import Table

    colors = {"reproduced": "green", "not reproduced": "red", "undecided": "yellow"}
    table = Table("claim", "statement", "estimate", "interval", "seeds", "runs", "")
    for verdict in verdicts:
        low, high = verdict.to_dict()["low"], verdict.to_dict()["high"]
        table.add_row(
            verdict.claim,
            verdict.statement,
            "" if verdict.estimate is None else f"{verdict.estimate:.4g}",
            "" if low is None or high is None else f"{low:.4g} to {high:.4g}",
            str(verdict.seeds),
            str(verdict.runs),
            f"[{colors[verdict.verdict]}]{verdict.verdict}",
        )
    console = Console()
    console.print(table)
    for verdict in verdicts:
        console.print(f"{verdict.claim}: {verdict.sentence}", markup=False)
