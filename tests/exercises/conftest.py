"""The matrix of all exercises, printed once at the end of a test run."""

import pytest

from kit.grading.launch import server

LINES = pytest.StashKey[list[str]]()


def pytest_configure(config):
    config.stash[LINES] = []


@pytest.fixture(scope="session", autouse=True)
def _close_the_server():
    yield
    server().close()


@pytest.fixture
def report(request):
    """Lines for the end of the test run."""
    return request.config.stash.setdefault(LINES, [])


def pytest_terminal_summary(terminalreporter, config):
    lines = config.stash.get(LINES, [])
    if lines:
        terminalreporter.section("exercises")
        for line in lines:
            terminalreporter.write_line(line)
