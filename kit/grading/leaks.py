"""Find pieces of a right answer in what learners are given."""

import ast
import json
import re
from collections.abc import Iterator
from functools import lru_cache

from kit.grading.exercises import Exercise
from kit.grading.splice import functions

NGRAM = 12  # words and signs in a row
STATEMENT_NODES = 10  # smaller statements are everybody's


def leaks(exercise: Exercise, text: str) -> list[str]:
    """Pieces of the right answers of an exercise that occur in a text.

    Two nets: runs of 12 words and signs, for any text; and statements with all names
    made alike, for code, so that renaming does not hide a copy.

    Args:
        exercise: Whose right answers must stay secret.
        text: Python, Markdown, or a notebook as JSON.
    """
    answers = [exercise.reference(), *(answer.code for answer in exercise.right)]
    given = exercise.stub() + exercise.example()
    secret_runs = set().union(*(runs(bodies(code)) for code in answers)) - runs(given)
    secret_shapes = set().union(*(shapes(bodies(code)) for code in answers))
    secret_shapes -= shapes(given)
    found: list[str] = []
    for part in parts(text):
        found += sorted(secret_runs & runs(part))
        found += sorted(secret_shapes & shapes(part))
    return found


def shipped_text(exercise: Exercise) -> str:
    """Everything a learner can read about an exercise apart from its file."""
    hints = [exercise.hint(level) for level in (1, 2, 3)]
    messages = [answer.message for answer in exercise.wrong]
    return "\n\n".join([exercise.statement_markdown(), *hints, *messages])


def bodies(code: str) -> str:
    """The bodies of all top-level functions, without docstrings."""
    found = []
    for node in functions(code).values():
        body = node.body[1:] if ast.get_docstring(node) else node.body
        found += [ast.unparse(statement) for statement in body]
    return "\n".join(found)


def parts(text: str) -> Iterator[str]:
    """A text, or the cells and outputs of a notebook."""
    try:
        cells = json.loads(text)["cells"]
    except (json.JSONDecodeError, TypeError, KeyError):
        yield text
        return
    for cell in cells:
        yield "".join(cell["source"])
        yield json.dumps(cell.get("outputs", []))


@lru_cache(maxsize=1024)  # each text is compared with every exercise
def runs(text: str) -> set[str]:
    """All runs of `NGRAM` words and signs; comment signs do not interrupt them."""
    bare = re.sub(r"^\s*#", "", text, flags=re.M).replace("'", '"')
    words = re.findall(r"\w+|[^\w\s]", bare)
    return {" ".join(words[i : i + NGRAM]) for i in range(len(words) - NGRAM + 1)}


@lru_cache(maxsize=1024)
def shapes(code: str) -> set[str]:
    """The larger simple statements of a code, with all names made alike."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return set()
    simple = (ast.Assign, ast.AugAssign, ast.Return, ast.Expr)
    return {
        shape(node)
        for node in ast.walk(tree)
        if isinstance(node, simple) and size(node) >= STATEMENT_NODES
    }


def size(node: ast.AST) -> int:
    """Number of nodes that carry meaning."""
    return sum(not isinstance(n, ast.expr_context) for n in ast.walk(node))


def shape(node: ast.AST) -> str:
    """A statement with its variables numbered in the order of their appearance.

    Example:
        >>> shape(ast.parse("y = x + x")) == shape(ast.parse("total = price + price"))
        True
    """
    copy = ast.parse(ast.unparse(node))
    numbers: dict[str, str] = {}
    for name in ast.walk(copy):
        if isinstance(name, ast.Name):
            name.id = numbers.setdefault(name.id, f"name{len(numbers)}")
    return ast.unparse(copy)
