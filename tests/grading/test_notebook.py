"""Functions are checked in the cell where they were written."""

import sys
import types

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from kit.errors import KitError
from kit.grading import check_in_notebook
from kit.grading.exercises import find
from kit.grading.notebook import source_of


@pytest.fixture
def notebook():
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell(config=config)

    def run(cell):
        shell.run_cell(cell).raise_error()
        return shell.user_ns

    yield run
    InteractiveShell.clear_instance()


MASK = """
from keras import ops
import numpy as np

SHIFT = 0

def numbers(time):
    return np.arange(time)

def causal_mask(time):
    return numbers(time)[:, None] + SHIFT >= numbers(time)[None, :]
"""


@pytest.mark.parametrize("how", ["function", "globals", "source"])
def test_a_right_function_passes(notebook, capsys, how):
    namespace = notebook(MASK)
    given = {
        "function": namespace["causal_mask"],
        "globals": namespace,
        "source": MASK,
    }
    result = check_in_notebook("causal_mask", given[how])
    assert result.passed
    assert "1 of 1 points" in capsys.readouterr().out


def test_a_constant_of_another_cell_is_seen(notebook, capsys):
    notebook(MASK)
    namespace = notebook("SHIFT = 1")
    result = check_in_notebook("causal_mask", namespace["causal_mask"])
    assert result.checks[1].mistake == "one step ahead"
    assert "i + 1" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["a class", "a dict"])
def test_what_a_function_uses_is_taken_along(notebook, kind):
    helpers = {
        "a class": "class Shift:\n    def of(self):\n        return 0\n",
        "a dict": "SHIFT = {'causal': 0, (1, 2): [None]}\n",
    }
    used = {"a class": "Shift().of()", "a dict": "SHIFT['causal']"}[kind]
    notebook(helpers[kind])
    namespace = notebook(MASK.replace("SHIFT = 0", "").replace("SHIFT", used))
    assert check_in_notebook("causal_mask", namespace).passed


def test_the_class_of_a_stub_goes_with_the_functions_that_it_calls(notebook):
    exercise = find("recorder")
    assert exercise.classes == ("Recorder",)
    assert check_in_notebook("recorder", notebook(exercise.reference())).passed


def test_an_exercise_with_two_functions(notebook):
    source = find("heads").reference()
    namespace = notebook(source)
    assert check_in_notebook("heads", namespace["split_heads"]).passed
    assert check_in_notebook("heads", namespace).passed


def test_a_function_under_another_name(notebook):
    namespace = notebook(MASK.replace("def causal_mask", "def my_mask"))
    assert check_in_notebook("causal_mask", namespace["my_mask"]).passed


def test_a_stub_does_not_stop_the_notebook(notebook, capsys):
    namespace = notebook(find("attention").stub())
    assert not check_in_notebook("attention", namespace["attention"]).passed
    assert "not done yet" in capsys.readouterr().out


def test_recursion_and_imported_functions(notebook):
    namespace = notebook(
        "from collections import Counter, defaultdict\n"
        "from itertools import product as grid\n"
        + find("ceiling").reference().replace("from collections import Counter", "#")
    )
    assert check_in_notebook("ceiling", namespace["ceiling"]).passed


def test_names_in_decorators_and_defaults(notebook):
    namespace = notebook(
        "from functools import cache\n"
        "import numpy as np\n"
        "OFFSET = 0\n"
        "@cache\n"
        "def causal_mask(time, offset=OFFSET):\n"
        "    return np.tri(time, k=offset) > 0\n"
    )
    assert check_in_notebook("causal_mask", namespace["causal_mask"]).passed


@pytest.mark.parametrize(
    ("imported", "used"),
    [
        ("from scipy.stats import t", "int(t.cdf(0.0, 3) - 0.5)"),
        ("from scipy.stats import norm as bell", "int(bell.cdf(0.0) - 0.5)"),
        ("from numpy import exp", "int(exp(0.0) - 1)"),
        ("from scipy.special import expit as squash", "int(squash(0.0) - 0.5)"),
        ("length = len", "length('')"),
    ],
    ids=["an object", "under another name", "a ufunc", "one of SciPy", "a builtin"],
)
def test_objects_and_array_functions_are_imported(notebook, imported, used):
    namespace = notebook(f"{imported}\n{MASK.replace('+ SHIFT', f'+ {used}')}")
    source = source_of(find("causal_mask"), namespace["causal_mask"])
    executed = {}
    exec(source, executed)
    assert executed["causal_mask"](3).tolist() == np.tri(3, dtype=bool).tolist()


def test_an_array_of_another_cell_is_not_imported(notebook, monkeypatch):
    """As in a kernel, where multiprocessing gives the notebook a second name."""
    namespace = notebook("import numpy as np\ntime = np.ones(3)\n" + MASK)
    kernel = types.ModuleType("__mp_main__")
    vars(kernel).update(namespace)
    monkeypatch.setitem(sys.modules, "__mp_main__", kernel)
    source = source_of(find("causal_mask"), namespace["causal_mask"])
    assert "import numpy as np" in source and "__mp_main__" not in source


def test_what_a_definition_needs_comes_before_it(notebook):
    namespace = notebook(
        "from functools import cache\n"
        "import numpy as np\n"
        "ZERO = 0\n"
        "def plainly(function):\n"
        "    return function\n"
        "class Shift:\n"
        "    by = ZERO\n"
        "    def of(self):\n"
        "        return self.by\n"
        "@cache\n"
        "@plainly\n"
        "def below(i, j, shift=Shift, more=ZERO):\n"
        "    return i + shift().of() + more >= j if i >= 0 else causal_mask(0)\n"
        "def causal_mask(time):\n"
        "    i = range(time)\n"
        "    return np.array([[below(a, b) for b in i] for a in i])\n"
    )
    for given in (namespace, namespace["causal_mask"]):
        executed = {}
        exec(source_of(find("causal_mask"), given), executed)
        assert executed["causal_mask"](3).tolist() == np.tri(3, dtype=bool).tolist()


def test_a_function_without_source_is_one_line(notebook):
    namespace = {}
    exec("def causal_mask(time):\n    return time\n", namespace)
    with pytest.raises(KitError, match="source of causal_mask"):
        check_in_notebook("causal_mask", namespace["causal_mask"])


def test_an_unknown_exercise_is_one_line():
    with pytest.raises(KitError, match="causal_mask"):
        check_in_notebook("causal_mas", "")
