"""`kit list`, `kit start`, `kit check` and `kit hint`; heavy imports inside."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from kit.grading.exercises import Exercise
    from kit.grading.results import Result

FOLDER = Path("work")
NUMBERS = ("hard", "min", "pts")

Identifier = Annotated[str, typer.Argument(help="Which exercise, see kit list.")]
Folder = Annotated[
    Path, typer.Option("--dir", file_okay=False, help="Folder with your answers.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of the exercises to the command line."""
    app.command("list")(list_exercises)
    app.command()(start)
    app.command()(check)
    app.command()(hint)


def list_exercises(folder: Folder = FOLDER) -> None:
    """List the exercises and how far you are, by checking afresh."""
    from rich.table import Table

    from kit.errors import KitError
    from kit.grading.exercises import exercises

    if folder != FOLDER and not folder.is_dir():
        raise KitError(f"{folder} does not exist", f"Run kit start {folder} first")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in ("exercise", "", *NUMBERS, "state"):
        table.add_column(name, justify="right" if name in NUMBERS else "left")
    paper = ""
    for exercise in exercises():
        if exercise.slug != paper:
            paper = exercise.slug
            table.add_row(paper, style="bold")
        costs = (f"{exercise.difficulty}/5", exercise.minutes, exercise.points)
        about = (f"  {exercise.id}", exercise.title, *map(str, costs))
        table.add_row(*about, state(exercise, folder))
    console().print(table)


def start(
    folder: Annotated[Path, typer.Argument(metavar="DIR")] = FOLDER,
) -> None:
    """Copy the exercises into a folder; overwrite nothing."""
    from kit.errors import KitError
    from kit.grading.exercises import exercises
    from kit.grading.generate import exercise_file

    copied, kept = [], []
    for exercise in exercises():
        path = folder / exercise.relative_path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "x", encoding="utf-8") as file:
                file.write(exercise_file(exercise))
            copied.append(path)
        except FileExistsError:
            kept.append(path)
        except OSError as error:
            raise KitError(
                f"{path} cannot be written: {error.strerror}",
                "Choose a folder that you may write to: kit start DIR",
            ) from error
    for path in copied:
        typer.echo(f"new   {path}")
    for path in kept:
        typer.echo(f"kept  {path}")
    option = "" if folder == FOLDER else f" --dir {folder}"
    typer.echo(f"{len(copied)} new, {len(kept)} kept as they are.")
    typer.echo(f"Open one in your editor, then run: kit check{option}")


def check(
    exercise_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One exercise, or a paper.")
    ] = None,
    folder: Folder = FOLDER,
) -> None:
    """Check your answers; exit code 1 if one is not right."""
    chosen = choose(exercise_id, folder)
    screen = console()
    right = 0
    earned = 0.0
    for exercise in chosen:
        path = folder / exercise.relative_path
        if not path.exists():
            screen.print(f"{exercise.id}: {path} is not there", style="yellow")
            continue
        result = judge_file(exercise, path)
        show(screen, result, exercise)
        right += result.passed
        earned += result.earned
    points = sum(exercise.points for exercise in chosen)
    if len(chosen) > 1:
        screen.print(
            f"{right} of {len(chosen)} exercises right, {earned:g} of {points} points",
            style="bold",
        )
    elif not right:
        screen.print(f"Stuck? kit hint {chosen[0].id}")
    if right < len(chosen):
        raise typer.Exit(1)


def hint(
    exercise_id: Identifier,
    level: Annotated[
        int, typer.Option(min=1, max=3, help="1 asks, 2 names the tool, 3 says how.")
    ] = 1,
) -> None:
    """Show one hint; the next level says more."""
    from kit.grading.exercises import HINTS, find

    exercise = find(exercise_id)
    typer.echo(f"Hint {level} of {HINTS} for {exercise.id}")
    typer.echo(exercise.hint(level))
    if level < HINTS:
        typer.echo(f"More: kit hint {exercise.id} --level {level + 1}")


def choose(name: str | None, folder: Path) -> "list[Exercise]":
    """The exercises with this id or of this paper; by default those in the folder."""
    from kit.errors import KitError, known
    from kit.grading.exercises import exercises

    everything = exercises()
    slugs = dict.fromkeys(exercise.slug for exercise in everything)
    if name is not None:
        known("exercise", name, [*slugs, *(exercise.id for exercise in everything)])
    started = [e for e in everything if (folder / e.slug).is_dir()]
    chosen = [e for e in started if name in (None, e.id, e.slug)]
    if not chosen or (
        len(chosen) == 1 and not (folder / chosen[0].relative_path).exists()
    ):
        option = "" if folder == FOLDER else f" {folder}"
        raise KitError(
            f"there is no answer to check in {folder}", f"Run kit start{option} first"
        )
    return chosen


def judge_file(exercise: "Exercise", path: Path) -> "Result":
    """Judge a learner's file.

    Raises:
        KitError: It cannot be read as text.
    """
    from kit.errors import KitError
    from kit.grading.judge import judge

    try:
        source = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KitError(
            f"{path} cannot be read: {error}", "Save it as plain text in UTF-8"
        ) from error
    return judge(exercise, source, filename=str(path))


def state(exercise: "Exercise", folder: Path) -> str:
    """How far a learner is, from checking their file now."""
    from kit.errors import KitError
    from kit.grading.boundary import Outcome
    from kit.grading.generate import exercise_file

    path = folder / exercise.relative_path
    if not path.exists():
        return "not started"
    try:
        if path.read_text("utf-8") == exercise_file(exercise):
            return "not done yet"
        result = judge_file(exercise, path)
    except (KitError, OSError, UnicodeDecodeError):
        return "unknown"
    if result.outcome is Outcome.GRADER_ERROR:
        return "unknown"
    passed = sum(check.outcome is Outcome.PASS for check in result.checks)
    if result.outcome is Outcome.NOT_IMPLEMENTED and not passed:
        return "not done yet"
    return "right" if result.passed else f"{passed}/{len(result.checks)} checks"


def show(screen: "Console", result: "Result", exercise: "Exercise") -> None:
    """Print a result; colour only repeats what the words say."""
    from kit.grading.render import render

    for line in render(result, exercise):
        screen.print(line.text, style=line.style, markup=False, highlight=False)


def console() -> "Console":
    """Where tables and results are printed; long lines are not broken."""
    from rich.console import Console

    return Console(soft_wrap=True)
