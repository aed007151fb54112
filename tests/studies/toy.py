"""A study whose arms train nothing, and rows that were never run."""

from kit import plots
from kit.studies.claims import Claim, Difference, Value
from kit.studies.results import Results, Row
from kit.studies.study import Arm, Figure, Study


def figures(results):
    """One figure, as a real study has."""
    caption = "Accuracy <by> arm"
    return [Figure("accuracy", caption, plots.bar_with_points(results, "accuracy"))]


def study(slug="toy", seeds=3, **specs):
    """A toy study with arms `low` and `high`, changed or extended by `specs`."""
    specs = {"low": {"level": 0.1}, "high": {"level": 0.9}} | specs
    arms = [Arm(name, f"arm {name}", spec, cost=0.1) for name, spec in specs.items()]
    return Study(
        slug=slug,
        title="Toy",
        paper="A paper about toys (0000.00000)",
        card=lambda: "Runs in **no** time. <script>alert(1)</script>",
        arms=lambda budget: arms,
        seeds={"smoke": 1, "quick": seeds, "full": seeds},
        claims=(
            Claim("T1", "high is high", "it says so", Value("high", "accuracy", 0.8)),
            Claim(
                "T2",
                "high beats low",
                "it says so",
                Difference("high", "low", "accuracy", smallest_effect=0.5),
            ),
        ),
        prepare="toy_arm:prepare",
        figures=figures,
    )


STUDY = study()


def row(arm="a", seed=0, value=0.5, status="finished", **fields):
    """A row with one metric."""
    return Row(
        **{
            "key": f"{arm}-{seed}",
            "study": "toy",
            "budget": "quick",
            "arm": arm,
            "label": f"arm {arm}",
            "seed": seed,
            "status": status,
            "spec": {"level": 0.5},
            "metrics": {"accuracy": value},
        }
        | fields
    )


def results(**arms):
    """Results with one row per value: `results(a=[0.1, 0.2])`."""
    rows = [
        row(arm, seed, value, "diverged" if value is None else "finished")
        for arm, values in arms.items()
        for seed, value in enumerate(values)
    ]
    return Results(rows, "quick")
