"""What is shared, how it is chosen, and how it is trained afterwards.

An arm `...-base` trains a model. All others of its subject share that same model, seed
by seed; see `kit.studies.dense` for how it is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kit.data.docs import versions
from kit.studies.search import SEARCH, kept_rates, searched, with_rate
from kit.studies.sharing.base import (
    FURTHER_RATES,
    RATES,
    REGIMES,
    RULES,
    SCALES,
    UNSEARCHED_RATE,
    Scale,
    Subject,
    further,
    subjects,
)
from kit.studies.sharing.cost import (
    base_cost,
    copied_cost,
    scratch_cost,
    student_cost,
)
from kit.studies.sharing.real import real_arms
from kit.studies.study import Arm

LOSSES: dict[str, Any] = {
    "hidden": 0.25,
    "soft": 0.25,
    "hard": 0.5,
    "divergence": "reverse",
    "labels": "teacher",
}
"""The paper's, as `kit.sharing.DistillationConfig` has them."""

LOSS_CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "no-hidden": ("without the streams", {"hidden": 0.0}),
    "no-soft": ("without the divergence", {"soft": 0.0}),
    "no-hard": ("without labels", {"hard": 0.0}),
    "forward": ("forward divergence", {"divergence": "forward"}),
    "true-labels": ("true labels", {"labels": "true"}),
}
MAIN = "text-40-kd-continual"  # what the ablations change one thing of
ABLATED = "40"  # the rate of the headline, at which everything is ablated
DECIDING = ("continual", "kd-continual")  # regimes whose intervals decide claims
MATCHED = 16  # sequences that heads are matched on


@dataclass(frozen=True)
class Look:
    """What is done with the model of a subject.

    Args:
        subject: `"text"` and so on.
        kind: `"base"`, `"copied"`, `"student"` or `"scratch"`; see `cells`.
        words: What it is called after the subject.
        plan: What `cells` needs to know.
        steps: Of training, where it trains.
        like: The arm whose learning rate it takes; `None` for its own.
        seeds: How many, if not as many as the budget says.
    """

    subject: str
    kind: str
    words: str
    plan: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 0
    like: str | None = None
    seeds: int | None = None


def arms(budget: str) -> list[Arm]:
    """All arms of a budget, in the order of the report."""
    scale = SCALES[budget]
    models = subjects(scale)
    looks = {"smoke": _smoke, "quick": _quick, SEARCH: _main, "full": _full}[budget](
        scale
    )
    made = [
        _arm(name, look, models[look.subject], scale) for name, look in looks.items()
    ]
    if budget == SEARCH:
        return searched(made, FURTHER_RATES)
    return made + (real_arms() if budget == "full" else [])


def _full(scale: Scale) -> dict[str, Look]:
    """Five seeds where an interval decides a claim of the paper, else three."""
    looks = {**_untrained("text", scale), **_main(scale)}
    for name, look in looks.items():
        five = look.plan.get("regime", "continual") in DECIDING
        looks[name] = replace(look, seeds=5 if five else 3)
    for part in (_selections, _losses, _scratch, _small, _addition):
        looks |= part(scale)
    return looks


def _quick(scale: Scale) -> dict[str, Look]:
    main = _main(scale)
    wanted = ("0-continual", "40-continual", "40-kd-continual", "75-kd-continual")
    looks = {name: main[name] for name in (f"text-{each}" for each in wanted)}
    looks["text-40-random"] = _selections(scale)["text-40-random"]
    return {**_untrained("text", scale, reach=1), **looks}


def _smoke(scale: Scale) -> dict[str, Look]:
    main = {name: _main(scale)[name] for name in ("text-40-continual", MAIN)}
    return {**_untrained("text", scale, reach=1, others=0), **main}


def _untrained(
    subject: str, scale: Scale, reach: int | None = None, others: int = 3
) -> dict[str, Look]:
    """The model with its maps, and what copying costs it without training."""
    blocks = len(subjects(scale)[subject].model.blocks)
    plan = {
        "sequences": scale.sequences,
        "reach": reach or blocks,
        "rates": [rate for rate in RATES.values() if rate],
        "others": others,
    }
    words = "copying without training"
    return {
        f"{subject}-base": Look(subject, "base", "as trained", plan, seeds=None),
        f"{subject}-copied": Look(subject, "copied", words, plan),
    }


def _student(
    subject: str,
    rate: float,
    regime: str,
    scale: Scale,
    words: str = "",
    like: str | None = None,
    **changes: Any,
) -> Look:
    """Shared and trained further; `changes` are of its plan."""
    plan: dict[str, Any] = {
        "rule": "list",
        "rate": rate,
        "regime": regime,
        "losses": LOSSES,
        "matched": 0,
        "dropped": False,
        "sequences": scale.sequences,
    }
    told = [f"{rate:.0%} shared" if rate else "nothing shared", REGIMES[regime]]
    told += [words] if words else []
    return Look(
        subject, "student", "; ".join(told), plan | changes, scale.further, like
    )


def _main(scale: Scale) -> dict[str, Look]:
    """The main table: rates, and ways to train, for as many tokens."""
    return {
        f"text-{name}-{regime}": _student("text", rate, regime, scale)
        for name, rate in RATES.items()
        for regime in REGIMES
    }


def _ablation(words: str, scale: Scale, **changes: Any) -> Look:
    rate = RATES[ABLATED]
    return _student("text", rate, "kd-continual", scale, words, MAIN, **changes)


def _selections(scale: Scale) -> dict[str, Look]:
    """As many blocks, chosen otherwise; heads matched; attentions left out."""
    looks = {
        f"text-{ABLATED}-{rule}": _ablation(f"chosen: {words}", scale, rule=rule)
        for rule, words in RULES.items()
        if rule != "list"
    }
    looks[f"text-{ABLATED}-matched"] = _ablation(
        "heads matched", scale, matched=MATCHED
    )
    looks[f"text-{ABLATED}-dropped"] = _student(
        "text",
        RATES[ABLATED],
        "continual",
        scale,
        "those attentions left out",
        f"text-{ABLATED}-continual",
        dropped=True,
    )
    return looks


def _losses(scale: Scale) -> dict[str, Look]:
    """One loss of the teacher less, or another form of it."""
    return {
        f"text-{ABLATED}-{name}": _ablation(words, scale, losses=LOSSES | changes)
        for name, (words, changes) in LOSS_CHANGES.items()
    }


def _scratch(scale: Scale) -> dict[str, Look]:
    """Fresh weights, with the tokens of both trainings, or of the second alone."""
    everything = scale.steps + scale.further
    made = {
        "text-0-scratch": (0.0, everything),
        f"text-{ABLATED}-scratch": (RATES[ABLATED], everything),
        f"text-{ABLATED}-scratch-short": (RATES[ABLATED], scale.further),
    }
    return {
        name: Look(
            "text",
            "scratch",
            f"{f'{rate:.0%} shared' if rate else 'nothing shared'}; from scratch, "
            f"{steps} steps",
            {"rule": "list", "rate": rate, "sequences": scale.sequences},
            steps,
        )
        for name, (rate, steps) in made.items()
    }


def _small(scale: Scale) -> dict[str, Look]:
    """The paper's smallest model: 4 of 12 blocks copy, in pairs."""
    shared = _student("small", 1 / 3, "kd-continual", scale, "the paper's blocks", MAIN)
    plan = {**shared.plan, "rule": "printed"}
    control = _student("small", 0.0, "continual", scale, like="text-0-continual")
    return {
        **_untrained("small", scale, reach=1),
        "small-0-continual": control,
        "small-33-kd-continual": replace(shared, plan=plan),
    }


def _addition(scale: Scale) -> dict[str, Look]:
    """The stress test: the teacher's labels are those of the answer only."""
    rate = RATES[ABLATED]
    return _untrained("addition", scale, reach=1) | {
        f"addition-{name}": _student(
            "addition", share, regime, scale, like=f"text-{name}"
        )
        for name, share, regime in (
            ("0-continual", 0.0, "continual"),
            (f"{ABLATED}-continual", rate, "continual"),
            (f"{ABLATED}-kd-continual", rate, "kd-continual"),
        )
    }


def _arm(name: str, look: Look, subject: Subject, scale: Scale) -> Arm:
    base, text = subject.spec, look.subject != "addition"
    if text:  # made from what is installed
        base["sources"] = versions()
    spec: dict[str, Any] = {
        "kind": look.kind,
        "base": base,
        "watched": scale.watched,
        "plan": dict(look.plan),
    }
    model, steps = subject.model, look.steps
    if look.kind == "base":
        cost, preparation = base_cost(model, subject.train.steps, text)
    elif look.kind == "copied":
        cost, preparation = copied_cost(model, look.plan)
    elif look.kind == "scratch":
        spec["train"] = _afresh(subject, steps)
        cost, preparation = scratch_cost(model, steps)
    else:
        spec["train"] = further(subject, steps).to_dict()
        cost, preparation = student_cost(model, look.plan, steps, text)
    label = f"{subject.words}; {look.words}"
    arm = Arm(name, label, spec, cost, look.seeds, preparation)
    if look.kind == "student":
        rates = kept_rates("sharing")
        arm = with_rate(arm, rates.get(look.like or name, UNSEARCHED_RATE))
    return arm


def _afresh(subject: Subject, steps: int) -> dict[str, Any]:
    """As the subject is trained, in as many steps."""
    train = replace(
        subject.train,
        steps=steps,
        warmup_steps=max(1, steps // 50),
        evaluate_every=steps,
    )
    return train.to_dict()
