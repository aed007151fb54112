"""Judge a submission: the child answers, this process compares arrays.

The reference and the wrong answers run in a second child, the oracle. An expected
value travels from the oracle to the judge and never to the submission.
"""

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kit.errors import KitError
from kit.grading.boundary import Outcome
from kit.grading.cases import EXAMPLE, Check
from kit.grading.compare import Evidence, examined, verdict
from kit.grading.exercises import Exercise
from kit.grading.launch import launch
from kit.grading.oracle import Launch, Oracle, oracle
from kit.grading.report import explain
from kit.grading.results import CheckResult, Result, score, sha256
from kit.grading.submission import Submission

IMPATIENT_SECONDS = 1.0


def judge(
    exercise: Exercise,
    source: str,
    *,
    filename: str = "answer.py",
    seed: int | None = None,
    launch: Launch = launch,
    known_oracle: Oracle | None = None,
) -> Result:
    """Run every check on a submission's source.

    Args:
        exercise: What was to be done.
        source: The learner's file.
        filename: Its name in messages.
        seed: Of the inputs; by default a secret one, drawn after the submission has
            loaded.
        launch: How a submission is confined.
        known_oracle: An oracle that runs already.
    """
    trial = Trial(exercise, exercise.submission(source, filename), launch, seed)
    with contextlib.ExitStack() as stack:
        try:
            master = known_oracle or stack.enter_context(oracle(exercise, launch))
            stack.enter_context(trial)
            pairs = [trial.run(check, master) for check in exercise.checks]
            checks = tuple(
                explain(exercise, result, evidence, pairs, master)
                for result, evidence in pairs
            )
        except KitError as error:
            checks = tuple(grader_error(check, error) for check in exercise.checks)
    return Result(exercise.id, checks, trial.seed, sha256(source), trial.printed)


class Trial:
    """A submission on trial; it is launched again after a crash or a timeout."""

    def __init__(
        self,
        exercise: Exercise,
        submission: Submission,
        launch: Launch,
        seed: int | None,
    ):
        self.exercise, self.submission, self.launch = exercise, submission, launch
        self.seed = 0 if seed is None else seed
        self.printed = ""
        self._shown = ""
        self._patience = np.inf
        self._draw_seed = seed is None
        graded = [check for check in exercise.checks if check.id != EXAMPLE]
        self._share = exercise.points / len(graded)

    def __enter__(self) -> "Trial":
        self.child = self.launch(self.submission)
        if self._draw_seed:
            self.seed = secrets.randbits(63)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        self.printed += self._shown
        self._shown = ""
        self.child.__exit__()

    def run(self, check: Check, master: Oracle) -> tuple[CheckResult, list[Evidence]]:
        """All cases of a check, or as many as the submission survives."""
        loads = self.child.loaded.outcome is Outcome.ANSWERED
        if loads and not self.child.alive:
            self._stop()
            self.child = self.launch(self.submission)
        evidence: list[Evidence] = []
        start = time.perf_counter()
        outcome = self.child.loaded.outcome
        if outcome is Outcome.ANSWERED:
            evidence = list(self._cases(check, master))
            bad = [e.outcome for e in evidence if e.outcome is not Outcome.PASS]
            outcome = bad[0] if bad else Outcome.PASS
            outcome = outcome if evidence else Outcome.GRADER_ERROR
        passed = [e.outcome is Outcome.PASS for e in evidence]
        result = CheckResult(
            check.id,
            check.title,
            check.hidden,
            outcome,
            score(passed, [e.case.must for e in evidence], check.partial),
            0.0 if check.id == EXAMPLE else self._share,
            len(passed),
            sum(passed),
            round(time.perf_counter() - start, 3),
            message=self.child.loaded.text,
        )
        if not check.hidden:  # what is printed in hidden checks stays hidden
            self._shown = self.child.printed
        # A check that was cut short has not shown what the missing cases would do.
        cut = not self.child.alive
        return (replace(result, score=0.0) if cut else result), evidence

    def _cases(self, check: Check, master: Oracle) -> Iterator[Evidence]:
        rng = np.random.default_rng([self.seed, *check.id.encode()])
        seconds = min(check.seconds, self._patience)
        for case in check.draw(rng):
            name = case.function or self.exercise.function
            reply = self.child.ask(name, case.arguments, case.returns, seconds)
            if case.examine is not None:
                yield examined(case, reply, case.examine)
            else:
                expected = master.expected(case)
                yield Evidence(case, reply, expected, verdict(reply, expected, check))
            if not self.child.alive:
                # It hangs; it may show elsewhere that it does not, but soon.
                self._patience = IMPATIENT_SECONDS
                return


def grader_error(check: Check, error: KitError) -> CheckResult:
    """The result of a check that the judge could not carry out."""
    return CheckResult(
        check.id,
        check.title,
        check.hidden,
        Outcome.GRADER_ERROR,
        0.0,
        0.0,
        0,
        0,
        0.0,
        str(error),
    )
