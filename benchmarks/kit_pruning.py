"""Pruning, and what is left of a model, in this kit through its public doors."""

import json
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np

from benchmarks.pruning_cases import SPARSITIES, PruningCase
from kit.compiled import compiled
from kit.config import ModelConfig
from kit.counts import flops_per_token
from kit.models import Transformer, build, generate, named_weights
from kit.models.reader import settle
from kit.pretrained import load
from kit.pruning import (
    Calibration,
    Record,
    allocate,
    keep_neurons,
    parts_of,
    remove_parts,
    two_stage,
)

Actions = dict[str, tuple[Callable[[], Any], Callable[[], dict[str, Any]]]]


def model_and_tokens(case: PruningCase) -> tuple[Transformer, np.ndarray]:
    """The dense model, and tokens (sequences, time) for it to be pruned with."""
    count, shape = case.sequences * case.time, (case.sequences, case.time)
    if case.checkpoint is not None:
        model, tokenizer = load(case.checkpoint, context_length=case.time)
        text = "\n".join(topics.values())[: 20 * count]  # more than enough
        tokens = tokenizer.encode(text)[:count].reshape(shape)
    else:
        model = spread(build(config(case)))
        tokens = np.random.default_rng(0).integers(case.vocabulary, size=shape)
    return model, tokens.astype("int32")


def config(case: PruningCase) -> ModelConfig:
    """A GPT of the case's sizes: learned positions, GELU, tied head."""
    return ModelConfig.uniform(
        case.blocks,
        vocabulary_size=case.vocabulary,
        context_length=case.time,
        width=case.width,
    ).with_every_block(num_heads=case.heads)


def spread(model: Transformer) -> Transformer:
    """Make the fresh matrices of the blocks three times as large, so that every part
    matters and no two parts matter alike."""
    for name, weight in named_weights(model).items():
        if name.startswith("block_") and len(weight.shape) == 2:
            weight.assign(3.0 * np.asarray(weight))
    return model


def write(model: Transformer, tokens: np.ndarray, folder: Path) -> None:
    """Leave model and tokens in a folder, for peers that are not this kit."""
    weights = {name: np.asarray(w) for name, w in named_weights(model).items()}
    np.savez(folder / "weights.npz", **weights)
    np.save(folder / "tokens.npy", tokens)
    block, rotary = model.config.blocks[0], model.config.positions == "rotary"
    about = {
        "blocks": len(model.config.blocks),
        "heads": block.num_heads,
        "key_value_heads": block.key_value_heads,
        "epsilon": model.config.norm_epsilon,
        "rotary_base": model.config.rotary_base if rotary else None,
    }
    (folder / "about.json").write_text(json.dumps(about), "utf-8")


def prepare_pruning(case: PruningCase) -> Actions:
    """Pruning by `two_stage`, and one forward pass of the dense model."""
    model, tokens = model_and_tokens(case)
    calibration = Calibration(tokens, case.sequences, case.search_sequences)
    forward = compiled(lambda tokens: model(tokens), xla=True)

    def prune() -> dict[str, Any]:
        record = two_stage(model, calibration, case.sparsity).record
        return {
            "neurons": list(record.neurons.values()),
            "parts": [part.block for part in record.parts],
            "perplexities": [removal.perplexity for removal in record.removals],
            "candidates": record.candidates,
            "block_evaluations": record.block_evaluations,
            "bound_by_flops": bound(model.config, case, record),
        }

    def run_forward() -> dict[str, Any]:
        forward(tokens[: case.search_sequences])
        return {}

    def warm() -> None:
        vars(model).pop("_pieces", None)  # each pruning is the first of its model
        model(tokens[:1])

    return {"prune": (warm, prune), "forward": (warm, run_forward)}


def bound(config: ModelConfig, case: PruningCase, record: Record) -> float:
    """Operations of the same pruning by whole passes, over those that the kit needed.

    The kit leaves the head out where only scores are wanted, and runs the blocks that
    its record counts; it looks at the perplexity three times more.
    """
    blocks, head = len(config.blocks), 2 * config.vocabulary_size * config.width
    gone, neurons = allocate(config, case.sparsity)
    narrow = config.with_every_block(feed_forward_dim=neurons)
    scored, judged = case.sequences * case.time, case.search_sequences * case.time
    dense = flops_per_token(config)
    whole = scored * dense
    shared = scored * (dense - head) + judged * (record.candidates + 3) * head
    in_search = record.block_evaluations * case.time - scored * blocks
    for step in range(gone):
        without = narrow.with_blocks({i: {"attention": None} for i in range(step + 1)})
        cost = flops_per_token(without)
        whole += judged * (blocks - step) * cost
        shared += in_search * (cost - head) / blocks / gone
    return whole / shared


def prepare_pruned(case: PruningCase) -> Actions:
    """A forward pass and generation, of the dense model and of what is left of it."""
    model, tokens = model_and_tokens(case)
    actions: Actions = {}
    bounds: dict[str, Any] = {}
    for sparsity in SPARSITIES:
        smaller = cut(model, sparsity)
        for name, run in _uses(smaller, case, tokens).items():
            action = f"{name} {sparsity}"
            actions[action] = (run, run)
            dense, left = map(flops_per_token, (model.config, smaller.config))
            bounds[action] = dense / left
    return actions | {"sizes": (dict, lambda: bounds)}


def cut(model: Transformer, sparsity: float) -> Transformer:
    """A model of the sizes that 2SSP leaves. Which neurons and which attentions go is
    not looked at: it makes no difference to the speed."""
    if not sparsity:
        return model
    removed, neurons = allocate(model.config, sparsity)
    kept = {index: range(neurons) for index in range(len(model.blocks))}
    attentions = parts_of(model.config, "attention")[:removed]
    return remove_parts(keep_neurons(model, kept), attentions)


def _uses(model: Transformer, case: PruningCase, tokens: np.ndarray) -> dict:
    sequences, prompt = tokens[: case.search_sequences], tokens[:1, : case.prompt]
    settle(model, prompt, case.generated)

    def forward() -> dict[str, Any]:
        for _ in range(case.passes):  # predict would wait for a thread of tf.data
            model.predict_on_batch(sequences)
        return {}

    def continued() -> dict[str, Any]:
        generate(model, prompt, steps=case.generated)
        return {}

    return {"forward": forward, "generate": continued}
