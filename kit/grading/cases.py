"""What a check is: how to draw inputs, which function to call, what is promised.

An exercise's checks are generators. Each yields calls with inputs from `rng`, which
starts only after the submission has been loaded:

    @check
    def any_length(rng):
        \"""masks of any length\"""
        for time in rng.integers(2, 9, size=3):
            yield call(int(time), returns=booleans(time, time))
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np

from kit.grading.boundary import ArraySpec

TOLERANCE = 1e-4
SECONDS = 5.0
EXAMPLE = "example"  # the check of the example in the stub; it earns no points


@dataclass(frozen=True, eq=False)
class Case:
    """One call of one function.

    Attributes:
        arguments: NumPy arrays and plain values.
        returns: Specs of the promised arrays.
        function: Which function; `None` is the first one in the stub.
        expected: What must come back; `None` asks the reference.
        must: In a check with `partial=True`: without this case the others earn nothing.
        shown: The call in words, for calls whose arguments say little.
        remark: What a failure of this very case means.
        examine: Called in the judge with the arrays that came back: what is wrong, or
            nothing. For what has no single right answer; `expected` is not asked then.
    """

    arguments: tuple[Any, ...]
    returns: tuple[ArraySpec, ...]
    function: str | None = None
    expected: Any = None
    must: bool = False
    shown: str = ""
    remark: str = ""
    examine: Callable[..., str] | None = None


Draw = Callable[[np.random.Generator], Iterator[Case]]


@dataclass(frozen=True)
class Check:
    """A named group of cases; its id and title are the generator's name and docstring.

    Attributes:
        draw: The generator of cases.
        hidden: Failures show the title and the cause, not the inputs and outputs.
        partial: Points in proportion to the cases passed, see `Case.must`.
        tolerance: Largest error of a float, relative to the largest expected value or
            to one, whichever is larger.
        seconds: Wall-clock limit of a case.
    """

    draw: Draw = field(repr=False)
    hidden: bool = False
    partial: bool = False
    tolerance: float = TOLERANCE
    seconds: float = SECONDS

    @property
    def id(self) -> str:
        """Name of the generator."""
        return self.draw.__name__

    @property
    def title(self) -> str:
        """First line of the generator's docstring."""
        return (self.draw.__doc__ or self.id).strip().splitlines()[0]


@overload
def check(draw: Draw) -> Check: ...
@overload
def check(**options: Any) -> Callable[[Draw], Check]: ...
def check(draw: Draw | None = None, **options: Any) -> Any:
    """Make a check of a generator; options are the attributes of `Check`."""
    if draw is None:
        return lambda generator: Check(generator, **options)
    return Check(draw)


def call(*arguments: Any, returns: Any, **options: Any) -> Case:
    """A case with these arguments; options are the other attributes of `Case`.

    NumPy's default 64-bit arrays become int32 and float32, its numbers Python's.

    Example:
        >>> call(3, returns=booleans(3, 3)).returns[0].nbytes
        9
    """
    specs = returns if isinstance(returns, tuple) else (returns,)
    return Case(tuple(map(plain, arguments)), specs, **options)


def plain(value: Any) -> Any:
    """The value as it crosses to a submission."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.astype(
            {"i": "int32", "f": "float32"}.get(value.dtype.kind, "bool")
        )
    return value


def floats(*shape: int) -> ArraySpec:
    """Promise of a float32 array; without a shape, a number."""
    return ArraySpec("float32", tuple(map(int, shape)))


def integers(*shape: int) -> ArraySpec:
    """Promise of an int32 array; without a shape, a number."""
    return ArraySpec("int32", tuple(map(int, shape)))


def booleans(*shape: int) -> ArraySpec:
    """Promise of a bool array; without a shape, a truth value."""
    return ArraySpec("bool", tuple(map(int, shape)))
