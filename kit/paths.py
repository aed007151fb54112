"""Where the kit reads and writes: cache, runs, data, stored results."""

import os
from pathlib import Path

from kit.errors import KitError

PACKAGE = Path(__file__).resolve().parent


def cache_dir() -> Path:
    """Folder for downloads, tokenizers and compiled code (`$KIT_CACHE`)."""
    return Path(os.environ.get("KIT_CACHE") or Path.home() / ".cache" / "ablation-kit")


def runs_dir() -> Path:
    """Folder for the user's own runs and reports (`$KIT_RUNS`, else `./runs`)."""
    return Path(os.environ.get("KIT_RUNS") or "runs")


def data_dir() -> Path | None:
    """Folder with texts that are already on this machine (`$KIT_DATA`), if set.

    Raises:
        KitError: it is set, and no folder is there.
    """
    value = os.environ.get("KIT_DATA")
    if value and not Path(value).is_dir():
        raise KitError(f"KIT_DATA={value} is no folder", "Correct or unset KIT_DATA")
    return Path(value) if value else None


def shipped(name: str) -> Path:
    """A folder that ships with the kit.

    Args:
        name: `exercises`, `notebooks`, `results` or `solutions`.

    In a clone these lie beside the package; in an installed wheel, inside it.
    """
    inside = PACKAGE / "shipped" / name
    return inside if inside.exists() else PACKAGE.parent / name
