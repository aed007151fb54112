"""The command `kit`: every mistake that a user can mend is one line, exit code 2.

Nothing here or in a command's module may import Keras, NumPy or Matplotlib at the top:
`kit --help` answers in under half a second.
"""

import errno
import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

import kit
from kit import doctor
from kit.backends import BACKENDS, not_installed
from kit.compression import commands as compression
from kit.errors import KitError
from kit.grading import commands as grading
from kit.pretrained import commands as pretrained
from kit.quiet import quiet
from kit.studies import commands as studies

app = typer.Typer(
    name="kit",
    help="Take Transformers apart: run a paper's study, do its exercises.",
    add_completion=False,
    rich_markup_mode=None,  # panels would cost 0.2 s of every kit --help
    pretty_exceptions_enable=False,
)
for part in (studies, grading, pretrained, compression, doctor):
    part.register(app)

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
NO_RIGHTS = (errno.EACCES, errno.EPERM, errno.EROFS)
WRONG_KIND = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.")
    ] = False,
) -> None:
    if version:
        typer.echo(f"ablation-kit {kit.__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 is success, 1 a command's own bad news (a failed check), 2 a mistake told in one
    line, 130 a run stopped by Ctrl-C. Anything else is a fault of the kit and raises.

    Args:
        arguments: What follows `kit`; default from `sys.argv`.

    Example:
        >>> main(["--version"])
        ablation-kit 0.1.0
        0
    """
    quiet()
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to resume.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `kit studies | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        told = explain(error)
        if told is None or os.environ.get("KIT_DEBUG"):
            raise
        print(f"error: {told}", file=sys.stderr)
        return 2


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        with command.make_context("kit", arguments) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    finally:
        sys.stdout.flush()  # a closed pipe shows here, not when Python ends
    return 0


def explain(error: Exception) -> KitError | None:
    """What happened and how to mend it, or None for a fault of the kit itself."""
    if isinstance(error, KitError):
        return error
    if isinstance(error, typer.TyperException):
        return _usage(error)
    if isinstance(error, ModuleNotFoundError) and error.name in BACKENDS:
        return not_installed(error.name)
    if str(error).startswith("Unable to import backend"):  # raised by Keras
        return KitError(
            f"{error}, expected one of {', '.join(BACKENDS)}",
            "Set KERAS_BACKEND, or the backend in ~/.keras/keras.json",
        )
    if isinstance(error, OSError):
        return _system(error)
    if isinstance(error, MemoryError):
        return KitError(
            f"this does not fit into memory ({str(error) or 'no more is left'})",
            "Use fewer --sequences, or a smaller --batch-size or --length",
        )
    return None


def _usage(error: typer.TyperException) -> KitError:
    """A wrong command, option or value, with the nearest right one if there is one."""
    what = getattr(error, "format_message", error.__str__)()
    context = getattr(error, "ctx", None)
    fix = f"See {context.command_path if context else 'kit'} --help"
    suggestion = re.search(r"\(Possible options: (.+)\)$|Did you mean (.+)\?$", what)
    if suggestion:
        near = (suggestion[1] or suggestion[2]).replace("'", "")
        what, fix = what[: suggestion.start()].strip(), f"Did you mean {near}? {fix}"
    return KitError(what, fix)


def _system(error: OSError) -> KitError | None:
    """A full disk, missing rights, or a file where a folder should be."""
    where = f" at {error.filename}" if error.filename else ""
    what = f"{error.strerror}{where}"
    if error.errno in NO_SPACE:
        fix = "Free some space, or set KIT_RUNS and KIT_CACHE to another disk"
    elif error.errno in NO_RIGHTS:
        fix = "Give yourself the right, or set KIT_RUNS and KIT_CACHE to other folders"
    elif error.errno in WRONG_KIND:
        fix = "Move it away, or set KIT_RUNS and KIT_CACHE to other folders"
    else:
        return None
    return KitError(what, f"{fix}, then run kit doctor")
