"""Where the offline text comes from, for the keys of cells that learn it."""

import platform
from importlib.metadata import version


def docs_sources() -> dict[str, str]:
    """Versions that decide the text `docs`: the same versions give the same text.

    A fingerprint would be exact, but would need the text to be read before a report
    can be shown; every cell stores its own fingerprint.
    """
    packages = {name: version(name) for name in ("keras", "matplotlib", "numpy")}
    return {"python": platform.python_version(), **packages}
