"""Keep the greetings of TensorFlow and XLA off the terminal, and no error.

Used by the commands only: who imports the kit decides on its own about logging.
"""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

GREETINGS = (
    "WARNING: All log messages before absl::InitializeLog",
    "[IW][0-9]{4} ",  # information and warnings; E and F stay
    "E[0-9]{4} .* Unable to register cu(FFT|DNN|BLAS) factory",  # GPU builds, harmless
    "To enable the following instructions",
)


def quiet() -> None:
    """Silence start-up noise; call it before Keras is imported.

    TensorFlow reads `TF_CPP_MIN_LOG_LEVEL` too late for what it prints while it is
    being loaded, so those lines are filtered during the import. Set the variable to 0
    to see everything.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ or "tensorflow" in sys.modules:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"  # hides information and warnings
    sys.meta_path.insert(0, _QuietTensorFlow())


@contextlib.contextmanager
def without_lines(*patterns: str) -> Iterator[None]:
    """Drop lines that begin with one of the patterns from file descriptor 2.

    The filter is a process of its own, so that the last words of a process that
    aborts inside still arrive. Where there is no `grep`, nothing is dropped.

    Args:
        patterns: Extended regular expressions.
    """
    grep = shutil.which("grep")
    if grep is None:
        yield
        return
    sys.stderr.flush()
    saved = os.dup(2)
    expression = f"^({'|'.join(patterns)})"
    filtering = subprocess.Popen(
        [grep, "-avE", expression], stdin=subprocess.PIPE, stdout=saved
    )
    try:
        with filtering:  # its end closes the pipe and waits for the last lines
            if filtering.stdin is not None:
                os.dup2(filtering.stdin.fileno(), 2)
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(saved, 2)
    finally:
        os.close(saved)


class _QuietTensorFlow(MetaPathFinder):
    """Filters what is printed while TensorFlow is imported."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        # It stays after a mere look for TensorFlow, but must not find itself.
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        sys.meta_path.insert(0, self)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            with without_lines(*GREETINGS):
                load(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
