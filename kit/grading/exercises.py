"""The source of an exercise: one percent-format file in `solutions/SLUG/`.

    # /// exercise
    # id = "causal_mask"               front matter: TOML, see FIELDS
    # ///

    # %% statement [markdown]          what to do, and what goes in and out
    # %% stub                          what a learner edits
    # %% example                       runs with any right answer
    # %% reference                     the simplest right answer
    # %% hint 1 [markdown]             asks a question
    # %% hint 2 [markdown]             names the tool
    # %% hint 3 [markdown]             gives the shape of the line, never the code
    # %% right answer="in a loop"      another right answer; one or more
    # %% wrong answer="off_by_one" caught_by="any_length"
    # # a comment on top is what the learner reads; five or more
    # %% driver                        optional: code that calls `answer.function`
    # %% checks                        generators of cases, see kit.grading.cases

An answer replaces functions of the stub, and has its imports; what it leaves out is
the reference's.
"""

import ast
import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from kit.errors import KitError, known
from kit.grading.cases import EXAMPLE, Check
from kit.grading.catalogue import in_order
from kit.grading.splice import comment_text, drop_comments, functions, splice
from kit.grading.submission import Submission
from kit.paths import shipped

FIELDS: dict[str, type] = {
    "id": str,
    "title": str,
    "paper": str,
    "section": str,
    "concepts": list,
    "prerequisites": list,
    "difficulty": int,
    "minutes": int,
    "points": int,
}
FRONT_MATTER = re.compile(
    r"^# /// exercise$\n(?P<toml>(?:^#(?:| .*)$\n)+?)^# ///$", re.M
)
CELL = re.compile(r"^# %% ?(?P<header>.*)$", re.M)
HINTS = 3
FORMAT = "The format is described in kit/grading/exercises.py"


class Cell(NamedTuple):
    """A cell of the source; `line` is the first line of its text."""

    kind: str
    options: dict[str, str]
    text: str
    line: int


class Answer(NamedTuple):
    """A named right or wrong answer; a wrong one has a message and a check's id."""

    name: str
    code: str
    message: str = ""
    caught_by: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Exercise:
    """An exercise, parsed and complete.

    Attributes:
        path: Its source, `solutions/SLUG/NN_id.py`.
        id, title, paper, section, concepts, prerequisites, difficulty, minutes,
            points: The front matter.
        cells: All cells in order.
    """

    path: Path
    id: str
    title: str
    paper: str
    section: str
    concepts: tuple[str, ...]
    prerequisites: tuple[str, ...]
    difficulty: int
    minutes: int
    points: int
    cells: tuple[Cell, ...]

    @property
    def slug(self) -> str:
        """The paper's short name."""
        return self.path.parent.name

    @property
    def relative_path(self) -> Path:
        """Where a learner's file lies in their folder."""
        return Path(self.slug) / self.path.name

    def statement_markdown(self) -> str:
        """Title, cost and statement, as Markdown."""
        stars = "★" * self.difficulty + "☆" * (5 - self.difficulty)
        points = f"{self.points} point{'s' if self.points > 1 else ''}"
        arxiv = "arXiv " * self.paper[0].isdigit()  # or else a few words
        return (
            f"## {self.title}\n\n{stars} · about {self.minutes} minutes · {points}\n"
            f"· {arxiv}{self.paper}, {self.section}\n\n{self._markdown('statement')}"
        )

    def stub(self) -> str:
        """What a learner edits."""
        return self._one("stub").text

    def example(self) -> str:
        """Code that runs once the stub is filled in."""
        return self._one("example").text

    def reference(self) -> str:
        """The stub with the reference filled in."""
        return splice(self.stub(), self._one("reference").text)

    def hint(self, level: int) -> str:
        """Hint 1, 2 or 3, as Markdown."""
        return self._markdown(f"hint {level}")

    @cached_property
    def right(self) -> tuple[Answer, ...]:
        """The other right answers."""
        return tuple(self._answers("right"))

    @cached_property
    def wrong(self) -> tuple[Answer, ...]:
        """The named wrong answers."""
        return tuple(self._answers("wrong"))

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """The stub's functions by name."""
        return functions(self.stub())

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the stub's classes, which are written for the learner."""
        nodes = ast.parse(self.stub()).body
        return tuple(node.name for node in nodes if isinstance(node, ast.ClassDef))

    @property
    def function(self) -> str:
        """The function that checks call unless they name another."""
        return next(iter(self.functions))

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """The checks, in the order in which they are written."""
        cell = self._one("checks")
        namespace: dict[str, Any] = {"__name__": "checks"}
        # Blank lines in front make the line numbers of a traceback right.
        code = compile("\n" * (cell.line - 1) + cell.text, self.path, "exec")
        exec(code, namespace)
        return tuple(v for v in namespace.values() if isinstance(v, Check))

    def submission(self, source: str, filename: str = "answer.py") -> Submission:
        """A learner's source with the driver beside it."""
        return Submission((source,), self._driver, filename)

    def oracle(self) -> Submission:
        """The reference, followed by every wrong answer in order."""
        codes = (self.reference(), *(answer.code for answer in self.wrong))
        return Submission(codes, self._driver)

    @property
    def _driver(self) -> str:
        # What a submission can read of the driver should not explain itself.
        return drop_comments("".join(c.text for c in self.cells if c.kind == "driver"))

    def _one(self, kind: str) -> Cell:
        return next(cell for cell in self.cells if cell.kind == kind)

    def _markdown(self, kind: str) -> str:
        return comment_text(self._one(kind).text)

    def _answers(self, kind: str) -> Iterator[Answer]:
        for cell in self.cells:
            if cell.kind == kind:
                message = comment_text(cell.text) if kind == "wrong" else ""
                code = splice(self.reference(), cell.text)
                check = cell.options.get("caught_by", "")
                yield Answer(cell.options["answer"], code, message, check)


def parse(path: Path) -> Exercise:
    """Read an exercise's source.

    Raises:
        KitError: The file is not a complete exercise; names the part and the fix.
    """
    text = path.read_text("utf-8")
    front = FRONT_MATTER.search(text)
    if front is None:
        raise problem(path, "has no front matter", "Start it with # /// exercise")
    lines = [line[2:] for line in front["toml"].splitlines()]
    try:
        matter = tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError as error:
        raise problem(path, f"has front matter that is not TOML: {error}") from error
    for name in matter:
        known(f"front matter in {path.name}:", name, FIELDS)
    for name, kind in FIELDS.items():
        if not isinstance(matter.get(name), kind):
            raise problem(path, f"needs {name} ({kind.__name__}) in its front matter")
    values: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in matter.items()
    }
    exercise = Exercise(path=path, cells=tuple(split_cells(text)), **values)
    require_complete(exercise)
    return exercise


def split_cells(text: str) -> Iterator[Cell]:
    """The cells of a percent-format text."""
    headers = list(CELL.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends, strict=True):
        words = shlex.split(header["header"])
        options = dict(word.split("=", 1) for word in words if "=" in word)
        kind = " ".join(w for w in words if "=" not in w and w != "[markdown]")
        line = text.count("\n", 0, header.end()) + 2
        yield Cell(kind, options, text[header.end() + 1 : end].rstrip() + "\n", line)


def require_complete(exercise: Exercise) -> None:
    """Raise a `KitError` that names what an exercise lacks."""
    kinds = Counter(cell.kind for cell in exercise.cells)
    hints = [f"hint {level + 1}" for level in range(HINTS)]
    for kind in ("statement", "stub", "example", "reference", *hints, "checks"):
        if kinds[kind] != 1:
            raise problem(exercise.path, f"has {kinds[kind]} cells {kind!r}, not one")
    if not exercise.path.stem.endswith(f"_{exercise.id}"):
        raise problem(exercise.path, f"has the id {exercise.id!r}, unlike its name")
    if kinds["right"] < 1 or kinds["wrong"] < 5:
        what = f"has {kinds['right']} right and {kinds['wrong']} wrong answers"
        raise problem(exercise.path, what, "Write one or more and five or more")
    ids = [check.id for check in exercise.checks]
    if EXAMPLE not in ids or len(ids) < 2:
        raise problem(exercise.path, f"has the checks {ids}", "Add one named example")
    hidden = [check.hidden for check in exercise.checks]
    if hidden != sorted(hidden):
        raise problem(exercise.path, "has visible checks after hidden ones")
    for answer in exercise.wrong:
        known(f"check in {exercise.path.name}:", answer.caught_by, ids)


def problem(
    path: Path, what: str, fix: str = "See kit/grading/exercises.py"
) -> KitError:
    """A `KitError` about an exercise's source."""
    return KitError(f"{path.parent.name}/{path.name} {what}", fix)


@cache
def exercises(slug: str | None = None) -> tuple[Exercise, ...]:
    """All exercises, or those of one paper, in the order in which to do them."""
    if slug is not None:
        return tuple(exercise for exercise in exercises() if exercise.slug == slug)
    paths = sorted(shipped("solutions").glob("*/[0-9][0-9]_*.py"))
    return in_order([parse(path) for path in paths])


def find(exercise_id: str) -> Exercise:
    """The exercise with this id.

    Raises:
        KitError: There is none; names the nearest.

    Example:
        >>> find("causal_mask").function
        'causal_mask'
    """
    by_id = {exercise.id: exercise for exercise in exercises()}
    return by_id[known("exercise", exercise_id, by_id)]
