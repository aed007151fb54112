"""Write what learners get from `solutions/`: `python -m kit.grading.generate`."""

from pathlib import Path

from kit.errors import KitError, in_one_line
from kit.grading.exercises import Exercise, exercises
from kit.grading.leaks import leaks, shipped_text
from kit.paths import shipped


def exercise_file(exercise: Exercise) -> str:
    """The file that a learner edits: statement, stub and example, as percent cells."""
    how = f"Check it: `kit check {exercise.id}`. Stuck: `kit hint {exercise.id}`."
    statement = f"{exercise.statement_markdown()}\n\n{how}"
    lines = [
        "# %% [markdown]",
        *(f"# {line}".rstrip() for line in statement.split("\n")),
    ]
    example = "\n".join(
        f"    {line}".rstrip() for line in exercise.example().rstrip().splitlines()
    )
    return (
        "\n".join(lines)
        + f"\n\n# %%\n{exercise.stub().rstrip()}\n\n\n# %% The example\n"
        + f'if __name__ == "__main__":\n{example}\n    print("The example is right.")\n'
    )


def generate(root: Path) -> dict[Path, str]:
    """Write every exercise under a folder; returns the texts by path.

    Raises:
        KitError: What learners get would contain a piece of a right answer.
    """
    texts = {}
    for exercise in exercises():
        text = exercise_file(exercise)
        leaked = leaks(exercise, text) + leaks(exercise, shipped_text(exercise))
        if leaked:
            raise KitError(
                f"{exercise.relative_path} gives away {leaked[0]!r}",
                "Say it in other words, in the source under solutions/",
            )
        texts[root / exercise.relative_path] = text
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return texts


if __name__ == "__main__":
    with in_one_line():
        for written in generate(shipped("exercises")):
            print(written)
