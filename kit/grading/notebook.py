"""Check a function where it was written: in a notebook cell."""

import ast
import inspect
import sys
import textwrap
import types
from collections.abc import Callable
from typing import Any

from kit.errors import KitError
from kit.grading.exercises import Exercise, find
from kit.grading.judge import judge
from kit.grading.render import render
from kit.grading.results import Result

PLAIN = (bool, int, float, str, type(None))


def check_in_notebook(
    exercise_id: str, submission: Callable[..., Any] | dict[str, Any] | str
) -> Result:
    """Judge a function of this notebook, and print what a learner should read.

    The judge runs its source in a process of its own, as `kit check` does, together
    with what it uses from other cells: functions, imports and plain constants.

    Args:
        exercise_id: Which exercise.
        submission: The function, or `globals()`, or source code.

    Raises:
        KitError: There is no such exercise, or the source cannot be found.

    Example:
        >>> result = check_in_notebook("causal_mask", "")  # doctest: +ELLIPSIS
        causal_mask: ... (0 of 1 points)
        ...
        >>> result.passed
        False
    """
    exercise = find(exercise_id)
    source = submission
    if not isinstance(source, str):
        source = source_of(exercise, submission)
    result = judge(exercise, source, filename="your cell")
    print("\n".join(line.text for line in render(result, exercise)))
    return result


def source_of(exercise: Exercise, submission: Any) -> str:
    """Source of an exercise's functions and of everything that they use."""
    names, alias = [*exercise.functions, *exercise.classes], ""
    if callable(submission):
        function = inspect.unwrap(submission)
        namespace = {**function.__globals__, function.__name__: function}
        if function.__name__ not in exercise.functions:
            alias = f"{exercise.function} = {function.__name__}\n"
            names = [function.__name__]
    else:
        namespace = dict(submission)
    parts: dict[str, str] = {}
    for name in names:
        take(name, namespace, parts, set())
    return "\n".join([*parts.values(), alias])


def take(
    name: str, namespace: dict[str, Any], parts: dict[str, str], begun: set[str]
) -> None:
    """Put what a name stands for into the parts of a source, after all that it uses.

    Defaults and decorators need that order.
    """
    if name in begun or name in parts or name not in namespace:
        return
    value = namespace[name]
    line = f"{name} = {value!r}\n" if is_plain(value) else import_line(name, value)
    if not line and callable(value):
        value = inspect.unwrap(value)
        if isinstance(value, types.FunctionType | type):
            line = definition(value)
            for used in sorted(used_names(line)):
                take(used, namespace, parts, begun | {name})
    if line:
        parts[name] = line


def import_line(name: str, value: Any) -> str:
    """The import that gives a name its value, if it comes from a module."""
    if isinstance(value, types.ModuleType):
        return f"import {value.__name__} as {name}"
    module = getattr(value, "__module__", None) or ""
    if module == "__main__":
        return ""
    qualified = getattr(value, "__qualname__", "")
    if not qualified or getattr(sys.modules.get(module), qualified, None) is not value:
        module, qualified = home_of(value)
    return f"from {module} import {qualified} as {name}" if module else ""


def home_of(value: Any) -> tuple[str, str]:
    """The module that holds an object which does not say where it is from, and its name
    there; of several the most public one.

    The module has to be one that another process can import: `__main__` is not, nor
    what `multiprocessing` calls it.

    Example:
        >>> home_of(ast.parse)
        ('ast', 'parse')
    """
    held = [
        (module, name)
        for module, imported in list(sys.modules.items())
        if isinstance(imported, types.ModuleType)
        and getattr(vars(imported).get("__spec__"), "name", None) == module
        for name, other in list(vars(imported).items())
        if other is value
    ]

    def privacy(place: tuple[str, str]) -> tuple[bool, int, tuple[str, str]]:
        path = ".".join(["", *place])
        return "._" in path, path.count("."), place

    return min(held, key=privacy, default=("", ""))


def definition(value: Any) -> str:
    """Source of a function or class that was written in the notebook."""
    try:
        if isinstance(value, type):
            return class_definition(value)
        return textwrap.dedent(inspect.getsource(value))
    except (OSError, StopIteration, SyntaxError, TypeError) as error:
        raise KitError(
            f"the source of {value.__name__} cannot be found",
            "Define it in a cell of its own and run the cell, or pass the source",
        ) from error


def class_definition(value: type) -> str:
    """Source of a class, found by one of its methods.

    A notebook has no file, and Python looks for a class in the file of its module.
    """
    methods = (v for v in vars(value).values() if isinstance(v, types.FunctionType))
    cell = "".join(inspect.findsource(next(methods))[0])
    nodes = [n for n in ast.parse(cell).body if isinstance(n, ast.ClassDef)]
    node = next(n for n in nodes if n.name == value.__name__)
    return f"{ast.get_source_segment(cell, node)}\n"


def used_names(source: str) -> set[str]:
    """Names in a source, also in its decorators, defaults and annotations."""
    return {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}


def is_plain(value: Any) -> bool:
    """Whether a value can be written down as it is printed."""
    if isinstance(value, dict):
        return all(map(is_plain, [*value, *value.values()]))
    if isinstance(value, tuple | list | set):
        return all(map(is_plain, value))
    return isinstance(value, PLAIN)
