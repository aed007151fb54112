"""What a study costs, in the words of its card."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from kit.studies.study import Arm

CORES = 2


def plan(arms: Callable[[str], Sequence[Arm]], seeds: Mapping[str, int]) -> str:
    """The arithmetic of the plan, budget by budget; smoke is only for tests.

    Args:
        arms, seeds: As in `Study`.

    Example:
        >>> words = plan(lambda budget: [Arm("a", "", {}, cost=120)], {"full": 3})
        >>> words.split("; ")[0]
        'full: 1 arm with 3 seeds, so 3 runs'
    """
    budgets = [budget for budget in seeds if budget != "smoke"]
    lines = [_budget(budget, arms(budget), seeds[budget]) for budget in budgets]
    targets = _any_target(arms(budgets[-1]))
    sooner = " Runs that reach their target end sooner." * targets
    return f"{'; '.join(lines)}.{sooner}"


def _any_target(arms: Sequence[Arm]) -> bool:
    trained = [arm.spec.get("train") or {} for arm in arms]
    return any(train.get("target_metric") for train in trained)


def _budget(budget: str, arms: Sequence[Arm], seeds: int) -> str:
    counts = Counter(arm.seeds or seeds for arm in arms)
    groups = [
        f"{number} arm{'s' * (number > 1)} with {count} seed{'s' * (count > 1)}"
        for count, number in sorted(counts.items(), reverse=True)
    ]
    runs = sum(count * number for count, number in counts.items())
    training = sum(arm.cost * (arm.seeds or seeds) for arm in arms) / 60
    compiling = sum(arm.preparation for arm in arms) / 60
    longest = max(arm.preparation + arm.cost for arm in arms) / 60  # no run is shared
    minutes = max((training + compiling) / CORES, longest)
    return (
        f"{budget}: {' and '.join(groups)}, so {runs} run{'s' * (runs > 1)}; "
        f"{training:.0f} minutes of training and {compiling:.0f} of compiling, about "
        f"{minutes:.0f} on {CORES} cores"
    )
