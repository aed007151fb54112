"""Two-stage pruning and its rivals under one interface."""

from collections.abc import Callable, Collection
from inspect import signature
from typing import Any

import numpy as np

from kit.errors import known
from kit.models import Transformer
from kit.pruning.adapters import Prunable
from kit.pruning.allocation import ALPHA, NotReached, allocate
from kit.pruning.evolution import evopress
from kit.pruning.operation import Operation
from kit.pruning.outline import Part
from kit.pruning.record import Pruned
from kit.pruning.rotation import slice_width
from kit.pruning.similarity import shortgpt, sliding_window
from kit.pruning.surgery import parts_of
from kit.pruning.two_stage import in_two_stages


def stage_one(operation: Operation, score: str = "l2") -> None:
    """Neurons only: 2SSP without its second stage."""
    in_two_stages(operation, rule="feed-forward", score=score)


def attention_only(operation: Operation) -> None:
    """Attentions only, greedily: 2SSP without its first stage."""
    attentions = parts_of(operation.model.config, "attention")
    _remove_until_reached(operation, attentions)


def blockpruner(operation: Operation) -> None:
    """Attentions or feed-forwards, whichever hurts least, one by one (2406.10594)."""
    _remove_until_reached(operation, parts_of(operation.model.config))


def magnitude(operation: Operation, alpha: float = ALPHA) -> None:
    """What has the smallest weights, as much of each kind as 2SSP removes."""

    def size(part: Part) -> float:
        mine = [np.ravel(w) for w in operation.adapter.weights(part).values()]
        return float(np.linalg.norm(np.concatenate(mine).astype("float64")))

    attentions = parts_of(operation.model.config, "attention")
    _narrow_and_remove(operation, alpha, "magnitude", sorted(attentions, key=size))


def at_random(operation: Operation, alpha: float = ALPHA) -> None:
    """Anything, as much of each kind as 2SSP removes."""
    attentions = parts_of(operation.model.config, "attention")
    order = np.random.default_rng(operation.seed).permutation(len(attentions))
    chosen = [attentions[place] for place in order]
    _narrow_and_remove(operation, alpha, "random", chosen)


METHODS: dict[str, Callable[..., None]] = {
    "2ssp": in_two_stages,
    "stage-1": stage_one,
    "attention": attention_only,
    "shortgpt": shortgpt,
    "window": sliding_window,
    "blockpruner": blockpruner,
    "evopress": evopress,
    "slice": slice_width,
    "magnitude": magnitude,
    "random": at_random,
}
OF_KIT_MODELS = ("shortgpt", "window", "slice")  # they read the stream between blocks


def prune(
    model: Transformer | Prunable,
    calibration: Any,
    sparsity: float,
    method: str = "2ssp",
    *,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
    **settings: Any,
) -> Pruned:
    """Prune a model by any of the methods; the one given is not changed.

    `"2ssp"`, `"stage-1"`, `"magnitude"`, `"random"` and `"slice"` meet the sparsity up
    to a neuron or a column. The others remove whole parts, the fewest that reach it, so
    compare them on a curve over the sparsity that was `reached`.

    Args:
        model: A kit model, or any `Prunable` such as a `FunctionalModel`; those cannot
            be pruned by `"shortgpt"`, `"window"` and `"slice"`.
        calibration: A `Calibration`, or its data; every method gets the same.
        sparsity: Share of the parameters of the blocks to remove.
        method: `"2ssp"` (2501.17771), `"stage-1"` (its neurons only), `"attention"`
            (its greedy attentions only), `"shortgpt"` (2403.03853), `"window"`
            (2403.17887), `"blockpruner"` (2406.10594), `"evopress"` (2410.14649),
            `"slice"` (after 2401.15024; RMSNorm only), `"magnitude"` or `"random"`.
        seed: Of what is random.
        progress: Called with the share of the work that is done.
        **settings: Of the method.

    Returns:
        The smaller model, and a `Record`.

    Raises:
        NotReached: The method cannot meet the sparsity on this model.
        KitError: A method or setting is unknown, or calibration data, sparsity or
            model are bad; nothing was done then.

    Example:
        >>> from kit.config import ModelConfig
        >>> from kit.models import build
        >>> from kit.pruning import Calibration
        >>> config = ModelConfig.uniform(4, vocabulary_size=14, context_length=12)
        >>> tokens = np.random.default_rng(0).integers(14, size=(8, 12))
        >>> data = Calibration(tokens, sequences=8)
        >>> smaller, record = prune(build(config), data, 0.25, "shortgpt")
        >>> len(smaller.blocks), record.reached
        (3, 0.25)
    """
    check_method(method, settings)
    options: dict[str, Any] = {"seed": seed, "progress": progress}
    operation = Operation(method, model, calibration, sparsity, **options)
    if method in OF_KIT_MODELS:
        _ = operation.pieces  # raises for others
    METHODS[method](operation, **settings)
    return operation.finish()


def check_method(method: str, settings: Collection[str] = ()) -> None:
    """Raise a `KitError` if a method, or a setting of it, is unknown.

    Example:
        >>> check_method("2ssp", ["alpha", "score"])
    """
    run = METHODS[known("method", method, METHODS)]
    for name in settings:
        known(f"setting of {method!r}:", name, list(signature(run).parameters)[1:])


def _remove_until_reached(operation: Operation, parts: list[Part]) -> None:
    if not operation.reaches(parts):
        raise NotReached(
            f"sparsity={operation.sparsity:g} is not reached without any of the "
            f"{len(parts)} parts that may go",
            "Use a lower sparsity, or another method",
        )
    operation.remove_greedily(parts, operation.reaches)


def _narrow_and_remove(
    operation: Operation, alpha: float, score: str, attentions: list[Part]
) -> None:
    split = allocate(operation.base, operation.sparsity, alpha=alpha)
    operation.narrow(split.num_neurons, score)
    operation.remove(attentions[: split.num_attentions])
