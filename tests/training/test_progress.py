"""The bar says what is done and what is left, wherever it is drawn."""

import IPython.display
import pytest

from kit.training import progress
from kit.training.progress import progress_reporter


@pytest.fixture
def notebook(monkeypatch):
    """What a notebook's cell shows, one entry for each drawing; time goes by hand."""
    shown = []
    clock = [100.0]

    class Handle:
        def update(self, data, raw):
            assert raw
            shown.append(data)

    def display(data, raw, display_id):
        assert raw and display_id
        shown.append(data)
        return Handle()

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    return shown, clock


def test_a_notebook_shows_steps_and_the_time_left(notebook):
    shown, clock = notebook
    with progress_reporter(True, 40) as report:
        clock[0] += 3
        report(10)
    texts = [data["text/plain"] for data in shown]
    assert texts[0] == "training: 0 of 40 steps, 0 s"
    assert texts[1] == "training: 10 of 40 steps, 3 s, 9 s left"
    assert 'value="10" max="40"' in shown[1]["text/html"]


def test_a_notebook_is_drawn_seldom_but_never_left_behind(notebook):
    shown, clock = notebook
    with progress_reporter(True, 1000) as report:
        for done in range(1, 801):
            clock[0] += 0.001
            report(done)
    assert len(shown) < 8
    assert shown[-1]["text/plain"] == "training: 800 of 1000 steps, 1 s"


def test_a_notebook_shows_where_an_interrupted_run_ended(notebook):
    shown, _ = notebook
    with pytest.raises(KeyboardInterrupt), progress_reporter(True, 9) as report:
        report(4)
        raise KeyboardInterrupt
    assert shown[-1]["text/plain"].startswith("training: 4 of 9")


def test_a_function_gets_the_share_and_false_nothing():
    shares = []
    with progress_reporter(shares.append, 4) as report:
        report(1)
        report(4)
    assert shares == [0.25, 1.0]
    with progress_reporter(False, 4) as report:
        report(1)
