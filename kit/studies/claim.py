"""A claim of a paper: a statement, its source, and the test that answers it."""

from collections.abc import Callable
from dataclasses import dataclass

from kit.studies.findings import Finding
from kit.studies.results import Results

Test = Callable[[Results], Finding]


@dataclass(frozen=True)
class Claim:
    """One claim of a paper.

    Args:
        id: Short name, such as "C1".
        statement: What is claimed, in one sentence.
        source: What the paper says and where.
        test: Results -> Finding; the usual tests are in `kit.studies.claims`.
        evidence: How sure the source is: "theorem", "measured by the authors",
            "second-hand", "derived here", ...

    Example:
        >>> from kit.studies.claims import Value
        >>> learns = Value("A-learned", "exact_match", at_least=0.9)
        >>> Claim("C0", "With positions it learns", "by design", learns).id
        'C0'
    """

    id: str
    statement: str
    source: str
    test: Test
    evidence: str = ""
