"""Say what went wrong: the call, what came back, what was expected, the cause."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kit.grading.boundary import ArraySpec, Outcome
from kit.grading.cases import Case, Check
from kit.grading.compare import Evidence, error, same
from kit.grading.exercises import Answer, Exercise
from kit.grading.oracle import Oracle
from kit.grading.results import CheckResult

WHOLE = 48  # values of an array that is shown as a whole
Trials = list[tuple[CheckResult, list[Evidence]]]

CAUSES = {
    Outcome.NOT_IMPLEMENTED: "Not done yet.",
    Outcome.IMPORT_ERROR: "The file does not load.",
    Outcome.MISSING: "Keep the names of the stub's functions.",
    Outcome.RAISED: "It raised an error.",
    Outcome.WRONG_SHAPE: "The shape is not as promised.",
    Outcome.WRONG_DTYPE: "The kind of numbers is not as promised.",
    Outcome.MEMORY: "It needs more memory than a check allows.",
    Outcome.OUTPUT_LIMIT: "It prints or writes more than a check allows.",
    Outcome.NOT_FINITE: "NaN or infinity. Look for 0/0, infinity minus infinity, the "
    "exponential of a large number, the logarithm of 0, or a softmax over nothing.",
    Outcome.TIMEOUT: "Look for an endless loop, or for loops where one array operation "
    "would do.",
    Outcome.EXITED: "The process ended before it answered: no answer, no points.",
    Outcome.PROTOCOL: "Something else than the checked function wrote to the checker.",
    Outcome.GRADER_ERROR: "The check itself is at fault, and no points were lost.",
}
READ_ONLY = (
    "The inputs were changed in place. TensorFlow and JAX do not allow that: compute a "
    "new array instead."
)


def explain(
    exercise: Exercise,
    result: CheckResult,
    evidence: list[Evidence],
    trials: Trials,
    oracle: Oracle,
) -> CheckResult:
    """The result with its message, and the named mistake if there is one."""
    if result.outcome is Outcome.PASS:
        return replace(result, message="")
    failed = [e for e in evidence if e.outcome is not Outcome.PASS]
    mistake = diagnose(exercise, result.id, trials, oracle) if failed else None
    cause = mistake.message if mistake else CAUSES.get(result.outcome, "")
    if failed and "read-only" in failed[0].reply.text:
        cause = READ_ONLY
    lines = [result.message] if not failed else []
    if failed and not result.hidden:
        check = next(c for c in exercise.checks if c.id == result.id)
        lines = describe(exercise, failed[0], check.tolerance)
    if len(evidence) > 1 and not result.hidden:
        cases = f"{len(failed)} of {len(evidence)} cases fail; above is the first"
        lines.append(row("cases", cases))
        remarks = [e.case.remark for e in failed if e.case.remark]
        lines += [row("remarks", "\n".join(remarks))] if remarks else []
    return replace(
        result,
        message="\n".join(filter(None, lines)),
        cause=cause,
        mistake=mistake.name if mistake else None,
    )


def diagnose(
    exercise: Exercise, check_id: str, trials: Trials, oracle: Oracle
) -> Answer | None:
    """The wrong answer that does the same as the submission wherever this check looked.

    Of several, the one that does the same in most cases of the other checks too.
    """
    checks = {check.id: check for check in exercise.checks}

    def matches(module: int, check_id: str) -> Iterator[bool]:
        for item in next(e for result, e in trials if result.id == check_id):
            yield behaves_alike(oracle, item, checks[check_id], module)

    numbered = enumerate(exercise.wrong, start=1)
    alike = [(i, wrong) for i, wrong in numbered if all(matches(i, check_id))]
    if len(alike) > 1:
        alike.sort(key=lambda pair: -sum(sum(matches(pair[0], id)) for id in checks))
    return alike[0][1] if alike else None


def behaves_alike(oracle: Oracle, item: Evidence, check: Check, module: int) -> bool:
    """Whether a wrong answer does the same as the submission in a case."""
    if item.reply.outcome is Outcome.NOT_IMPLEMENTED:
        return False
    reply = oracle.ask(item.case, module)
    return same(item.reply, reply, check.tolerance)


def describe(exercise: Exercise, item: Evidence, tolerance: float) -> list[str]:
    """The failing case in lines of a name and a text."""
    case, reply = item.case, item.reply
    lines = [row("call", case.shown or call_text(exercise, case))]
    if reply.outcome is not Outcome.ANSWERED:
        promised = " and ".join(map(str, case.returns))
        by_shape = reply.outcome in (Outcome.WRONG_SHAPE, Outcome.WRONG_DTYPE)
        lines.append(row("returned" if by_shape else "result", reply.text))
        return lines + ([row("expected", promised)] if by_shape else [])
    if case.examine is not None:
        return [*lines, row("found", item.fault)] if item.fault else lines
    for number, (got, want, spec) in enumerate(
        zip(reply.arrays, item.expected, case.returns, strict=True)
    ):
        if error(got, want) <= tolerance:
            continue
        which = f"array {number + 1} of {len(case.returns)}: " * (len(case.returns) > 1)
        first = first_place(got, want, tolerance)
        lines.append(row("returned", which + array_text(got, spec, first)))
        lines.append(row("expected", array_text(want, spec, first)))
        if spec.shape:
            lines.append(row("differs", first_difference(got, want, tolerance)))
        break
    return lines


def row(name: str, text: str) -> str:
    """A line of a message; further lines of the text are indented below.

    Example:
        >>> row("call", "f(3)")
        'call      f(3)'
    """
    return f"{name:10}" + text.replace("\n", "\n" + 10 * " ")


def call_text(exercise: Exercise, case: Case) -> str:
    """The call as code; arrays by name, dtype and shape unless they are tiny."""
    function = case.function or exercise.function
    definition = exercise.functions.get(function)
    names = [arg.arg for arg in definition.args.args] if definition else []
    parts = []
    for number, value in enumerate(case.arguments):
        if not isinstance(value, np.ndarray):
            parts.append(repr(value))
        elif value.size <= 8:
            text = np.array2string(value, separator=", ", precision=4)
            parts.append(" ".join(text.split()))
        else:
            name = names[number] if number < len(names) else f"argument {number + 1}"
            parts.append(f"{name}: {ArraySpec(value.dtype.name, value.shape)}")
    return f"{function}({', '.join(parts)})"


def array_text(array: np.ndarray, spec: ArraySpec, place: tuple[int, ...] = ()) -> str:
    """A number, a small array, or of a large one the matrix that holds a place.

    Example:
        >>> large = ArraySpec("float32", (2, 3, 4, 5))
        >>> array_text(np.ones(large.shape), large, (1, 2, 0, 0)).splitlines()[0]
        'float32 (2, 3, 4, 5), of which [1, 2]'
    """
    if not spec.shape:
        return f"{array.item():.6g}" if spec.dtype != "bool" else str(array.item())
    head = str(spec)
    if array.size > WHOLE and len(place) > 2:
        array, head = array[place[:-2]], f"{spec}, of which {list(place[:-2])}"
    text = np.array2string(
        array, precision=4, suppress_small=True, threshold=WHOLE, edgeitems=2
    )
    return f"{head}\n{text}"


def first_difference(got: np.ndarray, want: np.ndarray, tolerance: float) -> str:
    """Where two arrays first differ, and in how many places.

    Example:
        >>> first_difference(np.array([1, 5, 3]), np.array([1, 2, 3]), tolerance=0)
        'first at [1]: 5, expected 2; 1 of 3 values'
    """
    first = first_place(got, want, tolerance)
    form = ".5g" if want.dtype.kind == "f" else ""
    number = differences(got, want, tolerance).sum()
    values = f"{got[first].item():{form}}, expected {want[first].item():{form}}"
    return f"first at {list(first)}: {values}; {number} of {want.size} values"


def first_place(got: np.ndarray, want: np.ndarray, tolerance: float) -> tuple[int, ...]:
    """Index of the first value that differs."""
    return tuple(int(i) for i in np.argwhere(differences(got, want, tolerance))[0])


def differences(got: np.ndarray, want: np.ndarray, tolerance: float) -> np.ndarray:
    """Which values differ by more than a check allows."""
    if want.dtype.kind != "f":
        return got != want
    scale = max(1.0, np.abs(want[np.isfinite(want)]).max(initial=0.0))
    return ~(np.abs(got - want) <= tolerance * scale)
