"""Studies: one paper each, its arms and its claims, and the engine that runs them."""

import importlib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from kit.errors import KitError

if TYPE_CHECKING:
    from kit.studies.results import Results
    from kit.studies.study import Study

STUDIES: dict[str, str] = {
    "reference": "kit.studies.reference:STUDY",
    "symmetry": "kit.studies.symmetry:STUDY",
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


def unknown(kind: str, name: str, choices: Any) -> KitError:
    """The error for a name that does not exist, with the nearest one that does.

    Example:
        >>> print(unknown("arm", "A-lerned", ["A-learned", "B-none"]))
        Unknown arm 'A-lerned'; there are A-learned, B-none. Write 'A-learned'.
    """
    choices = list(choices)
    near = get_close_matches(name, choices, n=1, cutoff=0.5)
    fix = f"Write '{near[0]}'" if near else f"Use one of {', '.join(choices)}"
    return KitError(f"Unknown {kind} '{name}'; there are {', '.join(choices)}", fix)


def resolve(path: str) -> Any:
    """The object named by `module:attribute`."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def load(slug: str) -> "Study":
    """The study of a paper.

    Raises:
        KitError: no such slug, or the paper has no study yet.
    """
    if slug in STUDIES:
        return resolve(STUDIES[slug])
    if slug in PAPERS:
        raise KitError(
            f"The study '{slug}', {PAPERS[slug]}, is not in this version of the kit",
            f"Run one of {', '.join(STUDIES)}",
        )
    raise unknown("study", slug, [*STUDIES, *(p for p in PAPERS if p not in STUDIES)])


def committed(slug: str, budget: str = "full") -> "Results":
    """The rows that are stored with the kit, as the report shows them."""
    from kit.studies.results import committed_results

    return committed_results(load(slug), budget)


def own(slug: str, budget: str = "quick") -> "Results":
    """The rows of your own runs, from the store in `kit.paths.runs_dir()`."""
    from kit.studies.results import own_results

    return own_results(load(slug), budget)
