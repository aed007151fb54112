"""Exercises and their judge; imports none of the model code, for it judges arrays."""

from typing import Any

__all__ = ["check_in_notebook", "exercises", "find", "judge"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that a submission's process stays small."""
    from importlib import import_module

    homes = {"check_in_notebook": "notebook", "judge": "judge"}
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{homes.get(name, 'exercises')}"), name)
