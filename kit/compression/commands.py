"""`kit prune`; heavy imports inside."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kit.compression.outcome import Outcome

Model = Annotated[
    str, typer.Argument(help="A .keras file of a kit model, or a checkpoint's name.")
]
Text = Annotated[
    str,
    typer.Option(
        help="Text that pruning looks at: a UTF-8 file, a corpus such as docs, or "
        "token ids as .npy or .npz."
    ),
]
HeldOut = Annotated[
    str | None,
    typer.Option(
        help="Text that both models are judged by; default the last fifth of the "
        "calibration text, which is held out."
    ),
]
Tokens = Annotated[
    str | None,
    typer.Option(
        help="A tokenizer.json, or the text that the model was trained on; default "
        "what lies beside the model."
    ),
]
METHODS = (
    "2ssp, stage-1, attention, shortgpt, window, blockpruner, evopress, slice, "
    "magnitude or random"
)


def register(app: typer.Typer) -> None:
    """Add `kit prune` to the command line."""
    app.command()(prune)


def prune(
    model: Model,
    calibration: Text,
    out: Annotated[Path, typer.Option(help="Folder for the smaller model.")],
    sparsity: Annotated[
        float, typer.Option(help="Share of the blocks' parameters to remove.")
    ] = 0.25,
    method: Annotated[str, typer.Option(help=f"{METHODS}.")] = "2ssp",
    evaluate: HeldOut = None,
    tokenizer: Tokens = None,
    sequences: Annotated[
        int, typer.Option(help="Calibration sequences; 2048 tokens at least.")
    ] = 32,
    length: Annotated[
        int | None,
        typer.Option(help="Tokens of each; default what the model reads, up to 2048."),
    ] = None,
    score: Annotated[
        str | None, typer.Option(help="What a neuron is worth; l2 by default.")
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(help="How many attentions go: 2ssp, even, feed-forward, or N."),
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(help="Of the rule 2ssp; 1.5 by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is random.")] = 0,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what a former run left there.")
    ] = False,
) -> None:
    """Make a trained model smaller, without any training."""
    from kit.compression.prune import prune_file

    given = {"score": score, "rule": _number_or_name(rule), "alpha": alpha}
    with interruptible():
        done = prune_file(
            model,
            calibration,
            out,
            sparsity=sparsity,
            method=method,
            evaluate=evaluate,
            tokenizer=tokenizer,
            sequences=sequences,
            length=length,
            seed=seed,
            force=force,
            settings={name: x for name, x in given.items() if x is not None},
            command=["kit", *sys.argv[1:]],
        )
    show(done)


def _number_or_name(rule: str | None) -> Any:
    return int(rule) if rule is not None and rule.isdigit() else rule


@contextmanager
def interruptible() -> Iterator[None]:
    """Ends with exit code 130 on Ctrl-C, and says that nothing is half done."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("\nStopped; no file is half written.", err=True)
        raise typer.Exit(130) from None


def show(done: "Outcome") -> None:
    """A title, sentences, tables, notes and places."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    typer.echo("\n".join(["", done.title, *done.sentences]))
    console = Console(highlight=False)
    for each in done.tables:
        table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
        for column, name in enumerate(each.header):
            if each.is_number(column):
                table.add_column(name, justify="right", no_wrap=True)
            else:
                table.add_column(name)
        for row in each.rows:
            table.add_row(*row)
        with console.capture() as shown:  # Rich would end the program on a closed pipe
            console.print(table)
        typer.echo(shown.get(), nl=False)
    typer.echo("\n".join(done.notes))
    for name, file in (("Model", "model.keras"), ("Page", "page.html")):
        typer.echo(f"{name}: {done.folder / file}")
