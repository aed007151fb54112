"""What is trained: every arm is a preset and the smallest edit of it.

The letters are those of the paper's experiments, in its order. Blocks are counted
from 0.
"""

from dataclasses import replace
from typing import Any

from kit.config import ModelConfig
from kit.gains import SKIP_INIT, Shaped, Trained, Updated
from kit.labels import difference_label
from kit.studies.search import SEARCH, at_best_rates, searched
from kit.studies.simplify.base import (
    RATES,
    SCALES,
    Scale,
    base_model,
    training_spec,
)
from kit.studies.simplify.pace import pace_arms
from kit.studies.simplify.speed import speed_arms
from kit.studies.study import Arm
from kit.studies.text import PREPARATION, seconds

BETAS = (0.0, 0.1, 0.2, 0.5, 1.0)
STARTS = ("identity", "orthogonal")
FEED_FORWARD_GAINS = (0.02, 0.05, 0.1, 0.5, 1.0)
DECIDING = ("A-pre-ln", "C-naive", "D-v-skip-init", "F-sas", "G-sas-p", "H-no-norm")
FIVE_SEEDS = (  # where an interval decides a claim of the paper
    *DECIDING,
    *("E-identity-x0.1", "E-identity-x1", "M-no-first-value"),
    *("E-orthogonal-x0", "E-orthogonal-x0.1", "E-orthogonal-x1"),
    *("E-identity-gains", "E-pre-ln-gains", "I-pre-ln-identity", "K-skip-init-map"),
    *("J-no-skip", "J-no-skip-leaky-0.2", "J-no-skip-leaky-0.8"),
    *(f"{arm}-deep" for arm in ("A-pre-ln", "D-v-skip-init", "F-sas", "G-sas-p")),
    *(f"{arm}-encoder" for arm in ("A-pre-ln", "F-sas", "G-sas-p")),
)
ENCODERS = ("A-pre-ln", "B-parallel", *DECIDING[2:])
NAMES = {
    "A-pre-ln": "Pre-LN",
    "B-parallel": "parallel",
    "C-naive": "naive (Pre-LN, no attention skip)",
    "D-v-skip-init": "V-SkipInit",
    "F-sas": "SAS",
    "G-sas-p": "SAS-P",
    "H-no-norm": "SAS-P without norms",
}
"""What sentences and figures call the arms that the paper has names for."""
START_RATIO = 0.2  # beta / alpha, Fig. 4
GAINS = {"alpha": Trained(1.0), "beta": Trained(START_RATIO)}


def arms(budget: str) -> list[Arm]:
    """All arms of a budget, in the order of the report."""
    scale = SCALES[budget]
    if budget in ("full", SEARCH):
        trained = [*_decoders(scale), *_deep(scale), *_encoders(scale)]
    else:
        trained = [_arm(scale, name, *EDITS[name]) for name in DECIDING]
    if budget == SEARCH:
        return searched(trained, RATES)
    trained = at_best_rates("simplify", trained, RATES[1])
    if budget != "full":
        return [*trained, *pace_arms(trained, DECIDING[0], seeds=1)]
    trained = [replace(a, seeds=5 if a.name in FIVE_SEEDS else 3) for a in trained]
    return [*trained, *_paces(trained), *speed_arms()]


def _paces(trained: list[Arm]) -> list[Arm]:
    """Of the arms whose loss is drawn over time."""
    found = []
    for suffix, family in (("", DECIDING), ("-encoder", ENCODERS)):
        names = [f"{name}{suffix}" for name in family]
        members = [arm for arm in trained if arm.name in names]
        found += pace_arms(members, names[0], seeds=3)
    return found


def _updated(start: str, beta: float) -> Updated:
    """A matrix with updates of this size; without any it stays as it starts."""
    # From 0, neither a trained beta nor the update that it scales gets a gradient.
    return Updated(start, beta=beta or Trained(0.0))


EDITS: dict[str, tuple[str, dict[str, Any]]] = {
    "A-pre-ln": ("pre-ln", {}),
    "B-parallel": ("parallel", {}),
    "C-naive": ("pre-ln", {"attention_skip": 0.0}),
    "D-v-skip-init": ("v-skip-init", {}),
    "D-equation-4": ("v-skip-init", {"shape": SKIP_INIT}),
    **{
        f"E-{start}-x{beta:g}": (
            "v-skip-init",
            dict.fromkeys(("value", "projection"), _updated(start, beta)),
        )
        for start in STARTS
        for beta in BETAS
        if (start, beta) != ("identity", 0)  # that is M-no-first-value
    },
    "E-identity-gains": (
        "v-skip-init",
        dict.fromkeys(("value", "projection"), Updated("identity", **GAINS)),
    ),
    "E-pre-ln-gains": (
        "pre-ln",
        dict.fromkeys(("value", "projection"), Updated("orthogonal", **GAINS)),
    ),
    "F-sas": ("sas", {}),
    "G-sas-p": ("sas-p", {}),
    "H-no-norm": ("sas-p-no-norm", {}),
    "I-pre-ln-identity": ("pre-ln", {"value": "identity", "projection": "identity"}),
    "J-no-skip": ("sas", {"feed_forward_skip": 0.0}),
    "J-no-skip-leaky-0.2": ("sas", {"feed_forward_skip": 0.0, "relu_slope": 0.2}),
    "J-no-skip-leaky-0.8": ("sas", {"feed_forward_skip": 0.0, "relu_slope": 0.8}),
    "K-skip-init-map": ("sas", {"shape": SKIP_INIT}),
    **{
        f"L-gain-{gain:g}": ("sas-p", {"feed_forward_gain": Trained(gain)})
        for gain in FEED_FORWARD_GAINS
    },
    "M-no-first-value": ("sas", {"value": "identity"}),
    "N-shared-gains": ("sas", {"shape": Shaped(per_head=False)}),
}


def _decoders(scale: Scale) -> list[Arm]:
    return [_arm(scale, name, *edit) for name, edit in EDITS.items()]


def _deep(scale: Scale) -> list[Arm]:
    """The deciding arms at twice the depth."""
    return [
        _arm(scale, f"{name}-deep", *EDITS[name], blocks=scale.deep)
        for name in DECIDING
    ]


def _encoders(scale: Scale) -> list[Arm]:
    """Encoders that fill in masked tokens: simplified blocks and their baselines."""
    return [
        _arm(scale, f"{name}-encoder", *EDITS[name], encoder=True) for name in ENCODERS
    ]


def _arm(
    scale: Scale,
    name: str,
    preset: str,
    edit: dict[str, Any],
    blocks: int = 0,
    encoder: bool = False,
) -> Arm:
    blocks = blocks or scale.blocks
    base = base_model(preset, blocks, scale.width, encoder)
    model = base.with_every_block(**edit)
    label = [preset]
    if edit:
        label.append(difference_label(model, base).removeprefix("all blocks: "))
    if blocks != scale.blocks:
        label.append(f"{blocks} blocks")
    if encoder:
        label.append("encoder")
    spec = training_spec(model, scale, encoder)
    cost = seconds(model, scale.steps)
    return Arm(name, "; ".join(label), spec, cost, preparation=PREPARATION)


def model_of(arm: Arm, vocabulary_size: int) -> ModelConfig:
    """The arm's model, with the vocabulary that only a worker knows."""
    model = ModelConfig.from_dict(arm.spec["model"])
    return replace(model, vocabulary_size=vocabulary_size)
