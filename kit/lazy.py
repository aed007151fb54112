"""Names of a package that cost an import only when they are used."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package that imports a name from its home when asked.

    For packages of which one light module is needed where Keras must not be loaded.

    Args:
        package: The package's `__name__`.
        homes: Name to the module that defines it.

    Example:
        >>> lazy("kit", {"fsum": "math"})("fsum")([0.1] * 10)
        1.0
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return get
