"""What is pruned, and how: a few trained models, and many ways to make them smaller.

An arm without a plan trains a model. All others of its subject prune that same model,
seed by seed; see `kit.studies.dense` for how it is shared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kit.data.docs import versions
from kit.studies.pruning.base import METHODS, SCALES, Scale, Subject, subjects
from kit.studies.pruning.cost import look_cost, training_cost
from kit.studies.pruning.real import checkpoint_arms, has_checkpoint
from kit.studies.study import Arm

SCORES = ("l1", "mean", "max", "variance", "weighted", "magnitude", "random", "worst")
SIZES = (1, 4, 16, 32, 64, 256)
SPLITS = (0.25, 0.375, 0.5)  # those of the paper's table
RECOVERED = ("2ssp", "shortgpt", "blockpruner", "magnitude")
RECOVERED_AT = 0.5

ON_GPT = tuple(method for method in METHODS if method != "slice")  # RMSNorm only
ON_ADDITION = (
    *("2ssp", "stage-1", "attention", "shortgpt", "blockpruner", "magnitude", "random"),
)
QUICK = (
    *("2ssp", "stage-1", "attention", "shortgpt", "window", "blockpruner", "random"),
)


@dataclass(frozen=True)
class Look:
    """What is done with the model of a subject.

    Args:
        subject: `"llama"` and so on.
        kind: `"dense"`, `"curve"`, `"split"` or `"recovered"`; see `cells`.
        words: What it is called after the subject.
        plan: What `cells` needs to know.
        seeds: How many, if not as many as the budget says.
    """

    subject: str
    kind: str
    words: str
    plan: Mapping[str, Any] = field(default_factory=dict)
    seeds: int | None = None


def arms(budget: str) -> list[Arm]:
    """All arms of a budget, in the order of the report."""
    scale = SCALES[budget]
    models = subjects(scale)
    looks = {"smoke": _smoke, "quick": _quick, "full": _full}[budget](scale)
    own = [
        _arm(name, look, models[look.subject], scale) for name, look in looks.items()
    ]
    return own + (checkpoint_arms() if budget == "full" and has_checkpoint() else [])


def _full(scale: Scale) -> dict[str, Look]:
    looks = {"llama": _dense("llama"), **_methods("llama", METHODS, scale)}
    for part in (_splits, _scores, _sizes, _controls, _recovered):
        looks |= part(scale)
    looks |= {"gpt": _dense("gpt"), **_methods("gpt", ON_GPT, scale)}
    looks["gpt-split-50"] = _split("gpt", 0.5, scale)
    looks |= {"addition": _dense("addition")}
    looks |= _methods("addition", ON_ADDITION, scale)
    looks["addition-all-tokens"] = _curve(
        "addition", "2ssp", scale, "2SSP judged on every token", source="all"
    )
    looks["addition-split-50"] = _split("addition", 0.5, scale)
    for name, look in looks.items():
        if look.subject == "gpt" or name.startswith("llama-sequences"):
            looks[name] = replace(look, seeds=3)
    return looks


def _quick(scale: Scale) -> dict[str, Look]:
    looks = {"llama": _dense("llama"), **_methods("llama", QUICK, scale)}
    looks["llama-score-l1"] = _scores(scale)["llama-score-l1"]
    return looks | {"llama-split-50": _split("llama", 0.5, scale)}


def _smoke(scale: Scale) -> dict[str, Look]:
    looks = {"llama": _dense("llama"), **_methods("llama", ("2ssp", "window"), scale)}
    looks["llama-split-50"] = _split("llama", 0.5, scale)
    return looks


def _dense(subject: str) -> Look:
    return Look(subject, "dense", "dense")


def _curve(
    subject: str, method: str, scale: Scale, words: str = "", **changes: Any
) -> Look:
    """Pruned to each sparsity by a method; `changes` are of its plan."""
    plan = {
        "method": method,
        "settings": {},
        "sparsities": list(scale.sparsities),
        "sequences": scale.sequences,
        "search": scale.search,
    }
    return Look(subject, "curve", words or METHODS[method], plan | changes)


def _methods(
    subject: str, methods: Mapping[str, str] | tuple[str, ...], scale: Scale
) -> dict[str, Look]:
    return {f"{subject}-{name}": _curve(subject, name, scale) for name in methods}


def _split(subject: str, sparsity: float, scale: Scale) -> Look:
    plan = {
        "sparsity": sparsity,
        "sequences": scale.sequences,
        "search": scale.search,
    }
    return Look(subject, "split", f"2SSP at {sparsity:.1%}, every split", plan)


def _splits(scale: Scale) -> dict[str, Look]:
    return {f"llama-split-{100 * s:g}": _split("llama", s, scale) for s in SPLITS}


def _scores(scale: Scale) -> dict[str, Look]:
    return {
        f"llama-score-{score}": _curve(
            "llama",
            "2ssp",
            scale,
            f"2SSP; score {score}",
            settings={"score": score},
            sparsities=[0.25, 0.5],
        )
        for score in SCORES
    }


def _sizes(scale: Scale) -> dict[str, Look]:
    """Always searched on as many sequences, as in the paper."""
    return {
        f"llama-sequences-{size}": _curve(
            "llama",
            "2ssp",
            scale,
            f"2SSP; scored on {size} sequence{'s' * (size > 1)}",
            sparsities=[0.5],
            sequences=size,
            draws=scale.draws,
        )
        for size in SIZES
    }


def _controls(scale: Scale) -> dict[str, Look]:
    """Wrong calibration data, the other order, the other side of the feed-forwards."""
    return {
        "llama-random-tokens": _curve(
            "llama",
            "2ssp",
            scale,
            "2SSP; calibrated on random tokens",
            source="random",
            sparsities=[0.5],
        ),
        "llama-shuffled-tokens": _curve(
            "llama",
            "2ssp",
            scale,
            "2SSP; calibrated on shuffled text",
            source="shuffled",
            sparsities=[0.5],
        ),
        "llama-depth-first": _curve(
            "llama",
            "depth-first",
            scale,
            "attentions first, then neurons",
            sparsities=SPLITS,
        ),
        "llama-inverted": _curve(
            "llama",
            "inverted",
            scale,
            "2SSP; columns of the stream for neurons",
            sparsities=SPLITS,
        ),
    }


def _recovered(scale: Scale) -> dict[str, Look]:
    """The same short training after each method, and for the dense model."""
    train = replace(
        subjects(scale)["llama"].train,
        steps=scale.recovery,
        evaluate_every=scale.recovery,
        learning_rate=1e-3,
        warmup_steps=scale.recovery // 10,
    )
    plan = {
        "sparsity": RECOVERED_AT,
        "sequences": scale.sequences,
        "search": scale.search,
        "train": train.to_dict(),
    }
    words = f"then {scale.recovery} steps of training"
    looks = {
        f"llama-{method}-recovered": Look(
            "llama",
            "recovered",
            f"{METHODS[method]}; {words}",
            plan | {"method": method},
        )
        for method in RECOVERED
    }
    dense = Look("llama", "recovered", f"dense; {words}", plan | {"method": None})
    return {"llama-recovered": dense, **looks}


def _arm(name: str, look: Look, subject: Subject, scale: Scale) -> Arm:
    spec: dict[str, Any] = {"kind": look.kind, **subject.spec}
    if look.subject != "addition":  # made from what is installed
        spec["sources"] = versions()
    if look.plan:
        spec["plan"] = dict(look.plan)
    text = look.subject != "addition"
    if look.kind == "dense":
        cost, preparation = training_cost(subject.model, subject.train.steps, text)
    else:
        cost, preparation = look_cost(look.kind, look.plan, subject.model, text)
    label = f"{subject.words}; {look.words}"
    return Arm(name, label, spec, cost, look.seeds, preparation)
