"""What a worker does with an arm: train it, then look inside."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kit.data import Addition
from kit.models import activations, build
from kit.probes import symmetry as probes
from kit.studies import training
from kit.training import Run

PROBED = 400  # held-out sequences that the probes look at


def prepare(spec: Mapping[str, Any]) -> training.RunSeed:
    """Build and compile an arm once; the returned function trains one seed."""
    after = {"addition": _addition, "invariance": _invariance, "text": training.nothing}
    return training.prepare(spec, after[spec["kind"]])


def _addition(run: Run, task: Addition, seed: int) -> tuple[dict, dict]:
    """Order sensitivity, and how well each slice keeps its own position (C3, C5)."""
    # The other protocol repeats each pair, with padding where the answer would be.
    once = replace(task, protocol="sequence").validation().inputs[:PROBED]
    inputs = once if task.protocol == "sequence" else once[:, : task.prompt_length]
    prompts = inputs[:, : task.prompt_length]
    values = activations(run.model, inputs, "embedding", "block_*/output")
    layers = [values["embedding"]]
    layers += [values[f"block_{i}/output"] for i in range(len(run.model.blocks))]
    # The places of + and = never change, so only digits say anything about order.
    places = np.flatnonzero(np.ptp(inputs[: PROBED // 2], axis=0) > 0)
    places = places[places < task.prompt_length]
    margins = [_own_token_margin(layer, inputs, places, seed) for layer in layers]
    dominance = [
        probes.diagonal_dominance(probes.layer_correlation(lower, upper))
        for lower, upper in zip(layers, layers[1:], strict=False)
    ]
    position = [probes.position_probe(layer[:, places], seed) for layer in layers]
    cosine = [probes.neighbour_cosine(layer[:, places]) for layer in layers]
    metrics = {
        "permutation_change": permutation_change(run.model, prompts, seed),
        "position_probe": position[-1],
        "own_token_margin": margins[-1],
        "diagonal_dominance": float(np.mean(dominance)),
        "neighbour_cosine": cosine[-1].neighbours - cosine[-1].distant,
    }
    found = {
        "position_probe": position,
        "own_token_margin": margins,
        "diagonal_dominance": dominance,
        "neighbour_cosine": [each.neighbours for each in cosine],
        "distant_cosine": [each.distant for each in cosine],
        "last_correlation": probes.layer_correlation(layers[0], layers[-1]),
    }
    return metrics, found


def _own_token_margin(layer: Any, tokens: Any, places: Any, seed: int) -> float:
    """How much better a token is read from its own slice than from the others."""
    accuracy = probes.token_from_slice(layer[:, places], tokens[:, places], seed)
    own = np.diag(accuracy)
    others = accuracy[~np.eye(len(places), dtype=bool)]
    return float(own.mean() - others.mean())


def _invariance(run: Run, task: Addition, seed: int) -> tuple[dict, dict]:
    """Change under permutation with random and with trained weights (C1)."""
    prompts = task.validation().inputs[:64, : task.prompt_length]
    config = run.model.config
    # Large weights, so that a dependence on order is far above rounding.
    random = build(replace(config, initializer_std=config.width**-0.5), seed=seed)
    metrics = {
        "random_weights_change": permutation_change(random, prompts, seed),
        "trained_weights_change": permutation_change(run.model, prompts, seed),
    }
    return metrics, {}


def permutation_change(model: Any, prompts: np.ndarray, seed: int) -> float:
    """Largest change of the answer's first logits, relative to their size."""
    return probes.permutation_change(
        lambda tokens: np.asarray(model(tokens)), prompts, rng=seed
    )
