"""The order of all exercises: nobody needs what comes further down."""

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from kit.errors import KitError, known

if TYPE_CHECKING:
    from kit.grading.exercises import Exercise


def in_order(found: "Sequence[Exercise]") -> "tuple[Exercise, ...]":
    """Paper by paper, a paper after those that it builds on; inside, as numbered.

    Raises:
        KitError: Two exercises share an id, one is called like a paper, or
            prerequisites are unknown or go round in a circle.
    """
    home: dict[str, Exercise] = {}
    slugs = dict.fromkeys(exercise.slug for exercise in found)
    for exercise in found:
        if exercise.id in home or exercise.id in slugs:
            raise KitError(
                f"{exercise.relative_path} has the id {exercise.id!r}, which is taken",
                "Every exercise needs an id of its own, unlike any paper's name",
            )
        home[exercise.id] = exercise
    needs: dict[str, list[str]] = {slug: [] for slug in slugs}
    for exercise in found:
        for name in exercise.prerequisites:
            first = home[known(f"prerequisite of {exercise.id}:", name, home)]
            if first.slug != exercise.slug:
                needs[exercise.slug].append(first.slug)
            elif first.path >= exercise.path:
                raise KitError(
                    f"{exercise.id} needs {name}, which comes later",
                    f"Give {name} a lower number",
                )
    try:
        papers = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise KitError(
            f"papers build on each other: {' needs '.join(error.args[1])}",
            "Remove a prerequisite",
        ) from error
    return tuple(sorted(found, key=lambda e: (papers.index(e.slug), e.path)))
