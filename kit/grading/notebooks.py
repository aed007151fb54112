"""Write the graded notebooks: `python -m kit.grading.notebooks`.

The source of a notebook is `solutions/NN_SLUG.py` in percent format. Its cells become
cells of two notebooks, `notebooks/NN_SLUG.ipynb` for learners and
`solutions/NN_SLUG.ipynb` with the answers. Three kinds of cells differ:

    # %% exercise="causal_mask"      statement and hints, the stub (or the answer),
                                     and a cell that checks it
    # %% tags=["prediction"]         `name = "a usual guess"`; learners find `None`
    # %% tags=["learners"]           only in the notebook for learners; and "solved"
                                     only in the one with the answers

The same sources give the same bytes, so that a difference is always a change.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext

from kit.errors import KitError, in_one_line
from kit.grading.exercises import HINTS, Exercise, exercises, find
from kit.grading.leaks import leaks
from kit.paths import shipped

Cell = dict[str, Any]

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
GUESS = re.compile(r"^(\w+ = )(.+?)(  #.*)?$", re.M)


def sources() -> list[Path]:
    """The sources of all notebooks, in order."""
    return sorted(shipped("solutions").glob("[0-9][0-9]_*.py"))


def notebook(source: str, *, solved: bool) -> str:
    """A notebook as JSON.

    Args:
        source: Percent format, see above.
        solved: With the answers, or with stubs for learners.

    Raises:
        KitError: A cell names an exercise that does not exist.
    """
    parsed = jupytext.reads(source, fmt="py:percent").cells
    cells = [cell for part in parsed for cell in expanded(part, solved)]
    data = {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    name_cells(cells)
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def expanded(part: Any, solved: bool) -> Iterator[Cell]:
    """The cells that a cell of the source becomes."""
    name, tags = part.metadata.get("exercise"), part.metadata.get("tags", [])
    if ("learners" if solved else "solved") in tags:
        return
    if name is not None:
        exercise = find(name)
        yield markdown(exercise_text(exercise))
        yield code(
            exercise.reference() if solved else exercise.stub(), f"{name}-answer"
        )
        check = f'checks["{name}"] = check_in_notebook("{name}", globals())'
        yield code(check, f"{name}-check")
    elif part.cell_type == "markdown":
        yield markdown(part.source)
    elif "prediction" in tags and not solved:
        yield code(GUESS.sub(r"\1None\3", part.source))
    else:
        yield code(part.source)


def exercise_text(exercise: Exercise) -> str:
    """Statement of an exercise, and its hints, folded."""
    statement = exercise.statement_markdown().replace("## ", "### Exercise: ", 1)
    hints = [
        f"<details><summary>Hint {level}</summary>\n\n{exercise.hint(level)}\n\n"
        "</details>"
        for level in range(1, HINTS + 1)
    ]
    return "\n\n".join([statement, *hints])


def markdown(text: str) -> Cell:
    """A cell of text; `name_cells` gives it its id."""
    return {"cell_type": "markdown", "metadata": {}, "source": lines(text)}


def code(text: str, name: str = "") -> Cell:
    """A cell of code that has never been run."""
    cell: Cell = {"cell_type": "code", "metadata": {}, "source": lines(text)}
    never_run: Cell = {"execution_count": None, "outputs": []}
    return cell | never_run | ({"id": name} if name else {})


def lines(text: str) -> list[str]:
    """A text as notebooks store it."""
    return text.strip("\n").splitlines(keepends=True)


def name_cells(cells: list[Cell]) -> None:
    """Give cells without an id one made from their text, so that a change stays local.

    Raises:
        KitError: Two cells would have the same id.
    """
    seen: set[str] = set()
    for cell in cells:
        text = "".join(cell["source"])
        cell.setdefault("id", hashlib.sha256(text.encode()).hexdigest()[:8])
        if cell["id"] in seen:
            raise KitError(f"two cells say the same: {text[:60]!r}", "Remove one")
        seen.add(cell["id"])


def generate(learners: Path, teachers: Path) -> dict[Path, str]:
    """Write every notebook, without and with answers; returns the texts by path.

    Raises:
        KitError: The notebook for learners would contain a piece of an answer, or a
            notebook that has been worked in would be overwritten.
    """
    texts = {}
    for source in sources():
        text = source.read_text("utf-8")
        for folder, solved in ((learners, False), (teachers, True)):
            texts[folder / f"{source.stem}.ipynb"] = notebook(text, solved=solved)
        refuse_leaks(source, texts[learners / f"{source.stem}.ipynb"])
    for path in texts:
        refuse_work(path)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return texts


def refuse_leaks(source: Path, text: str) -> None:
    """Raise a `KitError` if a notebook for learners holds a piece of an answer."""
    for exercise in exercises():
        for leak in leaks(exercise, text):
            raise KitError(
                f"{source.name} gives away {leak!r}, an answer of {exercise.id}",
                "Say it in other words",
            )


def refuse_work(path: Path) -> None:
    """Raise a `KitError` if somebody has run the notebook that is there."""
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        worked_in = any(c.get("execution_count") or c.get("outputs") for c in cells)
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError):
        worked_in = True
    if worked_in:
        raise KitError(
            f"{path.name} has been worked in, and generating it would lose that",
            f"Move {path} away first",
        )


if __name__ == "__main__":
    with in_one_line():
        for written in generate(shipped("notebooks"), shipped("solutions")):
            print(written)
