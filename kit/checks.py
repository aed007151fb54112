"""Checks of the values of a config, shared by all configs."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from kit.errors import KitError, known

CHOICES: dict[str, tuple[Any, ...]] = {
    "wiring": ("serial", "parallel"),
    "norm": ("layer", "rms", "none"),
    "norm_position": ("pre", "post"),
    "attention": ("softmax", None),
    "feed_forward": ("relu", "gelu", "swiglu", None),
    "positions": ("none", "learned", "sinusoidal", "rotary", "alibi"),
    "mask": ("causal", "full", "prefix"),
    "final_norm": ("layer", "rms", "none"),
}


def check_choices(config: Any) -> None:
    """Raise a `KitError` for a field whose value is not one of its choices."""
    for entry in fields(config):
        if entry.name in CHOICES:
            value = getattr(config, entry.name)
            known(f"value for {entry.name}:", value, CHOICES[entry.name])


def check_positive(config: Any, name: str) -> None:
    """Raise a `KitError` for a size below 1; one whose default is `None` may be."""
    value = getattr(config, name)
    if value is None and getattr(type(config), name, 0) is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise KitError(
            f"{name}={value!r} is not a positive whole number", f"Use {name} >= 1"
        )


def check_number(
    config: Any, name: str, is_good: Callable[[float], bool], expected: str
) -> None:
    """Raise a `KitError` for what is no number, or not such as `is_good` wants it.

    Args:
        config: The config.
        name: The name of its field.
        is_good: Whether a number will do; false for NaN.
        expected: The same in words that follow "a number".
    """
    value = getattr(config, name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and is_good(value)):
        raise KitError(
            f"{name}={value!r} is not a number {expected}",
            f"Use a number {expected}, such as {getattr(type(config), name):g}",
        )
