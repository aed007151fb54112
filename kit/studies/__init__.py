"""Studies: one paper each, its arms and its claims, and the engine that runs them."""

import importlib
from typing import TYPE_CHECKING, Any

from kit.errors import KitError, known

if TYPE_CHECKING:
    from kit.studies.results import Results
    from kit.studies.study import Study

STUDIES: dict[str, str] = {
    "reference": "kit.studies.reference:STUDY",
    "symmetry": "kit.studies.symmetry:STUDY",
    "simplify": "kit.studies.simplify:STUDY",
    "sharpness": "kit.studies.sharpness:STUDY",
    "sharing": "kit.studies.sharing:STUDY",
    "pruning": "kit.studies.pruning:STUDY",
    "capstone": "kit.studies.capstone:STUDY",
}
"""Studies that can be run: slug -> `module:attribute`, imported when asked for."""

PAPERS: dict[str, str] = {
    "simplify": "Simplifying Transformer Blocks (2311.01906)",
    "symmetry": "Breaking Symmetry When Training Transformers (2402.05969)",
    "sharpness": "The Sharpness Disparity Principle (2502.19002)",
    "sharing": "EchoAtt (2409.14595)",
    "pruning": "2SSP: Two-Stage Structured Pruning (2501.17771)",
}
"""The five papers of the kit by slug, with or without a study yet."""


def resolve(path: str) -> Any:
    """The object named by `module:attribute`.

    Example:
        >>> resolve("math:pi")
        3.141592653589793
    """
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def load(slug: str) -> "Study":
    """The study of a paper.

    Raises:
        KitError: no such slug, or the paper has no study yet.

    Example:
        >>> load("symmetry").paper
        'Breaking Symmetry When Training Transformers (2402.05969)'
    """
    known("study", slug, {**STUDIES, **PAPERS})
    if slug not in STUDIES:
        raise KitError(
            f"The study '{slug}', {PAPERS[slug]}, is not in this version of the kit",
            f"Run one of {', '.join(STUDIES)}",
        )
    return resolve(STUDIES[slug])


def committed(slug: str, budget: str = "full") -> "Results":
    """The rows that are stored with the kit, as the report shows them.

    Example:
        >>> "A-learned" in committed("symmetry").arms
        True
    """
    from kit.studies.results import committed_results

    return committed_results(load(slug), budget)


def own(slug: str, budget: str = "quick") -> "Results":
    """The rows of your own runs, from the store in `kit.paths.runs_dir()`.

    Example:
        >>> len(own("symmetry")) >= 0  # empty before the first kit reproduce symmetry
        True
    """
    from kit.studies.results import own_results

    return own_results(load(slug), budget)
