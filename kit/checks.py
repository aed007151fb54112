"""Checks of the values of a config, shared by all configs."""

import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import wraps
from inspect import signature
from numbers import Real
from operator import index
from types import NoneType
from typing import Any, TypeVar, get_args

from kit.errors import KitError, known

Config = TypeVar("Config")

CHOICES: dict[str, tuple[Any, ...]] = {
    "wiring": ("serial", "parallel"),
    "norm": ("layer", "rms", "none"),
    "norm_position": ("pre", "post"),
    "attention": ("softmax", None),
    "feed_forward": ("relu", "gelu", "geglu", "swiglu", None),
    "positions": ("none", "learned", "sinusoidal", "rotary", "alibi"),
    "mask": ("causal", "full", "prefix"),
    "final_norm": ("layer", "rms", "none"),
}


def with_known_fields(kind: type[Config]) -> type[Config]:
    """A dataclass that raises a `KitError` for a field it does not have.

    Example:
        >>> from kit.config import BlockConfig
        >>> BlockConfig(num_head=3)
        Traceback (most recent call last):
        ...
        kit.errors.KitError: unknown BlockConfig field 'num_head'. Did you mean ...
    """
    make = kind.__init__
    _, *names = signature(make).parameters

    @wraps(make)
    def checked(self: Config, *values: Any, **named: Any) -> None:
        for name in named:
            known(f"{kind.__name__} field", name, names)
        make(self, *values, **named)

    kind.__init__ = checked  # type: ignore[method-assign, assignment]
    return kind


def check_choices(config: Any) -> None:
    """Raise a `KitError` for a field whose value is not one of its choices."""
    for entry in fields(config):
        if entry.name in CHOICES:
            value = getattr(config, entry.name)
            known(f"value for {entry.name}:", value, CHOICES[entry.name])


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number of Python or NumPy as one of Python.

    Raises:
        KitError: It is none, or it is below `least`.

    Example:
        >>> import numpy as np
        >>> whole("steps", np.int64(3))
        3
    """
    try:
        number = None if isinstance(value, bool) else index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        wanted = "a positive whole number" if least else "a whole number from 0"
        raise KitError(f"{name}={value!r} is not {wanted}", f"Use {name} >= {least}")
    return number


def check_tokens(tokens: Any, vocabulary_size: int) -> None:
    """Raise a `KitError` for token ids, an array, that a model has no embedding of."""
    for token in (tokens.min(), tokens.max()):
        if not 0 <= token < vocabulary_size:
            raise KitError(
                f"token {token} is outside the vocabulary of {vocabulary_size}",
                "Encode the text with the tokenizer that the model was trained with",
            )


def check_whole(config: Any, name: str, least: int = 1) -> None:
    """Raise a `KitError` for what is no whole number from `least`.

    A field of a type with `None` may be that. A NumPy integer becomes Python's, so
    that a config stays plain data.
    """
    value = getattr(config, name)
    if not _is_none_and_may(config, name):
        object.__setattr__(config, name, whole(name, value, least))


def _is_none_and_may(config: Any, name: str) -> bool:
    kinds = {entry.name: entry.type for entry in fields(config)}
    return getattr(config, name) is None and NoneType in get_args(kinds[name])


def check_flag(config: Any, name: str) -> None:
    """Raise a `KitError` for what is neither true nor false."""
    value = getattr(config, name)
    if not isinstance(value, bool):
        raise KitError(f"{name}={value!r} is not a truth value", "Use True or False")


def check_number(
    config: Any, name: str, is_good: Callable[[float], bool], expected: str
) -> None:
    """Raise a `KitError` for what is no number, or not such as `is_good` wants it.

    A field of a type with `None` may be that. A NumPy number becomes Python's.

    Args:
        config: The config.
        name: The name of its field.
        is_good: Whether a number will do; false for NaN.
        expected: The same in words that follow "a number".
    """
    value, default = getattr(config, name), getattr(type(config), name, None)
    if _is_none_and_may(config, name):
        return
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not (is_number and is_good(float(value))):
        example = f", such as {default:g}" if isinstance(default, Real) else ""
        raise KitError(
            f"{name}={value!r} is not a number {expected}",
            f"Use a number {expected}{example}",
        )
    if not isinstance(value, int | float):
        object.__setattr__(config, name, float(value))


def check_fields(
    kind: Callable[..., Any], data: Any, required: Iterable[str] = ()
) -> None:
    """Raise a `KitError` unless `data` hold the fields that make a `kind`.

    Args:
        kind: A class.
        data: Field names to values, such as JSON gave them.
        required: Fields that must be there although they have a default.
    """
    if not isinstance(data, Mapping):
        raise KitError(
            f"{reprlib.repr(data)} is not a mapping of {kind.__name__} fields",
            f"Use what {kind.__name__}.to_dict() returns",
        )
    parameters = signature(kind).parameters
    for name in data:
        known(f"{kind.__name__} field", name, parameters)
    needed = [*required, *(n for n, p in parameters.items() if p.default is p.empty)]
    for name in needed:
        if name not in data:
            raise KitError(
                f"{kind.__name__} field {name!r} is missing", f"Give {name} a value"
            )
