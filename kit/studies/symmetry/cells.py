"""What a worker does with an arm: train it, then look inside."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kit.config import ModelConfig
from kit.data import Addition, task_from_spec
from kit.models import activations, build
from kit.probes import symmetry as probes
from kit.training import Run, TrainConfig, Trainer

Result = dict[str, Any]
RunSeed = Callable[[int, Callable[[float], None]], Result]

PROBED = 400  # held-out sequences that the probes look at


def prepare(spec: Mapping[str, Any]) -> RunSeed:
    """Build and compile an arm once; the returned function trains one seed."""
    task = task_from_spec(spec["task"])
    model = replace(
        ModelConfig.from_dict(spec["model"]), vocabulary_size=task.vocabulary_size
    )
    trainer = Trainer(model, task, TrainConfig.from_dict(spec["train"]))
    after = {"addition": _addition, "invariance": _invariance, "text": _text}

    def run_seed(seed: int, progress: Callable[[float], None]) -> Result:
        run = trainer.run(seed, progress=progress)
        result = {
            "status": run.status,
            "metrics": dict(run.metrics),
            "history": run.history,
            "probes": {"data_fingerprint": task.fingerprint},
            "training_seconds": run.training_seconds,
            "steps": run.steps,
        }
        if run.status != "diverged":
            metrics, found = after[spec["kind"]](run, task, seed)
            result["metrics"] |= metrics
            result["probes"] |= found
        return result

    return run_seed


def _addition(run: Run, task: Addition, seed: int) -> tuple[dict, dict]:
    """Order sensitivity, and how well each slice keeps its own position (C3, C5)."""
    inputs = task.validation().inputs[:PROBED]
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
        "steps_taken": float(run.steps),
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


def _own_token_margin(layer, tokens, places, seed: int) -> float:
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


def _text(run: Run, task: Any, seed: int) -> tuple[dict, dict]:
    """The text's own measures only."""
    return {"vocabulary_size": float(task.vocabulary_size)}, {}
