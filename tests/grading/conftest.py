"""A toy exercise on trial, and no process that outlives the tests."""

import pytest

from kit.grading.judge import judge
from kit.grading.launch import server
from kit.grading.oracle import oracle
from tests.grading.toy import HEAD, toy


@pytest.fixture(scope="session", autouse=True)
def _close_the_server():
    yield
    server().close()


@pytest.fixture(scope="module")
def exercise(tmp_path_factory):
    return toy(tmp_path_factory.mktemp("symmetry"))


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """The same with a short limit, for what never ends."""
    return toy(tmp_path_factory.mktemp("symmetry"), seconds=0.3)


@pytest.fixture(scope="module")
def master(exercise):
    with oracle(exercise) as running:
        yield running


@pytest.fixture
def verdict(exercise, master):
    def run(body, exercise=exercise, **options):
        source = body if "def double" in body else f"def double(x):\n{indented(body)}"
        return judge(exercise, HEAD + source, known_oracle=master, **options)

    return run


def indented(body):
    return "\n".join(f"    {line}" for line in body.splitlines())
