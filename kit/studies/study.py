"""What a study is: arms (what is trained), seeds, claims, figures.

A *cell* is one arm trained with one seed. Its key is a hash of everything that its
numbers depend on, so a cell is computed once and found again by any later run.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kit.errors import KitError, known

if TYPE_CHECKING:
    from kit.studies.claims import Claim
    from kit.studies.results import Results
    from kit.studies.verdicts import Verdict

NUMERICS_VERSION = 1
"""Part of every cell's key: bump it when what is computed changes, for every study.

Bump it when a layer, a loss, a task, a sampler, an initializer, an optimizer or a probe
computes another function, draws other random numbers, or draws them in another order:
then the same seed would end elsewhere by more than rounding, and old rows are no longer
what the kit does. Keep it when the same function is only computed otherwise (a fused
kernel, a gradient written by hand, another order of a sum): single runs may then drift
apart as they do between machines, but their distribution over seeds is the same. Which
source made a row stands in its `environment`, outside the key.
"""

BUDGETS = ("smoke", "quick", "full")

OUTCOMES = ("finished", "reached", "diverged")
"""How a cell may end: all steps done, target reached early, or loss not finite."""


@dataclass(frozen=True)
class Arm:
    """One variant of a study.

    Args:
        name: Short and stable, as typed after `--arm`.
        label: What the tables print, generated from the difference to the base.
        spec: Everything that `Study.prepare` needs, JSON-able and fully resolved:
            model config, task with its data fingerprint, training, probes.
        cost: Estimated seconds of one seed on one core; orders and times the work.
        preparation: Estimated seconds to build and compile the arm, once.
        seeds: Number of seeds, where it differs from the study's for the budget.
    """

    name: str
    label: str
    spec: Mapping[str, Any]
    cost: float = 1.0
    seeds: int | None = None
    preparation: float = 0.0


@dataclass(frozen=True)
class Platform:
    """Where numbers come from: cells of different platforms are never mixed."""

    backend: str = "tensorflow"
    device: str = "cpu"

    def __str__(self) -> str:
        return f"{self.backend}-{self.device}"


@dataclass(frozen=True)
class Cell:
    """One arm with one seed on one platform."""

    study: str
    version: str
    arm: Arm
    seed: int
    platform: Platform = Platform()

    @cached_property
    def key(self) -> str:
        """SHA-256 over study, versions, resolved spec, seed and platform."""
        return hashlib.sha256(
            canonical(
                {
                    "study": self.study,
                    "version": self.version,
                    "spec": self.arm.spec,
                    "seed": self.seed,
                    "backend": self.platform.backend,
                    "device": self.platform.device,
                }
            ).encode()
        ).hexdigest()

    def __str__(self) -> str:
        return f"{self.arm.name} seed {self.seed}"


def canonical(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, no NaN.

    Example:
        >>> canonical({"b": (1, 2), "a": None})
        '{"a":null,"b":[1,2]}'
    """
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise KitError(
            f"A spec must be JSON without NaN, and this one is not: {error}",
            "Use numbers, strings, lists, dicts and None only",
        ) from error


@dataclass(frozen=True)
class Figure:
    """A drawing of the report, made from stored rows only.

    Args:
        name: File name without ending.
        caption: One or two sentences under the figure; also its alternative text.
        figure: A `matplotlib.figure.Figure`.

    Example:
        >>> from matplotlib.figure import Figure as Drawing
        >>> Figure("accuracy", "Exact match by arm.", Drawing()).name
        'accuracy'
    """

    name: str
    caption: str
    figure: Any


@dataclass(frozen=True)
class Study:
    """One paper as an experiment.

    Args:
        slug: Name in commands and folders.
        title, paper: Heading of the report; title and arXiv number of the paper.
        card: Gives Markdown: command, minutes, claims, what counts as reproduced.
            Called for a report only, as its arithmetic goes through all arms.
        arms: Budget -> the arms to run.
        seeds: Budget -> number of seeds, paired (0, 1, ...) across all arms.
        claims: What the paper says, as code.
        prepare: `module:function`. `prepare(spec)` runs once per arm in a worker,
            builds and compiles, and returns `run(seed, progress)`, which trains one
            seed on the compiled step and returns a dict with `status` (one of
            `OUTCOMES`), `metrics` (flat numbers), and optionally `history` (rows),
            `probes`, `training_seconds` and `steps`.
        figures: Results -> figures of the report.
        metrics: The metrics of the per-arm table, name -> format; all if empty.
        in_short: Results and their verdicts -> a few sentences for a newcomer.
        version: Bump it as `NUMERICS_VERSION`, for a change that only this study sees.
        arms_per_process: After how many arms a worker process is replaced. A backend
            keeps what it has compiled, some 150 MB an arm, for as long as its process
            lives; a fresh process costs as little as five seconds.

    Example:
        >>> study = Study(
        ...     slug="skips", title="Without skips", paper="(2402.05969)", card=str,
        ...     arms=lambda budget: [Arm("base", "", {}), Arm("none", "no skips", {})],
        ...     seeds={"quick": 3}, claims=(), prepare="my_arms:prepare",
        ... )
        >>> [str(cell) for cell in study.cells("quick", seeds=2, names=["none"])]
        ['none seed 0', 'none seed 1']
    """

    slug: str
    title: str
    paper: str
    card: Callable[[], str]
    arms: Callable[[str], Sequence[Arm]]
    seeds: Mapping[str, int]
    claims: Sequence["Claim"]
    prepare: str
    figures: Callable[["Results"], list[Figure]] | None = None
    metrics: Mapping[str, str] = field(default_factory=dict)
    in_short: Callable[["Results", Sequence["Verdict"]], list[str]] | None = None
    version: int = 1
    arms_per_process: int = 8

    def cells(
        self,
        budget: str,
        *,
        seeds: int | None = None,
        names: Iterable[str] = (),
        platform: Platform | None = None,
    ) -> list[Cell]:
        """All cells of a budget, or of some of its arms.

        Raises:
            KitError: unknown budget or arm, two arms of one name, or `seeds` < 1.
        """
        version = f"{NUMERICS_VERSION}.{self.version}"
        return [
            Cell(self.slug, version, arm, seed, platform or Platform())
            for arm in self.arms_named(budget, names)
            for seed in range(self.number_of_seeds(budget, arm, seeds))
        ]

    def arms_named(self, budget: str, names: Iterable[str] = ()) -> list[Arm]:
        """The arms of a budget: all, or the named ones in the study's order."""
        known("budget", budget, self.seeds)
        arms = {}
        for arm in self.arms(budget):
            if arm.name in arms:
                raise KitError(
                    f"Study '{self.slug}' has two arms named '{arm.name}'",
                    "Give each arm its own name",
                )
            arms[arm.name] = arm
        wanted = list(names) or list(arms)
        for name in wanted:
            if name not in arms:
                self._check_other_budgets(name, budget)
            known("arm", name, arms)
        return [arm for arm in arms.values() if arm.name in wanted]

    def _check_other_budgets(self, name: str, budget: str) -> None:
        """Raise a `KitError` if another budget has an arm of that name."""
        for other in self.seeds:
            if name in (arm.name for arm in self.arms(other)):
                raise KitError(
                    f"The budget {budget} has no arm {name!r}, the budget {other} has",
                    f"Run kit reproduce {self.slug} --budget {other} --arm {name}",
                )

    def number_of_seeds(self, budget: str, arm: Arm, asked: int | None = None) -> int:
        """Seeds of one arm: asked for, else the arm's own, else the budget's."""
        if asked is not None and asked < 1:
            raise KitError(f"seeds={asked}, expected at least 1", "Use --seeds 3")
        return asked or arm.seeds or self.seeds[budget]

    def seconds(self, budget: str, workers: int = 1) -> float:
        """Estimated duration of a budget, without the start of the workers."""
        training = sum(cell.arm.cost for cell in self.cells(budget))
        preparing = sum(arm.preparation for arm in self.arms_named(budget, ()))
        return (training + preparing) / workers
