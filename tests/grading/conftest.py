"""No process outlives the tests."""

import pytest

from kit.grading.launch import server


@pytest.fixture(scope="session", autouse=True)
def _close_the_server():
    yield
    server().close()
