"""Every right answer passes; every wrong one is caught as declared, and named."""

from collections import Counter

import pytest

from kit.grading.exercises import exercises
from kit.grading.matrix import margins, matrix
from kit.grading.server import Server

EXERCISES = exercises()
SEEDS = (1, 2)  # of the inputs; every learner gets others


def ids(exercise):
    return exercise.id


@pytest.mark.slow
@pytest.mark.parametrize("exercise", EXERCISES, ids=ids)
def test_every_answer_gets_its_verdict(exercise, report):
    rows = list(matrix(exercise, SEEDS))
    kinds = Counter(row.kind for row in rows if row.as_declared)
    caught = Counter(row.check for row in rows if row.kind == "wrong")
    by = ", ".join(f"{check} {n // len(SEEDS)}" for check, n in caught.items())
    report(
        f"{exercise.id:17} stub: not done yet; {kinds['right'] // len(SEEDS)} right "
        f"pass; {kinds['wrong'] // len(SEEDS)} wrong caught and named, by {by}"
    )
    assert [row for row in rows if not row.as_declared] == []
    assert kinds["stub"] == len(SEEDS)
    assert kinds["right"] >= 2 * len(SEEDS)
    assert kinds["wrong"] >= 5 * len(SEEDS)


@pytest.fixture(scope="module")
def servers():
    started = [Server(name) for name in ("numpy", "jax", "tensorflow")]
    yield started
    for server in started:
        server.close()


@pytest.mark.slow
@pytest.mark.parametrize("exercise", EXERCISES, ids=ids)
def test_tolerances_lie_between_rounding_and_mistakes(exercise, servers, report):
    # Right answers on all backends: ten times closer than the tolerance. Wrong answers:
    # ten times farther away.
    backends = servers if "keras" in exercise.stub() else servers[:1]
    found = list(margins(exercise, backends, SEEDS))
    for margin in found:
        assert 10 * margin.spread <= margin.tolerance, margin
        assert margin.smallest_error >= 10 * margin.tolerance, margin
    if found:
        spread = max(margin.spread for margin in found)
        nearest = min(margin.smallest_error for margin in found)
        report(
            f"{exercise.id:17} tolerance {found[0].tolerance:.0e}, rounding on "
            f"{len(backends)} backends {spread:.0e}, nearest mistake {nearest:.0e}"
        )
