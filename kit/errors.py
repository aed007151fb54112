"""The one error type that users of the kit are meant to read."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any


class KitError(ValueError):
    """A mistake that the user can mend: says what happened and how to mend it.

    Args:
        what: What happened, with the values involved and what was expected.
        fix: What to do about it, as an imperative sentence without a full stop.

    Example:
        >>> print(KitError("num_heads=5 does not divide width=64", "Use 4 or 8 heads"))
        num_heads=5 does not divide width=64. Use 4 or 8 heads.
    """

    # Keras adds a page of arguments to what a layer raises, except where it did so.
    _keras_call_info_injected = True

    def __init__(self, what: str, fix: str):
        self.what = " ".join(what.split()).rstrip(".")
        self.fix = " ".join(fix.split()).rstrip(".")
        super().__init__(f"{self.what}. {self.fix}.")


@contextmanager
def in_one_line() -> Iterator[None]:
    """End the process with exit code 2 and one line where a `KitError` is raised.

    Example:
        >>> with in_one_line():
        ...     print("nothing went wrong")
        nothing went wrong
    """
    try:
        yield
    except KitError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def known(kind: str, name: Any, names: Any) -> Any:
    """`name` if it is one of `names`; else a `KitError` with the nearest name.

    Example:
        >>> known("mask", "causal", ["causal", "full"])
        'causal'
    """
    names = list(names)
    if name in names:
        return name
    near = get_close_matches(str(name), [str(n) for n in names], n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise KitError(
        f"unknown {kind} {name!r}", f"{hint}Known are: {', '.join(map(str, names))}"
    )
