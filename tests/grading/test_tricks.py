"""A corpus of tricks: none of them earns a point, and each is called what it is."""

import pytest

# Each of these must earn nothing, with this outcome of the check `values`.
LYING_ARRAY = """
class Liar(np.ndarray):
    def __array_function__(self, function, types, args, kwargs):
        return True
    def __eq__(self, other):
        return True

def double(x):
    return np.zeros_like(x).view(Liar)
"""
LYING_OBJECT = """
import sys

class Liar:
    def __array__(self, dtype=None, copy=None):
        frame = sys._getframe()
        while frame:
            for name in ("expected", "want", "desired"):
                if name in frame.f_locals:
                    return np.asarray(frame.f_locals[name])
            frame = frame.f_back
        return np.zeros(3, "float32")

def double(x):
    return Liar()
"""
MEMOISED = """
first = {}

def double(x):
    if x.shape not in first:
        first[x.shape] = np.float32(2) * np.ones(x.shape, "float32")
    return first[x.shape]
"""
FORGED_FRAMES = """
import os
import stat

def double(x):
    for handle in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(handle).st_mode):
                os.write(handle, bytes(4096))
        except OSError:
            pass
    return np.zeros_like(x)
"""
PATCHED = """
import keras
np.allclose = np.array_equal = lambda *args, **kwargs: True
np.testing.assert_allclose = lambda *args, **kwargs: None
np.abs = lambda x: np.zeros_like(x)
keras.ops.softmax = lambda x: x

def double(x):
    return x * 3
"""
CLOCK = """
import time
time.monotonic = time.perf_counter = time.time = lambda: 0.0

def double(x):
    while True:
        pass
"""
TRICKS = {
    "lying array": (LYING_ARRAY, "wrong_value"),
    "lying object": (LYING_OBJECT, "wrong_value"),
    "memoised": (MEMOISED, "wrong_value"),
    "forged frames": (FORGED_FRAMES, "protocol"),
    "patched libraries": (PATCHED, "wrong_value"),
    "frozen clock": (CLOCK, "timeout"),
    "endless loop": ("while True:\n    pass", "timeout"),
    "sleep": ("import time\ntime.sleep(60)", "timeout"),
    "catches everything": (
        "while True:\n    try:\n        while True: pass\n"
        "    except BaseException: pass",
        "timeout",
    ),
    "os._exit(0)": ("import os\nprint('PASSED')\nos._exit(0)", "exited"),
    "kills itself": ("import os\nos.kill(os.getpid(), 9)", "exited"),
    "sys.exit": ("import sys\nsys.exit(0)", "raised"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "raised"),
    "deep recursion": ("return double(x)", "raised"),
    "in place": ("x *= 2\nreturn x", "raised"),
    "in place, forced": ("x.flags.writeable = True\nx *= 2\nreturn x", "raised"),
    "NaN": ("return x * np.nan", "not_finite"),
    "infinity": ("return x + np.inf", "not_finite"),
    "NaN of another shape": ("return np.full(7, np.nan)", "not_finite"),
    "column": ("return 2 * x[:, None]", "wrong_shape"),
    "broadcast to 4 TiB": (
        "return np.broadcast_to(np.float32(1), (1 << 20, 1 << 20))",
        "wrong_shape",
    ),
    "ragged": ("return [[1.0], [1.0, 2.0]]", "wrong_shape"),
    "nothing": ("pass", "wrong_shape"),
    "pair": ("return 2 * x, 2 * x", "wrong_shape"),
    "truth values": ("return x > 0", "wrong_dtype"),
    "complex": ("return 2j * x", "wrong_dtype"),
    "objects": ("return np.array([object()] * len(x))", "wrong_dtype"),
    "text": ("return ['2'] * len(x)", "wrong_dtype"),
    "memory": ("return np.ones(1 << 38)", "memory"),
    "prints without end": ("while True:\n    print('x' * 9999)", "output_limit"),
    "not a function": ("double = 3  # def double", "missing"),
    "another name": ("def duoble(x):  # def double\n    return 2 * x", "missing"),
    "a stub": ("raise NotImplementedError('double is not done yet')", None),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TRICKS)
def test_no_trick_earns_a_point(name, verdict, exercise, hasty):
    body, outcome = TRICKS[name]
    result = verdict(body, hasty if outcome == "timeout" else exercise)
    assert next(c for c in result.checks if c.id == "values").outcome == (
        outcome or "not_implemented"
    )
    assert result.earned == 0 and not result.passed


SEARCH = """
seen = []

def find(pieces):
    # Side by side these bytes are what is looked for; here each lies on its own.
    first, *rest = [piece.tobytes() for piece in pieces]
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if "r" not in rights or "[v" in line:
                continue
            memory.seek(start)
            data = memory.read(end - start)
            at = data.find(first)
            while at >= 0:
                ends = range(at + 4, at + 4 + 4 * len(rest), 4)
                if all(data[i : i + 4] == piece for i, piece in zip(ends, rest)):
                    return True
                at = data.find(first, at + 1)
    return False

def double(x):
    for old in [old for old in seen if len(old) == 3]:
        print("input found:", find(list(old)))
        print("expected found:", find([2 * value for value in old]))
    seen[:] = [x]
    return np.zeros_like(x)
"""


@pytest.mark.slow
@pytest.mark.skipif("sys.platform != 'linux'", reason="reads /proc")
def test_an_expected_value_never_enters_the_child(verdict):
    # The child looks through all of its own memory, when the judge already knows what
    # was expected for an earlier input. That it finds the input shows that it can look.
    printed = verdict(SEARCH).printed
    assert "input found: True" in printed
    assert "expected found: False" in printed
    assert "expected found: True" not in printed
