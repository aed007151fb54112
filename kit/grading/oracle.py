"""The child that holds an exercise's own answers, right and wrong."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from kit.errors import KitError
from kit.grading.boundary import Outcome, Reply
from kit.grading.cases import Case
from kit.grading.exercises import Exercise
from kit.grading.launch import launch
from kit.grading.submission import Child, Submission

Launch = Callable[[Submission], Child]
SECONDS = 60.0  # its answers are known to end


@dataclass(frozen=True)
class Oracle:
    """The child that knows the reference (module 0) and the wrong answers (1, ...)."""

    exercise: Exercise
    child: Child

    def ask(self, case: Case, module: int = 0) -> Reply:
        """What one of the exercise's own answers returns."""
        name = case.function or self.exercise.function
        return self.child.ask(name, case.arguments, case.returns, SECONDS, module)

    def expected(self, case: Case) -> tuple[np.ndarray, ...]:
        """What must come back.

        Raises:
            KitError: The reference itself fails: a fault of the exercise.
        """
        if case.expected is not None:
            return tuple(
                np.broadcast_to(np.asarray(value, spec.dtype), spec.shape)
                for value, spec in zip([case.expected], case.returns, strict=True)
            )
        reply = self.ask(case)
        if reply.outcome is not Outcome.ANSWERED:
            raise KitError(
                f"the reference of {self.exercise.id} gave {reply.outcome}: "
                f"{reply.text}",
                "Report this exercise; your points are not affected",
            )
        return reply.arrays


@contextlib.contextmanager
def oracle(exercise: Exercise, launch: Launch = launch) -> Iterator[Oracle]:
    """Start the oracle of an exercise.

    Raises:
        KitError: One of the exercise's own answers does not load.
    """
    with launch(exercise.oracle()) as child:
        if child.loaded.outcome is not Outcome.ANSWERED:
            raise KitError(
                f"the answers of {exercise.id} do not load: {child.loaded.text}",
                "Report this exercise; your points are not affected",
            )
        yield Oracle(exercise, child)
