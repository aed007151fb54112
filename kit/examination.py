"""What the judge asks of a defence: each function says what is wrong, if anything is.

They get the folder that was handed in, and the claim: mean held-out loss over the seeds
and the ends of its 95 % interval, in nats per token.
"""

from collections.abc import Callable
from functools import wraps

import numpy as np

from kit.defence import (
    COPY,
    HALF_OFF,
    KNOWN,
    LEARNT,
    MEAN_OFF,
    SEEDS,
    distance,
    losses,
)
from kit.errors import KitError
from kit.studies.statistics import mean_interval
from kit.submission import (
    PARAMETERS,
    VOCABULARY,
    Saved,
    config_of,
    read,
    size_of,
)

Examine = Callable[[str, np.ndarray], str]


def _told(examine: Examine) -> Examine:
    """What cannot be read is a fault like any other."""

    @wraps(examine)
    def examined(folder: str, claim: np.ndarray) -> str:
        try:
            return examine(folder, claim)
        except KitError as error:
            return str(error)

    return examined


@_told
def readable(folder: str, claim: np.ndarray) -> str:
    """There are models, and they can be built."""
    losses(read(folder))
    return ""


@_told
def causal(folder: str, claim: np.ndarray) -> str:
    """No model sees the token that it is to predict."""
    for saved in read(folder):
        mask = config_of(saved).mask
        if mask != "causal":
            return f"{saved.name} has mask={mask!r}: it sees what it is to predict"
    return ""


@_told
def within_budget(folder: str, claim: np.ndarray) -> str:
    """Every model has as many parameters as are allowed, or fewer."""
    for saved in read(folder):
        if size_of(saved) > PARAMETERS:
            return (
                f"{saved.name} has {size_of(saved):,} parameters, and {PARAMETERS:,} "
                "are allowed"
            )
    return ""


@_told
def enough_seeds(folder: str, claim: np.ndarray) -> str:
    """There are several models, and none is a copy, or nearly, of another."""
    models = read(folder)
    different: list[Saved] = []
    for saved in models:
        if all(distance(saved, other) > COPY for other in different):
            different.append(saved)
    if SEEDS <= len(different) == len(models):
        return ""
    return (
        f"{len(models)} model{'s' * (len(models) > 1)}, {len(different)} of them "
        f"different; at least {SEEDS} "
        "that were trained with seeds of their own are needed"
    )


@_told
def learnt(folder: str, claim: np.ndarray) -> str:
    """The models are better than a guess among all tokens."""
    mean, guess = losses(read(folder))[:, 0].mean(), float(np.log(VOCABULARY))
    if mean <= guess - LEARNT:
        return ""
    return (
        f"your models have a loss of {mean:.3f}, and a guess among all {VOCABULARY} "
        f"tokens has {guess:.3f}: they have learnt nothing yet"
    )


@_told
def recomputed(folder: str, claim: np.ndarray) -> str:
    """The mean that is claimed is that of the models."""
    mean = losses(read(folder))[:, 0].mean()
    if abs(claim[0] - mean) <= MEAN_OFF:
        return ""
    return f"claimed is a mean loss of {claim[0]:.4f}, and your models have {mean:.4f}"


@_told
def follows_from_seeds(folder: str, claim: np.ndarray) -> str:
    """The interval is Student's, from the losses of the models."""
    found = mean_interval(losses(read(folder))[:, 0].tolist())
    half = (found.high - found.low) / 2
    mean, low, high = map(float, claim)
    if max(abs(mean - low - half), abs(high - mean - half)) <= HALF_OFF:
        return ""
    return (
        f"claimed is {mean:.4f}, from {low:.4f} to {high:.4f}; with {found.number} "
        f"seeds, yours reach {half:.4f} to either side"
    )


@_told
def held_out_is_new(folder: str, claim: np.ndarray) -> str:
    """What is judged is not read much better than text that was not handed over."""
    judged, held_out, train = losses(read(folder)).mean(axis=0)
    if judged >= max(held_out, train) - KNOWN:
        return ""
    return (
        f"your models have a loss of {judged:.3f} on the held-out text that they were "
        f"given, {held_out:.3f} on the rest of it and {train:.3f} on other training "
        "text: they know the text that should be new to them"
    )
