"""Learning rates by search: the same grid, length, seeds and rule for every arm.

`kit reproduce SLUG --budget search --export` runs each arm at every learning rate of a
grid; the other budgets take the rate with the lowest mean loss from the rows kept with
the kit. So the search is as reproducible as what it decides.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from statistics import fmean

from kit.studies.results import Row, committed_path, read_rows
from kit.studies.study import Arm, Platform

SEARCH = "search"
"""The budget that looks for learning rates."""


def searched(arms: Iterable[Arm], rates: Sequence[float]) -> list[Arm]:
    """Every arm once per learning rate.

    Example:
        >>> arm = Arm("sas", "SAS", {"train": {"learning_rate": 1e-3}})
        >>> [found.name for found in searched([arm], (1e-3, 3e-3))]
        ['sas@0.001', 'sas@0.003']
    """
    return [
        replace(
            with_rate(arm, rate),
            name=f"{arm.name}@{rate:g}",
            label=f"{arm.label}, learning rate {rate:g}",
            seeds=None,
        )
        for arm in arms
        for rate in rates
    ]


def with_rate(arm: Arm, rate: float) -> Arm:
    """The same arm at another learning rate."""
    train = {**arm.spec["train"], "learning_rate": rate}
    return replace(arm, spec={**arm.spec, "train": train})


def best_rates(rows: Iterable[Row]) -> dict[str, float]:
    """Arm -> the learning rate with the lowest mean loss over its seeds.

    A rate with which a run diverged loses. Of two that are alike the lower one wins.

    Example:
        >>> best_rates([])
        {}
    """
    losses: dict[str, dict[float, list[float]]] = {}
    for row in rows:
        loss = None if row.status == "diverged" else row.metrics.get("loss")
        found = losses.setdefault(row.arm.partition("@")[0], {})
        seeds = found.setdefault(row.spec["train"]["learning_rate"], [])
        seeds.append(math.inf if loss is None else loss)
    best = {}
    for name, found in losses.items():
        loss, rate = min((fmean(seeds), rate) for rate, seeds in found.items())
        if loss < math.inf:
            best[name] = rate
    return best


@lru_cache
def kept_rates(slug: str) -> dict[str, float]:
    """What the search found whose rows are kept with the kit; empty without one."""
    path = committed_path(slug, SEARCH, Platform())
    return best_rates(read_rows(path)) if path.exists() else {}


def at_best_rates(slug: str, arms: Iterable[Arm], otherwise: float) -> list[Arm]:
    """The arms, each at the rate that the kept search found for it.

    Args:
        slug: The study.
        arms: Arms with a `train` in their spec.
        otherwise: The rate of an arm that the kept search does not have.
    """
    rates = kept_rates(slug)
    return [with_rate(arm, rates.get(arm.name, otherwise)) for arm in arms]


def range_in_words(
    slug: str, rates: Sequence[float], names: Iterable[str] | None = None
) -> str:
    """How often each rate of the grid was the best, for a study's card.

    The arms at an end of the grid are named: a rate beyond it may be better still.

    Args:
        slug: The study.
        rates: The grid.
        names: The arms that were given it; None for all.
    """
    kept = kept_rates(slug)
    found = kept if names is None else {n: kept[n] for n in names if n in kept}
    if not found:
        return "not searched yet"
    arms = {
        rate: [arm for arm in found if math.isclose(found[arm], rate)] for rate in rates
    }
    counts = ", ".join(
        f"{rate:g} for {len(ours)} arm{'s' * (len(ours) != 1)}"
        for rate, ours in arms.items()
    )
    ends = {"lower": arms[min(rates)], "upper": arms[max(rates)]}
    named = [
        f"at the {end} end {', '.join(ours)}" for end, ours in ends.items() if ours
    ]
    beyond = f" (a rate beyond the grid may be better: {'; '.join(named)})"
    return counts + beyond * bool(named)
