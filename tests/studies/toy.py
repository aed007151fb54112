"""A study whose arms train nothing."""

from kit.studies.claims import Claim, Difference, Value
from kit.studies.study import Arm, Study


def study(slug="toy", seeds=3, figures=None, **specs):
    """A toy study with arms `low` and `high` changed or extended by `specs`."""
    specs = {"low": {"level": 0.1}, "high": {"level": 0.9}} | specs
    arms = [Arm(name, f"arm {name}", spec, cost=0.1) for name, spec in specs.items()]
    return Study(
        slug=slug,
        title="Toy",
        paper="A paper about toys (0000.00000)",
        card="Runs in **no** time.",
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
