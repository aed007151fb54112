"""`kit prune` and `kit share`; heavy imports inside."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kit.errors import KitError

if TYPE_CHECKING:
    from kit.compression.outcome import Outcome

Model = Annotated[
    str, typer.Argument(help="A .keras file of a kit model, or a checkpoint's name.")
]
KINDS = "a UTF-8 file, a corpus such as docs, or token ids as .npy or .npz."
Text = Annotated[str, typer.Option(help=f"Text that pruning looks at: {KINDS}")]
Lesson = Annotated[
    str, typer.Option(help=f"Text that the model looks at and learns from: {KINDS}")
]
HeldOut = Annotated[
    str | None,
    typer.Option(
        help="Text that both models are judged by; default the last fifth of the "
        "other text, which must be new to the model if it is to say how good it is."
    ),
]
Folder = Annotated[Path, typer.Option(help="Folder for the smaller model.")]
Force = Annotated[
    bool, typer.Option("--force", help="Replace what a former run left there.")
]
Tokens = Annotated[
    str | None,
    typer.Option(
        help="A tokenizer.json, or the text that the model was trained on; default "
        "what lies beside the model."
    ),
]
RULES = "most-similar, largest-gap, least-similar or random"
MEASURES = "cosine, rows or jensen-shannon"
LOSSES = ("hidden", "soft", "hard")
WEIGHTS = "0.25,0.25,0.5"  # the paper's
METHODS = (
    "2ssp, stage-1, attention, shortgpt, window, blockpruner, evopress, slice, "
    "magnitude or random"
)


def register(app: typer.Typer) -> None:
    """Add `kit prune` and `kit share` to the command line."""
    app.command()(prune)
    app.command()(share)


def prune(
    model: Model,
    calibration: Text,
    out: Folder,
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
    force: Force = False,
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


def share(
    model: Model,
    data: Lesson,
    out: Folder,
    rate: Annotated[
        float, typer.Option(help="Share of the attention maps that are copied.")
    ] = 0.4,
    rule: Annotated[
        str, typer.Option(help=f"Which blocks copy: {RULES}.")
    ] = "most-similar",
    blocks: Annotated[
        str | None,
        typer.Option(
            help="These blocks copy, such as 2,3,5; in place of rate and rule."
        ),
    ] = None,
    measure: Annotated[
        str, typer.Option(help=f"Of the similarity: {MEASURES}.")
    ] = "cosine",
    match_heads: Annotated[
        bool, typer.Option("--match-heads", help="Copy to the heads that fit best.")
    ] = False,
    steps: Annotated[int, typer.Option(help="Of the distillation; 0 for none.")] = 200,
    adjust_steps: Annotated[
        int | None,
        typer.Option(help="Of the training after it; default a quarter of them."),
    ] = None,
    learning_rate: Annotated[
        float, typer.Option(help="The highest of each training.")
    ] = 1e-4,
    batch_size: Annotated[
        int | None, typer.Option(help="Sequences of a step; 16, or what fits.")
    ] = None,
    weights: Annotated[
        str,
        typer.Option(
            help="Of the distillation's losses: hidden streams, soft labels, hard "
            "labels. Lower the first where it drowns the others."
        ),
    ] = WEIGHTS,
    divergence: Annotated[
        str, typer.Option(help="Of the soft labels: reverse or forward.")
    ] = "reverse",
    labels: Annotated[
        str, typer.Option(help="The hard labels: teacher or true.")
    ] = "teacher",
    evaluate: HeldOut = None,
    tokenizer: Tokens = None,
    sequences: Annotated[
        int, typer.Option(help="Sequences whose maps are looked at.")
    ] = 16,
    length: Annotated[
        int | None,
        typer.Option(help="Tokens of each; default what the model reads, up to 512."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is random.")] = 0,
    force: Force = False,
) -> None:
    """Let blocks of a trained model copy attention maps, and train what is left."""
    from kit.compression.share import share_file
    from kit.sharing import DistillationConfig

    settings = {
        "rule": rule,
        "blocks": _numbers(blocks),
        "measure": measure,
        "match": match_heads,
        "losses": DistillationConfig(
            **_weights(weights), divergence=divergence, labels=labels
        ),
        "sequences": sequences,
        "seed": seed,
    }
    with interruptible():
        done = share_file(
            model,
            data,
            out,
            rate=rate,
            steps=steps,
            adjust_steps=adjust_steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            evaluate=evaluate,
            tokenizer=tokenizer,
            length=length,
            force=force,
            settings=settings,
            command=["kit", *sys.argv[1:]],
        )
    show(done)


def _numbers(blocks: str | None) -> list[int] | None:
    """`2,3,5` as a list."""
    if blocks is None:
        return None
    if not all(part.strip().isdecimal() for part in blocks.split(",")):
        raise KitError(
            f"--blocks {blocks!r} is no list of blocks", "Give numbers, such as 2,3,5"
        )
    return [int(part) for part in blocks.split(",")]


def _weights(text: str) -> dict[str, float]:
    """`0.25,0.25,0.5` by the names of the losses."""
    try:
        return dict(zip(LOSSES, map(float, text.split(",")), strict=True))
    except ValueError:
        raise KitError(
            f"--weights {text!r} is not three numbers", f"Give such as {WEIGHTS}"
        ) from None


def _number_or_name(rule: str | None) -> Any:
    return int(rule) if rule is not None and rule.isdecimal() else rule


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
