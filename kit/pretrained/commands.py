"""`kit fetch`; heavy imports inside."""

from typing import Annotated

import typer

Name = Annotated[
    str | None, typer.Argument(help="Which checkpoint; all are listed without.")
]


def register(app: typer.Typer) -> None:
    """Add `kit fetch` to the command line."""
    app.command()(fetch)


def fetch(name: Name = None) -> None:
    """Get a trained model, or list those that can be had."""
    if name is None:
        for line in listing():
            typer.echo(line)
        return
    from kit.pretrained import CHECKPOINTS, found
    from kit.pretrained.fetching import fetch

    before = found().get(name)
    folder = fetch(name)
    done = "Already there, and whole" if folder == before else "Fetched and checked"
    typer.echo(f"{done}: {CHECKPOINTS[name].about} ({CHECKPOINTS[name].licence})")
    for file in CHECKPOINTS[name].files:
        size = (folder / file).stat().st_size
        typer.echo(f"  {folder / file} ({size / 1e6:.1f} MB)")
    typer.echo(f'Use it: model, tokenizer = kit.pretrained.load("{name}")')


def listing() -> list[str]:
    """Two lines for each checkpoint: what it is, and where, or how to get it."""
    from kit.pretrained.catalogue import CHECKPOINTS, found, how_to_get

    lines = []
    for name, folder in found().items():
        checkpoint = CHECKPOINTS[name]
        where = f"in {folder}" if folder else f"not here. {how_to_get(name)}"
        if folder and checkpoint.ships:
            where = "ships with the kit"
        lines.append(f"{name:12} {checkpoint.about} ({checkpoint.licence})")
        lines.append(f"{'':12} {where}")
    return lines
