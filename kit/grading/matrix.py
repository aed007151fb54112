"""The proof of an exercise: `python -m kit.grading.matrix [ID ...]` prints it.

Every right answer passes, every wrong answer is caught by the check that declares it
and is called by its name, and tolerances keep their distance from rounding and from
mistakes.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from kit.errors import KitError
from kit.grading.boundary import Outcome
from kit.grading.cases import Case, Check
from kit.grading.compare import error
from kit.grading.exercises import Exercise, exercises, find
from kit.grading.judge import judge
from kit.grading.oracle import Oracle, oracle
from kit.grading.server import Server
from kit.grading.submission import Submission


class Row(NamedTuple):
    """The verdict on one of an exercise's own answers."""

    exercise: str
    kind: str
    answer: str
    check: str
    outcome: Outcome
    mistake: str | None
    as_declared: bool


class Margin(NamedTuple):
    """How far a check's tolerance is from rounding and from the nearest mistake."""

    exercise: str
    check: str
    tolerance: float
    spread: float
    smallest_error: float


def matrix(exercise: Exercise, seeds: Sequence[int]) -> Iterator[Row]:
    """Judge the stub, every right and every wrong answer, once for each seed."""
    right = [("reference", exercise.reference())]
    right += [(answer.name, answer.code) for answer in exercise.right]
    with oracle(exercise) as master:
        for seed in seeds:
            stub = judge(exercise, exercise.stub(), seed=seed, known_oracle=master)
            told = all("not done" in c.message + c.cause.lower() for c in stub.checks)
            good = stub.outcome is Outcome.NOT_IMPLEMENTED and told and not stub.earned
            yield Row(exercise.id, "stub", "stub", "all", stub.outcome, None, good)
            for name, code in right:
                result = judge(exercise, code, seed=seed, known_oracle=master)
                good = result.passed and result.earned == exercise.points
                yield Row(exercise.id, "right", name, "all", result.outcome, None, good)
            for wrong in exercise.wrong:
                result = judge(exercise, wrong.code, seed=seed, known_oracle=master)
                check = next(c for c in result.checks if c.id == wrong.caught_by)
                good = check.score < 1 and check.mistake == wrong.name
                seen = (check.id, check.outcome, check.mistake)
                yield Row(exercise.id, "wrong", wrong.name, *seen, good)


def margins(
    exercise: Exercise, servers: Sequence[Server], seeds: Sequence[int]
) -> Iterator[Margin]:
    """The margins of every check that compares floats."""
    codes = (exercise.reference(), *(answer.code for answer in exercise.right))
    rights = Submission(codes, exercise.oracle().driver)
    with oracle(exercise) as master:
        children = [server.launch(rights) for server in servers]
        try:
            others = [(Oracle(exercise, child), len(codes)) for child in children]
            for check in exercise.checks:
                if check.tolerance and draws_floats(check):
                    yield margin(check, master, others, seeds)
        finally:
            for child in children:
                child.__exit__()


def margin(
    check: Check,
    master: Oracle,
    others: Sequence[tuple[Oracle, int]],
    seeds: Sequence[int],
) -> Margin:
    """The largest error of a right answer, and the smallest of a wrong one."""
    exercise = master.exercise
    spread, errors = 0.0, [np.inf]
    for seed in seeds:
        cases = list(check.draw(np.random.default_rng([seed, *check.id.encode()])))
        for other, modules in others:
            for module in range(modules):
                got = [distance(case, master, other, module) for case in cases]
                spread = max(spread, *got)
        for number, wrong in enumerate(exercise.wrong, start=1):
            if wrong.caught_by == check.id:
                got = [distance(case, master, master, number) for case in cases]
                errors.append(max(got))
    return Margin(exercise.id, check.id, check.tolerance, spread, min(errors))


def distance(case: Case, master: Oracle, other: Oracle, module: int) -> float:
    """Error of an answer in a case; infinite if there is no answer to compare."""
    reply = other.ask(case, module)
    if reply.outcome is not Outcome.ANSWERED:
        return np.inf
    expected = master.expected(case)
    pairs = zip(reply.arrays, expected, strict=True)
    return max(error(got, want) for got, want in pairs)


def draws_floats(check: Check) -> bool:
    """Whether a check compares floats."""
    case = next(check.draw(np.random.default_rng(0)))
    return any(spec.dtype.startswith("float") for spec in case.returns)


def main(names: Sequence[str]) -> int:
    """Print the matrix and the margins; returns 1 if something is not as declared."""
    servers = [Server("numpy")]
    chosen = [find(name) for name in names] if names else exercises()
    wrong = 0
    for exercise in chosen:
        for row in matrix(exercise, seeds=[0]):
            wrong += not row.as_declared
            mark = "ok " if row.as_declared else "BAD"
            print(f"{mark} {row.exercise:17} {row.kind:6} {row.answer:28}", end="")
            print(f"{row.check:20} {row.outcome:16} {row.mistake or ''}")
        for kept in margins(exercise, servers, seeds=[0, 1, 2]):
            print(f"    {kept.exercise:17} tolerance {kept.tolerance:.0e}", end=" ")
            print(f"spread {kept.spread:.1e} smallest error", end=" ")
            print(f"{kept.smallest_error:.1e} ({kept.check})")
    for server in servers:
        server.close()
    return int(wrong > 0)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KitError as problem:
        sys.exit(f"error: {problem}")
