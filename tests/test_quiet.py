"""Greetings are kept off the terminal, errors are not."""

import os
import signal
import subprocess
import sys

import pytest

TRAIN = """
import keras
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse", jit_compile=True)
model.fit(keras.ops.ones((4, 2)), keras.ops.ones((4, 1)), verbose=0)
"""
SAY = r"""
import os
from kit.quiet import GREETINGS, without_lines
with without_lines(*GREETINGS):
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\n")
    os.write(2, b"I0000 00:00:1 port.cc:153] oneDNN custom operations are on.\n")
    os.write(2, b"E0000 00:00:2 core.cc:7] something is wrong\n")
    {inside}
os.write(2, b"I0000 00:00:3 said later\n")
"""


def run(code, **environment):
    inherited = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**inherited, **environment},
    )


def test_only_greetings_are_dropped_and_only_inside():
    assert run(SAY.format(inside="pass")).stderr == (
        "E0000 00:00:2 core.cc:7] something is wrong\nI0000 00:00:3 said later\n"
    )


def test_last_words_of_a_process_that_aborts_arrive():
    ended = run(SAY.format(inside="os.abort()"))
    assert ended.returncode == -signal.SIGABRT
    assert "something is wrong" in ended.stderr


def test_an_error_inside_is_raised_and_shown():
    ended = run(SAY.format(inside="raise OSError('no such library')"))
    assert ended.returncode == 1
    assert "OSError: no such library" in ended.stderr


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ["KERAS_BACKEND"] != "tensorflow", reason="only TensorFlow greets"
)
def test_training_with_xla_prints_nothing_but_errors():
    loud = run("import tensorflow")
    assert "I0000" in loud.stderr, "nothing left to silence: kit.quiet can go"
    look = "from importlib.util import find_spec\nfind_spec('tensorflow')"
    silent = run(f"from kit.quiet import quiet\nquiet()\n{look}\n{TRAIN}")
    assert (silent.returncode, silent.stderr) == (0, "")
